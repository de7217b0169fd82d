//! Tests that the suite catches every fault of a port: runs it on ports with planted faults. Each must be caught by a
//! case that is named here; the same port without a fault must pass.

#![cfg(unix)]

mod broken_port;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::thread;

use broken_port::{Fault, PARTIAL_WRITES, start};
use sanserve_conformance::{
    Case, Client, Fragmentation, Log, Observed, Site, SiteFolder, Suite, oracle, servers,
};

/// The faults, and a case that catches each.
const FAULTS: [(Fault, &str); 38] = [
    (
        Fault::LosesByteOfPartialWrite,
        "time/a reader that begins late",
    ),
    (
        Fault::DoublesByteOfPartialWrite,
        "time/a reader that begins late",
    ),
    (
        Fault::ReordersBytesAfterPartialWrite,
        "time/a reader that begins late",
    ),
    (
        Fault::AnswersPartialWriteWithFullCount,
        "time/a reader that begins late",
    ),
    (
        Fault::AnswersBlockedWriteWithFullCount,
        "time/a reader that begins late",
    ),
    (
        Fault::TakesBlockedWriteForFailure,
        "time/a reader that begins late",
    ),
    (
        Fault::WritesToOldestConnection,
        "time/another client that is silent",
    ),
    (Fault::CountsOneByteTooFew, "stored/a file"),
    (Fault::AnswersMoreThanLent, "time/a request after a pause"),
    (
        Fault::LosesByteOfCancelledRead,
        "time/a request after a pause",
    ),
    (
        Fault::AnswersEndOfInputWithNothing,
        "time/a client that sends nothing and half-closes",
    ),
    (Fault::FailsReadAtDeadline, "time/half a head"),
    (Fault::EndsInputAtDeadline, "time/half of the content"),
    (Fault::WaitsForeverToRead, "time/silence"),
    (Fault::StopsClock, "time/half a head"),
    (
        Fault::ClockIsInWrongUnit,
        "time/content that is slow but steady",
    ),
    (Fault::HasNoDate, "stored/a file"),
    (Fault::WritesAddressWithSpace, "stored/a file"),
    (Fault::ReadsFileFromStart, "ranges/in the middle"),
    (Fault::ReadsFileFromNextByte, "stored/a file"),
    (
        Fault::CopiesFileFromStart,
        "time/files for a reader that begins late",
    ),
    (
        Fault::AnswersPartialCopyWithFullCount,
        "time/files for a reader that begins late",
    ),
    (
        Fault::CountsOneByteTooManyInCopy,
        "time/files for a reader that begins late",
    ),
    (Fault::DropsNotes, "cgi/reply/no head"),
    (Fault::IgnoresWriteFile, "stored/a file"),
    (Fault::AnswersPartialWriteFileWithFullCount, "stored/a file"),
    (Fault::IgnoresCommit, "stored/a file"),
    (Fault::LosesEarlyWake, "time/a wake before the wait"),
    (Fault::IgnoresWait, "time/a wake before the wait"),
    (Fault::LosesLateWake, "time/a wake from another thread"),
    (Fault::IsWokenOnce, "time/a wake from another thread"),
    (Fault::WaitsForeverForWake, "time/waits that time out"),
    (Fault::DropsLog, "stored/a file"),
    (Fault::LogsTwice, "stored/a file"),
    (
        Fault::IgnoresShutdown,
        "time/the end of the reply arrives before the server stops reading",
    ),
    (
        Fault::ClosesAtShutdown,
        "time/a client that continues to send after its last request",
    ),
    (Fault::LeaksSocket, "time/silence"),
    (
        Fault::ServesOneConnectionAtATime,
        "time/another client that is silent",
    ),
];

/// Runs these cases. Returns the first that fails, with its problems.
fn first_failure(
    suite: &Suite,
    cases: &[Case],
    fragmentations: &[Fragmentation],
    mut run_case: impl FnMut(&Case, Fragmentation) -> Observed,
) -> Option<(String, String)> {
    for case in cases {
        for &fragmentation in case.fragmentations() {
            if !fragmentations.contains(&fragmentation) {
                continue;
            }
            let observed = catch_unwind(AssertUnwindSafe(|| run_case(case, fragmentation)));
            let Ok(observed) = observed else {
                return Some((case.name.clone(), "the conversation does not end".into()));
            };
            if let Err(problems) = oracle::check(case, suite.divergence(case), &observed) {
                let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                return Some((case.name.clone(), problems.join("\n")));
            }
        }
    }
    None
}

/// Returns a port with this fault, as a system under test.
fn port(fault: Fault, site: &SiteFolder) -> impl FnMut(&Case, Fragmentation) -> Observed {
    let start = move |case: &Case, log: Log| start(fault, &site.root_for(case)?, case, log);
    servers(start, Client::connect)
}

#[test]
fn every_fault_is_caught_by_the_case_that_is_named() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let suite = Suite::standard();
    let caught = |(fault, name): (Fault, &str)| {
        let cases = suite.cases().iter().filter(|case| case.name == name);
        let cases: Vec<_> = cases.cloned().collect();
        assert_eq!(cases.len(), 1, "one case is called {name}");
        let fragmentations = [Fragmentation::Whole];
        let port = port(fault, &site);
        let failure = first_failure(&suite, &cases, &fragmentations, port);
        failure.map(|(name, problem)| println!("{fault:?}: {name}: {problem}"))
    };
    let missed = thread::scope(|scope| {
        let run = |faults: &'static [(Fault, &str)]| {
            scope.spawn(move || {
                let missed = faults.iter().filter(|fault| caught(**fault).is_none());
                missed.collect::<Vec<_>>()
            })
        };
        let running: Vec<_> = FAULTS.chunks(FAULTS.len().div_ceil(6)).map(run).collect();
        let missed = running.into_iter().map(|run| run.join().expect("it ends"));
        missed.flatten().collect::<Vec<_>>()
    });
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn the_port_without_a_fault_passes() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let suite = Suite::standard();
    let (site, suite) = (&site, &suite);
    thread::scope(|scope| {
        for cases in suite.cases().chunks(suite.cases().len().div_ceil(4)) {
            scope.spawn(move || {
                let fragmentations = [Fragmentation::Whole, Fragmentation::Seeded(1)];
                let port = port(Fault::None, site);
                let failure = first_failure(suite, cases, &fragmentations, port);
                assert_eq!(failure, None);
            });
        }
    });
    let partial = PARTIAL_WRITES.load(Ordering::Relaxed);
    assert!(partial > 4, "{partial} partial writes");
}
