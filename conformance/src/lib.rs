//! One list of HTTP cases for every port of sanserve.
//!
//! The cases say what a client sends and what it must be answered, to the byte. 240 of them were
//! recorded from CPython's `http.server`; where sanserve means to differ, a divergence says how and
//! why. Whoever carries the server to a new runtime runs the list on their port, every case at
//! several [paces](Pace). All that it takes is to start a server of theirs:
//!
//! ```no_run
//! use std::{net::TcpListener, thread};
//!
//! use sanserve_conformance::{Case, Log, Peer, Site, run, servers};
//! # fn serve<H>(_: &TcpListener, _: &std::path::Path, _: sanserve_core::Config, _: H, _: impl Fn(&str)) {}
//!
//! #[test]
//! # fn hidden() {}
//! fn conforms() {
//!     let site = Site::standard().make_temporary().unwrap();
//!     let start = |case: &Case, log: Log| {
//!         let listener = TcpListener::bind("127.0.0.1:0")?;
//!         let (address, case) = (listener.local_addr()?, case.clone());
//!         let root = site.path().to_owned();
//!         thread::spawn(move || loop {
//!             // Yours: serves one connection.
//!             serve(&listener, &root, case.config(), case.handler(), |lines| log.push(lines));
//!         });
//!         Ok(address)
//!     };
//!     run("mine", servers(start, Peer::connect)); // panics once, at the end, with all that went wrong
//! }
//! # conforms();
//! ```
//!
//! [`servers`] talks to servers that listen, [`pipes`] to a loop that serves one connection over any
//! link, [`peers`] to whatever else a client can connect to; a port that has none of these answers
//! the cases in a function of its own, see [`run`]. What is served is [`Site::standard`]:
//! [`Site::make`] puts it on a disk; where there is none it is a file system itself, and its scripts
//! are [played](play). With `CASE=part` in the environment only the cases with that part in their
//! name are run.
//!
//! [`sim`] tries a handler in simulated worlds: yours, too.
//!
//! [`case`] and [`divergence`] tell the format of the data, [`text`] how bytes are written in it,
//! [`mod@judge`] what is wrong and what is not.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod case;
mod date;
mod difference;
#[cfg(unix)]
mod disk;
pub mod divergence;
mod files;
mod handlers;
pub mod host;
pub mod judge;
mod line;
mod log;
mod pace;
mod page;
mod pattern;
mod peer;
mod pipe;
mod play;
pub mod report;
mod served;
mod server;
pub mod sim;
mod site;
mod subject;
mod suite;
pub mod text;
#[cfg(feature = "tls")]
mod tls;

pub use case::Case;
pub use difference::Difference;
pub use divergence::Divergence;
pub use host::hosts;
pub use log::Log;
pub use pace::{PACES, Pace, Pieces};
pub use pattern::Pattern;
pub use peer::Peer;
pub use pipe::{End, pipes};
pub use play::{Played, play};
pub use report::Report;
pub use served::{File, Script};
pub use site::{Entry, Site};
pub use subject::{Transcript, peers, servers};
pub use suite::Suite;
#[cfg(feature = "tls")]
pub use tls::Certificate;

/// Runs a subject through the standard suite, or what `CASE` leaves of it, and reports by that name.
///
/// `converse` opens a new connection to a server set up as the case says (its
/// [`config`](Case::config) and [`handler`](Case::handler), serving [`Site::standard`]), sends
/// `case.request` cut as the pace says, half-closes if `case.half_close`, and reads to the end.
/// A panic of it is a failure of the case, and the run goes on. Nothing here ends a conversation
/// that hangs: a link that can wait for ever sets its own limit.
///
/// On success it prints one line with the numbers of cases, paces and divergences.
///
/// # Panics
/// Once, at the end, after a report of all that went wrong.
pub fn run(name: &str, converse: impl FnMut(&Case, Pace) -> Transcript) {
    Suite::chosen().check(name, converse).conclude();
}
