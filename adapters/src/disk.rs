//! [`Disk`]: the files below one directory, as a [`FileSystem`].
//!
//! Keeping inside of the root is the work of cap-std, which leaves it to the kernel where it can
//! (`openat2` on Linux). What differs from system to system is left to `unix` and `windows`.

#[cfg(unix)]
mod access;
#[cfg(target_os = "linux")]
mod cache;
#[cfg(unix)]
mod directories;
mod entries;
#[cfg(target_os = "linux")]
mod generations;
#[cfg(unix)]
mod inner_links;
mod large_listings;
#[cfg(target_os = "linux")]
mod listings;
#[cfg(unix)]
mod making;
mod meta;
#[cfg(unix)]
mod nameless;
#[cfg(unix)]
mod nobody;
#[cfg(unix)]
mod notes;
#[cfg(target_os = "linux")]
mod now;
mod numbers;
mod open;
mod packed;
#[cfg(target_os = "linux")]
mod page_cache;
#[cfg(unix)]
mod process;
mod regular_file;
#[cfg(unix)]
mod rename;
mod root;
#[cfg(unix)]
mod running;
#[cfg(unix)]
mod script_file;
#[cfg(unix)]
mod scripts;
mod settings;
#[cfg(target_os = "linux")]
mod stat;
#[cfg(target_os = "linux")]
mod system;
#[cfg(unix)]
mod temporary_name;
mod tree;
#[cfg(unix)]
mod unix;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(target_os = "linux")]
mod ways;
#[cfg(windows)]
mod windows;

use std::any::Any;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::Mutex;

use sanserve_core::ArchiveRequest;
use sanserve_core::{Ask, Entries, FileSystem, FsError, Got, Opened, Path};
#[cfg(unix)]
use sanserve_core::{CgiScript, Create};

#[cfg(unix)]
use self::unix as native;
#[cfg(windows)]
use self::windows as native;

#[cfg(target_os = "linux")]
use self::cache::Kept;
#[cfg(unix)]
use self::making::Making;
use self::meta::VersionSource;
#[cfg(unix)]
use self::nameless::Nameless;
use self::open::Kind;
pub use self::open::Open;
use self::packed::Packed;
use self::root::Root;
#[cfg(unix)]
pub(crate) use self::running::Running;
#[cfg(unix)]
pub use self::scripts::Scripts;
use crate::OpenError;
#[cfg(target_os = "linux")]
use crate::content;

/// The files below a directory. One serves all connections of a server.
///
/// Nothing outside of that directory is opened, whatever links there are and whoever moves things
/// about meanwhile. An absolute link counts as leading out of it, unless it begins with the name of the directory
/// itself: then what follows that name is looked for inside.
/// FIFOs, sockets and devices are neither read nor waited for; a device that lies in the tree is
/// opened, seen to be one and closed.
///
/// A process that stores files and has a limit for their size (`RLIMIT_FSIZE`) must ignore or handle SIGXFSZ, as the
/// program does: otherwise the system ends it where a file reaches the limit.
///
/// ```
/// use sanserve_server::Disk;
/// use sanserve_core::{FileSystem, Opened, Path};
///
/// # fn main() -> std::io::Result<()> {
/// let disk = Disk::open(".")?;
/// let path = Path::parse("/Cargo.toml?query").unwrap();
/// assert!(matches!(disk.open(&path), Ok(Opened::File { meta, .. }) if meta.len > 0));
/// assert!(Disk::open("no such directory").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Disk {
    root: Root,
    /// Each archive has a copy.
    places: Arc<()>,
    #[cfg(unix)]
    turn: Arc<Mutex<()>>,
    #[cfg(unix)]
    scripts: Scripts,
    #[cfg(unix)]
    nameless: Nameless,
}

impl Disk {
    /// The files below `root`. On Unix the name is looked up again later, so that a directory which takes its place is
    /// served then: once a second while there are requests, and at once for one that finds no file. While no directory
    /// has the name, nothing is found.
    ///
    /// # Errors
    /// If there is no such directory or it cannot be opened.
    pub fn open(root: impl AsRef<path::Path>) -> Result<Disk, OpenError> {
        let opened = Root::open(root.as_ref()).map(|root| Disk {
            root,
            places: Arc::default(),
            #[cfg(unix)]
            turn: Arc::default(),
            #[cfg(unix)]
            scripts: Scripts::new(scripts::SCRIPTS_MAX),
            #[cfg(unix)]
            nameless: Nameless::default(),
        });
        opened.map_err(|error| OpenError::new(root.as_ref(), error))
    }

