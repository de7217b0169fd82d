//! The program as a process, and what it leaves behind.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::TIMEOUT;

/// Where it is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sanserve");

/// What can carry its connections. `cargo test --workspace` builds it with all of them.
pub(crate) const RUNTIMES: &[&str] = if cfg!(feature = "tokio") {
    &["mio", "std", "tokio"]
} else {
    &["mio", "std"]
};

/// The program, serving.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) stdout: BufReader<ChildStdout>,
    pub(crate) banner: String,
}

/// What it left behind.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Program {
        Program::start_with_log(command, Stdio::piped())
    }

    /// The same with a standard error of the test's choice.
    pub(crate) fn start_with_log(command: &mut Command, log: impl Into<Stdio>) -> Program {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        stdout.read_line(&mut banner).unwrap();
        Program {
            child,
            stdout,
            banner,
        }
    }

    /// What would serve this directory, whatever colours are wanted where the tests run.
    pub(crate) fn command(directory: &Path) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env_remove("FORCE_COLOR").env_remove("NO_COLOR");
        command.arg("0").arg("--directory").arg(directory);
        command
    }

    /// The same for another user, who may not reach the folder that the program was built in: it is copied into
    /// this one.
    #[cfg(unix)]
    pub(crate) fn command_for_others(folder: &Path, directory: &Path) -> Command {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt;

        let program = folder.join("sanserve");
        // By a process of its own: no child of this one holds it open for writing.
        let copied = Command::new("cp").arg(PROGRAM).arg(&program).status();
        assert!(copied.unwrap().success());
        set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new(program);
        command.env_remove("FORCE_COLOR").env_remove("NO_COLOR");
        command.arg("0").arg("--directory").arg(directory);
        command
    }

    pub(crate) fn serve(directory: &Path, options: &[&str]) -> Program {
        Program::start(Program::command(directory).args(options))
    }

    /// As the banner has it.
    pub(crate) fn address(&self) -> SocketAddr {
        let url = self
            .banner
            .split(['(', ')'])
            .nth(1)
            .expect("the banner has a URL");
        let (_, address) = url.split_once("://").expect("a URL has a scheme");
        let address = address.trim_end_matches('/');
        let mut address: SocketAddr = address.parse().unwrap();
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        address
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn ends(mut self) -> Ended {
        let pid = Pid::from_child(&self.child);
        let (over, ended) = mpsc::channel();
        thread::spawn(move || {
            let mut stdout = String::new();
            self.stdout.read_to_string(&mut stdout).unwrap();
            let output = self.child.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            let status = output.status;
            let _ = over.send(Ended {
                status,
                stdout,
                stderr,
            });
        });
        ended.recv_timeout(TIMEOUT).unwrap_or_else(|_| {
            let _ = kill_process(pid, Signal::KILL);
            panic!("the program does not end");
        })
    }
}
