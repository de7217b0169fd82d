//! The modules that the images share: the board with its devices, the server, and the files.
//!
//! The board is TI's LM3S6965 evaluation kit, which QEMU knows as `lm3s6965evb`: a Cortex-M3 with 256 KiB
//! of flash, 64 KiB of RAM, three serial lines and Ethernet.

#![no_std]
#![deny(missing_docs)]

extern crate alloc;

pub mod board;
#[cfg(feature = "conformance")]
pub mod control;
pub mod ethernet;
pub mod net;
pub mod uart;

use core::time::Duration;

// This crate provides a vector table of the length that this chip needs, instead of the maximum length.
use lm3s6965 as _;

use sanserve_core::{Config, Protocol};
use sanserve_server::Flash;

/// The files to serve: the folder `site`.
pub static SITE: Flash = include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// The files of the conformance list.
#[cfg(feature = "conformance")]
pub static TREE: sanserve_conformance::Site = include!(concat!(env!("OUT_DIR"), "/tree.rs"));

/// The setups of servers that the list needs, by number.
#[cfg(feature = "conformance")]
pub static SETUPS: &[sanserve_conformance::Setup] =
    include!(concat!(env!("OUT_DIR"), "/setups.rs"));

/// Returns limits that keep a connection within [`CONNECTION`] bytes, no matter what its peer sends.
pub fn config() -> Config {
    let mut config = Config::default();
    config.protocol = Protocol::Http11;
    config.limits.head = config
        .limits
        .head
        .with_request_line(256)
        .with_field_bytes(768);
    config.limits.content = 0;
    config.limits.outbox = 512;
    config.limits.requests = u32::MAX;
    config.timeouts.head = Duration::from_secs(10);
    config
}

/// The RAM for each connection in bytes, including all its buffers: six KiB, less the share of other static memory.
pub const CONNECTION: usize = 6 * 1024 - 64;
