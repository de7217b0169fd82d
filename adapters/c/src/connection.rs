//! [`sanserve_connection`]: the engine of one connection, stepped by the caller's loop.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::ffi::{c_char, c_void};
use core::fmt;
use core::ptr;
use core::time::Duration;

use sanserve_core::{Ask, Config, Connection, Files, FsError, Got, Handler, Now, Phase, Want};

use crate::answer::{File, sanserve_answer, sanserve_meta, to_got};
use crate::bytes::{c_text, give, readable, sanserve_bytes};
use crate::config::sanserve_config;
use crate::handler::{Callbacks, sanserve_handler};
use crate::slot::{Slot, fits};
use crate::status::*;

/// The size of a connection in 64-bit words.
pub const SANSERVE_CONNECTION_WORDS: usize = 128;

/// The server side of one connection. It allocates its buffers when it needs them.
#[repr(C)]
#[allow(missing_debug_implementations, reason = "it is plain memory")]
pub struct sanserve_connection {
    /// For the library only.
    pub storage: [u64; SANSERVE_CONNECTION_WORDS],
}

fits!(sanserve_connection, Active);

/// A connection, and what it wants.
pub(crate) struct Active {
    engine: Connection<File, Box<dyn Handler>>,
    want: sanserve_want,
    /// The number of bytes that were lent or offered with the want.
    len: u64,
    /// The path of a want, which ends with a NUL.
    path: Vec<u8>,
}

/// What a connection wants. Each says which fields of sanserve_step it has, and which answers fit, beside
/// SANSERVE_GOT_NOTHING: "not yet, ask again".
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sanserve_want {
    /// Read from the peer into `into`, up to `len` bytes. BYTES (0: the peer has closed its side) or FAILED.
    SANSERVE_WANT_READ = 0,
    /// Write up to `len` bytes at `from` to the peer. BYTES, which may be fewer, or FAILED.
    SANSERVE_WANT_WRITE,
    /// Read `file` at offset `at` into `into`, up to `len` bytes. BYTES (0: its end), WORKING or ERROR.
    SANSERVE_WANT_READ_FILE,
    /// Send up to `copy_len` bytes of `file` from offset `at` to the peer, as with sendfile. Only for files that are
    /// `sendable`. BYTES (0: the end of the file), ERROR or FAILED.
    SANSERVE_WANT_COPY,
    /// Append `len` bytes at `from` to `file`, which is being created. BYTES, which may be fewer, or ERROR.
    SANSERVE_WANT_WRITE_FILE,
    /// Give `file`, which is complete, its name, in one step. DONE or ERROR.
    SANSERVE_WANT_COMMIT,
    /// Open `path`. FILE, DIRECTORY or ERROR.
    SANSERVE_WANT_OPEN,
    /// List the directory `path`. ENTRIES or ERROR.
    SANSERVE_WANT_LIST,
    /// Begin to create the file `path`, of which nothing may be seen before it is committed. If `replaces` is set, it
    /// replaces the file with the metadata `meta`; otherwise the name must not exist. WRITER or ERROR.
    SANSERVE_WANT_CREATE,
    /// Verify `user` and `password`. DONE, or ERROR with SANSERVE_FS_FORBIDDEN.
    SANSERVE_WANT_VERIFY,
    /// Wait until the waker is called, or for a short time. WOKEN.
    SANSERVE_WANT_WAIT,
    /// Print `len` bytes at `from`: log lines, each of which ends with a line feed. Any answer.
    SANSERVE_WANT_LOG,
    /// Close the sending side of the transport, and continue to read. Any answer.
    SANSERVE_WANT_SHUTDOWN,
    /// Close the transport and drop the connection.
    SANSERVE_WANT_CLOSE,
}

use sanserve_want::*;

/// What would be lost if the connection were closed now.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sanserve_phase {
    /// Nothing: it is idle.
    SANSERVE_PHASE_IDLE = 0,
    /// Little: part of a head, or unread content.
    SANSERVE_PHASE_HEAD,
    /// A request.
    SANSERVE_PHASE_BUSY,
}

/// The time of a step, from the caller's clocks.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_now {
    /// A monotonic clock, in nanoseconds.
    pub tick: u64,
    /// Whether the date is known. Without it replies have no `Date`.
    pub has_date: bool,
    /// Seconds since 1970.
    pub date: i64,
}

