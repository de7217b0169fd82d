//! Simulates the engine: `SEEDS` worlds, or the one of `SEED`, whose transcript is printed.

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
