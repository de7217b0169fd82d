//! The HTTP cases that every port of sanserve must pass.
//!
//! A case is what a client sends and the reply that it must get, byte for byte. 240 cases were recorded from
//! CPython's `http.server`; where sanserve differs on purpose, a divergence has its reply and the reason. To test a
//! port to a new runtime, run the cases on it. Each runs with several [fragmentations](Fragmentation). You
//! only have to start your server:
//!
//! ```no_run
//! use std::{net::TcpListener, thread};
//!
//! use sanserve_conformance::{Case, Client, Log, Site, run_except, servers};
//! # fn serve<H>(_: &TcpListener, _: &std::path::Path, _: sanserve_core::Config, _: H, _: impl Fn(&str)) {}
//!
//! #[test]
//! # fn hidden() {}
//! fn conforms() {
//!     let site = Site::standard().in_temp_dir().unwrap();
//!     let start = |case: &Case, log: Log| {
//!         let listener = TcpListener::bind("127.0.0.1:0")?;
//!         let (address, case) = (listener.local_addr()?, case.clone());
//!         let root = site.root_for(&case)?;
//!         thread::spawn(move || loop {
//!             // Your code: serves one connection.
//!             serve(&listener, &root, case.config(), case.handler(), |lines| log.push(lines));
//!         });
//!         Ok(address)
//!     };
//!     let excludes = |case: &Case| match case {
//!         _ if case.portable_names() => Some("names that Windows forbids"),
//!         _ if case.stops() => Some("stopping the server"),
//!         _ if case.upgrades => Some("upgrades"),
//!         _ => None,
//!     };
//!     // Panics once, at the end, with a report of all failures.
//!     run_except("mine", excludes, servers(start, Client::connect));
//! }
//! # conforms();
//! ```
//!
//! What the suite calls depends on what you have:
//!
//! - [`servers`] connects to servers that listen;
//! - [`pipes`] runs a loop that serves one connection over any transport;
//! - [`clients`] takes anything else that a client can connect to;
//! - [`run`] takes a function that answers a case in any way;
//! - [`hosts`] takes a function that answers a request, for a port behind a program that parses HTTP itself.
//!
//! [`run_except`] leaves out cases that do not apply, such as uploads if your port stores no files. If it supports
//! upgrades, it runs [`Shout`] on each upgraded connection.
//!
//! Every case is served from [`Site::standard`]. [`Site::write_to`] writes it to a disk. A port without a disk can
//! use it as a file system; its CGI scripts are then [faked](run_script). The expected `ETag`s depend only on the
//! modification time and length of a file, so `Disk` of `sanserve-server` needs `with_portable_tags(true)`. If
//! `CASE=TEXT` is in the environment, only cases with `TEXT` in their name are run.
//!
//! A server on another machine, without std, needs this package without the feature `std`: it then has the
//! [`Site`], the scripts and the [`Setup`]s of all servers.
//!
//! [`file_systems`](mod@file_systems) has a list for implementations of
//! [`FileSystem`](sanserve_core::FileSystem).
//!
//! [`sim`] runs a handler, also one of yours, in simulated worlds. [`recording`] replays recordings of real
//! connections.
//!
//! [`case`] and [`divergence`] document the data files, [`text`] the notation for bytes, and [`oracle`] the
//! rules by which a reply is compared.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

