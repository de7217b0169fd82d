//! One list of HTTP cases for every port of sanserve.
//!
//! The cases say what a client sends and what it must be answered, to the byte. 240 of them were
//! recorded from CPython's `http.server`; where sanserve means to differ, a divergence says how and
//! why. Whoever carries the server to a new runtime runs the list on their port, every case at
//! several [paces](Pace), and needs nothing else of this package:
//!
//! ```
//! use sanserve_conformance::{Case, Pace, Subject, Transcript, run};
//!
//! struct Mine;
//!
//! impl Subject for Mine {
//!     fn name(&self) -> &str {
//!         "mine"
//!     }
//!
//!     fn converse(&mut self, case: &Case, pace: Pace) -> Transcript {
//!         let (mut sent, mut pieces) = (0, pace.pieces());
//!         while sent < case.request.len() {
//!             let len = pieces.next_len(case.request.len() - sent);
//!             // ... write case.request[sent..sent + len] to a connection of the server ...
//!             sent += len;
//!         }
//!         // ... half-close, and read to the end ...
//!         Transcript { bytes: Vec::new(), log: Vec::new() }
//!     }
//! }
//!
//! # if false {
//! run(&mut Mine); // in a test: panics once, at the end, with all that went wrong
//! # }
//! ```
//!
//! The server must serve [`Site::standard`], which [`Site::make`] puts on a disk. With `CASE=part` in
//! the environment only the cases with that part in their name are run.
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
pub mod judge;
mod line;
mod pace;
mod page;
mod pattern;
mod play;
pub mod report;
mod server;
mod site;
mod subject;
mod suite;
pub mod text;

pub use case::Case;
pub use difference::Difference;
pub use divergence::Divergence;
pub use pace::{PACES, Pace, Pieces};
pub use pattern::Pattern;
pub use play::{Played, play};
pub use report::Report;
pub use site::{Entry, Site};
pub use subject::{Subject, Transcript};
pub use suite::Suite;

/// Runs a subject through the standard suite, or what `CASE` leaves of it.
///
/// On success it prints one line with the numbers of cases, paces and divergences.
///
/// # Panics
/// Once, at the end, after a report of all that went wrong.
pub fn run(subject: &mut dyn Subject) {
    let mut suite = Suite::standard();
    if let Ok(part) = std::env::var("CASE") {
        suite = suite.only(&part);
    }
    let report = suite.check(subject);
    assert!(report.is_good(), "\n{report}");
    println!("{report}");
}
