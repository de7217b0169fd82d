//! [`Access`]: who may read and write a file, that is its owner, group, mode and access control list.
//!
//! A file that replaces another gets the access of that one. What the system does not allow to be kept makes the new
//! file less readable, never more: its group or owner may now be another, and those who were meant by the old
//! one are among the others.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

#[cfg(target_os = "linux")]
use rustix::io::Errno;

/// Who may read and write a file. Nobody may run it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Access {
    owner: u32,
    group: u32,
    mode: u32,
    acl: Acl,
}

/// The access control list of a file, of the kind that Linux has (acl(5)).
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "lists are not looked at there")
)]
enum Acl {
    /// There is none, or the file system knows none.
    None,
    /// As the system has it.
    Is(Vec<u8>),
    /// It cannot be read.
    Unknown,
}

impl Access {
    /// The access to an open file.
    pub(super) fn of(file: &File) -> io::Result<Access> {
        let found = file.metadata()?;
        Ok(Access {
            owner: found.uid(),
            group: found.gid(),
            mode: found.mode() & 0o666,
            acl: acl(file),
        })
    }

    /// Gives this access to a file of this process, or less where it may not.
    pub(super) fn give_to(&self, file: &File) -> io::Result<()> {
        let now = Access::of(file)?;
        if now == *self && self.acl != Acl::Unknown {
            return Ok(());
        }
        // What is given below is for this group, so it must be the group already.
        let same_group = now.group == self.group || fchown(file, None, Some(self.group)).is_ok();
        let mode = if set_acl(file, &self.acl, same_group) {
            self.mode
        } else {
            self.mode & 0o600
        };
        // Before the owner is another, who alone may change the mode.
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

/// The mode that gives nobody more than `mode` did, if the file has another owner or group now. Members
/// of the old group are among the others then, and some of the others are in the new group.
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
        Ok(value) => Acl::Is(value),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Acl::None,
        Err(_) => Acl::Unknown,
    }
}

/// Gives a file the same list. Else it has none, not even that of its directory, and the answer is false. A list
/// speaks of the group of the file, so it cannot be kept without that.
#[cfg(target_os = "linux")]
fn set_acl(file: &File, acl: &Acl, same_group: bool) -> bool {
    use rustix::fs::{XattrFlags, fremovexattr, fsetxattr};

    if let Acl::Is(value) = acl
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

/// Elsewhere they are not looked at.
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

    /// What a user may do with a file: as its owner, a member of its group, or one of the others.
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
                // The server, whom a new owner is, could replace the file anyway.
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
