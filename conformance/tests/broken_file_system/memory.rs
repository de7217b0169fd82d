//! [`Broken`]: a writable tree in memory with limited space, and with faults that can be planted.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use sanserve_conformance::FsCheck;
use sanserve_core::{
    ArchiveRequest, Ask, Create, Entries, Entry, FileSystem, FileVersion, FsError, Got, Meta,
    Opened, Path,
};
use sanserve_server::memory::{self, WritableTree};

use crate::tree;

/// A fault of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The file system is correct.
    None,
    /// Every read begins at the start of the file.
    ReadsFromStart,
    /// A read begins where the last one ended.
    ReadsFromLastPosition,
    /// All open files have one position.
    SharesPosition,
    /// A read past the end fails.
    FailsPastEnd,
    /// The last byte of a file is not read.
    LosesLastByte,
    /// The length of a file is that of its blocks.
    ReportsWholeBlocks,
    /// Times before 1970 are rounded towards it.
    RoundsTimesUp,
    /// A directory that is opened is not found.
    TakesDirectoryForMissing,
    /// A missing name is an error of the device.
    TakesMissingForBroken,
    /// A name is found by its beginning.
    FindsNamesByPrefix,
    /// A path below a file is the file.
    FindsFileAboveName,
    /// Listings have `.` and `..`.
    ListsDots,
    /// Listings have each name twice.
    ListsTwice,
    /// Listings do not mark directories.
    ListsNoDirectories,
    /// A missing directory is listed as an empty one.
    ListsMissingAsEmpty,
    /// `try_answer` finds nothing that is not cached.
    TriesAndFindsNothing,
    /// `try_fill` reads nothing that is not cached.
    TriesAndReadsNothing,
    /// A file that is opened again begins where the other one is.
    ReopensAtPosition,
    /// The content of an archive is read like that of a file.
    ReadsArchiveAsFile,
    /// Names are converted to UTF-8.
    ConvertsNames,
    /// Letter case is ignored.
    FoldsLetterCase,
    /// Names that are not portable are allowed where they must not be.
    AllowsSpecialNames,
    /// Names that are not portable are listed where they must not be.
    ListsSpecialNames,
    /// Only the last name of a path is checked.
    ChecksLastNameOnly,
    /// A dot at the end of a new name is lost.
    DropsDotAtEnd,
    /// Names are cut after 255 bytes.
    CutsLongNames,
    /// A link out of the root is reported as a missing name.
    TakesOutsideForMissing,
    /// Broken links are listed like files.
    ListsBrokenLinks,
    /// The target of a link is replaced.
    WritesThroughLinks,
    /// A file is visible as soon as it is begun.
    ShowsFileBeforeCommit,
    /// A file that is dropped is kept.
    KeepsAbandonedFile,
    /// A file that is dropped leaves its temporary name.
    LeavesTemporaryName,
    /// A long write is partial, and counted in full.
    CountsPartialWriteInFull,
    /// All files that are being created share their bytes.
    MixesFiles,
    /// A new file replaces one that exists.
    OverwritesExistingFile,
    /// Whether the name exists is checked only when the file is begun.
    ChecksNameOnlyAtFirst,
    /// Any number of missing directories is created.
    CreatesAnyDirectory,
    /// Missing directories are created when the file is begun.
    CreatesDirectoriesAtFirst,
    /// A name that was missing once is missing from then on.
    RemembersMissingNames,
    /// A listing is cached.
    RemembersListings,
    /// When space runs out, the file ends.
    StoresAsMuchAsFits,
    /// The space of a file that was dropped is not free again.
    KeepsSpaceOfAbandonedFile,
    /// A file that is replaced by a shorter one keeps its end.
    DoesNotTruncate,
    /// A file is replaced even if it has changed.
    ReplacesAnyVersion,
    /// The version of a file is its length.
    HasOneVersion,
}

/// The tree, and what its open files share.
pub(crate) struct Broken(Rc<State>);

struct State {
    fault: Fault,
    tree: WritableTree,
    portable_names: bool,
    /// The bytes for which there is space.
    space: Cell<u64>,
    /// The position of all files.
    position: Cell<u64>,
    /// The bytes of all files that are being created.
    shared: RefCell<Vec<u8>>,
    /// The temporary names that are left.
    left: RefCell<BTreeSet<Vec<u8>>>,
    missing: RefCell<BTreeSet<Vec<u8>>>,
    listings: RefCell<BTreeMap<Vec<u8>, Arc<Entries>>>,
}

/// An open file.
pub(crate) enum File {
    Reading {
        file: memory::File,
        meta: Meta,
        position: u64,
    },
    Pending(Pending),
}

