//! Measures h11, Python's engine without I/O, with the same request, if it is installed.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::count::{Cost, callgrind, collected};

/// Measures h11; `None` if there is no Python with h11.
pub fn cost(name: &'static str, request: &str) -> Option<Cost> {
    const TIMES: u64 = 200;
    let python = python()?;
    let counted =
        |times| collected(&run(callgrind("/dev/null".as_ref()).arg(&python), request, times)?.1);
    // The script does each five times.
    let instructions = (counted(TIMES * 2)? - counted(TIMES)?) / (TIMES * 5);
    let (said, _) = run(&mut Command::new(&python), request, TIMES * 10)?;
    Some(Cost {
        name,
        instructions,
        nanoseconds: said.trim().parse().ok()?,
    })
}

/// Returns the path of the interpreter, because `python3` may be a wrapper script.
fn python() -> Option<String> {
    let mut python = Command::new("python3");
    let said = python
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    Some(String::from_utf8(said.ok()?.stdout).ok()?.trim().to_owned())
}

/// Returns its standard output and standard error.
fn run(command: &mut Command, request: &str, times: u64) -> Option<(String, String)> {
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/by_h11.py");
    command.args([SCRIPT, &times.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // A fixed hash seed, so that the counts are reproducible.
    let child = command.stderr(Stdio::piped()).env("PYTHONHASHSEED", "0");
    let mut child = child.spawn().ok()?;
    child.stdin.take()?.write_all(request.as_bytes()).ok()?;
    let ended = child.wait_with_output().ok()?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let said = (text(&ended.stdout), text(&ended.stderr));
    ended.status.success().then_some(said)
}
