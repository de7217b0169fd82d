//! A complete port over the sockets of std, with faults that can be planted: one thread for each connection, and a
//! socket that never blocks.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{io, mem, thread};

use sanserve_conformance::{Case, Log};
use sanserve_core::{Ask, Connection, FileSystem, Got, Now, Opened, Want};
use sanserve_server::Disk;

/// A fault of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The port is correct.
    None,
    /// A partial write loses one byte.
    LosesByteOfPartialWrite,
    /// A partial write sends one byte twice.
    DoublesByteOfPartialWrite,
    /// The two bytes after a partial write are exchanged.
    ReordersBytesAfterPartialWrite,
    /// A partial write is answered with the full count.
    AnswersPartialWriteWithFullCount,
    /// A write that would block is answered with the full count.
    AnswersBlockedWriteWithFullCount,
    /// A write that would block counts as a broken transport.
    TakesBlockedWriteForFailure,
    /// Everything is written to the oldest open connection.
    WritesToOldestConnection,
    /// The count of a read is too small by one.
    CountsOneByteTooFew,
    /// The count of a read is larger than the buffer, and the panic that follows ends only the thread.
    AnswersMoreThanLent,
    /// A read that is cancelled at its deadline takes the next byte with it.
    LosesByteOfCancelledRead,
    /// The end of the peer's input is answered with `Nothing`.
    AnswersEndOfInputWithNothing,
    /// A read is answered with `Failed` at its deadline.
    FailsReadAtDeadline,
    /// A read is answered with the end of the input at its deadline.
    EndsInputAtDeadline,
    /// Reads have no deadline.
    WaitsForeverToRead,
    /// The monotonic clock stands still.
    StopsClock,
    /// The monotonic clock runs a thousand times too fast.
    ClockIsInWrongUnit,
    /// The date is unknown.
    HasNoDate,
    /// The peer's address contains a space.
    WritesAddressWithSpace,
    /// Files are read from their beginning, whatever the offset.
    ReadsFileFromStart,
    /// Files are read from the byte after the offset.
    ReadsFileFromNextByte,
    /// Files that are sent by reference are sent from their beginning.
    CopiesFileFromStart,
    /// The count of a file that is sent by reference is that which was wanted.
    AnswersPartialCopyWithFullCount,
    /// The count of a file that is sent by reference is too large by one.
    CountsOneByteTooManyInCopy,
    /// Lines on the standard error of a CGI process are lost.
    DropsNotes,
    /// Uploaded content is not written.
    IgnoresWriteFile,
    /// Uploaded content is written in part, and counted in full.
    AnswersPartialWriteFileWithFullCount,
    /// Uploaded files are not given their names.
    IgnoresCommit,
    /// A wake before `Want::Wait` is lost.
    LosesEarlyWake,
    /// A wake after `Want::Wait` is lost.
    LosesLateWake,
    /// Only the first wake of a connection is noticed.
    IsWokenOnce,
    /// A wait has no deadline.
    WaitsForeverForWake,
    /// A waiting connection is never told that it was woken.
    IgnoresWait,
    /// Log lines are lost.
    DropsLog,
    /// Log lines are printed twice.
    LogsTwice,
    /// The connection is not half-closed.
    IgnoresShutdown,
    /// The connection is closed instead of half-closed.
    ClosesAtShutdown,
    /// The socket is never closed.
    LeaksSocket,
    /// One connection is served at a time.
    ServesOneConnectionAtATime,
}

/// What the connections of a port share.
struct Port {
    fault: Fault,
    disk: Disk,
    case: Case,
    log: Log,
    /// The open connections, oldest first.
    open: Mutex<Vec<(usize, TcpStream)>>,
}

/// The number of partial writes of all correct ports.
pub(crate) static PARTIAL_WRITES: AtomicUsize = AtomicUsize::new(0);

/// Starts a port for a case, which runs until the process ends.
pub(crate) fn start(fault: Fault, root: &Path, case: &Case, log: Log) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let disk = Disk::open(root)?
        .with_portable_names(case.portable_names())
        .with_portable_tags(true);
    let port = Arc::new(Port {
        fault,
        disk,
        case: case.clone(),
        log,
        open: Mutex::default(),
    });
    thread::spawn(move || {
        for (id, socket) in listener.incoming().enumerate() {
            let (port, socket) = (Arc::clone(&port), socket.expect("a connection"));
            let listed = socket.set_nonblocking(true).and(socket.try_clone());
            port.open().push((id, listed.expect("a descriptor")));
            let serving = thread::spawn(move || port.serve(id, socket));
            if fault == Fault::ServesOneConnectionAtATime {
                let _ = serving.join();
            }
        }
    });
    Ok(address)
}

