//! Simulates the engine: runs `SEEDS` worlds, or the world of `SEED`, and prints its transcript.

use std::process::ExitCode;

use sanserve_conformance::sim::Sim;

fn main() -> ExitCode {
    match Sim::standard().try_run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}\nmake sim SEED={}", failure.seed);
            ExitCode::FAILURE
        }
    }
}
