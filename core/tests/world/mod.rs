//! [`World`]: runs one connection in a simulated world. A test sets what the peer sends and when, how fast it reads,
//! and how slow the disk is. There is a small tree of files. Time passes only while the connection waits.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test uses its own part of the world"
)]

use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{
    CgiScript, Config, Connection, Create, Entries, Entry, Event, Exchange, FileSystem,
    FileVersion, FsError, Got, Handler, Meta, Next, Now, Opened, Path, Step, Want,
};

/// A connection and its environment.
pub struct World<H> {
    pub conn: Connection<File, H>,
    pub config: Arc<Config>,
    /// The bytes that the peer sends, each at or after the given time; and how many of them have been read.
    pub input: Vec<(Duration, Vec<u8>, usize)>,
    /// Whether the peer closes its side after its last byte.
    pub half_close: bool,
    /// The largest number of bytes of a read or write, and the time that a write of them takes.
    pub piece: usize,
    pub write_takes: Duration,
    /// After this many bytes, the peer reads nothing more.
    pub stalls_after: usize,
    /// The time that the disk takes for an answer, and a CGI process for a piece of its output.
    pub disk_takes: Duration,
    /// Whether reads of an open file never return.
    pub disk_stalls: bool,
    /// After this many bytes of a file, its disk only reports that it is working.
    pub reports_work_after: u64,
    /// After this many of these reports, the peer resets the connection.
    pub resets_after_reports: usize,
    /// The number of these reports, and the number of bytes that had been sent by the second.
    pub work_reports: usize,
    pub sent_at_second_report: usize,
    pub now: Duration,
    pub output: Vec<u8>,
    pub writes: usize,
    /// The number of writes that were marked to be followed by a copy.
    pub writes_before_copy: usize,
    /// After this many writes, the server shuts down.
    pub finish_after: usize,
    pub log: String,
    pub has_shut_down: bool,
    /// Whether the peer could then still send.
    pub peer_may_send: bool,
    /// The number of bytes that the connection had allocated when a want last had no result.
    pub idle_bytes: usize,
}

