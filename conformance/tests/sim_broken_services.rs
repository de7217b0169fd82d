//! The checks of the services find broken ones: handlers and file systems with a fault are found within a bounded
//! number of seeds, and the services without a fault pass on the same seeds.

use std::sync::Arc;

use sanserve_conformance::sim::services::{ModelFile, ModelTree, service_handler};
use sanserve_conformance::sim::{Failure, Sim};
use sanserve_core::archive::Archive;
use sanserve_core::{
    ArchiveRequest, CgiScript, Change, Create, Credentials, Entries, Entry, Event, Exchange,
    FileSystem, FileVersion, Files, FsError, Got, Handler, Next, Opened, Path, Upload,
    UploadRequest, UploadState,
};

/// A simulation with a fault.
struct Case {
    name: &'static str,
    /// The checks that may find the fault.
    checks: &'static [&'static str],
    failure: Box<dyn Fn(u64) -> Option<Failure>>,
}

/// A service with a fault between it and the engine: `fault` gets each event, and may alter it, pass it on to the
/// service, and alter what that returns.
fn handler(name: &'static str, checks: &'static [&'static str], fault: Fault) -> Case {
    let sim = Sim::services_over(ModelTree::grow, move |number| BrokenHandler {
        service: service_handler(number),
        state: State::default(),
        fault,
    });
    let failure = Box::new(move |seed| sim.check_seed(seed).err());
    Case {
        name,
        checks,
        failure,
    }
}

/// A tree with a fault.
fn tree(name: &'static str, checks: &'static [&'static str], fault: TreeFault) -> Case {
    let grow = move |random: &mut _| BrokenTree {
        tree: ModelTree::grow(random),
        fault,
    };
    let sim = Sim::services_over(grow, service_handler);
    let failure = Box::new(move |seed| sim.check_seed(seed).err());
    Case {
        name,
        checks,
        failure,
    }
}

struct BrokenHandler {
    service: Box<dyn Handler>,
    state: State,
    fault: Fault,
}

/// What a fault remembers.
#[derive(Default)]
struct State {
    /// A number; 0 at the beginning of a request.
    number: u64,
    /// Whether something has ever happened on the connection.
    flag: bool,
    /// A listing.
    entries: Option<Arc<Entries>>,
    /// Other handlers.
    files: Files,
    upload: Upload,
}

type Fault = fn(&mut dyn Handler, &mut State, &mut Exchange<'_>, Option<Event<'_>>) -> Next;

impl Handler for BrokenHandler {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.state.number = 0;
        (self.fault)(&mut *self.service, &mut self.state, ex, None)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        (self.fault)(&mut *self.service, &mut self.state, ex, Some(event))
    }
}

/// Passes an event on to a service. `None` begins a request.
fn pass(service: &mut dyn Handler, ex: &mut Exchange<'_>, event: Option<Event<'_>>) -> Next {
    match event {
        None => service.begin(ex),
        Some(event) => service.resume(ex, event),
    }
}

fn broken_uploads() -> Vec<Case> {
    vec![
        handler(
            "replies 201 without a commit",
            &["uploads"],
            |service, _, ex, event| match pass(service, ex, event) {
                Next::Commit => service.resume(ex, Event::End),
                next => next,
            },
        ),
        handler(
            "forgets the last byte of a file",
            &["uploads"],
            |service, _, ex, event| match pass(service, ex, event) {
                Next::WriteFile(mut bytes) => {
                    bytes.pop();
                    Next::WriteFile(bytes)
                }
                next => next,
            },
        ),
        handler(
            "forgets all pieces of a file but the first",
            &["uploads"],
            |service, state, ex, event| match pass(service, ex, event) {
                Next::WriteFile(bytes) => {
                    state.number += 1;
                    let is_first = state.number == 1;
                    Next::WriteFile(if is_first { bytes } else { Vec::new() })
                }
                next => next,
            },
        ),
        handler(
            "ignores that the disk is full",
            &["uploads", "handler"],
            |service, _, ex, event| match event {
                Some(Event::Failed(path, FsError::NoSpace)) if path.as_bytes().is_empty() => {
                    service.resume(ex, Event::End)
                }
                event => pass(service, ex, event),
            },
        ),
        handler(
            "stores only the first file of a form",
            &["uploads"],
            |service, state, ex, event| match pass(service, ex, event) {
                Next::Commit if ex.command() == "POST" => {
                    state.number += 1;
                    match state.number {
                        1 => Next::Commit,
                        _ => service.resume(ex, Event::End),
                    }
                }
                next => next,
            },
        ),
        handler(
            "replies that it has changed the tree, and has not",
            &["changes"],
            |service, _, ex, event| match pass(service, ex, event) {
                Next::Change(_) => service.resume(ex, Event::End),
                next => next,
            },
        ),
        handler(
            "replies that it has deleted nothing, and has",
            &["changes"],
            |service, state, ex, event| {
                let is_changed = std::mem::take(&mut state.number) == 1;
                let next = match event {
                    Some(Event::End) if is_changed => {
                        return service.resume(ex, Event::Failed(Path::default(), FsError::Io));
                    }
                    event => pass(service, ex, event),
                };
                state.number = u64::from(matches!(next, Next::Change(_)));
                next
            },
        ),
        handler(
            "replaces files that it must not replace",
            &["uploads"],
            |service, _, ex, event| match event {
                // Tells the service that the name is free.
                Some(Event::Opened(path, meta)) if ex.command() == "PUT" => {
                    match service.resume(ex, Event::Failed(path, FsError::NotFound)) {
                        Next::Create(create) => Next::Create(Box::new(Create {
                            replaces: Some(meta),
                            ..*create
                        })),
                        next => next,
                    }
                }
                event => pass(service, ex, event),
            },
        ),
        tree(
            "writes to the final name",
            &["uploads"],
            TreeFault::WritesFinalName,
        ),
        tree(
            "loses bytes when the disk is full",
            &["uploads"],
            TreeFault::IgnoresNoSpace,
        ),
        tree(
            "replaces a file that has changed meanwhile",
            &["uploads"],
            TreeFault::IgnoresChange,
        ),
        tree(
            "leaves a temporary name behind",
            &["temporary"],
            TreeFault::LeavesTemporary,
        ),
    ]
}

fn broken_parts() -> Vec<Case> {
    vec![
        handler(
            "appends at a wrong offset",
            &["parts", "uploads"],
            |service, _, ex, event| {
                let sent = ex
                    .header("Upload-Offset")
                    .and_then(|sent| sent.parse().ok());
                match (event, sent) {
                    (Some(Event::Upload(path, state)), Some(offset)) if ex.command() == "PATCH" => {
                        let state = UploadState { offset, ..state };
                        service.resume(ex, Event::Upload(path, state))
                    }
                    (event, _) => pass(service, ex, event),
                }
            },
        ),
        handler(
            "refuses the right offset",
            &["parts"],
            |service, _, ex, event| match event {
                Some(Event::Upload(path, state)) if ex.command() == "PATCH" => {
                    let offset = state.offset + 1;
                    let state = UploadState { offset, ..state };
                    service.resume(ex, Event::Upload(path, state))
                }
                event => pass(service, ex, event),
            },
        ),
        handler(
            "says that more has arrived than is stored",
            &["parts", "uploads"],
            |service, _, ex, event| match pass(service, ex, event) {
                Next::WriteFile(_) if ex.header("Upload-Complete") == Some("?0") => {
                    service.resume(ex, Event::End)
                }
                next => next,
            },
        ),
        handler(
            "stores a file before its last part",
            &["parts", "uploads"],
            |service, state, ex, event| {
                let is_part = ex.header("Upload-Complete") == Some("?0");
                match state.number {
                    1 => return service.resume(ex, Event::End),
                    _ if !is_part => return pass(service, ex, event),
                    _ => {}
                }
                match event {
                    // The content has ended: commits it, and replies as if nothing had happened.
                    Some(Event::End) if state.entries.is_some() => {
                        (state.number, state.entries) = (1, None);
                        Next::Commit
                    }
                    event => {
                        let next = pass(service, ex, event);
                        state.entries = (next == Next::Body).then(Arc::default);
                        next
                    }
                }
            },
        ),
        handler(
            "does not cancel an upload",
            &["parts"],
            |service, _, ex, event| match pass(service, ex, event) {
                Next::Upload(request) => match *request {
                    UploadRequest::Cancel { path, token } if ex.command() == "DELETE" => {
                        let (offset, len) = (None, None);
                        Next::Upload(Box::new(UploadRequest::Resume {
                            path,
                            token,
                            offset,
                            len,
                        }))
                    }
                    request => Next::Upload(Box::new(request)),
                },
                next => next,
            },
        ),
        handler(
            "says that an upload is complete, and does not store it",
            &["parts", "uploads"],
            |service, _, ex, event| match pass(service, ex, event) {
                Next::Commit if ex.command() == "PATCH" => service.resume(ex, Event::End),
                next => next,
            },
        ),
        tree(
            "loses what arrived before a connection ended",
            &["parts", "uploads"],
            TreeFault::LosesParts,
        ),
        tree(
            "shows a file that is not complete",
            &["uploads"],
            TreeFault::ShowsParts,
        ),
        tree(
            "finds uploads after their end",
            &["parts", "uploads"],
            TreeFault::KeepsTokens,
        ),
        tree(
            "deletes directories with what is in them",
            &["changes"],
            TreeFault::RemovesFull,
        ),
    ]
}

fn broken_downloads() -> Vec<Case> {
    vec![
        handler(
            "sends a file from two versions",
            &["downloads", "handler"],
            |service, state, ex, event| {
                // Sends the first half, opens the file again, and sends the second half.
                if state.number == 1 {
                    state.number = 2;
                    return Next::Open(Path::parse(ex.path()).unwrap_or_default());
                }
                if state.number == 2 {
                    state.number = 3;
                    return match event {
                        Some(Event::Opened(_, meta)) => Next::Send(meta.len / 2..meta.len),
                        _ => Next::Done,
                    };
                }
                if state.number == 3 {
                    return Next::Done;
                }
                match pass(service, ex, event) {
                    Next::Send(range) if range.start == 0 && ex.command() == "GET" => {
                        state.number = 1;
                        Next::Send(0..range.end / 2)
                    }
                    next => next,
                }
            },
        ),
        handler(
            "sends a range that is off by one",
            &["downloads", "archives"],
            |service, _, ex, event| match pass(service, ex, event) {
                Next::Send(range) if range.start > 0 => Next::Send(range.start - 1..range.end - 1),
                next => next,
            },
        ),
        handler(
            "compresses a file with a wrong checksum",
            &["replies"],
            |service, state, ex, event| match pass(service, ex, event) {
                Next::Write(bytes) if bytes.starts_with(b"\x1f\x8b") => {
                    state.number = 1;
                    Next::Write(bytes)
                }
                Next::Write(bytes) if state.number == 1 => {
                    let mut bytes = bytes.to_vec();
                    if let Some(last) = bytes.last_mut() {
                        *last ^= 1;
                    }
                    Next::Write(bytes.into())
                }
                next => next,
            },
        ),
        handler(
            "compresses a file with another first byte",
            &["downloads"],
            |service, state, ex, event| {
                if let Some(Event::Data(bytes)) = &event
                    && ex.header("Accept-Encoding") == Some("gzip")
                    && state.number == 0
                {
                    state.number = 1;
                    let mut other = bytes.to_vec();
                    other[0] ^= 1;
                    return service.resume(ex, Event::Data(&other));
                }
                pass(service, ex, event)
            },
        ),
        tree(
            "reads the latest version of an open file",
            &["downloads", "archives"],
            TreeFault::ReadsLatest,
        ),
        tree(
            "gives two versions one tag",
            &["downloads"],
            TreeFault::SameVersion,
        ),
        tree(
            "leaves a file out of an archive",
            &["archives"],
            TreeFault::ArchiveDropsFile,
        ),
        tree(
            "puts files of two times into an archive",
            &["archives"],
            TreeFault::ArchiveMixesTimes,
        ),
        tree(
            "puts hidden files into an archive",
            &["archives"],
            TreeFault::ArchiveShowsHidden,
        ),
    ]
}

fn broken_listings() -> Vec<Case> {
    vec![
        handler(
            "keeps a listing for the next request",
            &["listings", "downloads"],
            |service, state, ex, event| {
                if let Some(Event::Listed(_, entries)) = &event {
                    state.entries = Some(Arc::clone(entries));
                }
                match (pass(service, ex, event), &state.entries) {
                    (Next::List(path), Some(entries)) => {
                        service.resume(ex, Event::Listed(path, Arc::clone(entries)))
                    }
                    (next, _) => next,
                }
            },
        ),
        tree(
            "lists a hidden file under another name",
            &["listings"],
            TreeFault::ListsHidden,
        ),
        tree(
            "lists a file that is being created",
            &["listings"],
            TreeFault::ListsTemporary,
        ),
        tree("does not list a file", &["listings"], TreeFault::ListsLess),
    ]
}

/// The right credentials of the model tree.
const PASSWORD: &str = "Basic bWFyeTphOnNlY3JldA==";

fn broken_guards() -> Vec<Case> {
    vec![
        handler(
            "lets HEAD through without a password",
            &["guard"],
            |service, state, ex, event| match ex.command() {
                "HEAD" => pass(&mut state.files, ex, event),
                _ => pass(service, ex, event),
            },
        ),
        handler(
            "asks for a password only once on a connection",
            &["guard"],
            |service, state, ex, event| {
                state.flag |= matches!(event, Some(Event::Verified(Ok(()))));
                match pass(service, ex, event) {
                    Next::Verify(_) if state.flag => service.resume(ex, Event::Verified(Ok(()))),
                    next => next,
                }
            },
        ),
        handler(
            "accepts any password if none can be verified",
            &["guard"],
            |service, _, ex, event| match event {
                Some(Event::Verified(Err(FsError::NoResources | FsError::Io))) => {
                    service.resume(ex, Event::Verified(Ok(())))
                }
                event => pass(service, ex, event),
            },
        ),
        handler(
            "checks the password and not the right to read",
            &["guard"],
            |service, state, ex, event| {
                let has_password = ex.header("Authorization") == Some(PASSWORD);
                match has_password && ex.command() == "HEAD" {
                    true => pass(&mut state.files, ex, event),
                    false => pass(service, ex, event),
                }
            },
        ),
        handler(
            "checks the right of methods that have no content only",
            // What it passes the requests to does not check hosts either.
            &["guard", "hosts"],
            |service, state, ex, event| {
                let has_password = ex.header("Authorization") == Some(PASSWORD);
                match has_password && ex.command() == "PUT" {
                    true => pass(&mut state.upload, ex, event),
                    false => pass(service, ex, event),
                }
            },
        ),
        handler(
            "asks for a password where none would help",
            &["guard"],
            |service, _, ex, event| {
                let may_not = event.is_none() && ex.command() == "DELETE";
                match may_not && ex.header("Authorization").is_none() {
                    true => {
                        ex.send_response(401);
                        ex.send_header("WWW-Authenticate", "Basic");
                        ex.send_header("Content-Length", 0);
                        ex.end_headers();
                        Next::Done
                    }
                    false => pass(service, ex, event),
                }
            },
        ),
        tree("accepts the user alone", &["guard"], TreeFault::AcceptsUser),
    ]
}

fn broken_hosts() -> Vec<Case> {
    vec![
        handler(
            "compares only the end of a host",
            &["hosts", "guard"],
            |service, state, ex, event| {
                let host = ex.header("Host").unwrap_or_default();
                match host.ends_with("files.example") {
                    true => pass(&mut state.files, ex, event),
                    false => pass(service, ex, event),
                }
            },
        ),
        handler(
            "checks only the first host on a connection",
            &["hosts", "guard"],
            |service, state, ex, event| {
                if event.is_none() {
                    state.number = u64::from(state.flag);
                    state.flag = true;
                }
                // All servers that do not check hosts are called `h`.
                match state.number == 1 && ex.header("Host") != Some("h") {
                    true => pass(&mut state.files, ex, event),
                    false => pass(service, ex, event),
                }
            },
        ),
        handler(
            "refuses a host with a port",
            &["hosts"],
            |service, _, ex, event| {
                let host = ex.header("Host").unwrap_or_default();
                match event {
                    None if host.ends_with(":8000") => ex.send_error(421, "Misdirected Request"),
                    event => pass(service, ex, event),
                }
            },
        ),
    ]
}

fn other_broken_services() -> Vec<Case> {
    vec![
        tree(
            "passes less content to a script than was sent",
            &["scripts"],
            TreeFault::LosesInput,
        ),
        handler(
            "loses content that arrives in a second piece",
            &["waits", "reference", "uploads", "handler"],
            |service, state, ex, event| {
                if let Some(Event::Data(_)) = event {
                    state.number += 1;
                    if state.number == 2 {
                        return Next::Body;
                    }
                }
                pass(service, ex, event)
            },
        ),
        handler(
            "upgrades connections that did not ask for it",
            &["upgrades", "handler"],
            |service, _, ex, event| {
                let is_plain = ex.header("Upgrade").is_none() && ex.path().starts_with("/wait/");
                if event.is_none() && is_plain && !ex.expects_100() {
                    ex.send_response(101);
                    ex.send_header("Connection", "Upgrade");
                    ex.send_header("Upgrade", "echo");
                    ex.end_headers();
                    return Next::Upgrade;
                }
                pass(service, ex, event)
            },
        ),
    ]
}

/// A fault of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TreeFault {
    WritesFinalName,
    IgnoresNoSpace,
    IgnoresChange,
    LeavesTemporary,
    ReadsLatest,
    SameVersion,
    ArchiveDropsFile,
    ArchiveMixesTimes,
    ArchiveShowsHidden,
    ListsHidden,
    ListsTemporary,
    ListsLess,
    AcceptsUser,
    LosesInput,
    LosesParts,
    ShowsParts,
    KeepsTokens,
    RemovesFull,
}

