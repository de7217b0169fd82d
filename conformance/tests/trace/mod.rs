//! [`Trace`]: the system calls of a server while the timed cases run. It shows that some writes were partial, and that
//! some deadlines were reached. Without them, the cases would also pass on a server that handles neither.

use std::env;
use std::fs;
use std::process::Command;

use super::tools;

/// The system calls of each thread of the server, in order, as strace prints them.
pub(crate) struct Trace {
    threads: Vec<Vec<String>>,
}

impl Trace {
    /// Runs the test `conforms` of this program again, with the timed cases, below strace. Returns `None` if that is not
    /// installed.
    pub(crate) fn of_timed_cases() -> Option<Self> {
        let strace = tools::find("strace")?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ran = Command::new(strace)
            .args(["-ff", "--seccomp-bpf", "-s", "8", "-e", CALLS, "-e"])
            .args(["signal=none", "-o"])
            .arg(folder.path().join("thread"))
            .arg(env::current_exe().expect("the path of this program"))
            .args(["--exact", "conforms"])
            .env("CASE", "time/")
            .output();
        let ran = ran.expect("strace runs");
        let output = String::from_utf8_lossy(&ran.stdout);
        assert!(
            ran.status.success() && output.contains("1 passed"),
            "{output}"
        );
        let files = fs::read_dir(folder.path()).expect("the traces");
        let traces = files.map(|file| fs::read(file.expect("a trace").path()).expect("a trace"));
        let threads = traces.map(|trace| {
            let lines = String::from_utf8_lossy(&trace);
            lines.lines().map(str::to_owned).collect()
        });
        // The thread that connects is that of the clients.
        let connects = |calls: &Vec<String>| calls.iter().any(|call| call.starts_with("connect("));
        let threads = threads.filter(|calls| !connects(calls)).collect();
        Some(Self { threads })
    }

    /// Returns the number of writes of which the socket accepted only a part.
    pub(crate) fn partial_writes(&self) -> usize {
        let calls = self.threads.iter().flatten();
        calls.filter(|call| is_partial(call) == Some(true)).count()
    }

    /// Returns the number of waits that ended at a deadline, after which the server replied to a client or closed the
    /// connection. `is_at_deadline` returns whether a call is a wait that ended because its time was over.
    pub(crate) fn deadlines(&self, is_at_deadline: impl Fn(&str) -> bool) -> usize {
        let acts = |call: &str| {
            let acts = ["sendto(", "shutdown(", "close("];
            acts.iter().any(|name| call.starts_with(name))
        };
        let calls = self.threads.iter().flat_map(|calls| calls.windows(2));
        calls
            .filter(|calls| is_at_deadline(&calls[0]) && acts(&calls[1]))
            .count()
    }
}

/// The calls that are traced.
const CALLS: &str =
    "trace=connect,sendto,sendfile,shutdown,close,recvfrom,ppoll,epoll_wait,epoll_pwait";

/// Returns whether a call has sent fewer bytes than it offered; `None` if it is not a write, or has failed.
fn is_partial(call: &str) -> Option<bool> {
    let (call, sent) = call.rsplit_once(" = ")?;
    let arguments = match call.split_once('(')? {
        ("sendto", arguments) => arguments.rsplit_once(", MSG_")?.0,
        ("sendfile", arguments) => arguments.trim_end().strip_suffix(')')?,
        _ => return None,
    };
    let offered: usize = arguments.rsplit_once(", ")?.1.parse().ok()?;
    let sent: usize = sent.parse().ok()?;
    Some(sent < offered)
}