mod async_handlers;
#[cfg(feature = "std")]
pub mod case;
#[cfg(feature = "std")]
mod case_setup;
#[cfg(feature = "std")]
mod client;
#[cfg(feature = "std")]
mod data_files;
#[cfg(feature = "std")]
mod date;
#[cfg(feature = "std")]
mod difference;
#[cfg(feature = "std")]
pub mod divergence;
mod fake_cgi;
#[cfg(feature = "std")]
pub mod file_systems;
#[cfg(feature = "std")]
mod fragmentation;
#[cfg(feature = "std")]
mod gzip;
mod handlers;
#[cfg(feature = "std")]
pub mod host;
#[cfg(feature = "std")]
mod line;
#[cfg(feature = "std")]
mod log;
#[cfg(feature = "std")]
mod open_files;
#[cfg(feature = "std")]
pub mod oracle;
#[cfg(feature = "std")]
mod pace;
#[cfg(feature = "std")]
mod pattern;
#[cfg(feature = "std")]
mod pipe;
#[cfg(feature = "std")]
pub mod recording;
#[cfg(feature = "std")]
pub mod report;
mod setup;
#[cfg(feature = "std")]
mod shared_replies;
mod shout;
#[cfg(feature = "std")]
pub mod sim;
mod site;
mod site_files;
#[cfg(all(feature = "std", any(unix, windows)))]
mod site_folder;
#[cfg(feature = "std")]
mod suite;
#[cfg(feature = "std")]
mod system_under_test;
#[cfg(feature = "std")]
pub mod text;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "std")]
pub use case::Case;
#[cfg(feature = "std")]
pub use client::Client;
#[cfg(feature = "std")]
pub use difference::Difference;
#[cfg(feature = "std")]
pub use divergence::Divergence;
pub use fake_cgi::{CgiOutput, run_script};
#[cfg(all(feature = "std", unix))]
pub use file_systems::folders;
#[cfg(feature = "std")]
pub use file_systems::{FsCheck, FsReport, file_systems};
#[cfg(feature = "std")]
pub use fragmentation::{FRAGMENTATIONS, FragmentSizes, Fragmentation};
#[cfg(feature = "std")]
pub use host::hosts;
#[cfg(feature = "std")]
pub use log::Log;
#[cfg(feature = "std")]
pub use open_files::{CountedFile, CountedFiles, OpenFiles};
#[cfg(feature = "std")]
pub use pace::{HangUp, Neighbour, Pace, Pause};
#[cfg(feature = "std")]
pub use pattern::Pattern;
#[cfg(feature = "std")]
pub use pipe::{PipeEnd, pipes};
#[cfg(feature = "std")]
pub use report::Report;
pub use setup::{Setup, upload_token};
pub use shout::Shout;
pub use site::{Entry, Site};
pub use site_files::{SiteFile, SiteScript};
#[cfg(all(feature = "std", any(unix, windows)))]
pub use site_folder::SiteFolder;
#[cfg(feature = "std")]
pub use suite::Suite;
#[cfg(feature = "std")]
pub use system_under_test::{Observed, StartedServer, clients, servers};
#[cfg(feature = "tls")]
pub use tls::Certificate;

/// Runs the standard suite, or the cases selected by `CASE`, and reports under `name`.
///
/// `run_case` opens a new connection to a server that is set up for the case (its [`config`](Case::config) and
/// [`handler`](Case::handler), serving [`Site::standard`]), sends `case.request` divided as the fragmentation says,
/// half-closes if `case.half_close`, and reads to the end. If it panics, the case fails and the run continues. Set
/// a read timeout on every transport: nothing here ends a conversation that hangs.
///
/// On success it prints one line with the numbers of cases, fragmentations and divergences.
///
/// # Panics
/// Once, at the end, with a report of all failures.
#[cfg(feature = "std")]
pub fn run(name: &str, run_case: impl FnMut(&Case, Fragmentation) -> Observed) {
    Suite::from_env().check(name, run_case).assert_passed();
}

/// Like [`run`], but without the cases for which `excludes` returns a reason. The printed line has the number of
/// excluded cases for each reason.
///
/// # Panics
/// Once, at the end, with a report of all failures.
#[cfg(feature = "std")]
pub fn run_except(
    name: &str,
    excludes: impl Fn(&Case) -> Option<&'static str>,
    run_case: impl FnMut(&Case, Fragmentation) -> Observed,
) {
    let (suite, left_out) = Suite::from_env().except(excludes);
    let mut report = suite.check(name, run_case);
    report.left_out = left_out;
    report.assert_passed();
}
