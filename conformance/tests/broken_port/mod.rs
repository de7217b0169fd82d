//! A complete port over the sockets of std and over pipes, with faults that can be planted: one thread for each
//! connection, and no operation that waits.

mod fault;
mod transport;
mod upgraded;
mod writer;

use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{mem, thread};

use sanserve_conformance::{
    Case, CountedFile, CountedFiles, Log, OpenFiles, PipeEnd, Shout, StartedServer,
};
use sanserve_core::{Ask, Connection, FileSystem, Got, Handler, Now, Opened, Want};
use sanserve_server::Disk;

pub(crate) use self::fault::Fault;
use self::transport::{HangUp, Socket, Transport};
use self::upgraded::UpgradedStream;
pub(crate) use self::writer::PARTIAL_WRITES;
use self::writer::Writer;

type Files = CountedFiles<Disk>;
type File = <Files as FileSystem>::File;
type Conn = Connection<File, Box<dyn Handler + Send>>;

/// What the connections of a port share.
struct Port {
    fault: Fault,
    disk: Files,
    case: Case,
    log: Log,
    stop: AtomicBool,
    /// The request to open the first file.
    first: Mutex<Option<Ask>>,
}

/// Starts a port for a case on a listening socket. It runs until the process ends.
pub(crate) fn start(
    fault: Fault,
    root: PathBuf,
    open: &OpenFiles,
    case: &Case,
    log: Log,
) -> io::Result<StartedServer> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let port = Arc::new(Port::new(fault, root, open, case, log)?);
    let stopped = Arc::clone(&port);
    thread::spawn(move || {
        let connections: Arc<Mutex<Vec<_>>> = Arc::default();
        for (id, socket) in listener.incoming().enumerate() {
            let (port, socket) = (Arc::clone(&port), socket.expect("a connection"));
            let listed = socket.set_nonblocking(true).and(socket.try_clone());
            lock(&connections).push((id, listed.expect("a descriptor")));
            let open = Arc::clone(&connections);
            let socket = Socket {
                fault,
                id,
                socket,
                open,
            };
            let serving = thread::spawn(move || port.serve(socket, "127.0.0.1"));
            if fault == Fault::ServesOneConnectionAtATime {
                let _ = serving.join();
            }
        }
    });
    Ok(StartedServer::new(address, move || {
        stopped.stop.store(true, Ordering::Relaxed);
    }))
}

/// Serves one connection over a pipe.
pub(crate) fn serve_pipe(
    fault: Fault,
    root: PathBuf,
    open: &OpenFiles,
    case: &Case,
    end: PipeEnd,
    log: &Log,
) {
    let port = Port::new(fault, root, open, case, log.clone()).expect("the site exists");
    port.serve(end, "192.0.2.1");
}

impl Port {
    fn new(
        fault: Fault,
        root: PathBuf,
        open: &OpenFiles,
        case: &Case,
        log: Log,
    ) -> io::Result<Self> {
        let disk = Disk::open(root)?
            .with_portable_names(case.portable_names())
            .with_portable_tags(true)
            .with_upload_tokens(sanserve_conformance::upload_token);
        Ok(Self {
            fault,
            disk: open.count(disk),
            case: case.clone(),
            log,
            stop: AtomicBool::new(false),
            first: Mutex::default(),
        })
    }

    fn serve(&self, transport: impl Transport, address: &str) {
        let address = match self.fault {
            Fault::WritesAddressWithSpace => "the peer",
            _ => address,
        };
        let mut served = Served::new(self, transport);
        loop {
            let conn = Conn::new(self.case.config(), address, self.case.handler());
            match self.fault {
                Fault::RestartsAfterPanic => {
                    if catch_unwind(AssertUnwindSafe(|| served.drive(conn))).is_ok() {
                        break;
                    }
                }
                _ => {
                    served.drive(conn);
                    break;
                }
            }
        }
        match self.fault {
            Fault::LeaksSocket => served.transport.leak(),
            Fault::LeaksUpgradedSocket if served.is_upgraded => served.transport.leak(),
            Fault::LeaksSocketAfterShutdown if served.is_shut_down => served.transport.leak(),
            _ => {}
        }
    }

