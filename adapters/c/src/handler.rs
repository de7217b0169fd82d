//! [`sanserve_handler`]: the caller's functions that answer requests, and [`sanserve_next`], which they return.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{c_char, c_void};
use core::time::Duration;
use core::{ptr, slice};

use sanserve_core::{Create, Entries, Event, Exchange, Handler, Next, Path};

use crate::answer::{sanserve_fs_error, sanserve_meta};
use crate::bytes::{c_bytes, lent, sanserve_bytes};
use crate::connection::terminated;
use crate::exchange::sanserve_exchange;
use crate::status::*;

/// What a handler needs before it is called again. Each says with which events it is resumed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sanserve_next_kind {
    /// Nothing: the reply is complete.
    SANSERVE_NEXT_DONE = 0,
    /// Content of the request. DATA, or END if there is no more.
    SANSERVE_NEXT_CONTENT,
    /// The file or directory `path`, or that of the request's target if it is NULL. OPENED, DIRECTORY or FAILED.
    SANSERVE_NEXT_OPEN,
    /// The entries of the directory `path`, or that of the target. LISTED or FAILED.
    SANSERVE_NEXT_LIST,
    /// A new file `path`, or that of the target. CREATED or FAILED.
    SANSERVE_NEXT_CREATE,
    /// Append `len` bytes at `bytes` to the new file; they are copied. END or FAILED.
    SANSERVE_NEXT_WRITE_FILE,
    /// Give the new file its name. END or FAILED.
    SANSERVE_NEXT_COMMIT,
    /// Bytes of the open file, from where the last READ ended. DATA or END.
    SANSERVE_NEXT_READ,
    /// Send the bytes of the open file from `start` up to `end`. END.
    SANSERVE_NEXT_SEND,
    /// Send `len` bytes at `bytes` of any length; they are copied. END.
    SANSERVE_NEXT_WRITE,
    /// The same with bytes that stay valid for as long as the connection; they are not copied. END.
    SANSERVE_NEXT_WRITE_STATIC,
    /// Wait until the peer has accepted everything that was written. END.
    SANSERVE_NEXT_FLUSH,
    /// Wait until the waker is called, or for `nanoseconds`. WOKEN or TIMED_OUT.
    SANSERVE_NEXT_WAIT,
}

use sanserve_next_kind::*;

/// What a handler needs. What its kind does not need is ignored.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_next {
    /// A `sanserve_next_kind`. Any other number turns the reply into a 500.
    pub kind: u32,
    /// The path, or NULL for that of the request's target.
    pub path: *const c_char,
    /// The bytes.
    pub bytes: *const u8,
    /// The number of bytes.
    pub len: usize,
    /// For SEND: the offset of the first byte.
    pub start: u64,
    /// For SEND: the offset after the last byte.
    pub end: u64,
    /// For WAIT.
    pub nanoseconds: u64,
}

impl sanserve_next {
    pub(crate) const DONE: Self = Self {
        kind: SANSERVE_NEXT_DONE as u32,
        path: ptr::null(),
        bytes: ptr::null(),
        len: 0,
        start: 0,
        end: 0,
        nanoseconds: 0,
    };
}

/// The events with which a handler is resumed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sanserve_event_kind {
    /// `data` has bytes of the content or of the file.
    SANSERVE_EVENT_DATA = 0,
    /// The operation is complete.
    SANSERVE_EVENT_END,
    /// The file `path` with the metadata `meta` is open.
    SANSERVE_EVENT_OPENED,
    /// The file `path` is being created.
    SANSERVE_EVENT_CREATED,
    /// `path` is a directory.
    SANSERVE_EVENT_DIRECTORY,
    /// `entries` are those of the directory `path`.
    SANSERVE_EVENT_LISTED,
    /// The waker was called, perhaps without need.
    SANSERVE_EVENT_WOKEN,
    /// The time to wait is over.
    SANSERVE_EVENT_TIMED_OUT,
    /// The operation failed with `error`.
    SANSERVE_EVENT_FAILED,
}

use sanserve_event_kind::*;