/// A tree with a fault.
struct BrokenTree {
    tree: ModelTree,
    fault: TreeFault,
}

/// An open file of a broken tree.
struct BrokenFile {
    file: ModelFile,
    /// The path and the content of a file that is being created, or that was opened.
    path: Vec<u8>,
    content: Vec<u8>,
}

impl AsRef<ModelTree> for BrokenTree {
    fn as_ref(&self) -> &ModelTree {
        &self.tree
    }
}

fn unnamed(file: ModelFile) -> BrokenFile {
    BrokenFile {
        file,
        path: Vec::new(),
        content: Vec::new(),
    }
}

impl FileSystem for BrokenTree {
    type File = BrokenFile;

    fn open(&self, path: &Path) -> Result<Opened<BrokenFile>, FsError> {
        let mut opened = self.tree.open(path)?;
        if let (Opened::File { meta, .. }, TreeFault::SameVersion) = (&mut opened, self.fault) {
            meta.version = meta.version.map(|_| FileVersion::new(7));
        }
        let resolved = self.tree.resolve(path.as_bytes());
        Ok(opened.map(|file| BrokenFile {
            content: self.tree.content(&resolved).unwrap_or_default(),
            path: resolved,
            file,
        }))
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let entries = self.tree.list(path)?;
        let renamed = |entry: Entry<'_>| {
            let is_temporary = entry.name.starts_with(Path::TEMPORARY_PREFIX.as_bytes());
            match self.fault {
                TreeFault::ListsTemporary if is_temporary => Some(b"upload.tmp".to_vec()),
                TreeFault::ListsHidden if !is_temporary => {
                    Some(entry.name.strip_prefix(b".").unwrap_or(entry.name).to_vec())
                }
                TreeFault::ListsLess if entry.name == b"b c.txt" => None,
                _ => Some(entry.name.to_vec()),
            }
        };
        let named = entries
            .iter()
            .filter_map(|entry| Some((renamed(entry)?, entry)));
        let mut entries = Entries::new();
        for (name, entry) in named {
            entries.push(Entry {
                name: &name,
                ..entry
            });
        }
        Ok(Arc::new(entries))
    }

    fn read(&self, file: &mut BrokenFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        self.tree.read(&mut file.file, at, into)
    }

    fn fill(&self, file: &mut BrokenFile, at: u64, into: &mut [u8]) -> Got<BrokenFile> {
        let got = match (&mut file.file, self.fault) {
            (ModelFile::Archive(archive, _), TreeFault::ArchiveMixesTimes) => {
                archive.fill(&WithoutTimes(&self.tree), at, into)
            }
            (ModelFile::Bytes(bytes), TreeFault::ReadsLatest) => {
                let latest = self.tree.content(&file.path).unwrap_or_default();
                if latest.len() == file.content.len() {
                    *bytes = latest.into();
                }
                self.tree.fill(&mut file.file, at, into)
            }
            (file, _) => self.tree.fill(file, at, into),
        };
        got.map(unnamed)
    }

    fn run(&self, script: &CgiScript) -> Result<Opened<BrokenFile>, FsError> {
        Ok(self.tree.run(script)?.map(unnamed))
    }

    fn verify(&self, credentials: &Credentials) -> Result<(), FsError> {
        match self.fault {
            TreeFault::AcceptsUser if credentials.user() == "mary" => Ok(()),
            _ => self.tree.verify(credentials),
        }
    }

    fn archive(&self, request: &ArchiveRequest) -> Result<Opened<BrokenFile>, FsError> {
        let all = ArchiveRequest {
            hidden: true,
            ..request.clone()
        };
        let archive = match self.fault {
            TreeFault::ArchiveDropsFile => Archive::open(&WithoutFile(&self.tree), request),
            TreeFault::ArchiveMixesTimes => Archive::open(&WithoutTimes(&self.tree), request),
            TreeFault::ArchiveShowsHidden => Archive::open(&self.tree, &all),
            _ => Archive::open(&self.tree, request),
        };
        Ok(archive?.map(|archive| unnamed(ModelFile::archive(archive))))
    }

    fn create(&self, create: &Create) -> Result<Opened<BrokenFile>, FsError> {
        if self.fault == TreeFault::LeavesTemporary {
            std::mem::forget(self.tree.create(create));
        }
        let path = self.tree.resolve(create.path.as_bytes());
        let opened = self.tree.create(create)?;
        Ok(opened.map(|file| BrokenFile {
            path,
            ..unnamed(file)
        }))
    }

    fn upload(&self, request: &UploadRequest) -> Result<Opened<BrokenFile>, FsError> {
        let path = request.path();
        let opened = match (self.fault, request) {
            (TreeFault::LosesParts, UploadRequest::Resume { token, .. }) => {
                // An empty upload takes its place.
                let token = *token;
                let path = path.clone();
                self.tree.upload(&UploadRequest::Cancel { path, token })?;
                self.tree
                    .upload(&UploadRequest::Begin(Create::new(request.path().clone())))
            }
            (TreeFault::KeepsTokens, UploadRequest::Resume { .. }) => {
                let opened = self.tree.upload(request);
                opened.or_else(|_| {
                    self.tree
                        .upload(&UploadRequest::Begin(Create::new(path.clone())))
                })
            }
            _ => self.tree.upload(request),
        };
        let path = match self.fault {
            TreeFault::ShowsParts => self.tree.resolve(path.as_bytes()),
            _ => Vec::new(),
        };
        Ok(opened?.map(|file| BrokenFile {
            path,
            ..unnamed(file)
        }))
    }

    fn change(&self, change: &Change) -> Result<(), FsError> {
        let path = self.tree.resolve(change.path().as_bytes());
        match (self.fault, change) {
            (TreeFault::RemovesFull, Change::RemoveDirectory { .. }) => {
                self.tree.change(change).or_else(|error| match error {
                    FsError::Exists => {
                        self.tree.remove(&path);
                        Ok(())
                    }
                    error => Err(error),
                })
            }
            _ => self.tree.change(change),
        }
    }

    fn write(&self, file: &mut BrokenFile, bytes: &[u8]) -> Result<usize, FsError> {
        file.content.extend_from_slice(bytes);
        match self.fault {
            TreeFault::ShowsParts if !file.path.is_empty() => {
                self.tree.store(&file.path, file.content.clone());
                self.tree.write(&mut file.file, bytes)
            }
            TreeFault::LosesInput if let ModelFile::Process(_) = file.file => {
                self.tree.write(&mut file.file, &bytes[1..])?;
                Ok(bytes.len())
            }
            TreeFault::WritesFinalName if !file.path.is_empty() => {
                self.tree.store(&file.path, file.content.clone());
                Ok(bytes.len())
            }
            TreeFault::IgnoresNoSpace => {
                let written = self.tree.write(&mut file.file, bytes);
                Ok(written.unwrap_or(bytes.len()))
            }
            _ => self.tree.write(&mut file.file, bytes),
        }
    }

    fn commit(&self, file: &mut BrokenFile) -> Result<(), FsError> {
        match self.fault {
            TreeFault::WritesFinalName => {
                self.tree.store(&file.path, file.content.clone());
                Ok(())
            }
            TreeFault::IgnoresChange => self.tree.commit(&mut file.file).or_else(|_| {
                self.tree.store(&file.path, file.content.clone());
                Ok(())
            }),
            _ => self.tree.commit(&mut file.file),
        }
    }
}

