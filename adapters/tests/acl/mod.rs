//! Access control lists as Linux keeps them: linux/posix_acl_xattr.h.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::path::Path;

use rustix::fs::{XattrFlags, getxattr, setxattr};

pub(crate) const ACCESS: &str = "system.posix_acl_access";
pub(crate) const DEFAULT: &str = "system.posix_acl_default";

/// What the owner, one more user, the group, all of these but the owner at most, and others may do.
pub(crate) fn list(owner: u16, id: u32, user: u16, group: u16, mask: u16, other: u16) -> Vec<u8> {
    let mut list = 2u32.to_le_bytes().to_vec();
    let nobody = u32::MAX;
    for (tag, may, id) in [
        (1u16, owner, nobody),
        (2, user, id),
        (4, group, nobody),
        (16, mask, nobody),
        (32, other, nobody),
    ] {
        list.extend(tag.to_le_bytes());
        list.extend(may.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

pub(crate) fn set(place: &Path, name: &str, list: &[u8]) -> bool {
    setxattr(place, name, list, XattrFlags::empty()).is_ok()
}

pub(crate) fn get(place: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 1024];
    let len = getxattr(place, name, &mut value[..]).ok()?;
    Some(value[..len].to_vec())
}
