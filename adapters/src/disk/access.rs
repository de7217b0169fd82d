//! [`Access`]: the owner, group, mode and access control list of a file. Reads them from one file and gives them to
//! another.
//!
//! A file that replaces another gets the access of the old one. If the system does not allow all of it to be
//! kept, the new file becomes less readable, never more: its owner or group may be different, and users whom
//! the old owner or group referred to now count as others.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

#[cfg(target_os = "linux")]
use rustix::io::Errno;

/// The permissions to read and write a file. Execute permission is never kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Access {
    owner: u32,
    group: u32,
    mode: u32,
    acl: Acl,
}

/// The POSIX access control list of a file on Linux (acl(5)).
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "lists are not read there")
)]
enum Acl {
    /// The file has none, or the file system does not support it.
    None,
    /// In the format of the system.
    Present(Vec<u8>),
    /// It cannot be read.
    Unknown,
}

impl Access {
    /// Reads the access of an open file.
    pub(super) fn of(file: &File) -> io::Result<Access> {
        let found = file.metadata()?;
        Ok(Access {
            owner: found.uid(),
            group: found.gid(),
            mode: found.mode() & 0o666,
            acl: acl(file),
        })
    }

    /// Gives this access to a file of this process, or less if not all of it is permitted.
    pub(super) fn apply_to(&self, file: &File) -> io::Result<()> {
        let now = Access::of(file)?;
        if now == *self && self.acl != Acl::Unknown {
            return Ok(());
        }
        // The permissions below are granted to this group, so the group has to be set first.
        let same_group = now.group == self.group || fchown(file, None, Some(self.group)).is_ok();
        let mode = if set_acl(file, &self.acl, same_group) {
            self.mode
        } else {
            self.mode & 0o600
        };
        // Before the owner changes, because only the owner may change the mode.
        let least = narrowed(mode, false, same_group);
        set_mode(file, least)?;
        let same_owner = now.owner == self.owner || fchown(file, Some(self.owner), None).is_ok();
        let most = narrowed(mode, same_owner, same_group);
        if most != least {
            let _ = set_mode(file, most); // else it is less readable
        }
        Ok(())
    }
}

fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// Reduces a mode so that nobody gains permissions by a change of owner or group. Members of the old group count as
/// others then, and some of the others are members of the new group.
fn narrowed(mode: u32, same_owner: bool, same_group: bool) -> u32 {
    let (owner, mut group, mut other) = (mode >> 6 & 7, mode >> 3 & 7, mode & 7);
    if !same_group {
        (group, other) = (group & other, group & other);
    }
    if !same_owner {
        (group, other) = (group & owner, other & owner);
    }
    owner << 6 | group << 3 | other
}

#[cfg(target_os = "linux")]
fn acl(file: &File) -> Acl {
    use rustix::fs::{fgetxattr, fgetxattr_query};

    let read = fgetxattr_query(file, ACL).and_then(|len| {
        let mut value = vec![0; len];
        let len = fgetxattr(file, ACL, &mut value[..])?;
        value.truncate(len);
        Ok(value)
    });
    match read {
        Ok(value) => Acl::Present(value),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Acl::None,
        Err(_) => Acl::Unknown,
    }
}

/// Gives a file the same list. If that fails, it removes any list, including one inherited from the directory,
/// and returns false. A list refers to the group of the file, so it cannot be kept with another group.
#[cfg(target_os = "linux")]
fn set_acl(file: &File, acl: &Acl, same_group: bool) -> bool {
    use rustix::fs::{XattrFlags, fremovexattr, fsetxattr};

    if let Acl::Present(value) = acl
        && same_group
        && fsetxattr(file, ACL, value, XattrFlags::empty()).is_ok()
    {
        return true;
    }
    let removed = matches!(
        fremovexattr(file, ACL),
        Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP)
    );
    removed && *acl == Acl::None
}

#[cfg(target_os = "linux")]
const ACL: &str = "system.posix_acl_access";

/// Other systems: lists are not copied.
#[cfg(not(target_os = "linux"))]
fn acl(_: &File) -> Acl {
    Acl::None
}

#[cfg(not(target_os = "linux"))]
fn set_acl(_: &File, _: &Acl, _: bool) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::narrowed;

    /// Returns what a user may do with a file: as its owner, as a member of its group, or as one of the others.
    fn granted(mode: u32, owner: bool, group: bool) -> u32 {
        match (owner, group) {
            (true, _) => mode >> 6 & 7,
            (_, true) => mode >> 3 & 7,
            _ => mode & 7,
        }
    }

    #[test]
    fn no_user_may_do_more_than_before() {
        for mode in (0..0o1000).filter(|mode| mode & 0o111 == 0) {
            for case in 0..32 {
                let is = |bit: u32| case >> bit & 1 == 1;
                let (same_owner, same_group) = (is(0), is(1));
                // A new owner is the server, which could replace the file anyway.
                let (was_owner, was_member, now_member) = (is(2), is(3), is(4));
                let now_owner = same_owner && was_owner;
                let now_member = if same_group { was_member } else { now_member };
                let before = granted(mode, was_owner, was_member);
                let new = narrowed(mode, same_owner, same_group);
                let after = granted(new, now_owner, now_member);
                assert_eq!(after & !before, 0, "{mode:o} became {new:o}");
            }
        }
        assert_eq!(narrowed(0o664, true, true), 0o664);
        assert_eq!(narrowed(0o640, true, false), 0o600);
        assert_eq!(narrowed(0o644, false, false), 0o644);
    }
}
