//! [`Disk`]: the file system for a directory of this machine. It opens, caches and archives files, lists
//! directories, stores uploads and runs CGI scripts.
//!
//! cap-std confines paths to the root, and uses the kernel for that where it can (`openat2` on Linux). What
//! differs between systems is in `unix` and `windows`.

#[cfg(unix)]
mod access;
#[cfg(target_os = "linux")]
mod ancestor_watch;
mod archive_file;
#[cfg(target_os = "linux")]
mod cache;
#[cfg(unix)]
mod cgi_process;
#[cfg(unix)]
mod change;
#[cfg(target_os = "linux")]
mod directory_watch;
#[cfg(unix)]
mod drop_privileges;
mod entries;
#[cfg(target_os = "linux")]
mod file_stat;
#[cfg(target_os = "linux")]
mod fs_type;
#[cfg(unix)]
mod inner_links;
mod large_listings;
#[cfg(target_os = "linux")]
mod listing_cache;
mod meta;
#[cfg(unix)]
mod new_directories;
#[cfg(target_os = "linux")]
mod nonblocking;
mod numbers;
mod open_file;
#[cfg(target_os = "linux")]
mod page_cache;
#[cfg(unix)]
mod pending_file;
#[cfg(unix)]
mod piped_child;
mod regular_file;
#[cfg(unix)]
mod rename;
mod root;
#[cfg(unix)]
mod script_file;
#[cfg(unix)]
mod scripts;
mod settings;
#[cfg(unix)]
mod stderr_log;
#[cfg(unix)]
mod temporary_name;
mod tree;
#[cfg(target_os = "linux")]
mod two_generation_cache;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod unnamed_files;
#[cfg(unix)]
mod uploads;
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
use sanserve_core::{CgiScript, Change, Create, UploadRequest, UploadToken};

#[cfg(unix)]
use self::unix as native;
#[cfg(windows)]
use self::windows as native;

use self::archive_file::ArchiveFile;
#[cfg(target_os = "linux")]
use self::cache::CachedFile;
#[cfg(unix)]
pub(crate) use self::cgi_process::CgiProcess;
use self::meta::VersionSource;
use self::open_file::Kind;
pub use self::open_file::OpenFile;
#[cfg(unix)]
use self::pending_file::PendingFile;
use self::root::Root;
#[cfg(unix)]
pub use self::scripts::Scripts;
#[cfg(unix)]
use self::unnamed_files::UnnamedFiles;
#[cfg(unix)]
use self::uploads::Uploads;
use crate::OpenError;
#[cfg(target_os = "linux")]
use crate::content;

/// The files beneath a directory. One `Disk` serves all connections of a server.
///
/// Nothing outside the directory is opened, whatever symbolic links it contains, and even while directories
/// are being moved. An absolute link counts as leading outside, unless it begins with the path of the directory
/// itself: then the rest is looked up inside. FIFOs, sockets and devices are neither read nor waited for; a
/// device in the tree is opened, recognized and closed.
///
/// A process that stores files and has a limit on their size (`RLIMIT_FSIZE`) must ignore or handle SIGXFSZ, as
/// the command does; otherwise the system ends it when a file reaches the limit.
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
    /// Each open archive has a clone, which counts them.
    archives: Arc<()>,
    #[cfg(unix)]
    naming_lock: Arc<Mutex<()>>,
    #[cfg(unix)]
    scripts: Scripts,
    #[cfg(unix)]
    unnamed: UnnamedFiles,
    #[cfg(unix)]
    uploads: Uploads,
}

impl Disk {
    /// Serves the files beneath `root`. On Unix the path is looked up again later, so that a directory that
    /// replaces the first one is served: once a second while there are requests, and immediately for a request
    /// that finds no file. While the path names no directory, nothing is found.
    ///
    /// # Errors
    /// If the directory does not exist or cannot be opened.
    pub fn open(root: impl AsRef<path::Path>) -> Result<Disk, OpenError> {
        let opened = Root::open(root.as_ref()).map(|root| Disk {
            root,
            archives: Arc::default(),
            #[cfg(unix)]
            naming_lock: Arc::default(),
            #[cfg(unix)]
            scripts: Scripts::new(scripts::SCRIPTS_MAX),
            #[cfg(unix)]
            unnamed: UnnamedFiles::default(),
            #[cfg(unix)]
            uploads: Uploads::new(uploads::random_token),
        });
        opened.map_err(|error| OpenError::new(root.as_ref(), error))
    }

    /// Sets whether symbolic links may lead out of the root, as in `http.server`. By default they may not,
    /// because such a link is easily created by accident.
    pub fn with_follow_symlinks(self, follow: bool) -> Disk {
        let root = self.root.with(|settings| settings.follow = follow);
        Disk { root, ..self }
    }

    /// Always serves the directory that is open now, even if it is moved, and does not look up its path again.
    /// This is for a process that changes its own root directory afterwards, or opens the directory by a path
    /// whose meaning changes later.
    pub fn with_pinned_root(self) -> Disk {
        let root = self.root.pinned();
        Disk { root, ..self }
    }

