//! The suite: the cases and the divergences together, and the run of a subject through them.

use crate::case::{self, Case};
use crate::divergence::{self, Divergence};
use crate::fragmentation::{FRAGMENTATIONS, Fragmentation};
use crate::oracle::{self, Problem};
use crate::report::{LeftOut, Report};
use crate::system_under_test::Observed;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What subjects are run through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suite {
    cases: Vec<Case>,
    divergences: Vec<Divergence>,
    only: Option<String>,
    errors: Vec<String>,
}

impl Suite {
    /// A suite of these cases and divergences; for ports that bring their own.
    ///
    /// A name that is used twice, and a divergence of a case that is not recorded here, are not
    /// refused but reported by every run, beside what else is wrong.
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

    /// The suite that comes with this package.
    ///
    /// # Panics
    /// When its files cannot be read; the message names the file and the line.
    #[must_use]
    pub fn standard() -> Self {
        Self::new(case::all(), divergence::all())
    }

    /// The recorded cases with [`FileSettings::plain`](sanserve_core::FileSettings::plain), which has CPython's own answers but where a
    /// divergence for safety remains.
    ///
    /// # Panics
    /// When the files cannot be read; the message names the file and the line.
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

    /// The same, or what `CASE` in the environment leaves of it.
    pub(crate) fn from_env() -> Self {
        let suite = Self::standard();
        match std::env::var("CASE") {
            Ok(part) => suite.only(&part),
            Err(_) => suite,
        }
    }

    /// Leaves only the cases whose name holds `part`.
    ///
    /// If none does, every run fails saying so.
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

    /// Leaves out the cases that do not apply: `excludes` says why. Answers their names by these reasons,
    /// too.
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

    /// The cases, in the order in which they are run.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The divergence of a case, if it has one.
    #[must_use]
    pub fn divergence(&self, case: &Case) -> Option<&Divergence> {
        self.divergences
            .iter()
            .find(|divergence| divergence.case == case.name)
    }

    /// Holds a conversation for every case at every fragmentation and tells all that went wrong; see
    /// [`run`](crate::run).
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
            for fragmentation in FRAGMENTATIONS {
                // One case that panics must not hide what the others do.
                let checked = match catch_unwind(AssertUnwindSafe(|| run_case(case, fragmentation)))
                {
                    Ok(transcript) => oracle::check(case, divergence, &transcript),
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

/// What a panic said.
fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// What is wrong with the data itself.
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