    /// Whether symbolic links may lead out of the root, as in `http.server`. By default they must
    /// not, for such a link is made sooner than noticed.
    pub fn with_follow_symlinks(self, follow: bool) -> Disk {
        let root = self.root.with(|settings| settings.follow = follow);
        Disk { root, ..self }
    }

    /// Serves the directory that is open now for ever, wherever it is moved, and does not look its name up again. For a
    /// process that changes its own root directory after this, or opens the directory by a name that means another one later.
    pub fn with_pinned_root(self) -> Disk {
        let root = self.root.pinned();
        Disk { root, ..self }
    }

    /// Whether the same file has the same `ETag` on several machines: made of the time of the last change and the
    /// length alone, as with nginx. Files whose time has whole seconds have none then.
    ///
    /// By default it is made of the inode and the time of the last change of its entry too, so that it also changes
    /// where another file gets the same time and length: `tar`, `cp -p` and `rsync -t` set times. Several servers with
    /// copies of one directory behind a balancer want this instead, if no copy is ever changed in that way.
    pub fn with_portable_tags(self, portable: bool) -> Disk {
        let versions = match portable {
            true => VersionSource::Modified,
            false => VersionSource::State,
        };
        let root = self.root.with(|settings| settings.versions = versions);
        Disk { root, ..self }
    }

    /// Whether names that Windows reads otherwise, such as `a\b`, `c:x` and `aux.c`, are neither opened nor listed: see
    /// [`Path::is_portable`]. On Windows they never are. Elsewhere they are by default; a directory that a Windows machine
    /// shares may be a reason to refuse them.
    pub fn with_portable_names(self, only: bool) -> Disk {
        let only = only || cfg!(windows);
        let root = self.root.with(|settings| settings.portable_names = only);
        Disk { root, ..self }
    }

    /// How many scripts run at a time, 64 by default. Requests for more are answered 503.
    #[cfg(unix)]
    pub fn with_max_scripts(self, most: usize) -> Disk {
        let scripts = Scripts::new(most);
        Disk { scripts, ..self }
    }

    /// The scripts that run. Where the process ends without dropping its connections, they have to be
    /// [ended](Scripts::end_all).
    #[cfg(unix)]
    pub fn scripts(&self) -> Scripts {
        self.scripts.clone()
    }

    /// Whether files that are being stored have a temporary name, as where a file system has no
    /// files without one. For tests of that.
    #[cfg(unix)]
    #[doc(hidden)]
    pub fn with_named_temporary_files(self, named: bool) -> Disk {
        let nameless = Nameless::new(named);
        Disk { nameless, ..self }
    }
}

impl FileSystem for Disk {
    type File = Open;

    fn open(&self, path: &Path) -> Result<Opened<Open>, FsError> {
        if path.as_bytes().is_empty() {
            return Ok(Opened::Directory);
        }
        let at = self.root.settings.locate(path)?;
        let opened = self.root.ask(|tree| tree.open(&at))?;
        Ok(opened.map(Open::from))
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let at = self.root.settings.locate(path)?;
        let listed = self.root.ask(|tree| tree.list(&at, true))?;
        listed.ok_or(FsError::NoResources)
    }

    fn answer(&self, ask: &Ask) -> Got<Open> {
        match ask {
            Ask::List(path) => self.list_or_not_yet(path),
            Ask::Open(path) => Got::Opened(self.open(path)),
            Ask::Run(program) => Got::Opened(self.run(program)),
            Ask::Verify(given) => Got::Verified(self.verify(given)),
            Ask::Archive(request) => Got::Opened(self.archive(request)),
            Ask::Create(create) => Got::Opened(self.create(create)),
            _ => Got::Opened(Err(FsError::Unsupported)),
        }
    }

