//! [`costs`]: the instructions and the time that each piece of work takes.

use std::env;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::work::{WORK, Work};

pub struct Cost {
    pub name: &'static str,
    pub instructions: u64,
    /// Zero if nobody wants to know.
    pub nanoseconds: u64,
}

/// What each piece of work costs. The counting goes on two at a time, the clock runs when all is quiet.
pub fn costs(timed: bool) -> Vec<Cost> {
    let middle = WORK.len() / 2;
    let count = |work: &[Work]| work.iter().map(counted).collect::<Vec<_>>();
    let (first, second) = WORK.split_at(middle);
    let mut costs = thread::scope(|scope| {
        let first = scope.spawn(|| count(first));
        let second = count(second);
        let mut all = first.join().expect("the other half is counted");
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

/// How many instructions this program takes to do it so many times.
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

/// Returns a command that counts the instructions of the program that follows, and writes them to a file.
pub fn callgrind(out: &Path) -> Command {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()));
    valgrind
}

/// The count in what callgrind says.
pub fn collected(said: &str) -> Option<u64> {
    let mut lines = said.lines();
    let (_, count) = lines.find_map(|line| line.split_once("Collected : "))?;
    count.trim().parse().ok()
}

/// The least of several goes of some milliseconds, for one.
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
