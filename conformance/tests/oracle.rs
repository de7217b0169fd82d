//! Tests the oracle: it rejects replies and logs that differ from the expected ones in a single place. It accepts
//! divergences, which are deliberate differences from CPython, unless they no longer exist.

mod stub;

use sanserve_conformance::{FRAGMENTATIONS, Observed, Suite, case};
use stub::{PREFIX, bytes, check, suite};

/// Returns the report when only the plain case is spoiled.
fn spoiled(mut spoil: impl FnMut(&mut Observed)) -> String {
    let report = check(&suite(""), |case, _, observed| {
        if case.name == "plain" {
            spoil(observed);
        }
    });
    assert_eq!(report.failures.len(), 1, "{report}");
    assert_eq!(report.failures[0].case, "plain");
    assert_eq!(report.failures[0].fragmentations, FRAGMENTATIONS);
    report.to_string()
}

/// Replaces the first `from` by `to`.
fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let at = bytes
        .windows(from.len())
        .position(|part| part == from.as_bytes());
    let at = at.expect("the reply has these bytes");
    bytes.splice(at..at + from.len(), to.bytes());
}

#[test]
fn an_altered_byte_fails() {
    let report = spoiled(|observed| replace(&mut observed.bytes, "hello", "hellO"));
    let title = "\nplain (whole, by byte, seed 1, seed 2, seed 3)\n    the reply differs at byte ";
    assert!(report.starts_with(title), "{report}");
    assert!(
        report.contains("expected  o\\n\n      got       O\\n\n"),
        "{report}"
    );
}

#[test]
fn a_missing_byte_fails() {
    let report = spoiled(|observed| observed.bytes.truncate(observed.bytes.len() - 1));
    assert!(
        report.contains("expected  \\n\n      got       (nothing more)\n"),
        "{report}"
    );
}

#[test]
fn an_extra_byte_fails() {
    let report = spoiled(|observed| observed.bytes.push(b'!'));
    assert!(
        report.contains("expected  (nothing more)\n      got       !\n"),
        "{report}"
    );
}

#[test]
fn a_missing_reply_fails() {
    let report = spoiled(|observed| *observed = Observed::default());
    assert!(report.contains("the reply differs at byte 0\n"), "{report}");
    let missing = "expected in the log, but missing: \"GET /file.txt HTTP/1.0\" 200 -\n";
    assert!(report.contains(missing), "{report}");
}

#[test]
fn an_altered_log_fails() {
    let report = spoiled(|observed| observed.log[0] = observed.log[0].replace("200", "201"));
    assert!(
        report.contains("line 1 of the log differs at byte 27"),
        "{report}"
    );
}

#[test]
fn an_extra_log_line_fails() {
    let report = spoiled(|observed| observed.log.push(format!("{PREFIX}more")));
    assert!(
        report.contains(&format!("logged, but not expected: {PREFIX}more\n")),
        "{report}"
    );
}

#[test]
fn a_log_line_begins_with_address_and_time() {
    for bad in [
        "",
        "127.0.0.1 - - ",
        "127.0.0.1 x - - [22/Nov/2026 17:55:30] ",
        " - - [22/Nov/2026 17:55:30] ",
        "127.0.0.1 - - [22/11/2026 17:55:30] ",
        "127.0.0.1 - - [22/Nov/2026 17:55:3x] ",
        "127.0.0.1 - - [22/Nov/2026 17:55:30 +0000] ",
        "127.0.0.1 - - [22/Nov/2026 17:55:301] ",
    ] {
        let report = spoiled(|observed| observed.log[0] = observed.log[0].replace(PREFIX, bad));
        assert!(
            report.contains("does not begin with ADDRESS - - [TIME]"),
            "{report}"
        );
    }
    let other = check(&suite(""), |_, _, observed| {
        observed.log[0] = observed.log[0].replace("127.0.0.1", "::1");
    });
    assert!(other.passed(), "{other}");
}

