//! Absolute links that lead back into the root.
//!
//! The system is told to follow no absolute link, since it would begin at its own root. What such a link means is
//! found out here, link by link, if it begins with the name of the directory that is served. The path that comes of it
//! has no links, and is resolved inside of the root like any other: whatever is exchanged meanwhile, nothing outside is
//! opened.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::tree::Tree;

impl Tree {
    /// The path without links that a path means inside of the root, or `None` if it leads out.
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

    /// What follows in an absolute path behind a name of the root.
    fn inner<'a>(&self, target: &'a Path) -> Option<&'a Path> {
        let mut names = [&self.path, &self.name].into_iter();
        names.find_map(|name| target.strip_prefix(name).ok())
    }
}

/// The names in a path.
fn names(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    names.collect()
}

/// As many links as Linux follows for one path.
const LINKS_MAX: usize = 40;
/// Names that are looked at for one path, each with a system call.
const STEPS_MAX: usize = 1_024;