/// A tree that does not list one of its files.
struct WithoutFile<'a>(&'a ModelTree);

impl FileSystem for WithoutFile<'_> {
    type File = ModelFile;

    fn open(&self, path: &Path) -> Result<Opened<ModelFile>, FsError> {
        self.0.open(path)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let entries = self.0.list(path)?;
        let rest = entries.iter().filter(|entry| entry.name != b"two.bin");
        Ok(Arc::new(rest.collect()))
    }

    fn read(&self, file: &mut ModelFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        self.0.read(file, at, into)
    }
}

/// A tree whose files cannot be told apart but by their length.
struct WithoutTimes<'a>(&'a ModelTree);

impl FileSystem for WithoutTimes<'_> {
    type File = ModelFile;

    fn open(&self, path: &Path) -> Result<Opened<ModelFile>, FsError> {
        let mut opened = self.0.open(path)?;
        if let Opened::File { meta, .. } = &mut opened {
            (meta.modified, meta.version) = (None, None);
        }
        Ok(opened)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        self.0.list(path)
    }

    fn read(&self, file: &mut ModelFile, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        self.0.read(file, at, into)
    }
}

/// More seeds than are needed to find any of them.
const SEEDS_MAX: u64 = 10_000;

/// Finds the fault of each case, prints its seed, and passes the services without a fault on the same seeds.
fn find_all(cases: Vec<Case>) {
    let mut seeds = 1;
    for case in cases {
        let failure = (1..=SEEDS_MAX).find_map(&case.failure);
        let name = case.name;
        let failure = failure.unwrap_or_else(|| panic!("{name}: not found in {SEEDS_MAX} seeds"));
        println!("{name}: seed {}, {}", failure.seed, failure.check);
        assert!(case.checks.contains(&failure.check), "{name}: {failure}");
        seeds = seeds.max(failure.seed.number);
    }
    let correct = Sim::services();
    for seed in 1..=seeds {
        if let Err(failure) = correct.check_seed(seed) {
            panic!("without a fault: {failure}");
        }
    }
}

#[test]
fn broken_uploads_are_found() {
    find_all(broken_uploads());
}

#[test]
fn broken_uploads_in_parts_and_deletions_are_found() {
    find_all(broken_parts());
}

#[test]
fn broken_downloads_and_archives_are_found() {
    find_all(broken_downloads());
}

#[test]
fn broken_listings_are_found() {
    find_all(broken_listings());
}

#[test]
fn broken_guards_are_found() {
    find_all(broken_guards());
}

#[test]
fn broken_hosts_are_found() {
    find_all(broken_hosts());
}

#[test]
fn broken_scripts_waits_and_upgrades_are_found() {
    find_all(other_broken_services());
}
