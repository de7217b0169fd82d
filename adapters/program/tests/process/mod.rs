//! [`Program`]: runs the program as a child process, and reads its banner, output and exit status.
#![allow(dead_code, reason = "no test uses all of it")]

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::TIMEOUT;

/// The path of the program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sanserve");

/// The runtimes of the program. `cargo test --workspace` builds all of them.
pub(crate) const RUNTIMES: &[&str] = if cfg!(feature = "tokio") {
    &["mio", "std", "tokio"]
} else {
    &["mio", "std"]
};

/// A child process that is killed on drop, so that a test leaves none behind.
pub(crate) struct KilledOnDrop(pub(crate) Child);

impl Deref for KilledOnDrop {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for KilledOnDrop {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The running program.
pub(crate) struct Program {
    pub(crate) child: KilledOnDrop,
    pub(crate) stdout: BufReader<ChildStdout>,
    pub(crate) banner: String,
}

/// The exit status and output of the program.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Program {
        Program::start_with_log(command, Stdio::piped())
    }

    /// Starts the program with this standard error.
    pub(crate) fn start_with_log(command: &mut Command, log: impl Into<Stdio>) -> Program {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        Program::after_banner(command.stderr(log).spawn().unwrap())
    }

    /// Waits for the first line of a program that was started with a pipe as its standard output.
    pub(crate) fn after_banner(mut child: Child) -> Program {
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        stdout.read_line(&mut banner).unwrap();
        Program {
            child: KilledOnDrop(child),
            stdout,
            banner,
        }
    }

    /// Returns a command that serves this directory, without colours from the environment of the tests.
    pub(crate) fn command(directory: &Path) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env_remove("FORCE_COLOR").env_remove("NO_COLOR");
        command.arg("0").arg("--directory").arg(directory);
        command
    }

    /// Like [`Program::command`], for another user: the program is copied into `folder`, since the build folder may not
    /// be readable for them.
    #[cfg(unix)]
    pub(crate) fn command_for_others(folder: &Path, directory: &Path) -> Command {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt;

        let program = folder.join("sanserve");
        // Copied by another process, so that no child of this one has it open for writing.
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

    /// Returns the address in the banner.
    pub(crate) fn address(&self) -> SocketAddr {
        let url = self
            .banner
            .split(['(', ')'])
            .nth(1)
            .expect("the banner has a URL");
        let (_, address) = url.split_once("://").expect("a URL has a scheme");
        let address = address.split('/').next().unwrap();
        let mut address: SocketAddr = address.parse().unwrap();
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        address
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops the program, after which its log has a line for each reply that a client has received. Ctrl-C may end it
    /// between the end of a reply and its line.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.ends()
    }

    /// Interrupts the program, as Ctrl-C does, once its log contains `text`.
    pub(crate) fn interrupt_after(mut self, text: &'static str) -> Ended {
        let mut stderr = BufReader::new(self.child.stderr.take().unwrap());
        let (over, logged) = mpsc::channel();
        let reading = thread::spawn(move || {
            let mut log = String::new();
            while !log.contains(text) && stderr.read_line(&mut log).unwrap() > 0 {}
            let _ = over.send(());
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let logged = logged.recv_timeout(TIMEOUT);
        logged.expect("the text is logged in time");
        self.signal(Signal::INT);
        let ended = self.ends();
        let stderr = reading.join().unwrap();
        Ended { stderr, ..ended }
    }

    pub(crate) fn ends(mut self) -> Ended {
        let pid = Pid::from_child(&self.child);
        let (over, ended) = mpsc::channel();
        thread::spawn(move || {
            let mut stdout = String::new();
            self.stdout.read_to_string(&mut stdout).unwrap();
            let mut stderr = String::new();
            if let Some(mut log) = self.child.stderr.take() {
                log.read_to_string(&mut stderr).unwrap();
            }
            let status = self.child.wait().unwrap();
            let _ = over.send(Ended {
                status,
                stdout,
                stderr,
            });
        });
        ended.recv_timeout(TIMEOUT).unwrap_or_else(|_| {
            let _ = kill_process(pid, Signal::KILL);
            panic!("the program does not exit");
        })
    }
}
