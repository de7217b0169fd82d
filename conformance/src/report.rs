//! What a run found, put so that a person can read it.

use crate::judge::Fault;
use crate::pace::{PACES, Pace};
use std::collections::BTreeMap;
use std::fmt;

/// The outcome of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The subject's name.
    pub subject: String,
    /// How many cases were run, each at every pace.
    pub cases: usize,
    /// How many of them have a divergence.
    pub divergences: usize,
    /// Why other cases do not apply to the subject; see [`host`](crate::host) and
    /// [`run_part`](crate::run_part).
    pub apart: Apart,
    /// The part of a name that chose the cases, if not all were run.
    pub only: Option<String>,
    /// What is wrong with the suite itself, whatever the subject answers.
    pub errors: Vec<String>,
    /// The conversations that went wrong, in the order of the cases.
    pub failures: Vec<Failure>,
}

/// Cases that do not apply: a reason, and their names.
pub type Apart = BTreeMap<&'static str, Vec<String>>;

/// A case that went wrong in one way, at one pace or at several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The name of the case.
    pub case: String,
    /// The paces at which it went wrong so.
    pub paces: Vec<Pace>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl Report {
    /// Whether nothing at all is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.errors.is_empty() && self.failures.is_empty()
    }

    /// Prints it.
    ///
    /// # Panics
    /// With the whole report, if anything is wrong.
    pub(crate) fn conclude(&self) {
        assert!(self.is_good(), "\n{self}");
        println!("{self}");
    }

    /// Adds a failure; one that is like another of the same case only adds its pace.
    pub(crate) fn fail(&mut self, case: &str, pace: Pace, faults: Vec<Fault>) {
        let alike = self
            .failures
            .iter_mut()
            .find(|other| other.case == case && other.faults == faults);
        match alike {
            Some(other) => other.paces.push(pace),
            None => self.failures.push(Failure {
                case: case.into(),
                paces: vec![pace],
                faults,
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
        if !self.is_good() {
            writeln!(out)?;
        }
        let (cases, paces) = (self.cases, PACES.len());
        let apart: usize = self.apart.values().map(Vec::len).sum();
        let cases = match apart {
            0 => format!("{cases} cases"),
            _ => format!("{cases} of {} cases apply", cases + apart),
        };
        write!(
            out,
            "{}: {cases}, {paces} paces, {} divergences",
            self.subject, self.divergences
        )?;
        if let Some(only) = &self.only {
            write!(out, " (only the cases with {only:?} in their name)")?;
        }
        if !self.is_good() {
            let failed: usize = self
                .failures
                .iter()
                .map(|failure| failure.paces.len())
                .sum();
            write!(
                out,
                ": {failed} conversations failed, {} errors in the suite",
                self.errors.len()
            )?;
        }
        if apart > 0 {
            let reasons = self
                .apart
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
        let paces: Vec<_> = self.paces.iter().map(Pace::to_string).collect();
        writeln!(out, "{} ({})", self.case, paces.join(", "))?;
        self.faults
            .iter()
            .try_for_each(|fault| writeln!(out, "    {fault}"))
    }
}
