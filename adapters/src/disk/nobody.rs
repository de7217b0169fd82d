//! The user that programs run as if the server is root.

use nix::unistd::User;

/// The user and group id of `nobody`.
///
/// Without a list of users, as in a container that has no `/etc/passwd`, these are Linux's overflow IDs, which stand for
/// the user nobody. CPython takes the highest number of the list and adds 1.
pub(super) fn look_up() -> (u32, u32) {
    let found = User::from_name("nobody").ok().flatten();
    let found = found.map(|user| (user.uid.as_raw(), user.gid.as_raw()));
    found.filter(|(uid, _)| *uid != 0).unwrap_or(OVERFLOW)
}

/// The overflow IDs of Linux. Nearly all systems give them to the user nobody.
const OVERFLOW: (u32, u32) = (65_534, 65_534);
