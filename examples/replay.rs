//! Replays a simulator transcript: feeds the recorded answers into a new connection, which must make the same requests
//! again. A bug report is then one file.
//!
//!     make sim SEED=4711 SAVE=4711.txt
//!     cargo run --package sanserve-examples --bin replay 4711.txt

use std::process::ExitCode;

use sanserve_conformance::sim::{replay, standard_handler};

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: replay TRANSCRIPT");
        return ExitCode::from(2);
    };
    let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    match text.and_then(|text| replay(&text, standard_handler)) {
        Ok(steps) => {
            println!("{steps} steps, all the same");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}
