//! Tests that the suite catches every fault of a port: runs it on ports with planted faults. Each must be caught by a
//! case that is named here; the same port without a fault must pass.

#![cfg(unix)]

mod broken_port;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::thread;

use broken_port::{Fault, PARTIAL_WRITES, serve_pipe, start};
use sanserve_conformance::{
    Case, Client, Fragmentation, HangUp, Log, Observed, OpenFiles, PipeEnd, Site, SiteFolder,
    Suite, oracle, pipes, servers,
};

/// The faults, and a case that catches each.
const FAULTS: [(Fault, &str); 76] = [
    // Bytes that are lost, doubled or reordered.
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
    (Fault::CountsOneByteTooFew, "stored/a file"),
    (
        Fault::LosesBytesBeyondBuffer,
        "time/files for a reader that begins late",
    ),
    (Fault::AnswersMoreThanLent, "time/a request after a pause"),
    (Fault::RestartsAfterPanic, "time/a request after a pause"),
    (
        Fault::LosesByteOfCancelledRead,
        "time/a request after a pause",
    ),
    (
        Fault::BuffersUntilClose,
        "time/a client that awaits each reply",
    ),
    (
        Fault::DropsBufferAtClose,
        "listing/a page of HTTP/1.0 has its length",
    ),
    // The end of the input, and peers that disconnect.
    (
        Fault::AnswersEndOfInputWithNothing,
        "time/a client that sends nothing and half-closes",
    ),
    (
        Fault::TakesEndOfInputForFailure,
        "content/truncated, with a length",
    ),
    (
        Fault::AnswersNothingToReadWithEnd,
        "time/a request after a pause",
    ),
    (
        Fault::NeverReportsReset,
        "time/a client that resets the connection while a script runs",
    ),
    (
        Fault::NeverReportsClose,
        "time/a client that closes the connection while the handler waits",
    ),
    (
        Fault::TakesCloseForReset,
        "time/a client that closes the connection while the handler waits",
    ),
    // Deadlines and clocks.
    (Fault::FailsReadAtDeadline, "time/half a head"),
    (Fault::EndsInputAtDeadline, "time/half of the content"),
    (Fault::WaitsForeverToRead, "time/silence"),
    (Fault::WaitsForeverToWrite, "time/a reader that stops 0"),
    (
        Fault::WaitsForeverToCopy,
        "time/a reader of a file that stops",
    ),
    (
        Fault::WaitsForeverToLinger,
        "time/a client that never closes after an error reply",
    ),
    (
        Fault::LingersUntilEnd,
        "time/a client that continues to send after an error reply",
    ),
    (
        Fault::StoresFirstDeadline,
        "time/a reader that is slow but steady",
    ),
    (Fault::StopsClock, "time/half a head"),
    (
        Fault::ClockIsInWrongUnit,
        "time/content that is slow but steady",
    ),
    (Fault::ClockGoesBack, "time/half a head"),
    (Fault::ClockStopsWhileWaiting, "time/half a head"),
    (Fault::HasNoDate, "stored/a file"),
    (Fault::DateIsWrong, "stored/a file"),
    // Connections that are mixed up, or kept.
    (
        Fault::WritesToOldestConnection,
        "time/another client that is silent",
    ),
    (
        Fault::ReadsFromOldestConnection,
        "time/another client that asks for something else",
    ),
    (
        Fault::ServesOneConnectionAtATime,
        "time/another client that is silent",
    ),
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
        Fault::LeaksSocketAfterShutdown,
        "time/a client that never closes after an error reply",
    ),
    (Fault::IgnoresFinish, "time/a stop while a client is idle"),
    (Fault::ClosesAtFinish, "time/a stop during a reply"),
    (
        Fault::StopsReadingAtFinish,
        "time/a stop during the content of a request",
    ),
    // Files.
    (Fault::ReadsFileFromStart, "ranges/in the middle"),
    (Fault::ReadsFileFromNextByte, "stored/a file"),
    (
        Fault::CopiesFileFromStart,
        "time/files for a reader that begins late",
    ),
    (
        Fault::CopiesBeyondRange,
        "ranges/of a file that is longer than the output buffer",
    ),
    (
        Fault::AnswersPartialCopyWithFullCount,
        "time/files for a reader that begins late",
    ),
    (
        Fault::CountsOneByteTooManyInCopy,
        "time/files for a reader that begins late",
    ),
    (
        Fault::CountsOneByteTooFewInCopy,
        "time/files for a reader that begins late",
    ),
    (Fault::HoldsFilesOpen, "ranges/in the middle"),
    (Fault::OpensFirstFileOnly, "connection/two files"),
    (Fault::ListsNothing, "listing/a page"),
    (
        Fault::VerifiesAnyPassword,
        "guard/the file system refuses the user",
    ),
    (Fault::IgnoresWriteFile, "stored/a file"),
    (Fault::AnswersPartialWriteFileWithFullCount, "stored/a file"),
    (Fault::IgnoresCommit, "stored/a file"),
    // Upgrades.
    (Fault::LosesEarlyBytes, "upgrade/bytes right after the head"),
    (
        Fault::DoublesEarlyBytes,
        "upgrade/bytes right after the head",
    ),
    (
        Fault::ReadsEarlyBytesLast,
        "upgrade/more bytes after the head than a buffer holds",
    ),
    (
        Fault::ParsesUpgradedAsHttp,
        "upgrade/bytes that look like a request",
    ),
    (Fault::KeepsDeadlineAfterUpgrade, "upgrade/silence"),
    (Fault::IgnoresEndOfUpgraded, "upgrade/bytes after the reply"),
    (
        Fault::LeaksUpgradedSocket,
        "upgrade/the server closes the connection",
    ),
    (Fault::ClosesUpgradedAtFinish, "upgrade/a stop"),
    // Wakes, logs and the rest.
    (Fault::LosesEarlyWake, "time/a wake before the wait"),
    (Fault::LosesLateWake, "time/a wake from another thread"),
    (Fault::IsWokenOnce, "time/a wake from another thread"),
    (Fault::IgnoresWait, "time/a wake before the wait"),
    (Fault::WaitsForeverForWake, "time/waits that time out"),
    (Fault::DropsLog, "stored/a file"),
    (Fault::LogsTwice, "stored/a file"),
    (Fault::PrintsFirstLineOnly, "cgi/reply/no head"),
    (Fault::PrintsLogLate, "stored/a file"),
    (Fault::DropsNotes, "cgi/reply/no head"),
    (Fault::WritesAddressWithSpace, "stored/a file"),
];

