//! Tests the engine in simulated worlds: `SEEDS` of them, or the one of `SEED`. Also tests that transcripts can be
//! replayed. The tests of the checks are in `sim_checks`.

use std::process::Command;

use sanserve_conformance::sim::{Seed, Sim, replay, standard_handler};
use sanserve_core::{AsyncExchange, from_async_fn};

#[test]
fn all_checks_hold_in_all_worlds() {
    Sim::standard().run();
}

#[test]
fn all_checks_hold_with_asynchronous_handlers() {
    let handler = |number| {
        from_async_fn(move |ex: AsyncExchange| async move {
            ex.delegate(standard_handler(number)).await;
            Ok(())
        })
    };
    // Some of them make mistakes on purpose.
    let sim = Sim::new(handler).allow_handler_errors(|_, _| true);
    sim.run();
}

#[test]
fn all_checks_hold_in_the_worlds_that_have_failed_once() {
    Sim::standard().run_seeds(include_str!("sim_seeds.txt"));
}

#[test]
#[should_panic(expected = "the check `own` failed")]
fn a_fixed_seed_that_fails_is_reported() {
    let sim = Sim::standard().check("own", |_| Err("for the test".into()));
    sim.run_seeds("# none\n\n3-faults # a comment\n");
}

#[test]
fn a_transcript_is_deterministic_and_can_be_replayed() {
    let sim = Sim::standard();
    for seed in 1..200 {
        let transcript = sim.simulate(seed, true).transcript;
        assert_eq!(
            sim.simulate(seed, true).transcript,
            transcript,
            "seed {seed}"
        );
        let steps =
            replay(&transcript, standard_handler).unwrap_or_else(|what| panic!("{seed}: {what}"));
        let lines = transcript
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
        assert_eq!(
            steps,
            lines.filter(|line| !line.ends_with("\tfinish")).count()
        );
    }
}

#[test]
fn a_replay_reports_the_first_different_step() {
    let transcript = Sim::standard().simulate(1, true).transcript;
    let reads = transcript
        .find("\tread 512\t")
        .expect("the first want is a read");
    let mut changed = transcript.clone();
    changed.replace_range(reads..reads + 10, "\tread 511\t");
    let what = replay(&changed, standard_handler).expect_err("nothing reads 511 bytes");
    let line = transcript[..reads].lines().count();
    assert!(
        what.starts_with(&format!("line {line}: read 512\t")),
        "{what}"
    );
    let what = replay("what is this?", standard_handler).expect_err("it is not a transcript");
    assert_eq!(what, "line 1: not a line of a transcript");
}

#[test]
fn a_reduced_world_lacks_what_is_left_out_and_can_be_replayed() {
    let sim = Sim::standard();
    for number in 1..100 {
        let seed = format!("{number}-faults-c1..9-c0/break-c0/r0-c0/r1/b0..");
        let seed: Seed = seed.parse().expect("it is valid");
        let outcome = sim.simulate(&seed, true);
        let transcript = &outcome.transcript;
        assert_eq!(*transcript, sim.transcript(&seed));
        assert!(transcript.contains("\n# faults: none\n"), "{transcript}");
        let lines = transcript.lines().filter(|line| !line.starts_with('#'));
        let has_faults = |line: &str| line.matches('\t').count() == 6 && !line.ends_with('\t');
        assert_eq!(lines.clone().find(|line| has_faults(line)), None);
        let whole = sim.simulate(number, false).conversations;
        for conversation in outcome.conversations.iter().filter(|one| one.number == 0) {
            assert!(!conversation.disruptions.reset && !conversation.disruptions.finished);
            if let (Some(ours), Some(all)) = (&conversation.sent_lines, &whole[0].sent_lines)
                && let [_, rest @ ..] = &all[..]
            {
                assert!(ours.starts_with(rest) || rest.starts_with(ours), "{seed}");
            }
        }
        assert!(
            outcome
                .conversations
                .iter()
                .all(|one| !(1..9).contains(&one.number))
        );
        replay(transcript, standard_handler).expect("it is the same");
    }
}

#[test]
fn a_saved_transcript_can_be_replayed() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("transcript");
    let sim = |variable: &str, value: &str, save: &str| {
        let program = env!("CARGO_BIN_EXE_sanserve-sim");
        let mut command = Command::new(program);
        command.env(variable, value).env("SAVE", save);
        let output = command.output().expect("it can be started");
        let text = String::from_utf8(output.stdout).expect("it is text");
        (output.status.success(), text)
    };
    let path = path.to_str().expect("it is text");
    assert_eq!(sim("SEED", "3-late", path), (true, String::new()));
    let (ok, text) = sim("REPLAY", path, "");
    assert!(ok && text.ends_with(" steps, all the same\n"), "{text}");
    let (ok, text) = sim("SEED", "3-late", "");
    assert!(
        ok && text.starts_with("# sanserve transcript 2, seed 3-late\n"),
        "{text}"
    );
    let (ok, _) = sim("REPLAY", "/nonexistent", "");
    assert!(!ok);
    let html = folder.path().join("page.html");
    let program = env!("CARGO_BIN_EXE_sanserve-sim");
    let mut command = Command::new(program);
    let output = command.env("SEED", "3").env("HTML", &html).output();
    assert!(output.expect("it can be started").status.success());
    let page = std::fs::read_to_string(html).expect("it was written");
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.contains("<h1>seed 3</h1>"),
        "{page}"
    );
}
