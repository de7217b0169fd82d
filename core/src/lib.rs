//! An HTTP file server as a state machine. It reads no socket, opens no file, knows no clock and
//! starts no thread: it says what it *wants*, and is told what came of it.
//!
//! Under construction.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

mod buffer;
mod config;
mod connection;
pub mod date;
mod escape;
mod exchange;
mod files;
mod fs;
mod handler;
mod listing;
pub mod mime;
mod path;
mod reply;
pub mod status;
mod want;
pub mod wire;

pub use buffer::Buffer;
pub use config::{Config, Limits, Patience, Protocol};
pub use connection::Connection;
pub use exchange::Exchange;
pub use files::Files;
pub use fs::{Entry, FileSystem, FsError, Meta, Opened};
pub use handler::{Event, Handler, Next, from_fn};
pub use path::{Path, decode};
pub use want::{Ask, Got, Now, Step, Want};
