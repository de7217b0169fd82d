//! [`Report`]: collects the failures of a run, and formats the result for people.

use crate::fragmentation::{FRAGMENTATIONS, Fragmentation};
use crate::oracle::Problem;
use std::collections::BTreeMap;
use std::fmt;

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The name of the system under test.
    pub system: String,
    /// The number of cases that were run, each with every fragmentation.
    pub cases: usize,
    /// The number of these cases that have a divergence.
    pub divergences: usize,
    /// The cases that do not apply to the system; see [`host`](crate::host) and
    /// [`run_except`](crate::run_except).
    pub left_out: LeftOut,
    /// The part of a name by which cases were selected, if not all were run.
    pub only: Option<String>,
    /// Errors in the suite itself, independent of the system.
    pub errors: Vec<String>,
    /// The failed conversations, in the order of the cases.
    pub failures: Vec<Failure>,
}

/// The names of cases that do not apply, by reason.
pub type LeftOut = BTreeMap<&'static str, Vec<String>>;

/// A case that failed in the same way with one or more fragmentations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The name of the case.
    pub case: String,
    /// The fragmentations with which it failed.
    pub fragmentations: Vec<Fragmentation>,
    /// The problems.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Returns whether there are no errors and no failures.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.errors.is_empty() && self.failures.is_empty()
    }

    /// Prints the report.
    ///
    /// # Panics
    /// With the report, if there is an error or a failure.
    pub(crate) fn assert_passed(&self) {
        assert!(self.passed(), "\n{self}");
        println!("{self}");
    }

    /// Adds a failure. If the case already failed with the same problems, only the fragmentation is added.
    pub(crate) fn fail(
        &mut self,
        case: &str,
        fragmentation: Fragmentation,
        problems: Vec<Problem>,
    ) {
        let same = self
            .failures
            .iter_mut()
            .find(|other| other.case == case && other.problems == problems);
        match same {
            Some(other) => other.fragmentations.push(fragmentation),
            None => self.failures.push(Failure {
                case: case.into(),
                fragmentations: vec![fragmentation],
                problems,
            }),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(out, "\n{error}")?;
        }
        for failure in &self.failures {
            write!(out, "\n{failure}")?;
        }
        if !self.passed() {
            writeln!(out)?;
        }
        let (cases, fragmentations) = (self.cases, FRAGMENTATIONS.len());
        let left_out: usize = self.left_out.values().map(Vec::len).sum();
        let cases = match left_out {
            0 => format!("{cases} cases"),
            _ => format!("{cases} of {} cases apply", cases + left_out),
        };
        write!(
            out,
            "{}: {cases}, {fragmentations} fragmentations, {} divergences",
            self.system, self.divergences
        )?;
        if let Some(only) = &self.only {
            write!(out, " (only the cases with {only:?} in their name)")?;
        }
        if !self.passed() {
            let failed: usize = self
                .failures
                .iter()
                .map(|failure| failure.fragmentations.len())
                .sum();
            write!(
                out,
                ": {failed} conversations failed, {} errors in the suite",
                self.errors.len()
            )?;
        }
        if left_out > 0 {
            let reasons = self
                .left_out
                .iter()
                .map(|(reason, cases)| format!("{} {reason}", cases.len()));
            let reasons: Vec<_> = reasons.collect();
            write!(out, "; left out: {}", reasons.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fragmentations: Vec<_> = self
            .fragmentations
            .iter()
            .map(Fragmentation::to_string)
            .collect();
        writeln!(out, "{} ({})", self.case, fragmentations.join(", "))?;
        self.problems
            .iter()
            .try_for_each(|problem| writeln!(out, "    {problem}"))
    }
}