/// An event. It is valid during the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_event {
    /// Which one.
    pub kind: sanserve_event_kind,
    /// For DATA.
    pub data: sanserve_bytes,
    /// The path, relative to the root; `.` is the root.
    pub path: *const c_char,
    /// For OPENED.
    pub meta: sanserve_meta,
    /// For LISTED, see sanserve_entries_get.
    pub entries: *const sanserve_entries,
    /// For FAILED.
    pub error: sanserve_fs_error,
}

/// The entries of a directory.
#[allow(
    missing_debug_implementations,
    reason = "C code has only pointers to it"
)]
pub struct sanserve_entries(Entries);

/// Returns the number of entries; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_entries_len(entries: *const sanserve_entries) -> usize {
    // SAFETY: the caller's pointer, see the header.
    unsafe { entries.as_ref() }.map_or(0, |entries| entries.0.len())
}

/// Returns the name of an entry, which does not end with a NUL, and writes whether it is a directory. Returns no bytes
/// if there is no such entry.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_entries_get(
    entries: *const sanserve_entries,
    at: usize,
    is_directory: *mut bool,
) -> sanserve_bytes {
    // SAFETY: the caller's pointer, see the header.
    let entry = unsafe { entries.as_ref() }.and_then(|entries| entries.0.get(at));
    let Some(entry) = entry else {
        return sanserve_bytes::NONE;
    };
    if !is_directory.is_null() {
        // SAFETY: as above.
        unsafe { is_directory.write(entry.directory) };
    }
    sanserve_bytes::new(entry.name)
}

/// The functions that answer the requests of one connection, one after another.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_handler {
    /// Begins the reply to a request. Must not be NULL.
    pub begin: Option<
        unsafe extern "C" fn(user: *mut c_void, exchange: *mut sanserve_exchange) -> sanserve_next,
    >,
    /// Continues it. NULL if `begin` always returns SANSERVE_NEXT_DONE.
    pub resume: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            exchange: *mut sanserve_exchange,
            event: *const sanserve_event,
        ) -> sanserve_next,
    >,
    /// Called once, when the connection is dropped; or NULL.
    pub drop: Option<unsafe extern "C" fn(user: *mut c_void)>,
    /// The first argument of all of them.
    pub user: *mut c_void,
}

/// A handler of the caller.
pub(crate) struct Callbacks {
    handler: sanserve_handler,
    exchange: sanserve_exchange,
    /// The path of an event, which ends with a NUL.
    path: Vec<u8>,
}

impl Handler for Callbacks {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.call(ex, None)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        self.call(ex, Some(event))
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        if let Some(drop) = self.handler.drop {
            // SAFETY: the caller gave this function for this argument.
            unsafe { drop(self.handler.user) };
        }
    }
}

impl Callbacks {
    pub(crate) fn new(handler: sanserve_handler) -> Outcome<Self> {
        match handler.begin {
            None => Err(SANSERVE_NULL_POINTER),
            Some(_) => Ok(Self {
                handler,
                exchange: sanserve_exchange::NONE,
                path: Vec::new(),
            }),
        }
    }

    /// Calls the function for the beginning of a request, or for an event.
    fn call(&mut self, ex: &mut Exchange<'_>, event: Option<Event<'_>>) -> Next {
        let user = self.handler.user;
        let event = event.map(|event| to_event(&event, &mut self.path));
        let exchange = &raw mut self.exchange;
        // SAFETY: the exchange is lent until the end of the call, see `release` below.
        unsafe { (*exchange).lend(ex) };
        // SAFETY: the caller gave these functions for this argument.
        let next = unsafe {
            match (self.handler.begin, self.handler.resume, &event) {
                (Some(begin), _, None) => begin(user, exchange),
                (_, Some(resume), Some(event)) => resume(user, exchange, event),
                _ => sanserve_next::DONE,
            }
        };
        self.exchange.release();
        // SAFETY: its pointers are as the header says.
        unsafe { to_next(ex, &next) }.unwrap_or_else(|_| {
            ex.log_error("the handler returned an invalid sanserve_next");
            ex.send_error(500, "The handler made a mistake")
        })
    }
}

