//! What a program takes of the system: memory, descriptors, time on a core.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::Program;

/// Where the system describes the threads of the program.
pub(crate) fn threads(program: &Program) -> Vec<PathBuf> {
    let all = fs::read_dir(format!("/proc/{}/task", program.child.id())).unwrap();
    all.map(|entry| entry.unwrap().path()).collect()
}

/// How long a thread was on a core, ever.
pub(crate) fn on_core(thread: &Path) -> Duration {
    let text = fs::read_to_string(thread.join("schedstat")).unwrap();
    let nanoseconds = text.split(' ').next().unwrap();
    Duration::from_nanos(nanoseconds.parse().unwrap())
}

/// One of the cores that may be used.
pub(crate) fn core() -> String {
    let cores = field("self", "Cpus_allowed_list:");
    cores.split([',', '-']).next().unwrap().to_owned()
}

/// How much memory is resident, in KiB.
pub(crate) fn resident(program: &Program) -> u64 {
    let text = field(&program.child.id().to_string(), "VmRSS:");
    text.trim_end_matches(" kB").parse().unwrap()
}

/// How many descriptors it has open.
pub(crate) fn descriptors(program: &Program) -> usize {
    let place = format!("/proc/{}/fd", program.child.id());
    fs::read_dir(place).unwrap().count()
}

/// What the system says of a process.
fn field(process: &str, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)).unwrap();
    value.trim().to_owned()
}