impl Port {
    fn serve(&self, id: usize, socket: TcpStream) {
        self.drive(&socket);
        self.open().retain(|(other, _)| *other != id);
        if self.fault == Fault::LeaksSocket {
            mem::forget(socket);
        }
    }

    /// The loop.
    fn drive(&self, socket: &TcpStream) {
        let fault = self.fault;
        let (config, handler) = (self.case.config(), self.case.handler());
        let address = match fault {
            Fault::WritesAddressWithSpace => "the peer",
            _ => "127.0.0.1",
        };
        let mut conn = Connection::new(config, address, handler);
        let woken = Arc::new(Woken::default());
        conn.set_waker(Waker::from(Arc::clone(&woken)));
        let start = Instant::now();
        let mut writer = Writer::new(fault);
        let mut lose_byte = false;
        let (mut waited, mut was_woken_before) = (false, false);
        let mut got = Got::Nothing;
        loop {
            let now = now(fault, start);
            let step = conn.step(now, got);
            let deadline = step.deadline;
            // Asked after a pause.
            let expired = || deadline.is_some_and(|at| at <= self::now(fault, start).tick);
            got = match step.want {
                Want::Read(into) => match read(fault, socket, into, &mut lose_byte) {
                    Got::Nothing => match (fault, pause()) {
                        (Fault::LosesByteOfCancelledRead, got) => {
                            lose_byte |= expired();
                            got
                        }
                        (Fault::FailsReadAtDeadline, _) if expired() => Got::Failed,
                        (Fault::EndsInputAtDeadline, _) if expired() => Got::Bytes(0),
                        (Fault::WaitsForeverToRead, _) => {
                            while would_block(&socket.peek(&mut [0])) {
                                thread::sleep(Duration::from_millis(1));
                            }
                            Got::Nothing
                        }
                        (_, got) => got,
                    },
                    got => got,
                },
                Want::Write(from) => {
                    if fault == Fault::WritesToOldestConnection {
                        let open = self.open();
                        writer.write(&open[0].1, from)
                    } else {
                        writer.write(socket, from)
                    }
                }
                Want::ReadFile { file, at, into } => {
                    let at = match fault {
                        Fault::ReadsFileFromStart => 0,
                        Fault::ReadsFileFromNextByte => at + 1,
                        _ => at,
                    };
                    match self.disk.fill(file, at, into) {
                        Got::Note(_) if fault == Fault::DropsNotes => Got::Nothing,
                        got => got,
                    }
                }
                Want::Copy { file, at, len } => {
                    let at = match fault {
                        Fault::CopiesFileFromStart => 0,
                        _ => at,
                    };
                    let mut piece = vec![0; len.min(64 * 1024) as usize];
                    match self.disk.fill(file, at, &mut piece) {
                        Got::Bytes(n) if n > 0 => match writer.write(socket, &piece[..n]) {
                            Got::Bytes(_) if fault == Fault::AnswersPartialCopyWithFullCount => {
                                Got::Bytes(len as usize)
                            }
                            Got::Bytes(n) if fault == Fault::CountsOneByteTooManyInCopy => {
                                Got::Bytes((n + 1).min(len as usize))
                            }
                            got => got,
                        },
                        got => got,
                    }
                }
                Want::WriteFile { file, from } => match fault {
                    Fault::IgnoresWriteFile => Got::Bytes(from.len()),
                    Fault::AnswersPartialWriteFileWithFullCount => {
                        self.disk
                            .answer_write(file, &from[..from.len().div_ceil(2)]);
                        Got::Bytes(from.len())
                    }
                    _ => self.disk.answer_write(file, from),
                },
                Want::Commit { .. } if fault == Fault::IgnoresCommit => Got::Committed(Ok(())),
                Want::Commit { file } => Got::Committed(self.disk.commit(file)),
                // A small file, too, is sent by reference.
                Want::Ask(ask @ Ask::Open(_)) => match self.disk.answer(ask) {
                    Got::Opened(Ok(Opened::File { file, meta, .. })) => {
                        let sendable = true;
                        Got::Opened(Ok(Opened::File {
                            file,
                            meta,
                            sendable,
                        }))
                    }
                    got => got,
                },
                Want::Ask(ask) => self.disk.answer(ask),
                Want::Wait => {
                    if fault == Fault::LosesEarlyWake {
                        woken.0.store(false, Ordering::Relaxed);
                    }
                    while fault == Fault::WaitsForeverForWake && !woken.0.load(Ordering::Relaxed) {
                        thread::sleep(Duration::from_millis(1));
                    }
                    let was_woken = woken.0.swap(false, Ordering::Relaxed);
                    let loses = match fault {
                        Fault::IgnoresWait => true,
                        Fault::LosesLateWake => waited,
                        Fault::IsWokenOnce => {
                            was_woken && mem::replace(&mut was_woken_before, true)
                        }
                        _ => false,
                    };
                    waited = true;
                    match was_woken && !loses {
                        true => Got::Woken,
                        false => pause(),
                    }
                }
                Want::Upgrade => unreachable!("no upgrade is allowed"),
                Want::Log(lines) => {
                    let times = match fault {
                        Fault::DropsLog => 0,
                        Fault::LogsTwice => 2,
                        _ => 1,
                    };
                    (0..times).for_each(|_| self.log.push(lines));
                    Got::Nothing
                }
                Want::Shutdown => {
                    match fault {
                        Fault::IgnoresShutdown => {}
                        Fault::ClosesAtShutdown => return,
                        // It fails if the peer has already closed the connection.
                        _ => _ = socket.shutdown(Shutdown::Write),
                    }
                    Got::Nothing
                }
                Want::Close => return,
            };
        }
    }

