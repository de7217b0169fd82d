//! The rules: whether what a subject did is what the case asks for.
//!
//! Reply and log must fit; dates must be dates; and where a divergence holds, CPython's own answer
//! must not fit as well. Running the cases and telling of problems is left to [`Suite`](crate::Suite)
//! and [`report`](crate::report).

use crate::case::Case;
use crate::date;
use crate::difference::{self, Difference};
use crate::divergence::Divergence;
use crate::pattern::Pattern;
use crate::system_under_test::Observed;
use std::fmt;

/// One thing that is wrong with a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The reply is another one.
    Reply(Difference),
    /// This line of the log, counted from 1, is another one.
    Log(usize, Difference),
    /// This line is logged, and none is expected.
    Extra(String),
    /// This line is expected, and not logged.
    Missing(String),
    /// This line of the log does not begin with `ADDRESS - - [TIME] `.
    Prefix(String),
    /// This field does not hold an IMF-fixdate.
    Date(String),
    /// CPython's answer fits too, so the divergence is none.
    Stale,
    /// The subject panicked with this message.
    Panic(String),
}

/// Judges one conversation: by the divergence if the case has one, else by the case.
///
/// # Errors
/// All that is wrong with it.
pub fn check(
    case: &Case,
    divergence: Option<&Divergence>,
    said: &Observed,
) -> Result<(), Vec<Problem>> {
    let (reply, log) = divergence.map_or((&case.reply, &case.log), |ours| (&ours.reply, &ours.log));
    let mut problems = Vec::new();
    problems.extend(reply.compare(&said.bytes).err().map(Problem::Reply));
    compare_logs(log, &said.log, &mut problems);
    problems
        .extend(date::wrong(&said.bytes).map(|field| Problem::Date(difference::excerpt(field))));
    if divergence.is_some() && fits_cpython(case, said) {
        problems.push(Problem::Stale);
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// Compares the log line by line, up to the first line that differs.
fn compare_logs(expected: &[String], got: &[String], problems: &mut Vec<Problem>) {
    for at in 0..expected.len().max(got.len()) {
        let problem = match (expected.get(at), got.get(at)) {
            (Some(missing), None) => Problem::Missing(missing.clone()),
            (None, Some(extra)) => Problem::Extra(extra.clone()),
            (Some(wanted), Some(found)) => match strip(found) {
                None => Problem::Prefix(found.clone()),
                Some(text) => match Pattern::exact(wanted.as_bytes()).compare(text.as_bytes()) {
                    Ok(()) => continue,
                    Err(difference) => Problem::Log(at + 1, difference),
                },
            },
            (None, None) => unreachable!("the longer log ends the loop"),
        };
        problems.push(problem);
        return;
    }
}

/// Whether CPython's own answer fits: with or without the pieces that we add to it.
fn fits_cpython(case: &Case, said: &Observed) -> bool {
    let fits = |reply: &Pattern| reply.compare(&said.bytes).is_ok();
    let log: Option<Vec<_>> = said.log.iter().map(|line| strip(line)).collect();
    log.is_some_and(|log| log == case.log) && (fits(&case.reply) || fits(&case.cpython_reply))
}

/// Takes `ADDRESS - - [TIME] ` off a line of the log.
fn strip(line: &str) -> Option<&str> {
    let (address, rest) = line.split_once(" - - [")?;
    let (time, text) = rest.split_once("] ")?;
    let good = !address.is_empty() && !address.contains(' ') && date::is_log_time(time);
    good.then_some(text)
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |line: &str| difference::excerpt(line.as_bytes());
        match self {
            Self::Reply(difference) => write!(out, "the reply differs {difference}"),
            Self::Log(number, difference) => {
                write!(out, "line {number} of the log differs {difference}")
            }
            Self::Extra(line) => write!(out, "logged, but not expected: {}", quote(line)),
            Self::Missing(line) => write!(out, "expected in the log, but missing: {}", quote(line)),
            Self::Prefix(line) => write!(
                out,
                "does not begin with ADDRESS - - [TIME]: {}",
                quote(line)
            ),
            Self::Date(field) => write!(out, "not an IMF-fixdate: {field}"),
            Self::Stale => {
                out.write_str("stale divergence: CPython's answer fits too; remove the entry")
            }
            Self::Panic(message) => write!(out, "panicked: {message}"),
        }
    }
}
