//! The changes of a model tree that requests ask for by name: a new directory, and the removal of a file or an empty
//! directory.

use sanserve_core::{Change, FsError};

use super::State;
use super::history::Cause;
use super::nodes::{Node, directory_of, is_too_long};

impl State {
    pub(super) fn change(&mut self, change: &Change) -> Result<(), FsError> {
        let requested = change.path().as_bytes();
        // The last name is not resolved: a link is not removed, and neither is its target.
        let directory = self.nodes.resolve(directory_of(requested));
        let path = match &directory[..] {
            b"" => change.path().file_name().to_vec(),
            directory => [directory, b"/", change.path().file_name()].concat(),
        };
        if is_too_long(&path) {
            return Err(FsError::TooLong);
        }
        if let Change::CreateDirectory {
            directories_max, ..
        } = change
        {
            return self.create_directory(&path, *directories_max);
        }
        let is_removable = match (change, self.nodes.get(&path).ok_or(FsError::NotFound)?) {
            (Change::RemoveFile { meta, .. }, node @ Node::File(_)) => self.meta(node) == *meta,
            (Change::RemoveDirectory { .. }, Node::Directory) => {
                let is_in = |below: &Vec<u8>| directory_of(below) == path;
                self.nodes.below(&path).next().is_none() && !self.temporary.iter().any(is_in)
            }
            _ => return Err(FsError::NotRegularFile),
        };
        if !is_removable {
            return Err(FsError::Exists);
        }
        self.set(&path, None, Cause::Removal);
        Ok(())
    }

    fn create_directory(&mut self, path: &[u8], directories_max: usize) -> Result<(), FsError> {
        let missing = self.missing_above(path, directories_max)?;
        match self.nodes.get(path) {
            None => {}
            Some(Node::Directory) => return Err(FsError::Exists),
            Some(_) => return Err(FsError::NotRegularFile),
        }
        for directory in missing {
            self.set(&directory, Some(Node::Directory), Cause::World);
        }
        self.set(path, Some(Node::Directory), Cause::NewDirectory);
        Ok(())
    }
}
