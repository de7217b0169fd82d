//! Replays recordings of `sanserve --record FILE`: prints where the engine of today replies differently.

use std::process::ExitCode;
use std::{env, fs};

use sanserve_conformance::recording::Recording;

const USAGE: &str = "usage: sanserve-replay RECORDING...";

fn main() -> ExitCode {
    let paths: Vec<_> = env::args_os().skip(1).collect();
    if paths.is_empty() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    if paths.iter().any(|path| path == "--help" || path == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let mut is_same = true;
    for path in paths {
        let path = path.to_string_lossy();
        let text = fs::read_to_string(&*path).map_err(|error| error.to_string());
        let recording = match text.and_then(|text| Recording::parse(&text)) {
            Ok(recording) => recording,
            Err(error) => {
                eprintln!("{path}: {error}");
                return ExitCode::from(2);
            }
        };
        match recording.dropped() {
            Some(0) => {}
            Some(dropped) => eprintln!("{path}: {dropped} events were dropped"),
            None => eprintln!("{path}: the recording has no end, because the server was killed"),
        }
        let replay = recording.replay_command();
        println!("{replay}");
        is_same &= replay.differences.is_empty();
    }
    ExitCode::from(u8::from(!is_same))
}
