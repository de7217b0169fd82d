//! Runs many seeds, and reports the first failure.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use sanserve_core::{FileSystem, Handler};

use super::Sim;

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed of the world.
    pub seed: u64,
    /// The name of the check, or `panic`.
    pub check: &'static str,
    /// The number of the connection in that world.
    pub connection: usize,
    /// A description of the violation.
    pub message: String,
}

impl Failure {
    pub(super) fn new(
        seed: u64,
        check: &'static str,
        connection: usize,
        message: String,
    ) -> Failure {
        Failure {
            seed,
            check,
            connection,
            message,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure {
            seed,
            check,
            connection,
            message,
        } = self;
        write!(
            out,
            "seed {seed}, connection {connection}: the check `{check}` failed: {message}\n\
             to run it again and print its transcript, set SEED={seed}"
        )
    }
}

/// Converts a panic to a failure.
pub(super) fn catch<T>(seed: u64, play: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(play)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Failure::new(seed, "panic", 0, text.unwrap_or("a panic").into())
    })
}

impl<S: FileSystem, H: Handler> Sim<S, H> {
    /// Runs the seeds from 1 to `SEEDS`, by default 1,000, and prints their number and the time. If `SEED` is in the
    /// environment, only that seed is run, and its transcript is printed, or written to the file in `SAVE`.
    ///
    /// # Panics
    /// At the first check that fails, with its name, the seed, and how to repeat it. Also if `SEED` or `SEEDS` is not a
    /// number.
    pub fn run(&self) {
        if let Err(failure) = self.try_run() {
            panic!("\n{failure}");
        }
    }

    /// Like [`run`](Self::run), but returns a failed check.
    ///
    /// # Errors
    /// The first check that fails.
    ///
    /// # Panics
    /// If `SEED` or `SEEDS` is not a number.
    pub fn try_run(&self) -> Result<(), Failure> {
        let number = |name: &str| {
            let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
            Some(
                text.parse()
                    .unwrap_or_else(|_| panic!("{name} must be a number")),
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
