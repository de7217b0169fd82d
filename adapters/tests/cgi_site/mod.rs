//! [`CgiSite`]: creates a directory with CGI scripts, runs them, and checks that none of their processes is left.
#![allow(dead_code, reason = "each test uses only some of these")]

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sanserve_core::{CgiScript, FileSystem, FsError, Got, Opened, Path};
use sanserve_server::{Disk, OpenFile};
use tempfile::TempDir;

/// How long tests wait for anything: longer than any step takes, and short enough to wait for.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// A directory with scripts. Only one exists at a time: a script that is still open for writing in a child process of
/// another test could not be run, and descriptors could not be counted.
pub(crate) struct CgiSite {
    dir: TempDir,
    descriptors: usize,
    max_scripts: usize,
    /// Dropped last.
    _lock: MutexGuard<'static, ()>,
}

impl CgiSite {
    pub(crate) fn new() -> CgiSite {
        static LOCK: Mutex<()> = Mutex::new(());
        let lock = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("cgi-bin")).unwrap();
        // Scripts, which may run as another user, create marker files there.
        fs::create_dir(dir.path().join("marks")).unwrap();
        let all = Permissions::from_mode(0o777);
        fs::set_permissions(dir.path().join("marks"), all).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        CgiSite {
            _lock: lock,
            dir,
            descriptors: descriptors().len(),
            max_scripts: 64,
        }
    }

    /// Limits the number of scripts that run at the same time.
    pub(crate) fn with_max_scripts(self, max_scripts: usize) -> CgiSite {
        CgiSite {
            max_scripts,
            ..self
        }
    }

    /// Adds the shell script `cgi-bin/NAME`.
    pub(crate) fn with_script(self, name: &str, body: &str) -> CgiSite {
        self.write(name, &format!("#!/bin/sh\n{body}\n"), 0o755);
        self
    }

    pub(crate) fn write(&self, name: &str, content: &str, mode: u32) {
        let path = self.dir.path().join("cgi-bin").join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    pub(crate) fn disk(&self) -> Disk {
        Disk::open(self.dir.path())
            .unwrap()
            .with_max_scripts(self.max_scripts)
    }

    /// Waits until a script has created this file, and removes it.
    pub(crate) fn wait_for_file(&self, name: &str) {
        let (start, path) = (Instant::now(), self.dir.path().join(name));
        while !path.exists() {
            assert!(start.elapsed() < TIMEOUT, "there is no {name}");
            thread::yield_now();
        }
        fs::remove_file(path).unwrap();
    }

    /// Waits until no script of this directory runs, and returns how long that took.
    pub(crate) fn wait_for_end_of_scripts(&self) -> Duration {
        let (start, root) = (Instant::now(), self.root());
        while is_used(&root) {
            assert!(start.elapsed() < TIMEOUT, "scripts still run");
            thread::yield_now();
        }
        start.elapsed()
    }

    /// Prepares `cgi-bin/NAME`. It is started by the first read of its output.
    pub(crate) fn prepare(&self, name: &str) -> Result<OpenFile, FsError> {
        self.prepare_with(cgi_script(name))
    }

    pub(crate) fn prepare_with(&self, script: CgiScript) -> Result<OpenFile, FsError> {
        match self.disk().run(&script)? {
            Opened::Process(file) => Ok(file),
            other => panic!("not a process: {other:?}"),
        }
    }

    /// Runs `cgi-bin/NAME` to its end with this content.
    pub(crate) fn run(&self, name: &str, content: &[u8]) -> Output {
        self.run_with(cgi_script(name), content)
    }

    pub(crate) fn run_with(&self, script: CgiScript, content: &[u8]) -> Output {
        let mut file = self.prepare_with(script).unwrap();
        let disk = self.disk();
        for piece in content.chunks(10_000) {
            let given = disk.answer_write(&mut file, piece);
            assert!(matches!(given, Got::Bytes(n) if n == piece.len()));
        }
        read_output(&disk, &mut file)
    }

    /// Asserts that nothing is left of the scripts: no process, no zombie, no descriptor.
    pub(crate) fn assert_clean(&self) {
        // Grandchildren take a moment to die, and threads to close descriptors. The event loop reaps children on a
        // separate thread.
        let (start, root) = (Instant::now(), self.root());
        while !children().is_empty() {
            assert!(
                start.elapsed() < TIMEOUT,
                "children are left: {:?}",
                children()
            );
            thread::yield_now();
        }
        while descriptors().len() > self.descriptors {
            assert!(start.elapsed() < TIMEOUT, "descriptors are left");
            thread::yield_now();
        }
        while is_used(&root) {
            assert!(start.elapsed() < TIMEOUT, "processes are left");
            thread::yield_now();
        }
    }
}

/// The output of a script.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    /// The lines for the log: standard error, and how the script ended.
    pub(crate) log: String,
    pub(crate) failed: bool,
}

impl Output {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

pub(crate) fn cgi_script(name: &str) -> CgiScript {
    CgiScript {
        path: Path::parse(&format!("/cgi-bin/{name}")).unwrap(),
        args: Vec::new(),
        env: Vec::new(),
        path_translated: Path::default(),
    }
}

/// Reads the output of a script to its end.
pub(crate) fn read_output(disk: &Disk, file: &mut OpenFile) -> Output {
    let (start, mut output) = (Instant::now(), Output::default());
    let mut buffer = vec![0; 32 * 1024];
    loop {
        assert!(start.elapsed() < TIMEOUT, "it takes too long: {output:?}");
        match disk.fill(file, output.stdout.len() as u64, &mut buffer) {
            Got::Nothing => {}
            Got::Bytes(0) => return output,
            Got::Bytes(n) => output.stdout.extend_from_slice(&buffer[..n]),
            Got::Note(text) => text
                .lines()
                .for_each(|line| output.log += &format!("{line}\n")),
            Got::Refused(_) => {
                output.failed = true;
                return output;
            }
            other => panic!("unexpected answer: {other:?}"),
        }
    }
}

/// Returns the numbers of all open descriptors of this process.
pub(crate) fn descriptors() -> BTreeSet<u32> {
    let found = fs::read_dir("/proc/self/fd").into_iter().flatten();
    found
        .map(|entry| number(&entry.unwrap().file_name().into_string().unwrap()))
        .collect()
}

/// Returns the status lines of the children of this process, including zombies.
fn children() -> Vec<String> {
    let stats = processes().filter_map(|at| fs::read_to_string(at.join("stat")).ok());
    // proc_pid_stat(5): 12 (name) S 11 ...
    let parent = |stat: &String| {
        let rest = stat.rsplit_once(") ").unwrap().1;
        number(rest.split(' ').nth(1).unwrap())
    };
    stats.filter(|stat| parent(stat) == process::id()).collect()
}

/// Returns whether a process has its working directory below this one.
fn is_used(root: &std::path::Path) -> bool {
    processes().any(|at| fs::read_link(at.join("cwd")).is_ok_and(|dir| dir.starts_with(root)))
}

/// Returns the directories in /proc, which include those of all processes.
fn processes() -> impl Iterator<Item = PathBuf> {
    let found = fs::read_dir("/proc").into_iter().flatten();
    found.map(|entry| entry.unwrap().path())
}

fn number(text: &str) -> u32 {
    text.parse().unwrap()
}