/// A file that is being created.
pub(crate) struct Pending {
    state: Rc<State>,
    create: Create,
    bytes: Vec<u8>,
    committed: bool,
}

impl Broken {
    pub(crate) fn new(check: &FsCheck, fault: Fault) -> Broken {
        let refuses = check.portable_names
            && !matches!(
                fault,
                Fault::AllowsSpecialNames | Fault::ChecksLastNameOnly | Fault::ListsSpecialNames
            );
        Broken(Rc::new(State {
            fault,
            tree: WritableTree::new(tree::of_site(check.site()).portable_names(refuses)),
            portable_names: check.portable_names,
            space: Cell::new(if check.space > 0 {
                check.space
            } else {
                u64::MAX
            }),
            position: Cell::new(0),
            shared: RefCell::default(),
            left: RefCell::default(),
            missing: RefCell::default(),
            listings: RefCell::default(),
        }))
    }
}

impl State {
    /// Returns the path that a faulty file system looks for in place of this one.
    fn found_as(&self, path: &Path) -> Path {
        let bytes = path.as_bytes();
        let other = match self.fault {
            Fault::ConvertsNames => String::from_utf8_lossy(bytes).into_owned().into_bytes(),
            Fault::FoldsLetterCase => {
                let is_there = |other: &&[u8]| self.tree.open(&to_path(other)).is_ok();
                let other = [&b"Case.txt"[..], b"a.txt", b"deep/a.txt"];
                let mut other = other
                    .into_iter()
                    .filter(|other| other.eq_ignore_ascii_case(bytes));
                other.find(is_there).unwrap_or(bytes).to_vec()
            }
            Fault::FindsNamesByPrefix if bytes == b"dee" => b"deep".to_vec(),
            Fault::FindsFileAboveName => match bytes.strip_prefix(b"a.txt/") {
                Some(_) => b"a.txt".to_vec(),
                None => bytes.to_vec(),
            },
            _ => bytes.to_vec(),
        };
        to_path(&other)
    }

    fn check_names(&self, path: &Path) -> Result<(), FsError> {
        let last = Path::is_portable_name(path.file_name()) || path.as_bytes().is_empty();
        let valid = match self.fault {
            Fault::AllowsSpecialNames => true,
            Fault::ChecksLastNameOnly => last,
            _ => path.is_portable(),
        };
        match valid || !self.portable_names {
            true => Ok(()),
            false => Err(FsError::InvalidName),
        }
    }

    fn meta_of(&self, path: &Path) -> Option<Meta> {
        match self.tree.open(path) {
            Ok(Opened::File { meta, .. }) => Some(meta),
            _ => None,
        }
    }

    /// Stores a file, in place of any other.
    fn store(&self, create: &Create, bytes: &[u8]) -> Result<(), FsError> {
        let Opened::Writer(mut file) = self.tree.create(create)? else {
            return Err(FsError::Io);
        };
        self.tree.write(&mut file, bytes)?;
        self.tree.commit(&mut file)
    }

    /// Returns what a faulty file system makes of a question to create a file.
    fn asked_as(&self, create: &Create) -> Create {
        let mut create = create.clone();
        let name = create.path.as_bytes();
        match self.fault {
            Fault::DropsDotAtEnd if name == b"dot." => create.path = to_path(b"dot"),
            Fault::CutsLongNames if create.path.file_name().len() > 255 => {
                create.path = to_path(&name[..name.len() - create.path.file_name().len() + 255]);
            }
            Fault::CreatesAnyDirectory => create.directories_max = 16,
            Fault::WritesThroughLinks if name == b"file" => create.path = to_path(b"a.txt"),
            _ => {}
        }
        let overwrites = match self.fault {
            Fault::OverwritesExistingFile => create.replaces.is_none(),
            Fault::WritesThroughLinks => true,
            Fault::ReplacesAnyVersion | Fault::HasOneVersion => create.replaces.is_some(),
            _ => false,
        };
        if overwrites {
            create.replaces = self.meta_of(&create.path);
        }
        create
    }
}

impl Pending {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, FsError> {
        let state = &self.state;
        let len = bytes.len() as u64;
        if len > state.space.get() {
            match state.fault {
                Fault::StoresAsMuchAsFits => return Ok(bytes.len()),
                _ => return Err(FsError::NoSpace),
            }
        }
        if state.space.get() < u64::MAX {
            state.space.set(state.space.get() - len);
        }
        match state.fault {
            Fault::MixesFiles => state.shared.borrow_mut().extend(bytes),
            Fault::CountsPartialWriteInFull => self.bytes.extend(&bytes[..bytes.len().min(5000)]),
            _ => self.bytes.extend(bytes),
        }
        Ok(bytes.len())
    }