    /// Answers a question to the file system.
    fn ask(&self, ask: &Ask) -> Got<File> {
        let mut first = lock(&self.first);
        let ask = match (self.fault, ask) {
            (Fault::OpensFirstFileOnly, Ask::Open(_)) => first.get_or_insert_with(|| ask.clone()),
            _ => ask,
        };
        match (self.fault, ask) {
            (Fault::ListsNothing, Ask::List(_)) => return Got::Listed(Ok(Arc::default())),
            (Fault::VerifiesAnyPassword, Ask::Verify(_)) => return Got::Verified(Ok(())),
            (Fault::HoldsFilesOpen, Ask::Open(path)) => {
                mem::forget(self.disk.open(path));
            }
            _ => {}
        }
        match (ask, self.disk.answer(ask)) {
            // A small file, too, is sent by reference.
            (Ask::Open(_), Got::Opened(Ok(Opened::File { file, meta, .. }))) => {
                let sendable = true;
                Got::Opened(Ok(Opened::File {
                    file,
                    meta,
                    sendable,
                }))
            }
            (_, got) => got,
        }
    }

    /// Prints log lines. `late` are those that are still to be printed.
    fn print(&self, lines: &str, late: &mut String) {
        match self.fault {
            Fault::DropsLog => {}
            Fault::LogsTwice => (0..2).for_each(|_| self.log.push(lines)),
            Fault::PrintsFirstLineOnly => {
                let first = lines.split_inclusive('\n').next();
                self.log.push(first.unwrap_or_default());
            }
            Fault::PrintsLogLate => self.log.push(&mem::replace(late, lines.into())),
            _ => self.log.push(lines),
        }
    }
}

/// A connection that is served.
struct Served<'a, T> {
    port: &'a Port,
    transport: T,
    writer: Writer,
    start: Instant,
    woken: Arc<Woken>,
    is_shut_down: bool,
    is_upgraded: bool,
    /// Bytes that are read before those of the transport.
    unread: Vec<u8>,
    /// The next byte of the peer is lost.
    lose_byte: bool,
    /// Whether the connection waited to be woken in the last step.
    waited: bool,
    was_woken: bool,
    /// The deadline of the first write.
    write_deadline: Option<Duration>,
    late_log: String,
}

impl<'a, T: Transport> Served<'a, T> {
    fn new(port: &'a Port, transport: T) -> Self {
        Self {
            port,
            transport,
            writer: Writer::new(port.fault),
            start: Instant::now(),
            woken: Arc::default(),
            is_shut_down: false,
            is_upgraded: false,
            unread: Vec::new(),
            lose_byte: false,
            waited: false,
            was_woken: false,
            write_deadline: None,
            late_log: String::new(),
        }
    }

    /// The loop.
    fn drive(&mut self, mut conn: Conn) {
        let fault = self.port.fault;
        conn.set_waker(Waker::from(Arc::clone(&self.woken)));
        conn.allow_upgrade();
        let mut got = Got::Nothing;
        let mut now = self.now();
        loop {
            if self.port.stop.load(Ordering::Relaxed) {
                match fault {
                    Fault::IgnoresFinish => {}
                    Fault::ClosesAtFinish => return,
                    _ => conn.finish(),
                }
            }
            if conn.awaits_work() && self.notify_hang_up(&mut conn) {
                got = Got::Nothing;
            }
            if fault != Fault::ClockStopsWhileWaiting || !matches!(got, Got::Nothing) {
                now = self.now();
            }
            let step = conn.step(now, got);
            if matches!(step.want, Want::Close) {
                self.writer.finish(&mut self.transport);
                return;
            }
            if matches!(step.want, Want::Upgrade) {
                return self.serve_upgraded(conn.into_upgraded().received);
            }
            if matches!(step.want, Want::Shutdown) {
                self.writer.finish(&mut self.transport);
                match fault {
                    Fault::IgnoresShutdown => {}
                    Fault::ClosesAtShutdown => return,
                    _ => self.transport.shutdown(),
                }
                self.is_shut_down = true;
                got = Got::Nothing;
                continue;
            }
            got = self.answer(step.want, step.deadline);
        }
    }

    /// Serves the protocol that follows HTTP. `received` are the bytes that came with the request.
    fn serve_upgraded(&mut self, received: Vec<u8>) {
        self.is_upgraded = true;
        if self.port.fault == Fault::ParsesUpgradedAsHttp {
            self.unread = received;
            let (config, handler) = (self.port.case.config(), self.port.case.handler());
            return self.drive(Conn::new(config, "192.0.2.1", handler));
        }
        let stream = UpgradedStream::new(self.port, &mut self.transport, received);
        // A client that disconnects ends the protocol.
        let _ = Shout::default().serve(stream);
    }

