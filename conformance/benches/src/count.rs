//! [`costs`]: measures the instructions and the time of each piece of work.

use std::env;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::work::{WORK, Work};

pub struct Cost {
    pub name: &'static str,
    pub instructions: u64,
    /// Zero if the time was not measured.
    pub nanoseconds: u64,
}

/// Measures all work. Instructions are counted for two pieces at a time, and times afterwards.
pub fn costs(timed: bool) -> Vec<Cost> {
    let middle = WORK.len() / 2;
    let count = |work: &[Work]| work.iter().map(counted).collect::<Vec<_>>();
    let (first, second) = WORK.split_at(middle);
    let mut costs = thread::scope(|scope| {
        let first = scope.spawn(|| count(first));
        let second = count(second);
        let mut all = first.join().expect("counting does not panic");
        all.extend(second);
        all
    });
    if timed {
        for (cost, (_, work)) in costs.iter_mut().zip(WORK) {
            cost.nanoseconds = nanoseconds(*work);
        }
    }
    costs
}

fn counted((name, _): &Work) -> Cost {
    const TIMES: u64 = 200;
    let instructions = (instructions(name, TIMES * 2) - instructions(name, TIMES)) / TIMES;
    Cost {
        name,
        instructions,
        nanoseconds: 0,
    }
}

/// Returns the instructions of this program when it does the work `times` times.
fn instructions(name: &str, times: u64) -> u64 {
    let mut valgrind = callgrind("/dev/null".as_ref());
    valgrind
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)));
    valgrind.arg(env::current_exe().expect("this program"));
    let ran = valgrind.args([name, &times.to_string()]).output();
    let said = ran.expect("valgrind has to be installed").stderr;
    let said = String::from_utf8_lossy(&said);
    collected(&said).unwrap_or_else(|| panic!("{name}: callgrind did not count:\n{said}"))
}

/// Returns a command that counts the instructions of the program that is added to it, and writes them to a file.
pub fn callgrind(out: &Path) -> Command {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()));
    valgrind
}

/// Parses the count from the output of callgrind.
pub fn collected(said: &str) -> Option<u64> {
    let mut lines = said.lines();
    let (_, count) = lines.find_map(|line| line.split_once("Collected : "))?;
    count.trim().parse().ok()
}

/// Returns the time of one piece of work: the minimum of several runs of some milliseconds.
fn nanoseconds(work: fn(usize)) -> u64 {
    let go = |times| {
        let start = Instant::now();
        work(times);
        start.elapsed().as_nanos() as u64
    };
    let times = (5_000_000 / (go(10) / 10).max(1)).clamp(5, 20_000);
    let goes = (0..10).map(|_| go(times as usize));
    goes.min().unwrap_or(0) / times
}
