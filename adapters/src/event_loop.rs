//! The event loop: many connections on each of a few threads, with non-blocking sockets and a poller. It is the
//! adapter for many clients, and the one that needs the fewest system calls.
//!
//! `driver` serves one connection, `worker` is the loop around many. File-system calls that may block run in
//! the `pool`; `pending_call` keeps track of them.

mod completions;
mod driver;
mod high_water;
mod log_buffer;
mod open_memo;
mod pending_call;
mod poller;
mod pool;
mod server;
mod shared;
#[cfg(test)]
mod simulation;
mod socket;
mod stopper;
mod system;
mod timers;
mod transport;
mod upgrade;
mod worker;

pub use self::server::HTTPServer;
pub use self::stopper::Stopper;