    fn open(&self) -> MutexGuard<'_, Vec<(usize, TcpStream)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the clocks.
fn now(fault: Fault, start: Instant) -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    Now {
        tick: match fault {
            Fault::StopsClock => Duration::ZERO,
            Fault::ClockIsInWrongUnit => start.elapsed() * 1000,
            _ => start.elapsed(),
        },
        unix: unix
            .filter(|_| fault != Fault::HasNoDate)
            .map(|unix| unix.as_secs() as i64),
    }
}

/// Answers a read.
fn read<F>(fault: Fault, mut socket: &TcpStream, into: &mut [u8], lose_byte: &mut bool) -> Got<F> {
    if *lose_byte && matches!(socket.read(&mut [0]), Ok(1)) {
        *lose_byte = false;
    }
    match socket.read(into) {
        Ok(0) if fault == Fault::AnswersEndOfInputWithNothing => Got::Nothing,
        Ok(n) if fault == Fault::CountsOneByteTooFew && n > 1 => Got::Bytes(n - 1),
        Ok(1..) if fault == Fault::AnswersMoreThanLent => Got::Bytes(into.len() + 1),
        Ok(n) => Got::Bytes(n),
        Err(error) => failed(&error),
    }
}

/// The answer when an operation on the socket fails.
fn failed<F>(error: &io::Error) -> Got<F> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Got::Nothing,
        _ => Got::Failed,
    }
}

/// The writes of a connection.
struct Writer {
    fault: Fault,
    was_partial: bool,
}

impl Writer {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            was_partial: false,
        }
    }

    /// Answers a write.
    fn write<F>(&mut self, mut socket: &TcpStream, from: &[u8]) -> Got<F> {
        let fault = self.fault;
        let mut reordered;
        let mut bytes = from;
        if self.was_partial && fault == Fault::ReordersBytesAfterPartialWrite && from.len() > 1 {
            reordered = from.to_vec();
            reordered.swap(0, 1);
            bytes = &reordered;
        }
        let n = match socket.write(bytes) {
            Ok(n) => n,
            Err(error) => {
                return match (failed(&error), fault) {
                    (Got::Nothing, Fault::AnswersBlockedWriteWithFullCount) => {
                        Got::Bytes(from.len())
                    }
                    (Got::Nothing, Fault::TakesBlockedWriteForFailure) => Got::Failed,
                    (Got::Nothing, _) => pause(),
                    (got, _) => got,
                };
            }
        };
        self.was_partial = n < from.len();
        if !self.was_partial {
            return Got::Bytes(n);
        }
        match fault {
            Fault::LosesByteOfPartialWrite => Got::Bytes(n + 1),
            Fault::DoublesByteOfPartialWrite if n > 1 => Got::Bytes(n - 1),
            Fault::AnswersPartialWriteWithFullCount => Got::Bytes(from.len()),
            Fault::None => {
                PARTIAL_WRITES.fetch_add(1, Ordering::Relaxed);
                Got::Bytes(n)
            }
            _ => Got::Bytes(n),
        }
    }
}

/// Answers `Nothing` after a moment, in which the socket may become ready.
fn pause<F>() -> Got<F> {
    thread::sleep(Duration::from_micros(200));
    Got::Nothing
}

fn would_block(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Whether a connection was woken since it last asked.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