/// A want, with its arguments and deadline. Pointers are valid until the next call with the connection.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_step {
    /// What the connection wants.
    pub want: sanserve_want,
    /// The buffer to read into.
    pub into: *mut u8,
    /// The bytes to write.
    pub from: *const u8,
    /// The length of either, in bytes; never 0.
    pub len: usize,
    /// The `handle` of the open file.
    pub file: *mut c_void,
    /// The offset in the file, in bytes.
    pub at: u64,
    /// The number of bytes of the file to send.
    pub copy_len: u64,
    /// A path relative to the root, without `/` at its ends, and with a NUL after it. The root itself is `.`, so that
    /// the path fits openat. No segment is empty, `.` or `..`; links are the caller's to judge.
    pub path: *const c_char,
    /// For CREATE: the number of directories at the end of the path that may be missing.
    pub directories_max: usize,
    /// For CREATE: whether a file is replaced, the one with `meta`.
    pub replaces: bool,
    /// The metadata of the replaced file.
    pub meta: sanserve_meta,
    /// For VERIFY.
    pub user: sanserve_bytes,
    /// For VERIFY.
    pub password: sanserve_bytes,
    /// Whether there is a deadline.
    pub has_deadline: bool,
    /// The `tick` at which to give up and answer SANSERVE_GOT_NOTHING.
    pub deadline: u64,
    /// For WRITE: a COPY follows at once, so that both may be sent together (MSG_MORE).
    pub copy_follows: bool,
    /// For SHUTDOWN: the peer may still be sending. If not, and if it has acknowledged everything, the transport may be
    /// closed at once.
    pub peer_may_send: bool,
    /// What would be lost if the connection were closed now.
    pub phase: sanserve_phase,
}

impl sanserve_step {
    /// A step without arguments.
    const EMPTY: Self = Self {
        want: SANSERVE_WANT_CLOSE,
        into: ptr::null_mut(),
        from: ptr::null(),
        len: 0,
        file: ptr::null_mut(),
        at: 0,
        copy_len: 0,
        path: ptr::null(),
        directories_max: 0,
        replaces: false,
        meta: sanserve_meta {
            len: 0,
            has_modified: false,
            modified: 0,
            has_version: false,
            version: 0,
        },
        user: sanserve_bytes::NONE,
        password: sanserve_bytes::NONE,
        has_deadline: false,
        deadline: 0,
        copy_follows: false,
        peer_may_send: false,
        phase: sanserve_phase::SANSERVE_PHASE_BUSY,
    };
}

impl fmt::Debug for Active {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.engine.fmt(out)
    }
}

/// Initializes a connection whose requests `handler` answers. `peer` is the peer's address as log lines show it.
/// `config` may be NULL for the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_connection_init(
    connection: *mut sanserve_connection,
    config: *const sanserve_config,
    peer: *const c_char,
    handler: sanserve_handler,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe {
        let handler = Box::new(Callbacks::new(handler)?);
        init(connection, config, peer, handler)
    })
}

/// Initializes a connection that serves files, as `python -m http.server` does. Its loop opens, lists and reads them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_connection_init_files(
    connection: *mut sanserve_connection,
    config: *const sanserve_config,
    peer: *const c_char,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe { init(connection, config, peer, Box::new(Files::new())) })
}

unsafe fn init(
    connection: *mut sanserve_connection,
    config: *const sanserve_config,
    peer: *const c_char,
    handler: Box<dyn Handler>,
) -> Outcome {
    // SAFETY: the caller's pointers, see the header.
    let (peer, config) = unsafe { (c_text(peer)?, readable(config)) };
    let config = config.map_or_else(
        |_| Arc::new(Config::default()),
        |config| Arc::clone(&config.0),
    );
    // SAFETY: as above.
    unsafe { store(connection, config, peer, handler) }
}

unsafe fn store(
    connection: *mut sanserve_connection,
    config: Arc<Config>,
    peer: &str,
    handler: Box<dyn Handler>,
) -> Outcome {
    let active = Active {
        engine: Connection::new(config, peer, handler),
        want: SANSERVE_WANT_LOG,
        len: 0,
        path: Vec::new(),
    };
    // SAFETY: the caller's pointer, see the header.
    unsafe { Slot::store(connection.cast(), active) }
}

/// Does the same with a handler in Rust: for tests of loops in C.
///
/// # Safety
/// `connection` can be written.
#[doc(hidden)]
pub unsafe fn init_with(
    connection: *mut sanserve_connection,
    config: Arc<Config>,
    peer: &str,
    handler: Box<dyn Handler>,
) -> sanserve_status {
    // SAFETY: the same contract.
    guard(|| unsafe { store(connection, config, peer, handler) })
}

