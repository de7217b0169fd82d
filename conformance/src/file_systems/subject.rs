//! [`Subject`]: the file system under test, and questions to it as adapters ask them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use sanserve_core::{
    Ask, Change, Create, Entries, Entry, FileSystem, FileVersion, FsError, Got, Meta, Opened, Path,
};

use super::FsCheck;
use crate::Site;

/// The problem of a check that fails.
pub(super) type Problem = String;

/// A file system under test.
pub(super) struct Subject<F: FileSystem> {
    pub(super) fs: F,
    /// The files that it has at the beginning.
    pub(super) site: Site,
    /// The folder that it serves, if there is one.
    #[cfg(unix)]
    pub(super) root: Option<std::path::PathBuf>,
    pub(super) space: u64,
}

/// Names and their content; `None` for directories.
pub(super) type Tree = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

impl<F: FileSystem> Subject<F> {
    pub(super) fn new(fs: F, check: &FsCheck) -> Self {
        Self {
            fs,
            site: check.site(),
            #[cfg(unix)]
            root: None,
            space: check.space,
        }
    }

    /// Asks without blocking and then with it, as an event loop does. The answers must be equal.
    pub(super) fn ask(&self, ask: &Ask) -> Result<Got<F::File>, Problem> {
        // A file must not be begun twice, and a change not be made twice.
        let tried = match ask {
            Ask::Create(_) | Ask::Change(_) => Got::Nothing,
            ask => self.fs.try_answer(ask),
        };
        let mut answer = self.fs.answer(ask);
        for _ in 0..BUSY_MAX {
            if !matches!(answer, Got::Nothing) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
            answer = self.fs.answer(ask);
        }
        let equal = match (&tried, &answer) {
            (Got::Nothing, _) => true,
            (Got::Opened(tried), Got::Opened(answer)) => summary(tried) == summary(answer),
            (Got::Listed(Ok(tried)), Got::Listed(Ok(answer))) => sorted(tried) == sorted(answer),
            (Got::Listed(tried), Got::Listed(answer)) => {
                tried.as_ref().err() == answer.as_ref().err()
            }
            _ => false,
        };
        if equal {
            Ok(answer)
        } else {
            let (tried, answer) = (text(&tried), text(&answer));
            Err(format!(
                "{}: `try_answer` returns {tried}, but `answer` returns {answer}",
                question(ask)
            ))
        }
    }

    pub(super) fn open(&self, path: &[u8]) -> Result<Result<Opened<F::File>, FsError>, Problem> {
        match self.ask(&Ask::Open(to_path(path)))? {
            Got::Opened(result) => Ok(result),
            other => Err(format!("the answer to `Open` is {}", text(&other))),
        }
    }

    /// Opens a file.
    pub(super) fn file(&self, path: &[u8]) -> Result<(F::File, Meta), Problem> {
        match self.open(path)? {
            Ok(Opened::File { file, meta, .. }) => Ok((file, meta)),
            other => Err(format!("{} is {}, not a file", show(path), summary(&other))),
        }
    }

    /// Expects an error that is one of these.
    pub(super) fn fails(&self, path: &[u8], expected: &[FsError]) -> Result<(), Problem> {
        match self.open(path)? {
            Err(error) if expected.contains(&error) => Ok(()),
            other => Err(format!(
                "opening {} returns {}, expected {expected:?}",
                show(path),
                summary(&other)
            )),
        }
    }

    pub(super) fn list(&self, path: &[u8]) -> Result<Result<Arc<Entries>, FsError>, Problem> {
        match self.ask(&Ask::List(to_path(path)))? {
            Got::Listed(result) => Ok(result),
            other => Err(format!("the answer to `List` is {}", text(&other))),
        }
    }

    /// Returns the entries of a directory.
    pub(super) fn entries(&self, path: &[u8]) -> Result<Arc<Entries>, Problem> {
        let entries = self.list(path)?;
        entries.map_err(|error| format!("listing {}: {error:?}", show(path)))
    }

