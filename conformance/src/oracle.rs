//! The oracle: checks that the observed reply and log are the expected ones.
//!
//! Reply and log must match, dates must be valid, and if the case has a divergence, CPython's reply must not match as
//! well. [`Suite`](crate::Suite) runs the cases, and [`report`](crate::report) shows the problems.

use crate::case::Case;
use crate::date;
use crate::difference::{self, Difference};
use crate::divergence::Divergence;
use crate::gzip::decode_replies;
use crate::pattern::Pattern;
use crate::system_under_test::Observed;
use std::fmt;

/// One problem of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The reply differs.
    Reply(Difference),
    /// The reply is complete, although the client [stopped reading](crate::Pace::stops_reading) or disconnected.
    Complete,
    /// The connection ended before the client had received this many bytes and disconnected.
    Short(usize),
    /// This line of the log, counted from 1, differs.
    Log(usize, Difference),
    /// This line of the log is not expected.
    Extra(String),
    /// This expected line is not logged.
    Missing(String),
    /// This line of the log does not begin with `ADDRESS - - [TIME] `.
    Prefix(String),
    /// The value of this field is not an IMF-fixdate.
    Date(String),
    /// CPython's reply matches as well, so the divergence is stale.
    Stale,
    /// The system under test panicked with this message.
    Panic(String),
}

/// Checks one conversation against the divergence if the case has one, and against the case otherwise.
///
/// # Errors
/// All problems.
pub fn check(
    case: &Case,
    divergence: Option<&Divergence>,
    observed: &Observed,
) -> Result<(), Vec<Problem>> {
    let (reply, log) = divergence.map_or((&case.reply, &case.log), |divergence| {
        (&divergence.reply, &divergence.log)
    });
    let mut problems = Vec::new();
    let bytes = decode_replies(&observed.bytes, &observed.log);
    let compared = if case.pace.cuts_reply() {
        reply.compare_beginning(&bytes, case.endless)
    } else {
        reply.compare(&bytes).map(|()| true)
    };
    match compared {
        Ok(true) => {}
        Ok(false) => problems.push(Problem::Complete),
        Err(difference) => problems.push(Problem::Reply(difference)),
    }
    let least = case.pace.hangs_up.map_or(0, |(bytes, _)| bytes);
    if observed.bytes.len() < least {
        problems.push(Problem::Short(least));
    }
    compare_logs(log, &observed.log, &mut problems);
    problems.extend(
        date::invalid_fields(&observed.bytes)
            .map(|field| Problem::Date(difference::excerpt(field))),
    );
    if divergence.is_some() && fits_cpython(case, observed) {
        problems.push(Problem::Stale);
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// Compares the logs line by line, up to the first difference.
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

/// Whether CPython's reply matches, with or without the bytes that sanserve adds.
fn fits_cpython(case: &Case, observed: &Observed) -> bool {
    let matches = |reply: &Pattern| reply.compare(&observed.bytes).is_ok();
    let log: Option<Vec<_>> = observed.log.iter().map(|line| strip(line)).collect();
    log.is_some_and(|log| log == case.log) && (matches(&case.reply) || matches(&case.cpython_reply))
}

/// Removes `ADDRESS - - [TIME] ` from a line of the log.
fn strip(line: &str) -> Option<&str> {
    let (address, rest) = line.split_once(" - - [")?;
    let (time, text) = rest.split_once("] ")?;
    let valid = !address.is_empty() && !address.contains(' ') && date::is_log_time(time);
    valid.then_some(text)
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |line: &str| difference::excerpt(line.as_bytes());
        match self {
            Self::Reply(difference) => write!(out, "the reply differs {difference}"),
            Self::Complete => {
                out.write_str("the reply is complete, although the client did not read it")
            }
            Self::Short(bytes) => write!(
                out,
                "the connection ended before the client had received {bytes} bytes"
            ),
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
                out.write_str("stale divergence: CPython's reply matches as well; remove the entry")
            }
            Self::Panic(message) => write!(out, "panicked: {message}"),
        }
    }
}