/// The faults that cannot be caught over pipes, and why.
const NOT_OVER_PIPES: [(Fault, &str); 12] = [
    (Fault::WritesToOldestConnection, "a pipe is one connection"),
    (Fault::ReadsFromOldestConnection, "a pipe is one connection"),
    (
        Fault::ServesOneConnectionAtATime,
        "a pipe is one connection",
    ),
    (
        Fault::IgnoresFinish,
        "a loop for one transport is not stopped by cases",
    ),
    (
        Fault::ClosesAtFinish,
        "a loop for one transport is not stopped by cases",
    ),
    (
        Fault::StopsReadingAtFinish,
        "a loop for one transport is not stopped by cases",
    ),
    (
        Fault::ClosesUpgradedAtFinish,
        "a loop for one transport is not stopped by cases",
    ),
    (
        Fault::NeverReportsClose,
        "a pipe that is closed cannot be told from one that is reset",
    ),
    (
        Fault::TakesCloseForReset,
        "a pipe that is closed cannot be told from one that is reset",
    ),
    (
        Fault::ClosesAtShutdown,
        "bytes in a pipe are not lost when it is closed",
    ),
    (Fault::DateIsWrong, "the time of a loop may be simulated"),
    (
        Fault::CopiesBeyondRange,
        "whether the last piece is sent by reference depends on the room in the pipe",
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

/// Returns a port with this fault that listens on a socket, as a system under test.
fn over_sockets(fault: Fault, site: &SiteFolder) -> impl FnMut(&Case, Fragmentation) -> Observed {
    let open = OpenFiles::default();
    let counted = open.clone();
    let start =
        move |case: &Case, log: Log| start(fault, site.root_for(case)?, &counted, case, log);
    open.checked(servers(start, Client::connect))
}

/// Returns a port with this fault that serves pipes, as a system under test.
fn over_pipes(fault: Fault, site: &SiteFolder) -> impl FnMut(&Case, Fragmentation) -> Observed {
    let open = OpenFiles::default();
    let counted = open.clone();
    let serve = move |case: &Case, end: PipeEnd, log: &Log| {
        let root = site.root_for(case).expect("a site");
        serve_pipe(fault, root, &counted, case, end, log);
    };
    open.checked(pipes(serve))
}

/// Runs the case that is named for each fault, on several threads. Returns the faults that are not caught.
fn missed<'a, P: FnMut(&Case, Fragmentation) -> Observed>(
    faults: &[(Fault, &'static str)],
    port: impl Fn(Fault, &'a SiteFolder) -> P + Sync,
    site: &'a SiteFolder,
) -> Vec<(Fault, &'static str)> {
    let suite = Suite::standard();
    let is_caught = |&(fault, name): &(Fault, &str)| {
        let cases = suite.cases().iter().filter(|case| case.name == name);
        let cases: Vec<_> = cases.cloned().collect();
        assert_eq!(cases.len(), 1, "one case is called {name}");
        let fragmentations = [Fragmentation::Whole];
        let failure = first_failure(&suite, &cases, &fragmentations, port(fault, site));
        failure
            .map(|(name, problem)| println!("{fault:?}: {name}: {problem}"))
            .is_some()
    };
    thread::scope(|scope| {
        let run = |faults: Vec<(Fault, &'static str)>| {
            let is_caught = &is_caught;
            scope.spawn(move || {
                let missed = faults.into_iter().filter(|fault| !is_caught(fault));
                missed.collect::<Vec<_>>()
            })
        };
        // Neighbours in the list take equally long, so they are not given to the same thread.
        let faults = |first| faults.iter().copied().skip(first).step_by(THREADS);
        let running: Vec<_> = (0..THREADS).map(|at| run(faults(at).collect())).collect();
        let missed = running.into_iter().map(|run| run.join().expect("it ends"));
        missed.flatten().collect()
    })
}

/// The number of threads that run faults.
const THREADS: usize = 6;

#[test]
fn every_fault_is_caught_by_the_case_that_is_named() {
    let site = Site::standard().in_temp_dir().expect("a site");
    assert_eq!(missed(&FAULTS, over_sockets, &site), []);
}

#[test]
fn every_fault_that_a_pipe_can_have_is_caught_over_pipes() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let faults = FAULTS.iter().copied();
    let faults: Vec<_> = faults
        .filter(|(fault, _)| !NOT_OVER_PIPES.iter().any(|(other, _)| other == fault))
        .collect();
    assert_eq!(missed(&faults, over_pipes, &site), []);
}

/// Runs all cases for which `excludes` returns `None` on a port without a fault.
fn pass<'a, P: FnMut(&Case, Fragmentation) -> Observed>(
    excludes: fn(&Case) -> Option<&'static str>,
    fragmentations: &[Fragmentation],
    port: impl Fn(Fault, &'a SiteFolder) -> P + Sync,
    site: &'a SiteFolder,
) {
    let suite = Suite::standard();
    let cases = suite.cases().iter();
    let cases: Vec<_> = cases
        .filter(|case| excludes(case).is_none())
        .cloned()
        .collect();
    thread::scope(|scope| {
        for cases in cases.chunks(cases.len().div_ceil(8)) {
            let (port, suite) = (&port, &suite);
            scope.spawn(move || {
                let port = port(Fault::None, site);
                assert_eq!(first_failure(suite, cases, fragmentations, port), None);
            });
        }
    });
}

#[test]
fn the_port_without_a_fault_passes() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let fragmentations = [Fragmentation::Whole, Fragmentation::Seeded(1)];
    pass(|_| None, &fragmentations, over_sockets, &site);
    let partial = PARTIAL_WRITES.load(Ordering::Relaxed);
    assert!(partial > 4, "{partial} partial writes");
}

#[test]
fn the_port_without_a_fault_passes_over_pipes() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let excludes = |case: &Case| match case.pace.hangs_up {
        _ if case.stops() => Some("stopping"),
        // A pipe that is closed cannot be told from one that is reset.
        Some((_, HangUp::Closes)) => Some("clients that close"),
        _ => None,
    };
    pass(excludes, &[Fragmentation::Whole], over_pipes, &site);
}
