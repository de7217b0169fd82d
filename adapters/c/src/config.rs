//! [`sanserve_settings`] and [`sanserve_config`]: the limits and deadlines that connections share.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::ffi::c_char;
use core::ptr;
use core::time::Duration;

use sanserve_core::{Config, Protocol};

use crate::bytes::{c_text, give, readable};
use crate::status::*;

/// The settings of connections. Initialize it with sanserve_settings_init, and change what should differ.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sanserve_settings {
    /// Whether the server speaks HTTP/1.1 and keeps connections open. By default it speaks HTTP/1.0, as Python's does.
    pub http11: bool,
    /// Whether replies announce for how long the connection stays open. No by default.
    pub keep_alive: bool,
    /// The value of the `Server` field, or NULL for `sanserve/` and the version.
    pub server: *const c_char,
    /// The most bytes of a request line, after which the reply is 414. 65,536 by default.
    pub request_line_max: usize,
    /// The most bytes of all fields of a request, after which the reply is 431. 65,536 by default.
    pub field_bytes_max: usize,
    /// The most fields of a request, after which the reply is 431. 100 by default.
    pub field_count_max: usize,
    /// The most bytes of content that a handler may read, after which the reply is 413. 1 GiB by default.
    pub content_max: u64,
    /// The most bytes of unread content that are discarded to keep the connection open. 65,536 by default.
    pub drain_max: u64,
    /// The most requests on one connection. 1,000 by default.
    pub requests_max: u32,
    /// The size of the output buffer in bytes. 32,768 by default, at least 512.
    pub outbox: usize,
    /// The wait for the first byte of a request, in milliseconds. 60,000 by default.
    pub idle_ms: u64,
    /// The time after which an idle connection frees its buffers, in milliseconds. 50 by default.
    pub park_ms: u64,
    /// The time for a request head, in milliseconds. 30,000 by default.
    pub head_ms: u64,
    /// The time for content and replies before `rate` counts, in milliseconds. 30,000 by default.
    pub grace_ms: u64,
    /// The lowest rate of content and replies, in bytes a second. 500 by default.
    pub rate: u32,
    /// The time for which a closing connection waits for the peer to close first, in milliseconds. 2,000 by default.
    pub linger_ms: u64,
    /// The time for an answer about a file, in milliseconds. 30,000 by default.
    pub ask_ms: u64,
    /// The time for work without output after the peer has closed its side, in milliseconds. 2,000 by default.
    pub half_closed_ms: u64,
}

/// The settings of connections, which share them. Connections keep it alive, so it may be released before them.
#[allow(
    missing_debug_implementations,
    reason = "C code has only pointers to it"
)]
pub struct sanserve_config(pub(crate) Arc<Config>);

/// Writes the default settings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_settings_init(
    settings: *mut sanserve_settings,
) -> sanserve_status {
    guard(|| {
        let Config {
            limits, timeouts, ..
        } = Config::default();
        let millis = |time: Duration| time.as_millis() as u64;
        let defaults = sanserve_settings {
            http11: false,
            keep_alive: false,
            server: ptr::null(),
            request_line_max: limits.head.request_line,
            field_bytes_max: limits.head.field_bytes,
            field_count_max: limits.head.field_count,
            content_max: limits.content,
            drain_max: limits.drain,
            requests_max: limits.requests,
            outbox: limits.outbox,
            idle_ms: millis(timeouts.idle),
            park_ms: millis(timeouts.park),
            head_ms: millis(timeouts.head),
            grace_ms: millis(timeouts.grace),
            rate: timeouts.rate,
            linger_ms: millis(timeouts.linger),
            ask_ms: millis(timeouts.ask),
            half_closed_ms: millis(timeouts.half_closed),
        };
        // SAFETY: the caller's pointer, see the header.
        unsafe { give(settings, defaults) }
    })
}

/// Creates the configuration with these settings, or with the defaults if `settings` is NULL. Release it with
/// sanserve_config_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_config_new(
    settings: *const sanserve_settings,
    config: *mut *mut sanserve_config,
) -> sanserve_status {
    guard(|| {
        let mut made = Config::default();
        // SAFETY: the caller's pointer, see the header.
        if let Ok(settings) = unsafe { readable(settings) } {
            apply(settings, &mut made)?;
        }
        let shared = Box::new(sanserve_config(Arc::new(made)));
        // SAFETY: the caller's pointer, see the header.
        unsafe { give(config, ptr::null_mut()) }?;
        // SAFETY: as above; it is not NULL, so that the box is not lost.
        unsafe { give(config, Box::into_raw(shared)) }
    })
}

fn apply(settings: &sanserve_settings, config: &mut Config) -> Outcome {
    if settings.outbox < 512 {
        return Err(SANSERVE_BAD_ARGUMENT);
    }
    if settings.http11 {
        config.protocol = Protocol::Http11;
    }
    config.keep_alive = settings.keep_alive;
    if !settings.server.is_null() {
        // SAFETY: the caller's pointer, see the header.
        let server = unsafe { c_text(settings.server) }?;
        if !server.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(SANSERVE_BAD_ARGUMENT);
        }
        config.server = String::from(server).into();
    }
    let limits = &mut config.limits;
    limits.head.request_line = settings.request_line_max;
    limits.head.field_bytes = settings.field_bytes_max;
    limits.head.field_count = settings.field_count_max;
    limits.content = settings.content_max;
    limits.drain = settings.drain_max;
    limits.requests = settings.requests_max;
    limits.outbox = settings.outbox;
    let timeouts = &mut config.timeouts;
    timeouts.idle = Duration::from_millis(settings.idle_ms);
    timeouts.park = Duration::from_millis(settings.park_ms);
    timeouts.head = Duration::from_millis(settings.head_ms);
    timeouts.grace = Duration::from_millis(settings.grace_ms);
    timeouts.rate = settings.rate;
    timeouts.linger = Duration::from_millis(settings.linger_ms);
    timeouts.ask = Duration::from_millis(settings.ask_ms);
    timeouts.half_closed = Duration::from_millis(settings.half_closed_ms);
    Ok(())
}

/// Releases a configuration. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sanserve_config_free(config: *mut sanserve_config) {
    if !config.is_null() {
        // SAFETY: it is from `sanserve_config_new`, and the caller gives it back.
        drop(unsafe { Box::from_raw(config) });
    }
}