    /// Reports that the peer has disconnected during work. Returns whether the connection is broken.
    fn notify_hang_up(&mut self, conn: &mut Conn) -> bool {
        match (self.transport.hang_up(), self.port.fault) {
            (Some(HangUp::Closed), Fault::NeverReportsClose)
            | (Some(HangUp::Reset), Fault::NeverReportsReset)
            | (None, _) => false,
            (Some(HangUp::Closed), fault) if fault != Fault::TakesCloseForReset => {
                conn.peer_closed();
                false
            }
            _ => {
                conn.peer_reset();
                true
            }
        }
    }

    /// Answers a want that does not end anything.
    fn answer(&mut self, want: Want<'_, File>, deadline: Option<Duration>) -> Got<File> {
        let (fault, disk) = (self.port.fault, &self.port.disk);
        let is_wait = matches!(want, Want::Wait);
        let waited = mem::replace(&mut self.waited, is_wait);
        match want {
            Want::Read(into) => {
                self.write_deadline = None;
                self.writer.before_read(&mut self.transport);
                self.read(into, deadline)
            }
            Want::Write(from) => {
                let first = *self
                    .write_deadline
                    .get_or_insert(deadline.unwrap_or_default());
                if fault == Fault::StoresFirstDeadline && first <= self.now().tick {
                    return Got::Failed;
                }
                self.writer.write(&mut self.transport, from)
            }
            Want::ReadFile { file, at, into } => {
                let at = match fault {
                    Fault::ReadsFileFromStart => 0,
                    Fault::ReadsFileFromNextByte => at + 1,
                    _ => at,
                };
                match disk.fill(file, at, into) {
                    Got::Note(_) if fault == Fault::DropsNotes => Got::Nothing,
                    got => got,
                }
            }
            Want::Copy { file, at, len } => self.copy(file, at, len),
            Want::WriteFile { file, from } => match fault {
                Fault::IgnoresWriteFile => Got::Bytes(from.len()),
                Fault::AnswersPartialWriteFileWithFullCount => {
                    disk.answer_write(file, &from[..from.len().div_ceil(2)]);
                    Got::Bytes(from.len())
                }
                _ => disk.answer_write(file, from),
            },
            Want::Commit { .. } if fault == Fault::IgnoresCommit => Got::Committed(Ok(())),
            Want::Commit { file } => Got::Committed(disk.commit(file)),
            Want::Ask(ask) => self.port.ask(ask),
            Want::Wait => self.wait(waited),
            Want::Log(lines) => {
                self.port.print(lines, &mut self.late_log);
                Got::Nothing
            }
            Want::Upgrade | Want::Shutdown | Want::Close => unreachable!("answered before"),
        }
    }

