//! [`stub`]: returns the expected replies in place of a system under test; a test can change them.

use sanserve_conformance::{
    Case, Fragmentation, Observed, Pattern, Report, Suite, case, divergence,
};

/// The beginning of every log line.
pub(crate) const PREFIX: &str = "127.0.0.1 - - [22/Nov/2026 17:55:30] ";

/// Two cases. In the second, sanserve adds a field.
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

/// Returns the expected replies after `spoil` has changed them.
pub(crate) fn stub(
    suite: Suite,
    mut spoil: impl FnMut(&Case, Fragmentation, &mut Observed),
) -> impl FnMut(&Case, Fragmentation) -> Observed {
    move |case, fragmentation| {
        let divergence = suite.divergence(case);
        let (reply, log) = divergence.map_or((&case.reply, &case.log), |divergence| {
            (&divergence.reply, &divergence.log)
        });
        let log = log.iter().map(|text| format!("{PREFIX}{text}")).collect();
        let mut observed = Observed {
            bytes: bytes(reply),
            log,
        };
        if case.pace.hangs_up.is_some() || case.pace.stops_reading.is_some() {
            // Such a client must not get the whole reply.
            observed.bytes.pop();
        }
        spoil(case, fragmentation, &mut observed);
        observed
    }
}

/// Returns a suite of the two cases with these divergences.
pub(crate) fn suite(divergences: &str) -> Suite {
    Suite::new(
        case::read("test.case", CASES),
        divergence::read("test.txt", divergences),
    )
}

/// Runs a suite on the stub.
pub(crate) fn check(
    suite: &Suite,
    spoil: impl FnMut(&Case, Fragmentation, &mut Observed),
) -> Report {
    suite.check("stub", stub(suite.clone(), spoil))
}

/// Returns bytes that match the pattern, with a date where one is expected.
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

/// The fields with a date.
const DATES: [&[u8]; 2] = [b"Date: ", b"Last-Modified: "];
