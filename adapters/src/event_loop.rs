//! Many connections on each of a few threads: what can be done at once is done, and what cannot is
//! left until the system says that it can. The adapter for many clients, and for the fewest system
//! calls.
//!
//! What happens on one connection is in `peer`, the loop around many in `worker`; what a file system
//! may have to wait for is done in the `pool`, and `files` keeps account of it.

mod crowd;
mod files;
mod lines;
mod mail;
mod peer;
mod pool;
mod recent;
mod seat;
mod server;
mod shared;
mod stopper;
mod timers;
mod transport;
mod upgrade;
mod worker;

pub use self::server::HTTPServer;
pub use self::stopper::Stopper;