    fn commit(&mut self) -> Result<(), FsError> {
        let state = &self.state;
        let mut create = self.create.clone();
        match state.fault {
            Fault::MixesFiles => self.bytes.clone_from(&state.shared.borrow()),
            Fault::DoesNotTruncate => {
                let old = content(&state.tree, &create.path);
                self.bytes
                    .extend(old.get(self.bytes.len()..).unwrap_or_default());
            }
            Fault::ChecksNameOnlyAtFirst
            | Fault::ShowsFileBeforeCommit
            | Fault::ReplacesAnyVersion => {
                create.replaces = state.meta_of(&create.path);
            }
            _ => {}
        }
        state.store(&create, &self.bytes)?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        let state = &self.state;
        let space = state.space.get();
        match state.fault {
            Fault::KeepsSpaceOfAbandonedFile => {}
            _ => state
                .space
                .set(space.saturating_add(self.bytes.len() as u64)),
        }
        match state.fault {
            Fault::KeepsAbandonedFile => _ = state.store(&self.create, &self.bytes),
            Fault::LeavesTemporaryName => {
                _ = state.left.borrow_mut().insert(b".sanserve-1".to_vec());
            }
            _ => {}
        }
    }
}

impl FileSystem for Broken {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        let state = &self.0;
        state.check_names(path)?;
        if state.missing.borrow().contains(path.as_bytes()) {
            return Err(FsError::NotFound);
        }
        let opened = state.tree.open(&state.found_as(path));
        if matches!(opened, Err(FsError::NotFound)) && state.fault == Fault::RemembersMissingNames {
            state.missing.borrow_mut().insert(path.as_bytes().to_vec());
        }
        match (opened, state.fault) {
            (Ok(Opened::Directory), Fault::TakesDirectoryForMissing) => Err(FsError::NotFound),
            (Err(FsError::NotFound), Fault::TakesMissingForBroken) => Err(FsError::Io),
            (Err(FsError::OutsideRoot), Fault::TakesOutsideForMissing) => Err(FsError::NotFound),
            (
                Ok(Opened::File {
                    file,
                    meta,
                    sendable,
                }),
                fault,
            ) => {
                let meta = match fault {
                    Fault::ReportsWholeBlocks => meta.with_len(meta.len.next_multiple_of(512)),
                    Fault::RoundsTimesUp => {
                        meta.with_modified(meta.modified.map(|time| time + i64::from(time < 0)))
                    }
                    Fault::HasOneVersion => meta.with_version(Some(FileVersion::new(meta.len))),
                    _ => meta,
                };
                let file = File::Reading {
                    file,
                    meta,
                    position: 0,
                };
                Ok(Opened::File {
                    file,
                    meta,
                    sendable,
                })
            }
            (opened, _) => opened.map(|opened| opened.map(reading)),
        }
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let state = &self.0;
        state.check_names(path)?;
        if let Some(entries) = state.listings.borrow().get(path.as_bytes()) {
            return Ok(Arc::clone(entries));
        }
        let listed = match state.tree.list(path) {
            Err(FsError::NotFound) if state.fault == Fault::ListsMissingAsEmpty => Arc::default(),
            listed => listed?,
        };
        let mut entries = Entries::new();
        let left = state.left.borrow();
        let entry = |name| Entry {
            name,
            ..Entry::default()
        };
        left.iter().for_each(|name| entries.push(entry(name)));
        for mut found in listed.iter() {
            let is_special = state.portable_names && !Path::is_portable_name(found.name);
            match state.fault {
                Fault::ListsNoDirectories => found.directory = false,
                Fault::ListsBrokenLinks => found.unavailable = false,
                Fault::ListsTwice => entries.push(found),
                Fault::ListsSpecialNames => {}
                _ if is_special => continue,
                _ => {}
            }
            entries.push(found);
        }
        if state.fault == Fault::ListsDots {
            entries.push(entry(b"."));
            entries.push(entry(b".."));
        }
        let entries = Arc::new(entries);
        if state.fault == Fault::RemembersListings {
            state
                .listings
                .borrow_mut()
                .insert(path.as_bytes().to_vec(), Arc::clone(&entries));
        }
        Ok(entries)
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        let state = &self.0;
        let File::Reading {
            file,
            meta,
            position,
        } = file
        else {
            return Err(FsError::Unsupported);
        };
        let len = meta.len;
        let from = match state.fault {
            Fault::ReadsFromStart if at < len => 0,
            Fault::ReadsFromLastPosition | Fault::ReopensAtPosition => *position,
            Fault::SharesPosition if at > 0 => state.position.get(),
            Fault::FailsPastEnd if at > len => return Err(FsError::Io),
            _ => at,
        };
        // The position is wrong only if it was set by another read than the last one.
        let from = if state.fault == Fault::ReopensAtPosition && at > 0 {
            at
        } else {
            from
        };
        let into = match state.fault {
            Fault::LosesLastByte => {
                let rest = len.saturating_sub(1).saturating_sub(from);
                let n = into.len().min(rest as usize);
                &mut into[..n]
            }
            _ => into,
        };
        let n = state.tree.read(file, from, into)?;
        *position = from + n as u64;
        state.position.set(*position);
        Ok(n)
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<File>, FsError> {
        self.0.check_names(&request.path)?;
        self.0
            .tree
            .archive(request)
            .map(|opened| opened.map(reading))
    }

