//! [`Suite`]: selects cases, runs them with every fragmentation, and reports errors in the cases themselves.

use crate::case::{self, Case};
use crate::divergence::{self, Divergence};
use crate::fragmentation::Fragmentation;
use crate::oracle::{self, Problem};
use crate::report::{LeftOut, Report};
use crate::system_under_test::Observed;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Cases and their divergences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suite {
    cases: Vec<Case>,
    divergences: Vec<Divergence>,
    only: Option<String>,
    errors: Vec<String>,
}

impl Suite {
    /// Creates a suite of these cases and divergences; for ports that have their own.
    ///
    /// Every run of the suite reports names that are used twice and divergences of cases that are not recorded.
    #[must_use]
    pub fn new(cases: Vec<Case>, divergences: Vec<Divergence>) -> Self {
        let errors = errors(&cases, &divergences);
        Self {
            cases,
            divergences,
            only: None,
            errors,
        }
    }

    /// Returns the suite of this package.
    ///
    /// # Panics
    /// If its files cannot be parsed; the message has the file and the line.
    #[must_use]
    pub fn standard() -> Self {
        Self::new(case::all(), divergence::all())
    }

    /// Returns the recorded cases with [`FileSettings::plain`](sanserve_core::FileSettings::plain). Their replies are
    /// CPython's, except for divergences that remain for safety.
    ///
    /// # Panics
    /// If the files cannot be parsed; the message has the file and the line.
    #[must_use]
    pub fn plain() -> Self {
        let mut cases = case::all();
        cases.retain(|case| case.recorded);
        for case in &mut cases {
            case.options.push(("plain".into(), "on".into()));
            case.reply = case.plain_reply.clone();
        }
        let mut divergences = divergence::all();
        divergences.retain(|divergence| !divergence.plain_as_cpython);
        for divergence in &mut divergences {
            divergence.reply = divergence.plain_reply.clone();
        }
        Self::new(cases, divergences)
    }

    /// Returns the standard suite, or the cases selected by `CASE` in the environment.
    pub(crate) fn from_env() -> Self {
        let suite = Self::standard();
        match std::env::var("CASE") {
            Ok(part) => suite.only(&part),
            Err(_) => suite,
        }
    }

    /// Keeps only the cases whose name contains `part`. If there are none, every run fails.
    #[must_use]
    pub fn only(mut self, part: &str) -> Self {
        self.cases.retain(|case| case.name.contains(part));
        if self.cases.is_empty() {
            self.errors
                .push(format!("no case has {part:?} in its name"));
        }
        self.only = Some(part.into());
        self
    }

    /// Removes the cases for which `excludes` returns a reason. Also returns their names by reason.
    pub(crate) fn except(
        mut self,
        excludes: impl Fn(&Case) -> Option<&'static str>,
    ) -> (Self, LeftOut) {
        let mut left_out = LeftOut::new();
        self.cases.retain(|case| {
            let reason = excludes(case);
            if let Some(reason) = reason {
                left_out.entry(reason).or_default().push(case.name.clone());
            }
            reason.is_none()
        });
        (self, left_out)
    }

    /// Returns the cases, in the order in which they run.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Returns the divergence of a case, if it has one.
    #[must_use]
    pub fn divergence(&self, case: &Case) -> Option<&Divergence> {
        self.divergences
            .iter()
            .find(|divergence| divergence.case == case.name)
    }

    /// Runs every case with every fragmentation and returns a report; see [`run`](crate::run).
    #[must_use]
    pub fn check(
        &self,
        name: &str,
        mut run_case: impl FnMut(&Case, Fragmentation) -> Observed,
    ) -> Report {
        let mut report = Report {
            system: name.into(),
            cases: self.cases.len(),
            only: self.only.clone(),
            errors: self.errors.clone(),
            ..Report::default()
        };
        for case in &self.cases {
            let divergence = self.divergence(case);
            report.divergences += usize::from(divergence.is_some());
            for &fragmentation in case.fragmentations() {
                // A case that panics must not prevent the others from running.
                let checked = match catch_unwind(AssertUnwindSafe(|| run_case(case, fragmentation)))
                {
                    Ok(observed) => oracle::check(case, divergence, &observed),
                    Err(payload) => Err(vec![Problem::Panic(message(payload.as_ref()).into())]),
                };
                if let Err(problems) = checked {
                    report.fail(&case.name, fragmentation, problems);
                }
            }
        }
        report
    }
}

/// Returns the message of a panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// Returns the errors in the data.
fn errors(cases: &[Case], divergences: &[Divergence]) -> Vec<String> {
    let mut errors = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        if cases[..at].iter().any(|other| other.name == case.name) {
            errors.push(format!("two cases are called {}", case.name));
        }
    }
    for (at, divergence) in divergences.iter().enumerate() {
        let name = &divergence.case;
        if !cases.iter().any(|case| case.recorded && case.name == *name) {
            errors.push(format!(
                "a divergence names a case that is not recorded: {name}"
            ));
        }
        if divergences[..at].iter().any(|other| other.case == *name) {
            errors.push(format!("two divergences of {name}"));
        }
    }
    errors
}
