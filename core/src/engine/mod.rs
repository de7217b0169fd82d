//! The engine: the protocol as a state machine, the handler that it calls, and their settings. This layer builds on
//! `fs` and does not depend on any service.

mod async_handler;
mod buffer;
mod client;
mod config;
mod connection;
pub mod error_page;
mod exchange;
mod handler;
pub(crate) mod https;
pub mod log;
mod next;
pub(crate) mod reply_state;
mod want;

pub use async_handler::{AsyncExchange, AsyncHandler, HttpError, from_async_fn};
pub use buffer::Buffer;
pub(crate) use client::Peer;
pub use client::{Client, FindClient};
pub use config::{Config, Limits, LocalOffset, Protocol, Timeouts};
pub use connection::{Connection, Delivery, Parked, Upgraded};
pub use error_page::{ErrorPage, WriteErrorPage};
pub use exchange::Exchange;
pub use handler::{Event, Handler, from_fn};
pub use next::Next;
pub use want::{Now, Phase, Step, Want};
