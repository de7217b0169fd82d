//! Runs the worlds of many seeds, and reports the first check that fails, or the first panic.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::time::Instant;

use sanserve_core::{FileSystem, Handler};

use super::excerpt::excerpt;
use super::page::page;
use super::watchdog::Watchdog;
use super::{Seed, Sim, replay};

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed of the world.
    pub seed: Seed,
    /// The name of the check, or `panic`.
    pub check: &'static str,
    /// The number of the connection in that world.
    pub connection: usize,
    /// A description of the violation.
    pub message: String,
}

impl Failure {
    /// Returns whether another failure is probably one of the same fault.
    pub(super) fn is_alike(&self, other: &Failure) -> bool {
        let same_mistake = self.check != "handler" || self.message == other.message;
        self.check == other.check && same_mistake
    }

    pub(super) fn new(
        seed: &Seed,
        check: &'static str,
        connection: usize,
        message: String,
    ) -> Failure {
        Failure {
            seed: seed.clone(),
            check,
            connection,
            message,
        }
    }

    /// Returns the line that a page has as its title.
    fn title(&self) -> String {
        let text = self.to_string();
        text.lines().next().unwrap_or_default().into()
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

thread_local! {
    /// Whether the panics of this thread are not printed.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs many worlds whose panics need not be printed, since one like them was printed before.
pub(super) fn quietly<T>(run: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                print(info);
            }
        }));
    });
    QUIET.set(true);
    let result = run();
    QUIET.set(false);
    result
}

impl<S: FileSystem, H: Handler> Sim<S, H> {
    /// Runs `SEEDS` seeds, by default 1,000, from `FIRST_SEED` on, by default 1, and prints their number and the time.
    /// If one fails, its world is [reduced](Self::shrink), and an excerpt of its transcript is printed.
    ///
    /// If `HTML` is in the environment, the transcript is also written to that file as a page with a lane for each part
    /// of the world.
    ///
    /// If `SEED` is in the environment, such as `17` or `17-short-c1`, only that world is run, and its transcript is
    /// printed, or written to the file in `SAVE`. If `REPLAY` is there, the transcript in that file is
    /// [replayed](super::replay()).
    ///
    /// If one seed takes more than `SEED_SECONDS` of real time, by default 60, a handler does not return. The process
    /// then prints the seed and exits.
    ///
    /// # Panics
    /// At the first check that fails, with its name, the seed, and how to repeat it. Also if one of these variables is
    /// invalid, or if a replay differs.
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
    /// If a variable is invalid, or if a replay differs.
    pub fn try_run(&self) -> Result<(), Failure> {
        if let Some(path) = variable("REPLAY") {
            self.replay_file(&path);
            return Ok(());
        }
        if let Some(seed) = variable("SEED") {
            return self.show(&seed.parse().unwrap_or_else(|error| panic!("SEED: {error}")));
        }
        let (first, seeds) = (number("FIRST_SEED", 1), number("SEEDS", 1000));
        let watchdog = Watchdog::start(number("SEED_SECONDS", 60));
        let (start, mut steps, mut connections) = (Instant::now(), 0, 0);
        for seed in first..first.saturating_add(seeds) {
            watchdog.seed_begins(seed);
            let conversations = match self.check_seed(seed) {
                Ok(outcome) => outcome.conversations,
                Err(failure) => {
                    drop(watchdog);
                    return Err(self.report(&failure));
                }
            };
            connections += conversations.len();
            steps += conversations
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

    /// Reduces the world of a failure, and prints an excerpt of its transcript.
    fn report(&self, failure: &Failure) -> Failure {
        println!("{failure}\nreducing this world ...");
        let failure = self.shrink(failure);
        let transcript = self.transcript(&failure.seed);
        print!("{}", excerpt(&transcript));
        write_page(&transcript, &failure.title());
        failure
    }

    /// Runs the seeds of a text, one in each line, which may be followed by `#` and a comment: worlds that have failed
    /// once.
    ///
    /// # Panics
    /// At the first check that fails, as in [`run`](Self::run). Also if a line has no seed.
    pub fn run_seeds(&self, text: &str) {
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default());
        for line in lines.filter(|line| !line.trim().is_empty()) {
            let seed: Seed = line.parse().unwrap_or_else(|error| panic!("{error}"));
            if let Err(failure) = self.check_seed(seed) {
                panic!("\n{}", self.report(&failure));
            }
        }
    }

    /// Returns the transcript of a world, whether it fails or not.
    #[must_use]
    pub fn transcript(&self, seed: &Seed) -> String {
        quietly(|| self.play(seed, true).transcript)
    }

    fn show(&self, seed: &Seed) -> Result<(), Failure> {
        let transcript = self.transcript(seed);
        match variable("SAVE") {
            Some(path) => {
                std::fs::write(&path, &transcript)
                    .unwrap_or_else(|error| panic!("{path}: {error}"));
            }
            None => print!("{}", excerpt(&transcript)),
        }
        let failed = self.check_seed(seed).err();
        let title = failed.as_ref().map(Failure::title);
        write_page(
            &transcript,
            &title.unwrap_or_else(|| format!("seed {seed}")),
        );
        failed.map_or(Ok(()), Err)
    }

    fn replay_file(&self, path: &str) {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let steps = replay(&text, |number| (self.handler)(number));
        let steps = steps.unwrap_or_else(|error| panic!("{path}: {error}"));
        println!("{steps} steps, all the same");
    }
}

/// Writes the page of a transcript, if `HTML` is in the environment.
fn write_page(transcript: &str, title: &str) {
    if let Some(path) = variable("HTML") {
        let page = page(transcript, title);
        std::fs::write(&path, page).unwrap_or_else(|error| panic!("{path}: {error}"));
        println!("the page is in {path}");
    }
}

/// Returns a variable of the environment that is not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn number(name: &str, default: u64) -> u64 {
    variable(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number (got {text})"))
    })
}