fn to_event(event: &Event<'_>, into: &mut Vec<u8>) -> sanserve_event {
    let mut given = sanserve_event {
        kind: SANSERVE_EVENT_END,
        data: sanserve_bytes::NONE,
        path: ptr::null(),
        meta: sanserve_meta::new(&sanserve_core::Meta::new(0)),
        entries: ptr::null(),
        error: sanserve_fs_error::SANSERVE_FS_IO,
    };
    let mut with_path = |path: &Path, kind| {
        given.path = terminated(path.as_bytes(), into);
        kind
    };
    given.kind = match event {
        Event::Data(bytes) => {
            given.data = sanserve_bytes::new(bytes);
            SANSERVE_EVENT_DATA
        }
        Event::Opened(path, meta) => {
            let kind = with_path(path, SANSERVE_EVENT_OPENED);
            given.meta = sanserve_meta::new(meta);
            kind
        }
        Event::Created(path) => with_path(path, SANSERVE_EVENT_CREATED),
        Event::Directory(path) => with_path(path, SANSERVE_EVENT_DIRECTORY),
        Event::Listed(path, entries) => {
            let kind = with_path(path, SANSERVE_EVENT_LISTED);
            given.entries = ptr::from_ref::<Entries>(entries).cast();
            kind
        }
        Event::Woken => SANSERVE_EVENT_WOKEN,
        Event::TimedOut => SANSERVE_EVENT_TIMED_OUT,
        Event::Failed(path, error) => {
            let kind = with_path(path, SANSERVE_EVENT_FAILED);
            given.error = sanserve_fs_error::new(*error);
            kind
        }
        _ => SANSERVE_EVENT_END,
    };
    given
}

/// Turns what a handler needs into that of the engine.
///
/// # Safety
/// The pointers are as the header says.
unsafe fn to_next(ex: &mut Exchange<'_>, next: &sanserve_next) -> Outcome<Next> {
    let is = |kind: sanserve_next_kind| next.kind == kind as u32;
    // SAFETY: the same contract.
    let bytes = || unsafe { lent(next.bytes, next.len) };
    let path = || match next.path.is_null() {
        true => Ok(Path::parse(ex.path())),
        // SAFETY: the same contract.
        false => Ok(Path::from_bytes(unsafe { c_bytes(next.path) }?.to_vec())),
    };
    if is(SANSERVE_NEXT_OPEN) || is(SANSERVE_NEXT_LIST) || is(SANSERVE_NEXT_CREATE) {
        let Some(path) = path()? else {
            return Ok(ex.send_error(404, "File not found"));
        };
        return Ok(match () {
            () if is(SANSERVE_NEXT_OPEN) => Next::Open(path),
            () if is(SANSERVE_NEXT_LIST) => Next::List(path),
            () => Next::Create(Box::new(Create::new(path))),
        });
    }
    Ok(match () {
        () if is(SANSERVE_NEXT_DONE) => Next::Done,
        () if is(SANSERVE_NEXT_CONTENT) => Next::Body,
        () if is(SANSERVE_NEXT_WRITE_FILE) => Next::WriteFile(bytes()?.to_vec()),
        () if is(SANSERVE_NEXT_COMMIT) => Next::Commit,
        () if is(SANSERVE_NEXT_READ) => Next::Read,
        () if is(SANSERVE_NEXT_SEND) => Next::Send(next.start..next.end),
        () if is(SANSERVE_NEXT_WRITE) => Next::Write(Cow::Owned(bytes()?.to_vec())),
        () if is(SANSERVE_NEXT_WRITE_STATIC) => {
            bytes()?;
            // SAFETY: the caller promises that the bytes stay valid for as long as the connection.
            Next::Write(Cow::Borrowed(unsafe { forever(next) }))
        }
        () if is(SANSERVE_NEXT_FLUSH) => Next::Flush,
        () if is(SANSERVE_NEXT_WAIT) => Next::Wait(Duration::from_nanos(next.nanoseconds)),
        () => return Err(SANSERVE_BAD_ARGUMENT),
    })
}

/// Returns bytes that stay valid for as long as the connection, which is all that uses them.
///
/// # Safety
/// As for [`to_next`].
unsafe fn forever(next: &sanserve_next) -> &'static [u8] {
    match next.len {
        0 => &[],
        // SAFETY: the same contract.
        len => unsafe { slice::from_raw_parts(next.bytes, len) },
    }
}
