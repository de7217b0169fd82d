//! Runs the worlds of many seeds, and reports the first check that fails, or the first panic.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use sanserve_core::{FileSystem, Handler};

use super::Sim;
use super::watchdog::Watchdog;

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

/// Runs a part of a world, and returns the message of a panic as an error.
pub(super) fn catch<T>(play: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(play)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic").into()
    })
}

impl<S: FileSystem, H: Handler> Sim<S, H> {
    /// Runs `SEEDS` seeds, by default 1,000, from `FIRST_SEED` on, by default 1, and prints their number and the time. If
    /// `SEED` is in the environment, only that seed is run, and its transcript is printed, or written to the file in
    /// `SAVE`.
    ///
    /// If one seed takes more than `SEED_SECONDS` of real time, by default 60, a handler does not return. The process
    /// then prints the seed and exits.
    ///
    /// # Panics
    /// At the first check that fails, with its name, the seed, and how to repeat it. Also if one of these variables is
    /// not a number.
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
    /// If a variable is not a number.
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
        let (first, seeds) = (
            number("FIRST_SEED").unwrap_or(1),
            number("SEEDS").unwrap_or(1000),
        );
        let watchdog = Watchdog::start(number("SEED_SECONDS").unwrap_or(60));
        let (start, mut steps, mut connections) = (Instant::now(), 0, 0);
        for seed in first..first.saturating_add(seeds) {
            watchdog.seed_begins(seed);
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
            "{seeds} seeds from {first}, {connections} connections, {steps} steps in {took:.1} s: \
             {speed:.0} seeds a second"
        );
        Ok(())
    }

    fn show(&self, seed: u64) -> Result<(), Failure> {
        let transcript = self.play(seed, true).transcript;
        match std::env::var("SAVE") {
            Ok(path) if !path.is_empty() => {
                std::fs::write(&path, transcript).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
            _ => print!("{transcript}"),
        }
        self.check_seed(seed).map(|_| ())
    }
}
