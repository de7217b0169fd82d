//! What a run found, put so that a person can read it.

use crate::fragmentation::{FRAGMENTATIONS, Fragmentation};
use crate::oracle::Problem;
use std::collections::BTreeMap;
use std::fmt;

/// The outcome of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The subject's name.
    pub system: String,
    /// How many cases were run, each at every fragmentation.
    pub cases: usize,
    /// How many of them have a divergence.
    pub divergences: usize,
    /// Why other cases do not apply to the subject; see [`host`](crate::host) and
    /// [`run_except`](crate::run_except).
    pub left_out: LeftOut,
    /// The part of a name that chose the cases, if not all were run.
    pub only: Option<String>,
    /// What is wrong with the suite itself, whatever the subject answers.
    pub errors: Vec<String>,
    /// The conversations that went wrong, in the order of the cases.
    pub failures: Vec<Failure>,
}

/// Cases that do not apply: a reason, and their names.
pub type LeftOut = BTreeMap<&'static str, Vec<String>>;

/// A case that went wrong in one way, at one fragmentation or at several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The name of the case.
    pub case: String,
    /// The fragmentations at which it went wrong so.
    pub fragmentations: Vec<Fragmentation>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Whether nothing at all is wrong.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.errors.is_empty() && self.failures.is_empty()
    }

    /// Prints it.
    ///
    /// # Panics
    /// With the whole report, if anything is wrong.
    pub(crate) fn assert_passed(&self) {
        assert!(self.passed(), "\n{self}");
        println!("{self}");
    }

    /// Adds a failure; one that is like another of the same case only adds its fragmentation.
    pub(crate) fn fail(
        &mut self,
        case: &str,
        fragmentation: Fragmentation,
        problems: Vec<Problem>,
    ) {
        let alike = self
            .failures
            .iter_mut()
            .find(|other| other.case == case && other.problems == problems);
        match alike {
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
