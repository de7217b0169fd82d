//! The modules that the images share: the machines with their devices, the server, and the files.
//!
//! There are two machines, which have nothing in common: a board with a Cortex-M3, and QEMU's `virt` with a 64-bit RISC-V
//! processor. The target of the build selects one.

#![no_std]
#![deny(missing_docs)]

extern crate alloc;

pub mod board;
#[cfg(feature = "conformance")]
pub mod control;
#[cfg(target_arch = "arm")]
mod lm3s6965;
pub mod net;
pub mod uart;
#[cfg(target_arch = "riscv64")]
mod virt;

use core::time::Duration;

#[cfg(target_arch = "arm")]
use self::lm3s6965 as machine;
#[cfg(target_arch = "riscv64")]
use self::virt as machine;
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

/// The RAM for each connection in bytes, including all its buffers: six KiB, less the share of other static memory. Where
/// pointers are twice as large, it is twice as much.
pub const CONNECTION: usize = 6 * 1024 / 4 * size_of::<usize>() - 64;
