//! Encodes, sets and reads POSIX access control lists, which are extended attributes on Linux
//! (linux/posix_acl_xattr.h).
#![allow(dead_code, reason = "each test uses only some of these")]

use std::path::Path;

use rustix::fs::{XattrFlags, getxattr, setxattr};

pub(crate) const ACCESS: &str = "system.posix_acl_access";
pub(crate) const DEFAULT: &str = "system.posix_acl_default";

/// Encodes the permissions of the owner, of the user with this id, of the group, the mask, and those of others.
pub(crate) fn list(
    owner: u16,
    user_id: u32,
    user: u16,
    group: u16,
    mask: u16,
    other: u16,
) -> Vec<u8> {
    let mut list = 2u32.to_le_bytes().to_vec();
    let no_id = u32::MAX;
    for (tag, permissions, id) in [
        (1u16, owner, no_id),
        (2, user, user_id),
        (4, group, no_id),
        (16, mask, no_id),
        (32, other, no_id),
    ] {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

/// Sets a list. Returns `false` if that fails, as on file systems without such lists.
pub(crate) fn set(path: &Path, name: &str, list: &[u8]) -> bool {
    setxattr(path, name, list, XattrFlags::empty()).is_ok()
}

pub(crate) fn get(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 1024];
    let len = getxattr(path, name, &mut value[..]).ok()?;
    Some(value[..len].to_vec())
}
