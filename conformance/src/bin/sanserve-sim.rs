//! Checks the engine in simulated worlds: runs `SEEDS` of them; or runs that of `SEED` and prints its transcript; or
//! replays the transcript in the file `REPLAY`.

use std::process::ExitCode;

use sanserve_conformance::sim::Sim;

fn main() -> ExitCode {
    match Sim::standard().try_run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (seed, check) = (&failure.seed, failure.check);
            eprintln!("{failure}\nmake sim SEED={seed}");
            eprintln!("to make it a fixed case, add this line to conformance/tests/sim_seeds.txt:");
            eprintln!("{seed}  # {check}");
            ExitCode::FAILURE
        }
    }
}