    /// Returns the names in a directory, without those that are temporary. There must be no name twice, and neither `.`
    /// nor `..`.
    pub(super) fn names(&self, path: &[u8]) -> Result<BTreeSet<Vec<u8>>, Problem> {
        let entries = self.entries(path)?;
        let mut names = BTreeSet::new();
        for entry in entries.iter() {
            if matches!(entry.name, b"" | b"." | b"..") || entry.name.contains(&b'/') {
                return Err(format!(
                    "the listing of {} has {}",
                    show(path),
                    show(entry.name)
                ));
            }
            if !Path::is_name(entry.name) {
                continue;
            }
            if !names.insert(entry.name.to_vec()) {
                return Err(format!(
                    "the listing of {} has {} twice",
                    show(path),
                    show(entry.name)
                ));
            }
        }
        Ok(names)
    }

    /// Reads from a file, without blocking if that is possible. What both ways read must be equal.
    pub(super) fn read(
        &self,
        file: &mut F::File,
        at: u64,
        into: &mut [u8],
    ) -> Result<usize, Problem> {
        let mut tried = vec![0; into.len()];
        let tried = match self.fs.try_fill(file, at, &mut tried) {
            Got::Nothing => None,
            Got::Bytes(n) => Some(tried[..n].to_vec()),
            other => return Err(format!("`try_fill` at {at} returns {}", text(&other))),
        };
        let n = match self.fs.fill(file, at, into) {
            Got::Bytes(n) => n,
            other => return Err(format!("`fill` at {at} returns {}", text(&other))),
        };
        let tried = tried.unwrap_or_else(|| into[..n].to_vec());
        let common = tried.len().min(n);
        if tried[..common] != into[..common] || (tried.is_empty() != (n == 0)) {
            return Err(format!(
                "`try_fill` and `fill` at {at} read different bytes"
            ));
        }
        Ok(n)
    }

