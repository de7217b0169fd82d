//! A subject that answers as it is expected to, and may be spoiled in one place.

use sanserve_conformance::{
    Case, Fragmentation, Observed, Pattern, Report, Suite, case, divergence,
};

/// How every line of the log begins.
pub(crate) const PREFIX: &str = "127.0.0.1 - - [22/Nov/2026 17:55:30] ";

/// Two cases, of which the second adds a field to CPython's.
pub(crate) const CASES: &str = r#"
recorded

case     plain
>        GET /file.txt HTTP/1.0\r\n\r\n
<        HTTP/1.0 200 OK\r\n
<        Server: *\r\n
<        Date: *\r\n
<        Last-Modified: Wed, 31 Dec 1969 23:59:58 GMT\r\n
<        \r\n
<        hello\n
log      "GET /file.txt HTTP/1.0" 200 -

case     added
>        HEAD / HTTP/1.0\r\n\r\n
<        HTTP/1.0 200 OK\r\n
<+       Accept-Ranges: bytes\r\n
<        \r\n
log      "HEAD / HTTP/1.0" 200 -
"#;

/// Answers as expected, then lets `spoil` at the answer.
pub(crate) fn stub(
    suite: Suite,
    mut spoil: impl FnMut(&Case, Fragmentation, &mut Observed),
) -> impl FnMut(&Case, Fragmentation) -> Observed {
    move |case, fragmentation| {
        let ours = suite.divergence(case);
        let (reply, log) = ours.map_or((&case.reply, &case.log), |ours| (&ours.reply, &ours.log));
        let log = log.iter().map(|text| format!("{PREFIX}{text}")).collect();
        let mut observed = Observed {
            bytes: bytes(reply),
            log,
        };
        spoil(case, fragmentation, &mut observed);
        observed
    }
}

/// The two cases, with these divergences.
pub(crate) fn suite(divergences: &str) -> Suite {
    Suite::new(
        case::read("test.case", CASES),
        divergence::read("test.txt", divergences),
    )
}

/// Runs the stub through a suite.
pub(crate) fn check(
    suite: &Suite,
    spoil: impl FnMut(&Case, Fragmentation, &mut Observed),
) -> Report {
    suite.check("stub", stub(suite.clone(), spoil))
}

/// Bytes that fit the pattern, a date where a date must be.
pub(crate) fn bytes(pattern: &Pattern) -> Vec<u8> {
    let mut bytes = Vec::new();
    for token in pattern.tokens() {
        match token {
            Some(byte) => bytes.push(*byte),
            None if DATES.iter().any(|name| bytes.ends_with(name)) => {
                bytes.extend(b"Sun, 22 Nov 2026 17:55:30 GMT");
            }
            None => bytes.extend(b"anything"),
        }
    }
    bytes
}

/// What a date follows.
const DATES: [&[u8]; 2] = [b"Date: ", b"Last-Modified: "];
