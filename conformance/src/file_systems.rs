//! Checks for any [`FileSystem`]: they test all that the trait promises, and call it as adapters do.
//!
//! The cases find most mistakes of a port, but few of a file system: a request reads a file once, from its beginning to
//! its end, and stores one file at a time. [`file_systems`] runs checks of everything that
//! [`FileSystem`], [`Create`](sanserve_core::Create) and [`Change`](sanserve_core::Change) promise, on any
//! implementation:
//!
//! ```
//! use sanserve_conformance::{FsCheck, Site, file_systems};
//!
//! let excludes = |check: &FsCheck| match check {
//!     _ if check.stores => Some("files that are stored"),
//!     _ if check.portable_names => Some("names of Windows"),
//!     _ if check.archives => Some("archives"),
//!     _ => None,
//! };
//! // A file system of yours, with the files of this site.
//! file_systems("a site", excludes, FsCheck::site);
//! ```
//!
//! [`folders`] is for file systems that serve a folder of a disk. It creates the folder, and has more checks: the
//! folder is changed by another program meanwhile, and contains a FIFO, a socket and links to a folder outside.

mod changing;
mod check;
#[cfg(unix)]
mod folder;
mod links;
mod names;
mod reading;
mod replacing;
mod report;
mod storing;
mod subject;

use std::panic::{AssertUnwindSafe, catch_unwind};

use sanserve_core::FileSystem;

pub use self::check::FsCheck;
use self::check::Listed;
pub use self::report::FsReport;
use self::subject::Subject;
use crate::suite::message;

/// Runs the checks on file systems that `make` returns, a new one for each check, with the files of
/// [`FsCheck::site`]; except the checks for which `excludes` returns a reason. On success it prints one line with the
/// number of checks.
///
/// # Panics
/// Once, at the end, with a report of all failures.
pub fn file_systems<F: FileSystem>(
    name: &str,
    excludes: impl Fn(&FsCheck) -> Option<&'static str>,
    make: impl FnMut(&FsCheck) -> F,
) {
    FsReport::of_file_systems(name, excludes, make).assert_passed();
}

/// Runs the checks on file systems that serve a folder, and further checks for these. `open` opens the folder at a
/// path, which has the files of [`FsCheck::site`]. Everything is as with [`file_systems`] otherwise.
///
/// # Panics
/// Once, at the end, with a report of all failures; or if no temporary folder can be created.
#[cfg(unix)]
pub fn folders<F: FileSystem>(
    name: &str,
    excludes: impl Fn(&FsCheck) -> Option<&'static str>,
    open: impl FnMut(&FsCheck, &std::path::Path) -> F,
) {
    FsReport::of_folders(name, excludes, open).assert_passed();
}

impl FsReport {
    /// Does the same as [`file_systems`], and returns the report.
    pub fn of_file_systems<F: FileSystem>(
        name: &str,
        excludes: impl Fn(&FsCheck) -> Option<&'static str>,
        mut make: impl FnMut(&FsCheck) -> F,
    ) -> Self {
        run(name, general(), excludes, |listed| {
            let subject = Subject::new(make(&listed.check), &listed.check);
            (listed.run)(&subject)
        })
    }

    /// Does the same as [`folders`], and returns the report.
    ///
    /// # Panics
    /// If no temporary folder can be created.
    #[cfg(unix)]
    pub fn of_folders<F: FileSystem>(
        name: &str,
        excludes: impl Fn(&FsCheck) -> Option<&'static str>,
        mut open: impl FnMut(&FsCheck, &std::path::Path) -> F,
    ) -> Self {
        let checks = general().into_iter().chain(folder::checks()).collect();
        run(name, checks, excludes, |listed| {
            let folder = folder::Folder::new(&listed.check.site());
            let file_system = open(&listed.check, folder.root());
            let mut subject = Subject::new(file_system, &listed.check);
            subject.root = Some(folder.root().into());
            (listed.run)(&subject)?;
            folder.check_outside()
        })
    }
}

/// Returns the checks for all file systems.
fn general<F: FileSystem>() -> Vec<Listed<F>> {
    let lists = [
        reading::checks(),
        names::checks(),
        links::checks(),
        storing::checks(),
        replacing::checks(),
        changing::checks(),
    ];
    lists.into_iter().flatten().collect()
}

fn run<F: FileSystem>(
    name: &str,
    checks: Vec<Listed<F>>,
    excludes: impl Fn(&FsCheck) -> Option<&'static str>,
    mut run_check: impl FnMut(&Listed<F>) -> Result<(), String>,
) -> FsReport {
    let only = std::env::var("CASE").unwrap_or_default();
    let mut report = FsReport::new(name, only);
    for listed in checks {
        let name = listed.check.name;
        if !name.contains(&report.only) {
            continue;
        }
        if let Some(reason) = excludes(&listed.check) {
            report.left_out.entry(reason).or_default().push(name.into());
            continue;
        }
        report.checks += 1;
        // A check that panics must not prevent the others from running.
        let result = match catch_unwind(AssertUnwindSafe(|| run_check(&listed))) {
            Ok(result) => result,
            Err(payload) => Err(format!("panicked: {}", message(payload.as_ref()))),
        };
        if let Err(problem) = result {
            report.failures.push((name, problem));
        }
    }
    report
}