    fn read(&self, file: &mut Open, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        #[cfg(target_os = "linux")]
        if let Some(bytes) = file.bytes() {
            return Ok(content::read(bytes, at, into));
        }
        read(file.file().ok_or(FsError::NotRegularFile)?, at, into)
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<Open>, FsError> {
        let opened = Packed::open(self.root.look_up()?, request, &self.places)?;
        Ok(opened.map(|packed| Open(Kind::Packed(Box::new(packed)))))
    }

    #[cfg(unix)]
    fn run(&self, program: &CgiScript) -> Result<Opened<Open>, FsError> {
        let tree = self.root.look_up()?;
        let script = tree.find_script(&program.path)?;
        // It is counted when it is started, with all of its content; but that need not be sent in vain.
        if self.scripts.is_full() {
            return Err(FsError::TooMany);
        }
        let mut translated = native::below(&tree.path, &program.path_translated);
        if program.path_translated.ends_with_slash() {
            translated.push("");
        }
        let running = Running::new(script, &translated, program, self.scripts());
        Ok(Opened::Process(Open(Kind::Program(Box::new(running)))))
    }

    #[cfg(unix)]
    fn create(&self, create: &Create) -> Result<Opened<Open>, FsError> {
        Making::new(self, create).map(|making| Opened::Writer(Open(Kind::Making(Box::new(making)))))
    }

    #[cfg(unix)]
    fn write(&self, file: &mut Open, bytes: &[u8]) -> Result<usize, FsError> {
        match &mut file.0 {
            Kind::Program(program) => program.write(bytes),
            Kind::Making(making) => making.write(bytes),
            _ => Err(FsError::Unsupported),
        }
    }

    #[cfg(unix)]
    fn commit(&self, file: &mut Open) -> Result<(), FsError> {
        match &mut file.0 {
            Kind::Making(making) => making.commit(self),
            _ => Err(FsError::Unsupported),
        }
    }

    fn fill(&self, file: &mut Open, at: u64, into: &mut [u8]) -> Got<Open> {
        match &mut file.0 {
            Kind::Packed(packed) => packed.fill(at, into),
            #[cfg(unix)]
            Kind::Program(program) => program.fill(into),
            _ => self
                .read(file, at, into)
                .map_or_else(Got::Refused, Got::Bytes),
        }
    }

    #[cfg(target_os = "linux")]
    fn try_answer(&self, ask: &Ask) -> Got<Open> {
        match ask {
            Ask::Open(path) => self.open_now(path).map_or(Got::Nothing, Got::Opened),
            Ask::List(path) => {
                let at = self.root.settings.locate(path).ok();
                let kept = at.and_then(|at| self.root.tree_now()?.find_listing(&at));
                kept.map_or(Got::Nothing, |entries| Got::Listed(Ok(entries)))
            }
            _ => Got::Nothing,
        }
    }

    #[cfg(target_os = "linux")]
    fn try_fill(&self, file: &mut Open, at: u64, into: &mut [u8]) -> Got<Open> {
        match (file.bytes(), file.file()) {
            (Some(bytes), _) => Got::Bytes(content::read(bytes, at, into)),
            (None, Some(file)) => page_cache::read_cached(file, at, into),
            (None, None) => Got::Nothing,
        }
    }

    fn system_file<'a>(&self, file: &'a mut Open) -> Option<&'a mut dyn Any> {
        Some(file)
    }

    #[cfg(target_os = "linux")]
    fn reopen(&self, file: &Open) -> Option<Opened<Open>> {
        file.reopen()
    }

    #[cfg(target_os = "linux")]
    fn evict_idle(&self) -> bool {
        self.root.evict_idle()
    }
}

impl Disk {
    /// Lists a directory, unless it is large and another large one is being read: then it is asked for again.
    fn list_or_not_yet(&self, path: &Path) -> Got<Open> {
        let at = match self.root.settings.locate(path) {
            Ok(at) => at,
            Err(error) => return Got::Listed(Err(error)),
        };
        match self.root.ask(|tree| tree.list(&at, false)) {
            Ok(None) => Got::Nothing,
            Ok(Some(entries)) => Got::Listed(Ok(entries)),
            Err(error) => Got::Listed(Err(error)),
        }
    }
}

fn read(file: &File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
    loop {
        match native::read_at(file, into, at) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read.map_err(|error| reason(&error)),
        }
    }
}

fn reason(error: &io::Error) -> FsError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => FsError::NotFound,
        ErrorKind::InvalidFilename => FsError::TooLong,
        _ if leads_out(error) => FsError::OutsideRoot,
        ErrorKind::PermissionDenied => FsError::Forbidden,
        ErrorKind::OutOfMemory => FsError::NoResources,
        _ => native::reason(error),
    }
}

/// Returns the reason of a failed write.
#[cfg(unix)]
fn write_error(error: &io::Error) -> FsError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            FsError::NoSpace
        }
        ErrorKind::AlreadyExists => FsError::Exists,
        ErrorKind::ReadOnlyFilesystem => FsError::Forbidden,
        _ => reason(error),
    }
}

/// Whether cap-std refused to follow a path because it leads out of the root. The system itself reports no such error.
fn leads_out(error: &io::Error) -> bool {
    error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}