/// A file, which may be shorter than announced, or the output of a CGI process.
#[derive(Debug, Clone, Copy)]
pub struct File(&'static [u8], bool);

/// `/hello.txt` (6 bytes), `/big` (1 MiB), `/short` (announces 100 bytes, has 50), `/dir/`. A link `out` leads out of
/// the root, and `aux` is not a valid name.
pub struct Tree;

pub const HELLO: &[u8] = b"hello\n";
pub static BIG: [u8; 1 << 20] = [b'x'; 1 << 20];

impl FileSystem for Tree {
    type File = File;

    fn open(&self, path: &Path) -> Result<Opened<File>, FsError> {
        let (file, len) = match path.as_bytes() {
            b"" | b"dir" => return Ok(Opened::Directory),
            b"hello.txt" => (HELLO, 6),
            b"big" | b"sent" => (&BIG[..], BIG.len() as u64),
            b"short" => (&BIG[..50], 100),
            b"shorter" => (&BIG[..500_000], 1 << 20),
            _ => {
                return Err(match path.file_name() {
                    b"out" => FsError::OutsideRoot,
                    b"aux" => FsError::InvalidName,
                    _ => FsError::NotFound,
                });
            }
        };
        let meta = Meta::new(len)
            .with_modified(Some(1_577_836_800))
            .with_version(Some(FileVersion::new(1_577_836_800_750_000_000)));
        Ok(Opened::File {
            file: File(file, false),
            meta,
            sendable: path.as_bytes() == b"sent",
        })
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        match path.as_bytes() {
            b"" => Ok(Arc::new(Entries::from_iter([Entry {
                name: b"dir",
                directory: true,
                ..Entry::default()
            }]))),
            b"dir" => Ok(Arc::default()),
            _ => Err(FsError::NotRegularFile),
        }
    }

    fn create(&self, create: &Create) -> Result<Opened<File>, FsError> {
        Err(match create.path.file_name() {
            b"out" => FsError::OutsideRoot,
            _ => FsError::NoSpace,
        })
    }

    fn run(&self, script: &CgiScript) -> Result<Opened<File>, FsError> {
        match script.path.as_bytes() {
            b"big" => Ok(Opened::Process(File(&BIG[..100_000], true))),
            b"dir" => Ok(Opened::Process(File(b"", true))),
            _ => Err(FsError::Forbidden),
        }
    }

    fn write(&self, _: &mut File, bytes: &[u8]) -> Result<usize, FsError> {
        Ok(bytes.len().div_ceil(2))
    }

    fn read(&self, file: &mut File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        if file.1 {
            let n = file.0.len().min(into.len()).min(1000);
            into[..n].copy_from_slice(&file.0[..n]);
            file.0 = &file.0[n..];
            return Ok(n);
        }
        let rest = file.0.get(at as usize..).unwrap_or_default();
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

impl<H: Handler> World<H> {
    /// Returns a world with a peer that sends `input` immediately, then waits, and reads everything immediately.
    pub fn new(config: impl Into<Arc<Config>>, handler: H, input: &[u8]) -> Self {
        let config = config.into();
        World {
            conn: Connection::new(Arc::clone(&config), "192.0.2.1", handler),
            config,
            input: vec![(Duration::ZERO, input.to_vec(), 0)],
            half_close: true,
            piece: usize::MAX,
            write_takes: Duration::ZERO,
            stalls_after: usize::MAX,
            disk_takes: Duration::ZERO,
            disk_stalls: false,
            reports_work_after: u64::MAX,
            resets_after_reports: usize::MAX,
            work_reports: 0,
            sent_at_second_report: 0,
            now: Duration::from_secs(1_000),
            output: Vec::new(),
            writes: 0,
            writes_before_copy: 0,
            finish_after: usize::MAX,
            log: String::new(),
            has_shut_down: false,
            peer_may_send: false,
            idle_bytes: 0,
        }
        .starting_now()
    }

    fn starting_now(mut self) -> Self {
        let start = self.now;
        self.input.iter_mut().for_each(|(at, ..)| *at += start);
        self
    }

    /// Adds bytes that the peer sends this long after the start.
    pub fn then(mut self, after: Duration, bytes: &[u8]) -> Self {
        self.input
            .push((Duration::from_secs(1_000) + after, bytes.to_vec(), 0));
        self
    }

    /// Runs the connection to its end, and returns how long that took.
    pub fn run(&mut self) -> Duration {
        let start = self.now;
        let mut got = Got::Nothing;
        for _ in 0..10_000_000 {
            if let Got::Nothing = got {
                self.idle_bytes = self.conn.allocated();
            }
            if self.writes == self.finish_after {
                self.conn.finish();
            }
            let now = Now {
                tick: self.now,
                unix: Some(1_767_225_600 + self.now.as_secs() as i64),
            };
            if self.work_reports == self.resets_after_reports {
                self.conn.peer_reset();
                got = Got::Nothing;
            }
            let Step {
                want,
                deadline: by,
                copy_follows,
                peer_may_send,
                ..
            } = self.conn.step(now, got);
            got = match want {
                Want::Read(into) => {
                    assert!(!into.is_empty());
                    let by = by.expect("a wait for the peer has a deadline");
                    match read(
                        &mut self.input,
                        self.half_close,
                        &mut self.now,
                        by,
                        self.piece,
                        into,
                    ) {
                        Some(n) => Got::Bytes(n),
                        None => Got::Nothing,
                    }
                }
                Want::Write(from) => {
                    assert!(!from.is_empty());
                    let by = by.expect("a wait for the peer has a deadline");
                    self.now += self.write_takes;
                    if self.output.len() >= self.stalls_after {
                        self.now = by;
                    }
                    if self.now >= by {
                        Got::Nothing
                    } else {
                        let n = from.len().min(self.piece);
                        self.output.extend_from_slice(&from[..n]);
                        self.writes += 1;
                        self.writes_before_copy += usize::from(copy_follows);
                        Got::Bytes(n)
                    }
                }
                Want::ReadFile { .. } if self.disk_stalls => {
                    self.now = by.expect("a wait for a file has a deadline");
                    Got::Nothing
                }
                Want::ReadFile { at, .. } if at >= self.reports_work_after => {
                    self.work_reports += 1;
                    self.now += self.disk_takes;
                    if self.work_reports == 2 {
                        self.sent_at_second_report = self.output.len();
                    }
                    Got::Working
                }
                Want::ReadFile { file, at, into } => {
                    assert!(!into.is_empty());
                    if file.1 {
                        self.now += self.disk_takes;
                    }
                    Tree.fill(file, at, into)
                }
                Want::Copy { file, at, len } => {
                    let rest = file.0.get(at as usize..).unwrap_or_default();
                    let n = rest.len().min(self.piece).min(len as usize);
                    self.output.extend_from_slice(&rest[..n]);
                    self.now += self.write_takes;
                    Got::Bytes(n)
                }
                Want::Ask(ask) => {
                    self.now += self.disk_takes;
                    match by {
                        Some(by) if self.now >= by => Got::Nothing,
                        _ => Tree.answer(ask),
                    }
                }
                Want::WriteFile { file, from } => Tree.answer_write(file, from),
                Want::Commit { file } => Got::Committed(Tree.commit(file)),
                Want::Wait => {
                    self.now = by.expect("a wait has a deadline");
                    Got::Nothing
                }
                Want::Upgrade => unreachable!("no upgrade is allowed"),
                Want::Log(lines) => {
                    self.log.push_str(lines);
                    Got::Nothing
                }
                Want::Shutdown => {
                    (self.has_shut_down, self.peer_may_send) = (true, peer_may_send);
                    Got::Nothing
                }
                Want::Close => return self.now - start,
            };
        }
        panic!("the connection does not end");
    }

    /// Returns everything that was sent to the peer, as text.
    pub fn text(&self) -> String {
        self.output.iter().map(|&byte| char::from(byte)).collect()
    }

    /// Returns the status lines that were sent.
    pub fn statuses(&self) -> Vec<String> {
        let text = self.text();
        let starts = text.match_indices("HTTP/1.").map(|(at, _)| &text[at..]);
        starts
            .filter_map(|line| line.split("\r\n").next())
            .map(str::to_owned)
            .collect()
    }
}

fn read(
    input: &mut Vec<(Duration, Vec<u8>, usize)>,
    half_close: bool,
    now: &mut Duration,
    by: Duration,
    piece: usize,
    into: &mut [u8],
) -> Option<usize> {
    let Some((at, bytes, from)) = input.first_mut() else {
        *now = if half_close { *now } else { by };
        return half_close.then_some(0);
    };
    if *at >= by {
        *now = by;
        return None;
    }
    *now = (*now).max(*at);
    let rest = &bytes[*from..];
    let n = rest.len().min(piece).min(into.len());
    into[..n].copy_from_slice(&rest[..n]);
    *from += n;
    if *from == bytes.len() {
        input.remove(0);
    }
    Some(n)
}

/// Reads all content, then replies with its length.
pub struct Counter(pub usize);

impl Handler for Counter {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        self.0 = 0;
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if let Event::Data(bytes) = event {
            self.0 += bytes.len();
            return Next::Body;
        }
        ex.send_response(200);
        ex.end_headers();
        ex.write(self.0.to_string().as_bytes());
        Next::Done
    }
}
