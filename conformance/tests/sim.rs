//! Tests the engine in simulated worlds: `SEEDS` of them, or the one of `SEED`. Also tests that transcripts can be
//! replayed. The tests of the checks are in `sim_checks`.

use sanserve_conformance::sim::{Sim, replay, standard_handler};

#[test]
fn all_checks_hold_in_all_worlds() {
    Sim::standard().run();
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
