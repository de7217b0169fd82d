//! The user that programs run as if the server is root.

use std::io;

use nix::unistd::User;

/// The user and group id of `nobody`.
pub(super) fn look_up() -> io::Result<(u32, u32)> {
    let user = User::from_name("nobody")?;
    user.filter(|user| !user.uid.is_root())
        .map(|user| (user.uid.as_raw(), user.gid.as_raw()))
        .ok_or_else(|| io::Error::other("the server is root, and there is no user nobody"))
}