#[test]
fn an_invalid_date_fails() {
    for bad in [
        "Mon, 22 Nov 2026 17:55:30 GMT",
        "Sun, 22 Nov 2026 17:55:30",
        "Sunday, 22-Nov-26 17:55:30 GMT",
        "Sun Nov 22 17:55:30 2026",
        "Sun, 22 nov 2026 17:55:30 GMT",
        "Sun, 22 Nov 2026 17:55:30 UTC",
        "Sun, 32 Nov 2026 17:55:30 GMT",
        "\u{fc}un, 22 Nov 2026 17:55:30 GMT",
        "x",
    ] {
        let report =
            spoiled(|observed| replace(&mut observed.bytes, "Sun, 22 Nov 2026 17:55:30 GMT", bad));
        let reported = report.contains(&format!("not an IMF-fixdate: Date: {bad}"));
        assert!(reported, "{report}");
    }
    let report =
        spoiled(|observed| replace(&mut observed.bytes, "Wed, 31 Dec 1969", "Thu, 31 Dec 1969"));
    assert!(
        report.contains("not an IMF-fixdate: Last-Modified: Thu, 31 Dec 1969"),
        "{report}"
    );
}

#[test]
fn an_added_field_is_required() {
    let report = check(&suite(""), |case, _, observed| {
        observed.bytes = bytes(&case.cpython_reply);
    });
    assert_eq!(report.failures.len(), 1, "{report}");
    assert_eq!(report.failures[0].case, "added");
}

#[test]
fn a_divergence_replaces_the_reply_of_the_case() {
    let suite = suite("case plain\nreason we say so\n< no\\n\nlog no\n");
    let report = check(&suite, |_, _, _| {});
    assert!(report.passed(), "{report}");
    assert_eq!(report.divergences, 1);
    let report = check(&suite, |case, _, observed| {
        observed.bytes = bytes(&case.reply);
    });
    assert_eq!(report.failures.len(), 1, "{report}");
}

#[test]
fn a_divergence_may_have_no_reply() {
    let report = check(
        &suite("case plain\nreason closed in silence\n"),
        |_, _, _| {},
    );
    assert!(report.passed(), "{report}");
}

#[test]
fn a_divergence_may_differ_only_in_the_log() {
    let ours = "case added\nreason log\n< HTTP/1.0 200 OK\\r\\n\\r\\n\nlog ours\n";
    let report = check(&suite(ours), |_, _, _| {});
    assert!(report.passed(), "{report}");
}

#[test]
fn a_divergence_is_stale_if_cpythons_reply_matches() {
    let log = "log \"HEAD / HTTP/1.0\" 200 -\n";
    let theirs = "< HTTP/1.0 200 OK\\r\\n\\r\\n\n";
    let with_added = "< HTTP/1.0 200 OK\\r\\nAccept-Ranges: bytes\\r\\n\\r\\n\n";
    for reply in [theirs, with_added] {
        let ours = format!("case added\nreason none\n{reply}{log}");
        let report = check(&suite(&ours), |_, _, _| {}).to_string();
        assert!(
            report.contains("added (whole, by byte, seed 1, seed 2, seed 3)\n    stale"),
            "{report}"
        );
    }
}

/// Returns the report when the client of a case gets only these bytes before it disconnects after five, or stops
/// reading.
fn cut_short(pace: &str, received: &str) -> String {
    let case = format!("case     cut\n{pace}\nno-half-close\n<        abcdefgh*k\n");
    let suite = Suite::new(case::read("test.case", &case), Vec::new());
    let report = suite.check("stub", |_, _| Observed::new(received.into(), ""));
    report.to_string()
}

#[test]
fn a_reply_that_is_cut_short_must_be_a_beginning_of_the_expected_one() {
    let stops = "stops-reading 3";
    for received in ["", "abc", "abcdefgh", "abcdefghij", "abcdefghijijij"] {
        let report = cut_short(stops, received);
        assert!(
            report.contains("1 cases") && !report.contains("failed"),
            "{received}: {report}"
        );
    }
    let report = cut_short(stops, "abX");
    assert!(report.contains("the reply differs at byte 2"), "{report}");
    let report = cut_short(stops, "abcdefghijk");
    assert!(report.contains("the reply is complete"), "{report}");
}

#[test]
fn a_reply_that_ends_before_the_client_disconnects_fails() {
    assert!(!cut_short("resets   5", "abcde").contains("failed"));
    let report = cut_short("resets   5", "abcd");
    assert!(report.contains("had received 5 bytes"), "{report}");
}

#[test]
fn bytes_after_an_endless_reply_are_not_compared() {
    let pace = "stops-reading 3\nendless";
    assert!(!cut_short(pace, "abcdefghijk and more").contains("failed"));
    assert!(cut_short(pace, "abcdefgX").contains("failed"));
}
