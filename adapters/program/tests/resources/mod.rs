//! Reads the resource usage of a program from `/proc`: memory, descriptors, CPU time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::Program;

/// Returns the folders of the program's threads in `/proc`.
pub(crate) fn threads(program: &Program) -> Vec<PathBuf> {
    let all = fs::read_dir(format!("/proc/{}/task", program.child.id())).unwrap();
    all.map(|entry| entry.unwrap().path()).collect()
}

/// Returns the CPU time of a thread.
pub(crate) fn on_core(thread: &Path) -> Duration {
    let text = fs::read_to_string(thread.join("schedstat")).unwrap();
    let nanoseconds = text.split(' ').next().unwrap();
    Duration::from_nanos(nanoseconds.parse().unwrap())
}

/// Returns one of the cores that this process may use.
pub(crate) fn core() -> String {
    let cores = field("self", "Cpus_allowed_list:");
    cores.split([',', '-']).next().unwrap().to_owned()
}

/// Returns the resident memory in KiB.
pub(crate) fn resident(program: &Program) -> u64 {
    let text = field(&program.child.id().to_string(), "VmRSS:");
    text.trim_end_matches(" kB").parse().unwrap()
}

/// Returns the number of open descriptors.
pub(crate) fn descriptors(program: &Program) -> usize {
    let place = format!("/proc/{}/fd", program.child.id());
    fs::read_dir(place).unwrap().count()
}

/// Returns a field of the status of a process.
fn field(process: &str, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)).unwrap();
    value.trim().to_owned()
}
