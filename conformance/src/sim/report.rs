//! Runs of many seeds: how many, how fast, and what went wrong.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use sanserve_core::{FileSystem, Handler};

use super::Sim;

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The world.
    pub seed: u64,
    /// The name of the check; `panic` if there was one.
    pub check: &'static str,
    /// The number of the connection in that world.
    pub connection: usize,
    /// What is wrong.
    pub what: String,
}

impl Failure {
    pub(super) fn new(seed: u64, check: &'static str, connection: usize, what: String) -> Failure {
        Failure {
            seed,
            check,
            connection,
            what,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure {
            seed,
            check,
            connection,
            what,
        } = self;
        write!(
            out,
            "seed {seed}, connection {connection}: the check `{check}` failed: {what}\n\
             again, with its transcript: SEED={seed}"
        )
    }
}

/// Makes a failure of a panic.
pub(super) fn catch<T>(seed: u64, play: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(play)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Failure::new(seed, "panic", 0, text.unwrap_or("a panic").into())
    })
}

impl<S: FileSystem, H: Handler> Sim<S, H> {
    /// Runs the seeds from 1 on, 1,000 of them or as many as `SEEDS` says, and prints how many
    /// there were and how long they took. With `SEED` in the environment it is that one alone, and
    /// its transcript is printed, or written to the file that `SAVE` names.
    ///
    /// # Panics
    /// At the first check that fails, with its name, the seed, and how to repeat it. And if what is in
    /// the environment is no number.
    pub fn run(&self) {
        if let Err(failure) = self.try_run() {
            panic!("\n{failure}");
        }
    }

    /// The same without the panic.
    ///
    /// # Errors
    /// The first check that fails.
    ///
    /// # Panics
    /// If what is in the environment is no number.
    pub fn try_run(&self) -> Result<(), Failure> {
        let number = |name: &str| {
            let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
            Some(
                text.parse()
                    .unwrap_or_else(|_| panic!("{name} is a number")),
            )
        };
        if let Some(seed) = number("SEED") {
            return self.show(seed);
        }
        let (start, seeds) = (Instant::now(), number("SEEDS").unwrap_or(1000));
        let (mut steps, mut connections) = (0, 0);
        for seed in 1..=seeds {
            let conversation = self.check_seed(seed)?.conversations;
            connections += conversation.len();
            steps += conversation
                .iter()
                .map(|conversation| conversation.counts.steps)
                .sum::<u64>();
        }
        let took = start.elapsed().as_secs_f64();
        let speed = seeds as f64 / took.max(f64::MIN_POSITIVE);
        println!(
            "{seeds} seeds, {connections} connections, {steps} steps in {took:.1} s: \
             {speed:.0} seeds a second"
        );
        Ok(())
    }

    fn show(&self, seed: u64) -> Result<(), Failure> {
        let transcript = catch(seed, || self.simulate(seed, true).transcript)?;
        match std::env::var("SAVE") {
            Ok(path) if !path.is_empty() => {
                std::fs::write(&path, transcript).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
            _ => print!("{transcript}"),
        }
        self.check_seed(seed).map(|_| ())
    }
}