    /// Sets whether a file has the same `ETag` on several machines: derived from the time of its last change
    /// and its length only, as in nginx. Files whose time has no fraction of a second get none then.
    ///
    /// By default the inode and the time of its last status change are included, so that the `ETag` also
    /// changes when another file gets the same time and length: `tar`, `cp -p` and `rsync -t` set times. Use
    /// this setting for several servers with copies of one directory behind a load balancer, if no copy is ever
    /// changed in that way.
    pub fn with_portable_tags(self, portable: bool) -> Disk {
        let versions = match portable {
            true => VersionSource::Modified,
            false => VersionSource::State,
        };
        let root = self.root.with(|settings| settings.versions = versions);
        Disk { root, ..self }
    }

    /// Sets whether to refuse names that mean something else on Windows, such as `a\b`, `c:x` and `aux.c`: they
    /// are neither opened nor listed, see [`Path::is_portable`]. On Windows they are always refused. On other
    /// systems they are allowed by default; a reason to refuse them is a directory that is shared with a
    /// Windows machine.
    pub fn with_portable_names(self, only: bool) -> Disk {
        let only = only || cfg!(windows);
        let root = self.root.with(|settings| settings.portable_names = only);
        Disk { root, ..self }
    }

    /// Sets how many CGI scripts may run at the same time, 64 by default. More requests are answered with 503.
    #[cfg(unix)]
    pub fn with_max_scripts(self, limit: usize) -> Disk {
        let scripts = Scripts::new(limit);
        Disk { scripts, ..self }
    }

    /// Returns the running CGI scripts. If the process ends without dropping its connections, they have to be
    /// [ended](Scripts::end_all).
    #[cfg(unix)]
    pub fn scripts(&self) -> Scripts {
        self.scripts.clone()
    }

    /// Sets whether new files have a temporary name, as on file systems without unnamed files. For tests.
    #[cfg(unix)]
    #[doc(hidden)]
    pub fn with_named_temporary_files(self, named: bool) -> Disk {
        let unnamed = UnnamedFiles::new(named);
        Disk { unnamed, ..self }
    }

    /// Sets what returns the token of the upload with a number, counted from 1. By default it is random. For tests.
    #[cfg(unix)]
    #[doc(hidden)]
    pub fn with_upload_tokens(self, tokens: fn(u64) -> Option<UploadToken>) -> Disk {
        let uploads = Uploads::new(tokens);
        Disk { uploads, ..self }
    }
}

impl FileSystem for Disk {
    type File = OpenFile;

    fn open(&self, path: &Path) -> Result<Opened<OpenFile>, FsError> {
        if path.as_bytes().is_empty() {
            return Ok(Opened::Directory);
        }
        let at = self.root.settings.locate(path)?;
        let opened = self.root.query(|tree| tree.open(&at))?;
        Ok(opened.map(OpenFile::from))
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let at = self.root.settings.locate(path)?;
        let listed = self.root.query(|tree| tree.list(&at, true))?;
        listed.ok_or(FsError::NoResources)
    }

    fn answer(&self, ask: &Ask) -> Got<OpenFile> {
        match ask {
            Ask::List(path) => self.try_list(path),
            Ask::Open(path) => Got::Opened(self.open(path)),
            Ask::Run(program) => Got::Opened(self.run(program)),
            Ask::Verify(given) => Got::Verified(self.verify(given)),
            Ask::Archive(request) => Got::Opened(self.archive(request)),
            Ask::Create(create) => Got::Opened(self.create(create)),
            Ask::Change(change) => Got::Committed(self.change(change)),
            Ask::Upload(request) => Got::Opened(self.upload(request)),
            _ => Got::Opened(Err(FsError::Unsupported)),
        }
    }