/// Releases a connection, closes its file and calls `drop` of its handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_connection_drop(
    connection: *mut sanserve_connection,
) -> sanserve_status {
    // SAFETY: the caller's pointer, see the header.
    guard(|| unsafe { Slot::<Active>::release(connection.cast()) })
}

/// Takes the answer to the last want, and returns the next want. The first answer is SANSERVE_GOT_NOTHING. After
/// SANSERVE_BAD_ANSWER the step is empty: the answer SANSERVE_GOT_NOTHING then returns the same want again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_connection_step(
    connection: *mut sanserve_connection,
    now: sanserve_now,
    answer: *const sanserve_answer,
    step: *mut sanserve_step,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe {
        let answer = readable(answer)?;
        give(step, sanserve_step::EMPTY)?;
        let wanted = with(connection, |active| active.step(now, answer))?;
        give(step, wanted)
    })
}

/// Calls `work` with a connection.
///
/// # Safety
/// The pointer is as the header says.
unsafe fn with<R>(
    connection: *mut sanserve_connection,
    work: impl FnOnce(&mut Active) -> Outcome<R>,
) -> Outcome<R> {
    // SAFETY: the same contract.
    unsafe { Slot::<Active>::with(connection.cast(), work) }
}

impl Active {
    fn step(&mut self, now: sanserve_now, answer: &sanserve_answer) -> Outcome<sanserve_step> {
        if self.want == SANSERVE_WANT_CLOSE {
            return Err(SANSERVE_CLOSED);
        }
        // SAFETY: the pointers of the answer are as the header says.
        let mut got = unsafe { to_got(answer, self.want, self.len) }?;
        let now = Now {
            tick: Duration::from_nanos(now.tick),
            unix: now.has_date.then_some(now.date),
        };
        loop {
            match self.advance(now, got) {
                Some(step) => return Ok(step),
                // A question that C code cannot be asked.
                None => got = Got::Opened(Err(FsError::Unsupported)),
            }
        }
    }

    fn advance(&mut self, now: Now, got: Got<File>) -> Option<sanserve_step> {
        let found = self.engine.step(now, got);
        let mut step = sanserve_step {
            has_deadline: found.deadline.is_some(),
            deadline: found
                .deadline
                .map_or(0, |at| u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)),
            copy_follows: found.copy_follows,
            peer_may_send: found.peer_may_send,
            phase: match found.phase {
                Phase::Idle => sanserve_phase::SANSERVE_PHASE_IDLE,
                Phase::Head => sanserve_phase::SANSERVE_PHASE_HEAD,
                Phase::Busy => sanserve_phase::SANSERVE_PHASE_BUSY,
            },
            ..sanserve_step::EMPTY
        };
        step.want = match found.want {
            Want::Read(into) => step.lend(into, SANSERVE_WANT_READ),
            Want::Write(from) => step.offer(from, SANSERVE_WANT_WRITE),
            Want::ReadFile { file, at, into } => {
                (step.file, step.at) = (file.handle(), at);
                step.lend(into, SANSERVE_WANT_READ_FILE)
            }
            Want::Copy { file, at, len } => {
                (step.file, step.at, step.copy_len) = (file.handle(), at, len);
                SANSERVE_WANT_COPY
            }
            Want::WriteFile { file, from } => {
                step.file = file.handle();
                step.offer(from, SANSERVE_WANT_WRITE_FILE)
            }
            Want::Commit { file } => {
                step.file = file.handle();
                SANSERVE_WANT_COMMIT
            }
            Want::Ask(ask) => step.ask(ask, &mut self.path)?,
            Want::Wait => SANSERVE_WANT_WAIT,
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Log(lines) => step.offer(lines.as_bytes(), SANSERVE_WANT_LOG),
            Want::Shutdown => SANSERVE_WANT_SHUTDOWN,
            Want::Close => SANSERVE_WANT_CLOSE,
        };
        (self.want, self.len) = (step.want, (step.len as u64).max(step.copy_len));
        Some(step)
    }
}

impl sanserve_step {
    fn lend(&mut self, into: &mut [u8], want: sanserve_want) -> sanserve_want {
        (self.into, self.len) = (into.as_mut_ptr(), into.len());
        want
    }

    fn offer(&mut self, from: &[u8], want: sanserve_want) -> sanserve_want {
        (self.from, self.len) = (from.as_ptr(), from.len());
        want
    }