    /// Reads an open file in pieces that differ in size.
    pub(super) fn content(&self, file: &mut F::File) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        let mut sizes = [1, 7, 4096, 100, 70_000].into_iter().cycle();
        loop {
            let mut piece = vec![0; sizes.next().unwrap_or(1)];
            match self.read(file, bytes.len() as u64, &mut piece)? {
                0 => return Ok(bytes),
                n => bytes.extend(&piece[..n]),
            }
        }
    }

    /// Expects a file with this content.
    pub(super) fn has(&self, path: &[u8], expected: &[u8]) -> Result<(), Problem> {
        let (mut file, meta) = self.file(path)?;
        equal(
            &format!("the length of {}", show(path)),
            &meta.len,
            &(expected.len() as u64),
        )?;
        let content = self.content(&mut file)?;
        same_bytes(
            &format!("the content of {}", show(path)),
            &content,
            expected,
        )
    }

    /// Expects that nothing has this name.
    pub(super) fn lacks(&self, path: &[u8]) -> Result<(), Problem> {
        self.fails(path, &[FsError::NotFound])?;
        let (above, name) = split(path);
        match self.list(above)? {
            Ok(entries) if entries.iter().any(|entry| entry.name == name) => {
                Err(format!("{} is not there, but listed", show(path)))
            }
            _ => Ok(()),
        }
    }

    /// Returns everything below the root that has a name, links aside; and with a folder, the names in it, where no
    /// temporary ones may be left.
    pub(super) fn tree(&self) -> Result<Tree, Problem> {
        let mut tree = Tree::new();
        let mut ahead = vec![Vec::new()];
        while let Some(path) = ahead.pop() {
            let entries = self.entries(&path)?;
            for entry in entries.iter().filter(|entry| !entry.link) {
                let below = join(&path, entry.name);
                if !Path::is_name(entry.name) {
                    return Err(format!("{} is left", show(&below)));
                }
                if entry.directory {
                    tree.insert(below.clone(), None);
                    ahead.push(below);
                } else if !entry.unavailable {
                    let mut file = self.file(&below)?.0;
                    tree.insert(below, Some(self.content(&mut file)?));
                }
            }
        }
        #[cfg(unix)]
        if let Some(root) = &self.root {
            super::folder::check_names(root, &tree)?;
        }
        Ok(tree)
    }

    /// Runs `work`, which must leave everything as it is.
    pub(super) fn unchanged(
        &self,
        work: impl FnOnce() -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let before = self.tree()?;
        work()?;
        let after = self.tree()?;
        if before == after {
            return Ok(());
        }
        let changed = before.iter().chain(&after);
        let mut changed = changed.filter(|(path, _)| before.get(*path) != after.get(*path));
        let path = changed.next().map_or(&[][..], |(path, _)| path);
        Err(format!("{} must not change, but does", show(path)))
    }

    /// Begins to create a file.
    pub(super) fn create(&self, create: Create) -> Result<Result<F::File, FsError>, Problem> {
        match self.ask(&Ask::Create(Box::new(create)))? {
            Got::Opened(Ok(Opened::Writer(file))) => Ok(Ok(file)),
            Got::Opened(Err(error)) => Ok(Err(error)),
            other => Err(format!("the answer to `Create` is {}", text(&other))),
        }
    }

    /// Appends to a file that is being created.
    pub(super) fn append(
        &self,
        file: &mut F::File,
        mut bytes: &[u8],
    ) -> Result<Result<(), FsError>, Problem> {
        while !bytes.is_empty() {
            match self.fs.answer_write(file, bytes) {
                Got::Bytes(0) => return Err("a write accepts no bytes".into()),
                Got::Bytes(n) if n <= bytes.len() => bytes = &bytes[n..],
                Got::Bytes(n) => {
                    return Err(format!("a write of {} bytes returns {n}", bytes.len()));
                }
                Got::Refused(error) => return Ok(Err(error)),
                Got::Nothing => {}
                other => return Err(format!("a write returns {}", text(&other))),
            }
        }
        Ok(Ok(()))
    }

    /// Begins to create a file, and appends all its content.
    pub(super) fn begin(&self, create: Create, bytes: &[u8]) -> Result<F::File, Problem> {
        let path = create.path.clone();
        let fails = |error| format!("creating {} fails: {error:?}", show(path.as_bytes()));
        let mut file = self.create(create)?.map_err(fails)?;
        self.append(&mut file, bytes)?.map_err(fails)?;
        Ok(file)
    }

    /// Creates a file with this content, in pieces. The error is that of any step.
    pub(super) fn try_store(
        &self,
        create: Create,
        bytes: &[u8],
    ) -> Result<Result<(), FsError>, Problem> {
        let mut file = match self.create(create)? {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        for piece in bytes.chunks(PIECE) {
            if let Err(error) = self.append(&mut file, piece)? {
                return Ok(Err(error));
            }
        }
        Ok(self.fs.commit(&mut file))
    }

    /// Stores a file.
    pub(super) fn store(&self, create: Create, bytes: &[u8]) -> Result<(), Problem> {
        let path = create.path.clone();
        let stored = self.try_store(create, bytes)?;
        stored.map_err(|error| format!("storing {} fails: {error:?}", show(path.as_bytes())))
    }

    /// Expects that a file is not stored, because of one of these errors, and that nothing changes.
    pub(super) fn refuses(&self, create: &Create, expected: &[FsError]) -> Result<(), Problem> {
        self.unchanged(|| match self.try_store(create.clone(), b"refused")? {
            Err(error) if expected.contains(&error) => Ok(()),
            result => Err(format!(
                "storing {} returns {result:?}, expected {expected:?}",
                show(create.path.as_bytes())
            )),
        })
    }

    /// Makes a change.
    pub(super) fn change(&self, change: &Change) -> Result<(), Problem> {
        let changed = self.try_change(change)?;
        changed.map_err(|error| format!("{change:?} fails: {error:?}"))
    }

    /// Expects that a change is not made, because of one of these errors, and that nothing changes.
    pub(super) fn refuses_change(
        &self,
        change: &Change,
        expected: &[FsError],
    ) -> Result<(), Problem> {
        self.unchanged(|| match self.try_change(change)? {
            Err(error) if expected.contains(&error) => Ok(()),
            result => Err(format!(
                "{change:?} returns {result:?}, expected {expected:?}"
            )),
        })
    }

    fn try_change(&self, change: &Change) -> Result<Result<(), FsError>, Problem> {
        match self.ask(&Ask::Change(Box::new(change.clone())))? {
            Got::Committed(result) => Ok(result),
            other => Err(format!("the answer to `Change` is {}", text(&other))),
        }
    }
}

