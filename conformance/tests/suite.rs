//! Tests runs of a suite: what is run, what is reported, and errors in the suite itself.

mod stub;

use sanserve_conformance::{Fragmentation, Suite, case, divergence, run};
use std::panic::{AssertUnwindSafe, catch_unwind};
use stub::{CASES, check, stub, suite};

#[test]
fn expected_replies_pass() {
    let suite = Suite::standard();
    let report = check(&suite, |_, _, _| {});
    assert!(report.passed(), "{report}");
    let (cases, divergences) = (case::all().len(), divergence::all().len());
    let line = format!("stub: {cases} cases, 5 fragmentations, {divergences} divergences");
    assert_eq!(report.to_string(), line);
    run("stub", stub(suite, |_, _, _| {}));
}

#[test]
fn run_panics_once_when_anything_fails() {
    let mut calls = 0;
    let system = stub(Suite::standard(), |_, _, observed| {
        calls += 1;
        observed.bytes.insert(0, 0);
    });
    let panic = catch_unwind(AssertUnwindSafe(|| run("stub", system))).expect_err("nothing fits");
    let report = panic.downcast::<String>().expect("the panic is the report");
    assert!(report.ends_with(&format!(
        ": {calls} conversations failed, 0 errors in the suite"
    )));
}

#[test]
fn a_failure_with_one_fragmentation_is_reported() {
    let report = check(&suite(""), |case, fragmentation, observed| {
        if case.name == "plain" && fragmentation == Fragmentation::ByByte {
            observed.bytes.clear();
        }
    });
    assert_eq!(report.failures.len(), 1);
    let report = report.to_string();
    assert!(report.starts_with("\nplain (by byte)\n"), "{report}");
    let last = "stub: 2 cases, 5 fragmentations, 0 divergences: 1 conversations failed, 0 errors in the suite";
    assert!(report.ends_with(last), "{report}");
}

#[test]
fn a_panic_does_not_stop_the_run() {
    let report = check(&suite(""), |case, fragmentation, observed| {
        assert!(
            case.name != "plain" || fragmentation != Fragmentation::Whole,
            "no more {}",
            1
        );
        observed.log.clear();
    });
    assert!(
        report
            .to_string()
            .contains("plain (whole)\n    panicked: no more 1\n"),
        "{report}"
    );
    assert_eq!(report.failures.len(), 3);
}

#[test]
fn a_divergence_of_an_unknown_case_fails() {
    let report = check(&suite("case other\nreason none\n"), |_, _, _| {}).to_string();
    assert!(
        report.contains("a divergence names a case that is not recorded: other"),
        "{report}"
    );
}

#[test]
fn a_divergence_of_a_case_that_was_not_recorded_fails() {
    let cases = case::read("test.case", &CASES.replace("recorded\n", ""));
    let divergences = divergence::read("test.txt", "case plain\nreason none\n");
    let report = check(&Suite::new(cases, divergences), |_, _, _| {}).to_string();
    assert!(
        report.contains("a divergence names a case that is not recorded: plain"),
        "{report}"
    );
}

#[test]
fn names_must_be_unique() {
    let report = check(
        &suite("case plain\nreason a\ncase plain\nreason b\n"),
        |_, _, _| {},
    )
    .to_string();
    assert!(report.contains("two divergences of plain"), "{report}");
    let cases = case::read("test.case", &CASES.repeat(2).replace("\nrecorded\n", "\n"));
    let report = check(&Suite::new(cases, Vec::new()), |_, _, _| {}).to_string();
    assert!(report.contains("two cases are called plain"), "{report}");
}

#[test]
fn a_filtered_run_reports_the_filter() {
    let report = check(&suite("case added\nreason a\n").only("plai"), |_, _, _| {});
    assert!(report.passed(), "{report}");
    let line = "stub: 1 cases, 5 fragmentations, 0 divergences (only the cases with \"plai\" in their name)";
    assert_eq!(report.to_string(), line);
}

#[test]
fn a_filter_without_matches_fails() {
    let report = check(&suite("").only("plane"), |_, _, _| {});
    assert!(
        report
            .to_string()
            .contains("no case has \"plane\" in its name"),
        "{report}"
    );
}
