//! [`Disk`]: the files below one directory, as a [`FileSystem`].
//!
//! Keeping inside of the root is the work of cap-std, which leaves it to the kernel where it can
//! (`openat2` on Linux). What differs from system to system is left to `unix` and `windows`.

#[cfg(unix)]
mod access;
#[cfg(target_os = "linux")]
mod cache;
mod entries;
#[cfg(target_os = "linux")]
mod generations;
mod large_listings;
#[cfg(target_os = "linux")]
mod listings;
#[cfg(unix)]
mod making;
mod meta;
#[cfg(unix)]
mod nobody;
#[cfg(unix)]
mod notes;
#[cfg(target_os = "linux")]
mod now;
mod open;
mod packed;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod running;
#[cfg(unix)]
mod script_file;
#[cfg(unix)]
mod scripts;
#[cfg(target_os = "linux")]
mod system;
#[cfg(unix)]
mod unix;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(target_os = "linux")]
mod ways;
#[cfg(windows)]
mod windows;

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{self, PathBuf};
use std::sync::Arc;
#[cfg(unix)]
use std::sync::Mutex;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use sanserve_core::archive::Pack;
use sanserve_core::{Ask, Entries, FileSystem, FsError, Got, Opened, Path};
#[cfg(unix)]
use sanserve_core::{Create, Program};

#[cfg(unix)]
use self::unix as native;
#[cfg(windows)]
use self::windows as native;

#[cfg(target_os = "linux")]
pub use self::cache::Kept;
#[cfg(unix)]
pub use self::making::Making;
use self::meta::plain;
use self::native::{OPEN_FLAGS, OpenOptionsExt as _};
pub use self::open::Open;
pub use self::packed::Packed;
#[cfg(unix)]
pub use self::running::Running;
#[cfg(unix)]
pub use self::scripts::Scripts;
#[cfg(target_os = "linux")]
use crate::content;

/// The files below a directory. One serves all connections of a server.
///
/// Nothing outside of that directory is opened, whatever links there are and whoever moves things
/// about meanwhile. An absolute link counts as leading out of it, even if it leads back in.
/// FIFOs, sockets and devices are neither read nor waited for; a device that lies in the tree is
/// opened, seen to be one and closed.
///
/// ```
/// use sanserve::Disk;
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
    root: PathBuf,
    dir: Arc<Dir>,
    follow: bool,
    portable_names: bool,
    /// Each archive has a copy.
    places: Arc<()>,
    large: large_listings::LargeListings,
    #[cfg(unix)]
    turn: Arc<Mutex<()>>,
    #[cfg(unix)]
    scripts: Scripts,
    #[cfg(unix)]
    named_temporary_files: bool,
    #[cfg(target_os = "linux")]
    cache: cache::Cache,
    #[cfg(target_os = "linux")]
    listings: listings::Listings,
}

impl Disk {
    /// The files below `root`. The name is looked up now and not again: if another directory takes
    /// its place, this one goes on being served.
    ///
    /// # Errors
    /// If there is no such directory or it cannot be opened. The message names it.
    pub fn open(root: impl AsRef<path::Path>) -> io::Result<Disk> {
        let opened = root.as_ref().canonicalize().and_then(|root| {
            let dir = Dir::open_ambient_dir(&root, cap_std::ambient_authority())?;
            Ok(Disk {
                root,
                dir: Arc::new(dir),
                follow: false,
                portable_names: cfg!(windows),
                places: Arc::default(),
                large: large_listings::LargeListings::default(),
                #[cfg(unix)]
                turn: Arc::default(),
                #[cfg(unix)]
                scripts: Scripts::new(scripts::SCRIPTS_MAX),
                #[cfg(unix)]
                named_temporary_files: false,
                #[cfg(target_os = "linux")]
                cache: cache::Cache::default(),
                #[cfg(target_os = "linux")]
                listings: listings::Listings::default(),
            })
        });
        opened.map_err(|error| {
            let name = root.as_ref().display();
            let message = match error.kind() {
                ErrorKind::NotFound => format!("there is no directory {name}"),
                ErrorKind::NotADirectory => format!("{name} is not a directory"),
                _ => format!("cannot open the directory {name}: {error}"),
            };
            io::Error::new(error.kind(), message)
        })
    }

