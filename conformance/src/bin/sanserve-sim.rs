//! Checks the engine in simulated worlds, or the services if the argument is `services`: runs `SEEDS` of them; or runs
//! that of `SEED` and prints its transcript; or replays the transcript in the file `REPLAY`.

use std::process::ExitCode;

use sanserve_conformance::sim::Sim;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1);
    let (result, world) = match argument.as_deref() {
        None => (Sim::standard().try_run(), ""),
        Some("services") => (Sim::services().try_run(), " WORLD=services"),
        Some(other) => {
            eprintln!("expected no argument or services (got '{other}')");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (seed, check) = (&failure.seed, failure.check);
            eprintln!("{failure}\nmake sim{world} SEED={seed}");
            if world.is_empty() {
                eprintln!(
                    "to make it a fixed case, add this line to conformance/tests/sim_seeds.txt:"
                );
                eprintln!("{seed}  # {check}");
            }
            ExitCode::FAILURE
        }
    }
}
