//! [`FsReport`]: the result of the checks on a file system, formatted for people.

use std::fmt;

use crate::report::LeftOut;

/// The result of the checks on a file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FsReport {
    /// The name of the file system.
    pub system: String,
    /// The number of checks that were run.
    pub checks: usize,
    /// The names of the checks that were excluded, by reason.
    pub left_out: LeftOut,
    /// The names of the checks that failed, each with the problem.
    pub failures: Vec<(&'static str, String)>,
    /// The part of a name by which checks were selected; empty if all were run.
    pub(super) only: String,
}

impl FsReport {
    pub(super) fn new(system: &str, only: String) -> Self {
        let system = system.into();
        Self {
            system,
            only,
            ..Self::default()
        }
    }

    /// Returns whether no check failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// Prints the report.
    ///
    /// # Panics
    /// With the report, if there is a failure.
    pub(super) fn assert_passed(&self) {
        assert!(self.passed(), "\n{self}");
        println!("{self}");
    }
}

impl fmt::Display for FsReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (check, problem) in &self.failures {
            writeln!(out, "\n{check}\n    {problem}")?;
        }
        let left_out: usize = self.left_out.values().map(Vec::len).sum();
        write!(out, "{}: {}", self.system, self.checks)?;
        match left_out {
            0 => write!(out, " checks")?,
            _ => write!(out, " of {} checks apply", self.checks + left_out)?,
        }
        if !self.only.is_empty() {
            write!(out, " (only those with {:?} in their name)", self.only)?;
        }
        if !self.passed() {
            write!(out, ", {} failed", self.failures.len())?;
        }
        if left_out > 0 {
            let reasons = self.left_out.iter();
            let reasons = reasons.map(|(reason, checks)| format!("{} {reason}", checks.len()));
            let reasons: Vec<_> = reasons.collect();
            write!(out, "; left out: {}", reasons.join(", "))?;
        }
        Ok(())
    }
}