    /// Whether symbolic links may lead out of the root, as in `http.server`. By default they must
    /// not, for such a link is made sooner than noticed. If they may, the root is looked up by its
    /// name again and again.
    pub fn follow_symlinks(self, follow: bool) -> Disk {
        Disk { follow, ..self }
    }

    /// Whether names that Windows reads otherwise, such as `a\b`, `c:x` and `aux.c`, are neither opened nor listed: see
    /// [`Path::is_portable`]. On Windows they never are. Elsewhere they are by default; a directory that a Windows machine
    /// shares may be a reason to refuse them.
    pub fn portable_names(self, only: bool) -> Disk {
        let portable_names = only || cfg!(windows);
        Disk {
            portable_names,
            ..self
        }
    }

    /// How many scripts run at a time, 64 by default. Requests for more are answered 503.
    #[cfg(unix)]
    pub fn scripts_max(self, most: usize) -> Disk {
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
    pub fn named_temporary_files(self, named: bool) -> Disk {
        Disk {
            named_temporary_files: named,
            ..self
        }
    }

    /// Where a path leads below the root.
    fn locate<'a>(&self, path: &'a Path) -> Result<Cow<'a, path::Path>, FsError> {
        let refused = self.portable_names && !path.is_portable();
        let at = (!refused).then(|| native::path(path)).flatten();
        at.ok_or(FsError::InvalidName)
    }

    /// Whether a list may have this name.
    fn lists(&self, name: &[u8]) -> bool {
        !self.portable_names || Path::is_portable_name(name)
    }

    fn open_file(&self, at: &path::Path) -> io::Result<File> {
        if self.follow {
            let mut options = fs::OpenOptions::new();
            options.read(true).custom_flags(OPEN_FLAGS);
            return options.open(self.root.join(at));
        }
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OPEN_FLAGS);
        Ok(self.dir.open_with(at, &options)?.into_std())
    }

    fn is_directory(&self, at: &path::Path) -> bool {
        self.about(at).is_some_and(|about| about.directory)
    }
}

impl FileSystem for Disk {
    type File = Open;

    fn open(&self, path: &Path) -> Result<Opened<Open>, FsError> {
        if path.as_bytes().is_empty() {
            return Ok(Opened::Directory);
        }
        let at = self.locate(path)?;
        if let Some(kept) = self.find_kept(&at) {
            return Ok(kept);
        }
        let file = match self.open_file(&at) {
            Ok(file) => file,
            // To pass through a directory needs less than to read it.
            Err(error) => match reason(&error) {
                FsError::Forbidden if self.is_directory(&at) => return Ok(Opened::Directory),
                reason => return Err(reason),
            },
        };
        self.describe(&at, file)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let at = self.locate(path)?;
        let listed = self.list_directory(&at, true);
        listed
            .map_err(|error| reason(&error))?
            .ok_or(FsError::Exhausted)
    }

    fn answer(&self, ask: &Ask) -> Got<Open> {
        match ask {
            Ask::List(path) => self.list_or_not_yet(path),
            Ask::Open(path) => Got::Opened(self.open(path)),
            Ask::Run(program) => Got::Opened(self.run(program)),
            Ask::Verify(given) => Got::Verified(self.verify(given)),
            Ask::Pack(pack) => Got::Opened(self.pack(pack)),
            Ask::Create(create) => Got::Opened(self.create(create)),
        }
    }

    fn read(&self, file: &mut Open, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        #[cfg(target_os = "linux")]
        if let Some(bytes) = file.bytes() {
            return Ok(content::read(bytes, at, into));
        }
        read(file.file().ok_or(FsError::NotPlain)?, at, into)
    }

    fn pack(&self, pack: &Pack) -> Result<Opened<Open>, FsError> {
        Packed::open(self, pack, &self.places)
    }

    #[cfg(unix)]
    fn run(&self, program: &Program) -> Result<Opened<Open>, FsError> {
        let script = self.find_script(&program.path)?;
        // It is counted when it is started, with all of its content; but that need not be sent in vain.
        if self.scripts.is_full() {
            return Err(FsError::TooMany);
        }
        let mut translated = native::below(&self.root, &program.path_translated);
        if program.path_translated.ends_with_slash() {
            translated.push("");
        }
        let running = Running::new(script, &translated, program, self.scripts());
        Ok(Opened::Program(Open::Program(Box::new(running))))
    }

