//! The C interface of sanserve: the engine for loops of one's own, with handlers as callbacks; the parser alone; and a
//! ready server. `include/sanserve.h` is its header, and `docs/c.md` in the repository its guide.
//!
//! Names are those of the header, so that both can be read side by side. A mistake of the caller is a
//! [`sanserve_status`]; a panic does not cross the border. Without the feature `std`, the program supplies the
//! allocator.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]
#![allow(non_camel_case_types, reason = "names are those of the C header")]
#![allow(
    clippy::missing_safety_doc,
    reason = "the header has the rules for all functions"
)]

extern crate alloc;

mod answer;
#[cfg(not(feature = "std"))]
mod bare;
mod body;
mod bytes;
mod config;
mod connection;
mod encode;
mod exchange;
mod handler;
mod request_head;
mod response_head;
#[cfg(feature = "server")]
mod server;
mod slot;
mod status;

pub use answer::*;
pub use body::*;
pub use bytes::*;
pub use config::*;
pub use connection::*;
pub use encode::*;
pub use exchange::*;
pub use handler::*;
pub use request_head::*;
pub use response_head::*;
#[cfg(feature = "server")]
pub use server::*;
pub use status::*;