    /// Turns a question to the file system into a want. Scripts and archives are `None`.
    fn ask(&mut self, ask: &Ask, path: &mut Vec<u8>) -> Option<sanserve_want> {
        let (asked, want) = match ask {
            Ask::Open(path) => (path, SANSERVE_WANT_OPEN),
            Ask::List(path) => (path, SANSERVE_WANT_LIST),
            Ask::Create(create) => {
                self.directories_max = create.directories_max;
                self.replaces = create.replaces.is_some();
                if let Some(meta) = &create.replaces {
                    self.meta = sanserve_meta::new(meta);
                }
                (&create.path, SANSERVE_WANT_CREATE)
            }
            Ask::Verify(credentials) => {
                self.user = sanserve_bytes::new(credentials.user().as_bytes());
                self.password = sanserve_bytes::new(credentials.password().as_bytes());
                return Some(SANSERVE_WANT_VERIFY);
            }
            _ => return None,
        };
        self.path = terminated(asked.as_bytes(), path);
        Some(want)
    }
}

/// Writes a path with a NUL after it, as the header describes paths.
pub(crate) fn terminated(path: &[u8], into: &mut Vec<u8>) -> *const c_char {
    into.clear();
    into.extend_from_slice(if path.is_empty() { b"." } else { path });
    into.push(0);
    into.as_ptr().cast()
}

/// Makes the current reply the last one, for a server that shuts down.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_connection_finish(
    connection: *mut sanserve_connection,
) -> sanserve_status {
    guard(|| {
        let finish = |active: &mut Active| {
            active.engine.finish();
            Ok(())
        };
        // SAFETY: the caller's pointer, see the header.
        unsafe { with(connection, finish) }
    })
}

/// Notes that the peer has closed its side while the connection waits for work. Work without output then ends soon.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_connection_peer_closed(
    connection: *mut sanserve_connection,
) -> sanserve_status {
    guard(|| {
        let note = |active: &mut Active| {
            active.engine.peer_closed();
            Ok(())
        };
        // SAFETY: the caller's pointer, see the header.
        unsafe { with(connection, note) }
    })
}

/// Ends a connection that is broken, and the work for its peer. Answer the want with SANSERVE_GOT_NOTHING after it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_connection_peer_reset(
    connection: *mut sanserve_connection,
) -> sanserve_status {
    guard(|| {
        let note = |active: &mut Active| {
            active.engine.peer_reset();
            Ok(())
        };
        // SAFETY: the caller's pointer, see the header.
        unsafe { with(connection, note) }
    })
}

/// Writes whether the connection waits for work, so that the transport has to be watched: call
/// sanserve_connection_peer_closed or sanserve_connection_peer_reset if the peer leaves.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_connection_awaits_work(
    connection: *mut sanserve_connection,
    awaits: *mut bool,
) -> sanserve_status {
    // SAFETY: the caller's pointers, see the header.
    guard(|| unsafe {
        let found = with(connection, |active| Ok(active.engine.awaits_work()))?;
        give(awaits, found)
    })
}

/// A function of the caller that wakes a connection. It may be called from any thread, also after the connection was
/// dropped, until `drop` is called.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_waker {
    /// Wakes the connection, so that its loop answers WAIT.
    pub wake: Option<unsafe extern "C" fn(user: *mut c_void)>,
    /// Called once, when nothing can call `wake` any more; or NULL.
    pub drop: Option<unsafe extern "C" fn(user: *mut c_void)>,
    /// The argument of both.
    pub user: *mut c_void,
}

struct CallerWaker(sanserve_waker);

// SAFETY: the header demands that the functions may be called from any thread.
unsafe impl Send for CallerWaker {}
// SAFETY: as above.
unsafe impl Sync for CallerWaker {}

impl Wake for CallerWaker {
    fn wake(self: Arc<Self>) {
        if let Some(wake) = self.0.wake {
            // SAFETY: the caller gave this function for this argument.
            unsafe { wake(self.0.user) };
        }
    }
}

impl Drop for CallerWaker {
    fn drop(&mut self) {
        if let Some(drop) = self.0.drop {
            // SAFETY: the caller gave this function for this argument.
            unsafe { drop(self.0.user) };
        }
    }
}

/// Sets the waker of a connection. Without one, answer WAIT from time to time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_connection_set_waker(
    connection: *mut sanserve_connection,
    waker: sanserve_waker,
) -> sanserve_status {
    guard(|| {
        let set = |active: &mut Active| {
            active.engine.set_waker(Arc::new(CallerWaker(waker)).into());
            Ok(())
        };
        // SAFETY: the caller's pointer, see the header.
        unsafe { with(connection, set) }
    })
}
