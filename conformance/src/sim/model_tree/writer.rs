//! [`NewFile`]: a file of a model tree that is being created. It has a temporary name until it is committed or dropped.

use std::cell::RefCell;
use std::rc::Rc;

use sanserve_core::{Create, FsError, Path};

use super::history::Cause;
use super::nodes::{Node, is_too_long};
use super::{ModelTree, State};

/// A file that is being created.
#[derive(Debug)]
pub struct NewFile {
    tree: Rc<RefCell<State>>,
    create: Create,
    path: Vec<u8>,
    temporary: Vec<u8>,
    content: Vec<u8>,
}

impl NewFile {
    /// Begins a file.
    pub(super) fn begin(tree: &ModelTree, create: &Create) -> Result<NewFile, FsError> {
        let state = &mut *tree.state.borrow_mut();
        let path = state.nodes.resolve(create.path.as_bytes());
        state.missing_directories(&path, create)?;
        if create.len.is_some_and(|len| len > state.space as u64) {
            return Err(FsError::NoSpace);
        }
        state.begun += 1;
        let name = format!("{}{}", Path::TEMPORARY_PREFIX, state.begun);
        // In the directory of the file, if that exists.
        let directory = path
            .iter()
            .rposition(|&byte| byte == b'/')
            .map(|at| &path[..at]);
        let directory = directory.filter(|directory| state.nodes.exists(directory));
        let temporary = match directory {
            Some(directory) => [directory, b"/", name.as_bytes()].concat(),
            None => name.into_bytes(),
        };
        state.temporary.push(temporary.clone());
        Ok(NewFile {
            tree: Rc::clone(&tree.state),
            create: create.clone(),
            path,
            temporary,
            content: Vec::new(),
        })
    }

    /// Appends as many bytes as there is space for.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, FsError> {
        let space = &mut self.tree.borrow_mut().space;
        let n = bytes.len().min(*space);
        if n == 0 && !bytes.is_empty() {
            return Err(FsError::NoSpace);
        }
        *space -= n;
        self.content.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    /// Gives the file its name, if nothing has happened to that name meanwhile.
    pub(super) fn commit(&mut self) -> Result<(), FsError> {
        let state = &mut *self.tree.borrow_mut();
        for directory in state.missing_directories(&self.path, &self.create)? {
            state.set(&directory, Some(Node::Directory), Cause::World);
        }
        let content = std::mem::take(&mut self.content);
        state.store(&self.path, content, Cause::Upload);
        state.temporary.retain(|path| *path != self.temporary);
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let state = &mut *self.tree.borrow_mut();
        state.space += self.content.len();
        state.temporary.retain(|path| *path != self.temporary);
    }
}

impl State {
    /// Returns the directories to create for a file, if it may be created.
    fn missing_directories(&self, path: &[u8], create: &Create) -> Result<Vec<Vec<u8>>, FsError> {
        if is_too_long(path) {
            return Err(FsError::TooLong);
        }
        let missing = self.missing_above(path, create.directories_max)?;
        match (self.nodes.get(path), &create.replaces) {
            (None, None) => Ok(missing),
            (Some(node @ Node::File(_)), Some(meta)) if self.meta(node) == *meta => Ok(missing),
            (Some(Node::File(_)), _) | (None, Some(_)) => Err(FsError::Exists),
            (Some(_), _) => Err(FsError::NotRegularFile),
        }
    }

    /// Returns the missing directories above a path, if there are at most `max`.
    pub(super) fn missing_above(&self, path: &[u8], max: usize) -> Result<Vec<Vec<u8>>, FsError> {
        let mut missing = Vec::new();
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for (end, _) in ends {
            match self.nodes.get(&path[..end]) {
                Some(Node::Directory) => {}
                Some(_) => return Err(FsError::NotRegularFile),
                None => missing.push(path[..end].to_vec()),
            }
        }
        match missing.len() > max {
            true => Err(FsError::NotFound),
            false => Ok(missing),
        }
    }
}
