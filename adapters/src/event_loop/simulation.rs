//! Simulation of the whole server: its workers, with all their connections, in worlds that are derived from seeds, on
//! one thread and with a virtual clock.

mod client;
mod files;
mod handler;
mod kernel;
mod random;
mod system;
mod world;

use std::{env, panic};

/// Simulates `SEEDS` worlds from `FIRST_SEED` on, or the one of `SEED`, with its transcript.
#[test]
fn every_client_is_served_in_every_world() {
    let number = |name| env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("SEED") {
        return run(seed, true);
    }
    let first = number("FIRST_SEED").unwrap_or(0);
    for seed in first..first + number("SEEDS").unwrap_or(300) {
        run(seed, false);
    }
}

/// Runs a world.
///
/// # Panics
/// If something is wrong; the message names the seed.
fn run(seed: u64, trace: bool) {
    let result = panic::catch_unwind(|| world::run(seed, trace));
    match result {
        Ok(Ok(())) => {}
        Ok(Err(text)) => panic!("seed {seed}: {text}"),
        Err(_) => panic!("seed {seed}: a panic"),
    }
}
