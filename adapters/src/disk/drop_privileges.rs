//! Finds the ids of the user `nobody`. If the server runs as root, `cgi_process` runs scripts as this user.

use nix::unistd::User;

/// Returns the user and group id of `nobody`.
///
/// Without a user database, as in a container without `/etc/passwd`, these are the overflow ids of Linux.
/// CPython takes the highest id of the database and adds 1.
pub(super) fn nobody_ids() -> (u32, u32) {
    let found = User::from_name("nobody").ok().flatten();
    let found = found.map(|user| (user.uid.as_raw(), user.gid.as_raw()));
    found.filter(|(uid, _)| *uid != 0).unwrap_or(OVERFLOW_IDS)
}

/// The overflow ids of Linux, which nearly all systems give to the user nobody.
const OVERFLOW_IDS: (u32, u32) = (65_534, 65_534);