    #[cfg(unix)]
    fn create(&self, create: &Create) -> Result<Opened<Open>, FsError> {
        Making::new(self, create).map(|making| Opened::Program(Open::Making(Box::new(making))))
    }

    #[cfg(unix)]
    fn give(&self, file: &mut Open, from: &[u8]) -> Got<Open> {
        match file {
            Open::Program(program) => program.give(from),
            Open::Making(making) => making.give(from),
            _ => Got::Failed,
        }
    }

    fn fill(&self, file: &mut Open, at: u64, into: &mut [u8]) -> Got<Open> {
        match file {
            Open::Packed(packed) => packed.fill(self, at, into),
            #[cfg(unix)]
            Open::Program(program) => program.fill(into),
            _ => self.read(file, at, into).map_or(Got::Failed, Got::Bytes),
        }
    }

    #[cfg(target_os = "linux")]
    fn answer_now(&self, ask: &Ask) -> Got<Open> {
        match ask {
            Ask::Open(path) => self.open_now(path).map_or(Got::Nothing, Got::Opened),
            Ask::List(path) => {
                let at = self.locate(path).ok();
                let kept = at.and_then(|at| self.find_listing(&at));
                kept.map_or(Got::Nothing, |entries| Got::Listed(Ok(entries)))
            }
            _ => Got::Nothing,
        }
    }

    #[cfg(target_os = "linux")]
    fn fill_now(&self, file: &mut Open, at: u64, into: &mut [u8]) -> Got<Open> {
        match (file.bytes(), file.file()) {
            (Some(bytes), _) => Got::Bytes(content::read(bytes, at, into)),
            (None, Some(file)) => now::read_now(file, at, into),
            (None, None) => Got::Nothing,
        }
    }

    #[cfg(target_os = "linux")]
    fn tidy(&self) -> bool {
        let (files, listings) = (self.cache.tidy(), self.listings.tidy());
        files || listings
    }
}

impl Disk {
    /// Lists a directory, unless it is large and another large one is being read: then it is asked for again.
    fn list_or_not_yet(&self, path: &Path) -> Got<Open> {
        let at = match self.locate(path) {
            Ok(at) => at,
            Err(error) => return Got::Listed(Err(error)),
        };
        match self.list_directory(&at, false) {
            Ok(None) => Got::Nothing,
            Ok(Some(entries)) => Got::Listed(Ok(entries)),
            Err(error) => Got::Listed(Err(reason(&error))),
        }
    }

    /// What was opened there, whatever its name may mean by now.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(unused_variables, reason = "only Linux has the cache")
    )]
    fn describe(&self, at: &path::Path, file: File) -> Result<Opened<Open>, FsError> {
        let found = file.metadata().map_err(|error| reason(&error))?;
        if found.is_dir() {
            return Ok(Opened::Directory);
        }
        let meta = plain(&found)?;
        #[cfg(target_os = "linux")]
        let file = if self.follow {
            file
        } else {
            match self.cache.keep(&self.dir, at, file, &found, meta) {
                Ok(kept) => return Ok(Open::kept(kept)),
                Err(file) => file,
            }
        };
        Ok(Opened::File {
            file: Open::File(file),
            meta,
            sendable: cfg!(target_os = "linux"),
        })
    }

    /// The file at a path, if it is in memory and has not changed.
    #[cfg(target_os = "linux")]
    fn find_kept(&self, at: &path::Path) -> Option<Opened<Open>> {
        let kept = (!self.follow).then(|| self.cache.find(&self.dir, at))??;
        Some(Open::kept(kept))
    }

    #[cfg(not(target_os = "linux"))]
    fn find_kept(&self, _: &path::Path) -> Option<Opened<Open>> {
        None
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
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => {
            FsError::NotFound
        }
        // What cap-std refuses because it leads out of the root is no error of the system's.
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => FsError::Outside,
        ErrorKind::PermissionDenied => FsError::Forbidden,
        ErrorKind::OutOfMemory => FsError::Exhausted,
        _ => native::reason(error),
    }
}