    fn create(&self, create: &Create) -> Result<Opened<File>, FsError> {
        let state = &self.0;
        state.check_names(&create.path)?;
        let create = state.asked_as(create);
        if create.path.as_bytes().is_empty() {
            return Err(FsError::NotRegularFile);
        }
        // It is only asked whether the file could be created.
        state.tree.create(&create)?;
        if create.len.is_some_and(|len| len > state.space.get())
            && state.fault != Fault::StoresAsMuchAsFits
        {
            return Err(FsError::NoSpace);
        }
        match state.fault {
            Fault::ShowsFileBeforeCommit => state.store(&create, b"")?,
            Fault::CreatesDirectoriesAtFirst if create.directories_max > 0 => {
                let mut path = create.path.clone();
                path.pop();
                path.push("placeholder");
                let _ = state.store(
                    &Create {
                        path,
                        ..create.clone()
                    },
                    b"",
                );
            }
            _ => {}
        }
        Ok(Opened::Writer(File::Pending(Pending {
            state: Rc::clone(state),
            create,
            bytes: Vec::new(),
            committed: false,
        })))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> Result<usize, FsError> {
        match file {
            File::Pending(pending) => pending.write(bytes),
            File::Reading { .. } => Err(FsError::Unsupported),
        }
    }

    fn commit(&self, file: &mut File) -> Result<(), FsError> {
        match file {
            File::Pending(pending) => pending.commit(),
            File::Reading { .. } => Err(FsError::Unsupported),
        }
    }

    fn fill(&self, file: &mut File, at: u64, into: &mut [u8]) -> Got<File> {
        match file {
            File::Reading {
                file: archive @ memory::File::Archive(_),
                ..
            } if self.0.fault != Fault::ReadsArchiveAsFile => {
                self.0.tree.fill(archive, at, into).map(reading)
            }
            _ => self
                .read(file, at, into)
                .map_or_else(Got::Refused, Got::Bytes),
        }
    }

    fn try_answer(&self, ask: &Ask) -> Got<File> {
        match (self.0.fault, ask) {
            (Fault::TriesAndFindsNothing, Ask::Open(_)) => Got::Opened(Err(FsError::NotFound)),
            _ => Got::Nothing,
        }
    }

    fn try_fill(&self, _: &mut File, _: u64, _: &mut [u8]) -> Got<File> {
        match self.0.fault {
            Fault::TriesAndReadsNothing => Got::Bytes(0),
            _ => Got::Nothing,
        }
    }

    fn reopen(&self, file: &File) -> Option<Opened<File>> {
        let File::Reading {
            file,
            meta,
            position,
        } = file
        else {
            return None;
        };
        let (file, meta, position) = (file.clone(), *meta, *position);
        (self.0.fault == Fault::ReopensAtPosition).then_some(Opened::File {
            file: File::Reading {
                file,
                meta,
                position,
            },
            meta,
            sendable: false,
        })
    }
}

fn reading(file: memory::File) -> File {
    File::Reading {
        file,
        meta: Meta::new(u64::MAX),
        position: 0,
    }
}

fn to_path(path: &[u8]) -> Path {
    Path::from_bytes(path.to_vec()).expect("a path")
}

/// Returns the content of a file; nothing if there is none.
fn content(tree: &WritableTree, path: &Path) -> Vec<u8> {
    let Ok(Opened::File { mut file, meta, .. }) = tree.open(path) else {
        return Vec::new();
    };
    let mut bytes = vec![0; meta.len as usize];
    let n = tree.read(&mut file, 0, &mut bytes);
    assert_eq!(n, Ok(bytes.len()), "a tree reads at once");
    bytes
}
