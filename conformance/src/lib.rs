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
//! use sanserve_conformance::{Case, Log, Peer, Site, run_part, servers};
//! # fn serve<H>(_: &TcpListener, _: &std::path::Path, _: sanserve_core::Config, _: H, _: impl Fn(&str)) {}
//!
//! #[test]
//! # fn hidden() {}
//! fn conforms() {
//!     let site = Site::standard().make_temporary().unwrap();
//!     let start = |case: &Case, log: Log| {
//!         let listener = TcpListener::bind("127.0.0.1:0")?;
//!         let (address, case) = (listener.local_addr()?, case.clone());
//!         let root = site.of(&case)?;
//!         thread::spawn(move || loop {
//!             // Yours: serves one connection.
//!             serve(&listener, &root, case.config(), case.handler(), |lines| log.push(lines));
//!         });
//!         Ok(address)
//!     };
//!     let refuses = |case: &Case| case.portable_names().then_some("names of Windows");
//!     // Panics once, at the end, with all that went wrong.
//!     run_part("mine", refuses, servers(start, Peer::connect));
//! }
//! # conforms();
//! ```
//!
//! [`servers`] talks to servers that listen, [`pipes`] to a loop that serves one connection over any
//! link, [`peers`] to whatever else a client can connect to; a port that has none of these answers
//! the cases in a function of its own, see [`run`]; one that stores no files, or whose files do not have the
//! names of Windows, leaves out those that do, see [`run_part`]. What is served is [`Site::standard`]:
//! [`Site::make`] puts it on a disk; where there is none it is a file system itself, and its scripts
//! are [played](play). With `CASE=part` in the environment only the cases with that part in their
//! name are run.
//!
//! Where the server runs on another machine, without std, it can have what it needs of this package without
//! the feature `std`: the [`Site`], the scripts and the [`Kind`]s of servers that there are.
//!
//! [`sim`] tries a handler in simulated worlds: yours, too.
//!
//! [`case`] and [`divergence`] tell the format of the data, [`text`] how bytes are written in it,
//! [`mod@judge`] what is wrong and what is not.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

#[cfg(feature = "std")]
pub mod case;
#[cfg(feature = "std")]
mod date;
#[cfg(feature = "std")]
mod difference;
#[cfg(all(feature = "std", unix))]
mod disk;
#[cfg(feature = "std")]
pub mod divergence;
#[cfg(feature = "std")]
mod files;
mod handlers;
#[cfg(feature = "std")]
pub mod host;
#[cfg(feature = "std")]
pub mod judge;
mod kind;
#[cfg(feature = "std")]
mod line;
#[cfg(feature = "std")]
mod log;
#[cfg(feature = "std")]
mod pace;
#[cfg(feature = "std")]
mod page;
#[cfg(feature = "std")]
mod pattern;
#[cfg(feature = "std")]
mod peer;
#[cfg(feature = "std")]
mod pipe;
mod play;
#[cfg(feature = "std")]
pub mod report;
mod served;
#[cfg(feature = "std")]
mod server;
#[cfg(feature = "std")]
pub mod sim;
mod site;
#[cfg(feature = "std")]
mod subject;
#[cfg(feature = "std")]
mod suite;
#[cfg(feature = "std")]
pub mod text;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "std")]
pub use case::Case;
#[cfg(feature = "std")]
pub use difference::Difference;
#[cfg(all(feature = "std", unix))]
pub use disk::Folder;
#[cfg(feature = "std")]
pub use divergence::Divergence;
#[cfg(feature = "std")]
pub use host::hosts;
pub use kind::Kind;
#[cfg(feature = "std")]
pub use log::Log;
#[cfg(feature = "std")]
pub use pace::{PACES, Pace, Pieces};
#[cfg(feature = "std")]
pub use pattern::Pattern;
#[cfg(feature = "std")]
pub use peer::Peer;
#[cfg(feature = "std")]
pub use pipe::{End, pipes};
pub use play::{Played, play};
#[cfg(feature = "std")]
pub use report::Report;
pub use served::{File, Script};
pub use site::{Entry, Site};
#[cfg(feature = "std")]
pub use subject::{Transcript, peers, servers};
#[cfg(feature = "std")]
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
#[cfg(feature = "std")]
pub fn run(name: &str, converse: impl FnMut(&Case, Pace) -> Transcript) {
    Suite::chosen().check(name, converse).conclude();
}

/// The same for a subject that some cases do not apply to: `refuses` says why one does not. The line has
/// their numbers and these reasons.
///
/// # Panics
/// As [`run`] does.
#[cfg(feature = "std")]
pub fn run_part(
    name: &str,
    refuses: impl Fn(&Case) -> Option<&'static str>,
    converse: impl FnMut(&Case, Pace) -> Transcript,
) {
    let (suite, apart) = Suite::chosen().part(refuses);
    let mut report = suite.check(name, converse);
    report.apart = apart;
    report.conclude();
}
