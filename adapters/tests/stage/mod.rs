//! Where scripts are written, run, and looked for when they ought to be gone.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sanserve_core::{CgiScript, FileSystem, FsError, Got, Opened, Path};
use sanserve_server::{Disk, Open};
use tempfile::TempDir;

/// Longer than anything takes, shorter than anybody waits.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A directory with scripts, for one test at a time: a script that is still open for writing in
/// the child of another test could not be run, and descriptors could not be counted.
pub(crate) struct Stage {
    dir: TempDir,
    descriptors: usize,
    /// How many scripts may run at a time.
    scripts: usize,
    /// Let go of last.
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("cgi-bin")).unwrap();
        // Scripts leave their marks there, as another user.
        fs::create_dir(dir.path().join("marks")).unwrap();
        let all = Permissions::from_mode(0o777);
        fs::set_permissions(dir.path().join("marks"), all).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        Stage {
            _alone: alone,
            dir,
            descriptors: descriptors().len(),
            scripts: 64,
        }
    }

    /// Lets no more scripts than this run at a time.
    pub(crate) fn with_max_scripts(self, scripts: usize) -> Stage {
        Stage { scripts, ..self }
    }

    /// Adds `cgi-bin/NAME`, for `/bin/sh`.
    pub(crate) fn script(self, name: &str, body: &str) -> Stage {
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
            .with_max_scripts(self.scripts)
    }

    /// Waits until this file is there, which a script makes.
    pub(crate) fn wait_for(&self, name: &str) {
        let (start, path) = (Instant::now(), self.dir.path().join(name));
        while !path.exists() {
            assert!(start.elapsed() < LONG, "there is no {name}");
            thread::yield_now();
        }
        fs::remove_file(path).unwrap();
    }

    /// Waits until no script of this stage runs. Returns how long that took.
    pub(crate) fn wait_for_the_end_of_scripts(&self) -> Duration {
        let (start, root) = (Instant::now(), self.root());
        while is_used(&root) {
            assert!(start.elapsed() < LONG, "scripts still run");
            thread::yield_now();
        }
        start.elapsed()
    }

    /// Sets `cgi-bin/NAME` up.
    pub(crate) fn set_up(&self, name: &str) -> Result<Open, FsError> {
        self.set_up_with(program(name))
    }

    pub(crate) fn set_up_with(&self, program: CgiScript) -> Result<Open, FsError> {
        match self.disk().run(&program)? {
            Opened::Process(file) => Ok(file),
            other => panic!("this is no program: {other:?}"),
        }
    }

    /// Runs it to its end with this content.
    pub(crate) fn play(&self, name: &str, content: &[u8]) -> Played {
        self.play_with(program(name), content)
    }

    pub(crate) fn play_with(&self, program: CgiScript, content: &[u8]) -> Played {
        let mut file = self.set_up_with(program).unwrap();
        let disk = self.disk();
        for piece in content.chunks(10_000) {
            let given = disk.answer_write(&mut file, piece);
            assert!(matches!(given, Got::Bytes(n) if n == piece.len()));
        }
        read(&disk, &mut file)
    }

    /// Nothing of what was started is left: no process, no zombie, no descriptor.
    pub(crate) fn assert_clean(&self) {
        // Children of children take a moment to die, and threads a moment to let go. With mio a
        // thread of its own takes in the end of each child.
        let (start, root) = (Instant::now(), self.root());
        while !children().is_empty() {
            assert!(
                start.elapsed() < LONG,
                "children are left: {:?}",
                children()
            );
            thread::yield_now();
        }
        while descriptors().len() > self.descriptors {
            assert!(start.elapsed() < LONG, "descriptors are left");
            thread::yield_now();
        }
        while is_used(&root) {
            assert!(start.elapsed() < LONG, "processes are left");
            thread::yield_now();
        }
    }
}

/// What a program said.
#[derive(Debug, Default)]
pub(crate) struct Played {
    pub(crate) stdout: Vec<u8>,
    pub(crate) notes: String,
    pub(crate) failed: bool,
}

impl Played {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

pub(crate) fn program(name: &str) -> CgiScript {
    CgiScript {
        path: Path::parse(&format!("/cgi-bin/{name}")).unwrap(),
        args: Vec::new(),
        env: Vec::new(),
        path_translated: Path::default(),
    }
}

/// Reads a program to its end.
pub(crate) fn read(disk: &Disk, file: &mut Open) -> Played {
    let (start, mut played) = (Instant::now(), Played::default());
    let mut into = vec![0; 32 * 1024];
    loop {
        assert!(start.elapsed() < LONG, "it takes too long: {played:?}");
        match disk.fill(file, played.stdout.len() as u64, &mut into) {
            Got::Nothing => {}
            Got::Bytes(0) => return played,
            Got::Bytes(n) => played.stdout.extend_from_slice(&into[..n]),
            Got::Note(text) => text
                .lines()
                .for_each(|line| played.notes += &format!("{line}\n")),
            Got::Refused(_) => {
                played.failed = true;
                return played;
            }
            got => panic!("no answer to ReadFile: {got:?}"),
        }
    }
}

/// The numbers of all open descriptors of this process.
pub(crate) fn descriptors() -> BTreeSet<u32> {
    let found = fs::read_dir("/proc/self/fd").into_iter().flatten();
    found
        .map(|entry| number(&entry.unwrap().file_name().into_string().unwrap()))
        .collect()
}

/// The children of this process, zombies too.
fn children() -> Vec<String> {
    let stats = processes().filter_map(|at| fs::read_to_string(at.join("stat")).ok());
    // 12 (name) S 11 ...
    let parent = |stat: &String| {
        let rest = stat.rsplit_once(") ").unwrap().1;
        number(rest.split(' ').nth(1).unwrap())
    };
    stats.filter(|stat| parent(stat) == process::id()).collect()
}

/// Whether a process has its working directory there.
fn is_used(root: &std::path::Path) -> bool {
    processes().any(|at| fs::read_link(at.join("cwd")).is_ok_and(|dir| dir.starts_with(root)))
}

/// Where all processes are described.
fn processes() -> impl Iterator<Item = PathBuf> {
    let found = fs::read_dir("/proc").into_iter().flatten();
    found.map(|entry| entry.unwrap().path())
}

fn number(text: &str) -> u32 {
    text.parse().unwrap()
}
