//! Resolves absolute symbolic links that lead back into the root.
//!
//! The system is told not to follow absolute links, because it would follow them from its own root. If such a
//! link begins with the path of the served directory, it is resolved here, link by link. The resulting path has
//! no links, and is opened beneath the root like any other, so nothing outside is opened even if links change
//! in the meantime.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::tree::Tree;

impl Tree {
    /// Returns the path beneath the root, without links, that a path resolves to, or `None` if it leads out.
    pub(super) fn inner_path(&self, at: &Path) -> Option<PathBuf> {
        let (mut found, mut ahead) = (PathBuf::new(), names(at));
        let (mut links, mut steps) = (0, 0);
        while let Some(name) = ahead.pop_front() {
            steps += 1;
            if steps > STEPS_MAX {
                return None;
            }
            if name == ".." {
                if !found.pop() {
                    return None;
                }
                continue;
            }
            found.push(name);
            let Ok(target) = self.dir.read_link_contents(&found) else {
                continue;
            };
            links += 1;
            let inner = if target.is_absolute() {
                found.clear();
                self.inner(&target)?
            } else {
                found.pop();
                target.as_path()
            };
            let mut next = names(inner);
            next.append(&mut ahead);
            ahead = next;
            if links > LINKS_MAX {
                return None;
            }
        }
        if found.as_os_str().is_empty() {
            found.push(".");
        }
        Some(found)
    }

    /// Returns the rest of an absolute path that begins with the root.
    fn inner<'a>(&self, target: &'a Path) -> Option<&'a Path> {
        let mut names = [&self.path, &self.name].into_iter();
        names.find_map(|name| target.strip_prefix(name).ok())
    }
}

/// Returns the names in a path.
fn names(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    names.collect()
}

/// The maximum number of links in a path, as on Linux.
const LINKS_MAX: usize = 40;
/// The maximum number of names to check for one path; each takes a system call.
const STEPS_MAX: usize = 1_024;