    fn read(&self, file: &mut OpenFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        #[cfg(target_os = "linux")]
        if let Some(bytes) = file.bytes() {
            return Ok(content::read(bytes, at, into));
        }
        read(file.file().ok_or(FsError::NotRegularFile)?, at, into)
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<OpenFile>, FsError> {
        let opened = ArchiveFile::open(self.root.look_up()?, request, &self.archives)?;
        Ok(opened.map(|archive| OpenFile(Kind::Archive(Box::new(archive)))))
    }

    #[cfg(unix)]
    fn run(&self, program: &CgiScript) -> Result<Opened<OpenFile>, FsError> {
        let tree = self.root.look_up()?;
        let script = tree.find_script(&program.path)?;
        // Scripts are counted when they start, after the whole content was received. An early refusal saves
        // sending it.
        if self.scripts.is_full() {
            return Err(FsError::TooMany);
        }
        let mut translated = native::below(&tree.path, &program.path_translated);
        if program.path_translated.ends_with_slash() {
            translated.push("");
        }
        let process = CgiProcess::new(script, &translated, program, self.scripts());
        Ok(Opened::Process(OpenFile(Kind::Process(Box::new(process)))))
    }

    #[cfg(unix)]
    fn create(&self, create: &Create) -> Result<Opened<OpenFile>, FsError> {
        PendingFile::new(self, create)
            .map(|file| Opened::Writer(OpenFile(Kind::Pending(Box::new(file)))))
    }

    #[cfg(unix)]
    fn write(&self, file: &mut OpenFile, bytes: &[u8]) -> Result<usize, FsError> {
        match &mut file.0 {
            Kind::Process(process) => process.write(bytes),
            Kind::Pending(file) => file.write(bytes),
            Kind::Upload(upload) => self.uploads.write(upload, bytes),
            _ => Err(FsError::Unsupported),
        }
    }

    #[cfg(unix)]
    fn commit(&self, file: &mut OpenFile) -> Result<(), FsError> {
        match &mut file.0 {
            Kind::Pending(file) => file.commit(self),
            Kind::Upload(upload) => upload.commit(|file| file.commit(self)),
            _ => Err(FsError::Unsupported),
        }
    }

    #[cfg(unix)]
    fn change(&self, change: &Change) -> Result<(), FsError> {
        change::change(self, change)
    }

    #[cfg(unix)]
    fn upload(&self, request: &UploadRequest) -> Result<Opened<OpenFile>, FsError> {
        let begin = |create: &Create| PendingFile::new(self, create);
        let opened = self.uploads.answer(request, begin)?;
        Ok(opened.map(|upload| OpenFile(Kind::Upload(upload))))
    }

    fn fill(&self, file: &mut OpenFile, at: u64, into: &mut [u8]) -> Got<OpenFile> {
        match &mut file.0 {
            Kind::Archive(archive) => archive.fill(at, into),
            #[cfg(unix)]
            Kind::Process(process) => process.fill(into),
            _ => self
                .read(file, at, into)
                .map_or_else(Got::Refused, Got::Bytes),
        }
    }

    #[cfg(target_os = "linux")]
    fn try_answer(&self, ask: &Ask) -> Got<OpenFile> {
        match ask {
            Ask::Open(path) => self.try_open(path).map_or(Got::Nothing, Got::Opened),
            Ask::List(path) => {
                let at = self.root.settings.locate(path).ok();
                let cached = at.and_then(|at| self.root.try_tree()?.find_listing(&at));
                cached.map_or(Got::Nothing, |entries| Got::Listed(Ok(entries)))
            }
            _ => Got::Nothing,
        }
    }

    #[cfg(target_os = "linux")]
    fn try_fill(&self, file: &mut OpenFile, at: u64, into: &mut [u8]) -> Got<OpenFile> {
        match (file.bytes(), file.file()) {
            (Some(bytes), _) => Got::Bytes(content::read(bytes, at, into)),
            (None, Some(file)) => page_cache::read_cached(file, at, into),
            (None, None) => Got::Nothing,
        }
    }

    fn system_file<'a>(&self, file: &'a mut OpenFile) -> Option<&'a mut dyn Any> {
        Some(file)
    }

    #[cfg(target_os = "linux")]
    fn reopen(&self, file: &OpenFile) -> Option<Opened<OpenFile>> {
        file.reopen()
    }

    #[cfg(unix)]
    fn evict_idle(&self) -> bool {
        let has_uploads = self.uploads.remove_expired();
        #[cfg(target_os = "linux")]
        let has_cached = self.root.evict_idle();
        #[cfg(not(target_os = "linux"))]
        let has_cached = false;
        has_uploads || has_cached
    }
}

impl Disk {
    /// Lists a directory. `Got::Nothing` if it is large and another large one is being read, so that the caller
    /// has to ask again.
    fn try_list(&self, path: &Path) -> Got<OpenFile> {
        let at = match self.root.settings.locate(path) {
            Ok(at) => at,
            Err(error) => return Got::Listed(Err(error)),
        };
        match self.root.query(|tree| tree.list(&at, false)) {
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
            read => return read.map_err(|error| fs_error(&error)),
        }
    }
}

fn fs_error(error: &io::Error) -> FsError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => FsError::NotFound,
        ErrorKind::InvalidFilename => FsError::TooLong,
        _ if leads_out(error) => FsError::OutsideRoot,
        ErrorKind::PermissionDenied => FsError::Forbidden,
        ErrorKind::OutOfMemory => FsError::NoResources,
        _ => native::fs_error(error),
    }
}

/// Converts an error of a write operation.
#[cfg(unix)]
fn write_error(error: &io::Error) -> FsError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            FsError::NoSpace
        }
        ErrorKind::AlreadyExists => FsError::Exists,
        // Busy is what another file system is mounted on.
        ErrorKind::ReadOnlyFilesystem | ErrorKind::ResourceBusy => FsError::Forbidden,
        _ => fs_error(error),
    }
}

/// Returns whether cap-std refused a path because it leads out of the root. The system itself never reports
/// this error.
fn leads_out(error: &io::Error) -> bool {
    error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}