    /// Answers a wait for a wake. `waited` says whether this is the same wait as in the last step.
    fn wait(&mut self, waited: bool) -> Got<File> {
        let flag = &self.woken.0;
        match self.port.fault {
            Fault::LosesEarlyWake if !waited => flag.store(false, Ordering::Relaxed),
            Fault::LosesLateWake if waited => return pause(),
            Fault::IgnoresWait => return pause(),
            Fault::WaitsForeverForWake => {
                while !flag.load(Ordering::Relaxed) && self.start.elapsed() < FOREVER {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            _ => {}
        }
        let is_woken = flag.swap(false, Ordering::Relaxed);
        let was_woken = is_woken && mem::replace(&mut self.was_woken, true);
        match self.port.fault {
            Fault::IsWokenOnce if was_woken => pause(),
            _ if is_woken => Got::Woken,
            _ => pause(),
        }
    }

    /// Answers a read.
    fn read(&mut self, into: &mut [u8], deadline: Option<Duration>) -> Got<File> {
        let fault = self.port.fault;
        let is_stopping = self.port.stop.load(Ordering::Relaxed);
        if fault == Fault::StopsReadingAtFinish && is_stopping {
            return Got::Bytes(0);
        }
        if fault == Fault::LingersUntilEnd && self.is_shut_down {
            while !matches!(self.transport.read(&mut [0; 64]), Ok(0)) {
                if self.start.elapsed() > FOREVER {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
            return Got::Bytes(0);
        }
        let waits_forever = match fault {
            Fault::WaitsForeverToRead => true,
            Fault::WaitsForeverToLinger => self.is_shut_down,
            _ => false,
        };
        loop {
            match self.read_available(into) {
                Got::Nothing if waits_forever && self.start.elapsed() < FOREVER => {
                    thread::sleep(Duration::from_millis(1));
                }
                Got::Nothing => break,
                got => return got,
            }
        }
        let got = pause();
        let is_expired = deadline.is_some_and(|at| at <= self.now().tick);
        match fault {
            Fault::AnswersNothingToReadWithEnd => Got::Bytes(0),
            Fault::FailsReadAtDeadline if is_expired => Got::Failed,
            Fault::EndsInputAtDeadline if is_expired => Got::Bytes(0),
            Fault::LosesByteOfCancelledRead => {
                self.lose_byte |= is_expired;
                got
            }
            _ => got,
        }
    }

    /// Reads bytes that have arrived.
    fn read_available(&mut self, into: &mut [u8]) -> Got<File> {
        let fault = self.port.fault;
        if !self.unread.is_empty() {
            let n = self.unread.len().min(into.len());
            into[..n].copy_from_slice(&self.unread[..n]);
            self.unread.drain(..n);
            return Got::Bytes(n);
        }
        if self.lose_byte && matches!(self.transport.read(&mut [0]), Ok(1)) {
            self.lose_byte = false;
        }
        if fault == Fault::LosesBytesBeyondBuffer {
            let mut more = vec![0; into.len() + 1024];
            return match self.transport.read(&mut more) {
                Ok(n) => {
                    let n = n.min(into.len());
                    into[..n].copy_from_slice(&more[..n]);
                    Got::Bytes(n)
                }
                Err(error) => failed(&error),
            };
        }
        match self.transport.read(into) {
            Ok(0) if fault == Fault::AnswersEndOfInputWithNothing => Got::Nothing,
            Ok(0) if fault == Fault::TakesEndOfInputForFailure => Got::Failed,
            Ok(n) if fault == Fault::CountsOneByteTooFew && n > 1 => Got::Bytes(n - 1),
            Ok(1..)
                if matches!(
                    fault,
                    Fault::AnswersMoreThanLent | Fault::RestartsAfterPanic
                ) =>
            {
                Got::Bytes(into.len() + 1)
            }
            Ok(n) => Got::Bytes(n),
            Err(error) => failed(&error),
        }
    }

    /// Sends a piece of a file.
    fn copy(
        &mut self,
        file: &mut CountedFile<<Disk as FileSystem>::File>,
        at: u64,
        len: u64,
    ) -> Got<File> {
        let fault = self.port.fault;
        let (at, most) = match fault {
            Fault::CopiesFileFromStart => (0, len),
            Fault::CopiesBeyondRange => (at, u64::MAX),
            _ => (at, len),
        };
        let mut piece = vec![0; most.min(64 * 1024) as usize];
        let n = match self.port.disk.fill(file, at, &mut piece) {
            Got::Bytes(n) if n > 0 => n,
            got => return got,
        };
        let len = len as usize;
        loop {
            match (self.writer.write(&mut self.transport, &piece[..n]), fault) {
                (Got::Nothing, Fault::WaitsForeverToCopy) if self.start.elapsed() < FOREVER => {}
                (Got::Bytes(_), Fault::AnswersPartialCopyWithFullCount) => return Got::Bytes(len),
                (Got::Bytes(n), Fault::CountsOneByteTooManyInCopy) => {
                    return Got::Bytes((n + 1).min(len));
                }
                (Got::Bytes(n), Fault::CountsOneByteTooFewInCopy) if n > 1 => {
                    return Got::Bytes(n - 1);
                }
                (Got::Bytes(n), _) => return Got::Bytes(n.min(len)),
                (got, _) => return got,
            }
        }
    }

    /// Reads the clocks.
    fn now(&self) -> Now {
        let elapsed = self.start.elapsed();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let unix = unix.map(|unix| unix.as_secs() as i64);
        Now {
            tick: match self.port.fault {
                Fault::StopsClock => Duration::ZERO,
                Fault::ClockIsInWrongUnit => elapsed * 1000,
                Fault::ClockGoesBack => Duration::from_millis(elapsed.as_millis() as u64 % 100),
                _ => elapsed,
            },
            unix: match self.port.fault {
                Fault::HasNoDate => None,
                Fault::DateIsWrong => Some(elapsed.as_secs() as i64),
                _ => unix,
            },
        }
    }
}

/// The answer when an operation on the transport fails.
fn failed<F>(error: &io::Error) -> Got<F> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Got::Nothing,
        _ => Got::Failed,
    }
}

/// Answers `Nothing` after a moment, in which the transport may become ready.
fn pause<F>() -> Got<F> {
    thread::sleep(Duration::from_millis(1));
    Got::Nothing
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a connection was woken since it last asked.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How long a port with a fault waits that should not wait: longer than any case takes, so that tests end.
const FOREVER: Duration = Duration::from_secs(12);