/// Returns the question to create a file in an existing directory.
pub(super) fn new(path: &[u8]) -> Create {
    Create::new(to_path(path))
}

/// Returns the question to replace a file of which this is known.
pub(super) fn replacing(path: &[u8], meta: Meta) -> Create {
    Create {
        replaces: Some(meta),
        ..new(path)
    }
}

/// Returns the entry with this name.
pub(super) fn entry<'e>(entries: &'e Entries, name: &[u8]) -> Result<Entry<'e>, Problem> {
    let mut entries = entries.iter();
    let found = entries.find(|entry| entry.name == name);
    found.ok_or_else(|| format!("{} is not listed", show(name)))
}

pub(super) fn to_path(path: &[u8]) -> Path {
    Path::from_bytes(path.to_vec()).expect("a path")
}

pub(super) fn join(above: &[u8], name: &[u8]) -> Vec<u8> {
    match above {
        b"" => name.to_vec(),
        above => [above, b"/", name].concat(),
    }
}

/// Returns the directory of a path, and its last segment.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// Formats a path.
pub(super) fn show(path: &[u8]) -> String {
    format!("\"/{}\"", path.escape_ascii())
}

pub(super) fn equal<T: PartialEq + Debug>(
    subject: &str,
    found: &T,
    expected: &T,
) -> Result<(), Problem> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{subject} is {found:?}, expected {expected:?}")),
    }
}

pub(super) fn same_bytes(subject: &str, found: &[u8], expected: &[u8]) -> Result<(), Problem> {
    if found == expected {
        return Ok(());
    }
    let at = found.iter().zip(expected).position(|(a, b)| a != b);
    let at = at.unwrap_or(found.len().min(expected.len()));
    let (len, expected) = (found.len(), expected.len());
    Err(format!(
        "{subject} is wrong from byte {at} on: {len} bytes, expected {expected}"
    ))
}

/// Formats the result of opening a path, without the open file.
pub(super) fn summary<T>(result: &Result<Opened<T>, FsError>) -> String {
    match result {
        // Whether a version is settled may change at any time.
        Ok(Opened::File { meta, .. }) => format!(
            "a file of {} bytes (time {:?}, version {:?}, executable {})",
            meta.len,
            meta.modified,
            meta.version.map(FileVersion::number),
            meta.executable
        ),
        Ok(Opened::Directory) => "a directory".into(),
        Ok(Opened::Process(_)) => "a process".into(),
        Ok(Opened::Writer(_)) => "a file that is being created".into(),
        Ok(_) => "something else".into(),
        Err(error) => format!("{error:?}"),
    }
}

/// Formats a question.
fn question(ask: &Ask) -> String {
    match ask {
        Ask::Open(path) => format!("Open({})", show(path.as_bytes())),
        Ask::List(path) => format!("List({})", show(path.as_bytes())),
        ask => format!("{ask:?}"),
    }
}

/// Formats an answer.
fn text<T>(got: &Got<T>) -> String {
    match got {
        Got::Opened(result) => summary(result),
        Got::Listed(Ok(entries)) => format!("{:?}", sorted(entries)),
        Got::Listed(Err(error)) | Got::Refused(error) => format!("{error:?}"),
        Got::Bytes(n) => format!("{n} bytes"),
        Got::Nothing => "`Nothing`".into(),
        _ => "an answer to another question".into(),
    }
}

/// Formats the entries of a directory, sorted by name.
fn sorted(entries: &Entries) -> Vec<String> {
    let mut entries: Vec<_> = entries.iter().map(|entry| format!("{entry:?}")).collect();
    entries.sort();
    entries
}

/// The bytes of a write, when a whole file is stored.
const PIECE: usize = 10_000;

/// How often a busy file system is asked again.
const BUSY_MAX: u32 = 2000;
