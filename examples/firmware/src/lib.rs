//! What the images have in common: the board, below which is the machine, and the site.
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

// Its vector table is as long as this chip has interrupts, not as long as any may have.
use lm3s6965 as _;

use sanserve_core::{Config, Protocol};
use sanserve_server::Flash;

/// What is served: the folder `site`.
pub static SITE: Flash = include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// What the conformance list is served from.
#[cfg(feature = "conformance")]
pub static TREE: sanserve_conformance::Site = include!(concat!(env!("OUT_DIR"), "/tree.rs"));

/// The setups of servers that the list wants, by number.
#[cfg(feature = "conformance")]
pub static SETUPS: &[sanserve_conformance::Setup] =
    include!(concat!(env!("OUT_DIR"), "/setups.rs"));

/// Limits that keep a connection, whatever its peer does, within [`CONNECTION`].
pub fn config() -> Config {
    let mut config = Config::default();
    config.protocol = Protocol::Http11;
    config.limits.head = config.limits.head.with_request_line(256).with_field_bytes(768);
    config.limits.content = 0;
    config.limits.outbox = 512;
    config.limits.requests = u32::MAX;
    config.timeouts.head = Duration::from_secs(10);
    config
}

/// RAM for each connection in bytes, with all its buffers: six KiB, less what else is static.
pub const CONNECTION: usize = 6 * 1024 - 64;
