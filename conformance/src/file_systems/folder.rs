//! Checks of file systems that serve a folder of a disk, and [`Folder`]: that folder.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sanserve_core::{Create, FileSystem, FsError};
use tempfile::TempDir;

use super::check::{FsCheck, Listed};
use super::subject::{
    Problem, Subject, Tree, entry, equal, join, new, replacing, same_bytes, show, split,
};
use crate::Site;

pub(super) fn checks<F: FileSystem>() -> Vec<Listed<F>> {
    let listed = |check, run| Listed { check, run };
    vec![
        listed(FsCheck::new("folder/a FIFO"), fifo),
        listed(FsCheck::new("folder/a socket"), socket),
        listed(FsCheck::new("folder/changed by another program"), changed),
        listed(FsCheck::new("folder/a file that becomes shorter"), shorter),
        listed(
            FsCheck::new("folder/a directory that becomes a link"),
            exchanged,
        ),
        listed(
            FsCheck::storing("folder/a name that another program takes"),
            taken,
        ),
        listed(
            FsCheck::storing("folder/a file that another program changes"),
            changed_meanwhile,
        ),
        listed(FsCheck::storing("folder/permissions"), permissions),
        listed(
            FsCheck::storing("folder/storing at a FIFO"),
            storing_at_fifo,
        ),
    ]
}

/// A folder with a site, and a folder beside it that must not be read or changed.
pub(super) struct Folder {
    folder: TempDir,
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(site: &Site) -> Folder {
        let folder = TempDir::new().expect("a temporary folder");
        let (root, outside) = (folder.path().join("site"), folder.path().join("outside"));
        site.write_to(&root).expect("the site can be written");
        fs::create_dir(&outside).expect("a folder");
        fs::write(outside.join("secret"), "secret").expect("a file");
        Folder { folder, root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Checks that the folder outside is as it was.
    pub(super) fn check_outside(&self) -> Result<(), Problem> {
        let outside = self.folder.path().join("outside");
        let names = fs::read_dir(&outside).map_err(failed)?.count();
        equal("the number of files outside of the root", &names, &1)?;
        let secret = fs::read(outside.join("secret")).map_err(failed)?;
        same_bytes("the file outside of the root", &secret, b"secret")
    }
}

/// Checks that the names below a folder are those of this tree; links and special files aside.
pub(super) fn check_names(root: &Path, tree: &Tree) -> Result<(), Problem> {
    let mut ahead = vec![Vec::new()];
    while let Some(above) = ahead.pop() {
        for entry in fs::read_dir(root.join(OsStr::from_bytes(&above))).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let path = join(&above, entry.file_name().as_bytes());
            if !kind.is_dir() && !kind.is_file() {
                continue;
            }
            if !tree.contains_key(&path) {
                return Err(format!("{} is left in the folder", show(&path)));
            }
            if kind.is_dir() {
                ahead.push(path);
            }
        }
    }
    Ok(())
}

fn failed(error: io::Error) -> Problem {
    format!("the folder: {error}")
}

fn root<F: FileSystem>(subject: &Subject<F>) -> PathBuf {
    subject.root.clone().expect("these checks have a folder")
}

fn make_fifo(path: &Path) -> Result<(), Problem> {
    let made = Command::new("mkfifo").arg(path).status().map_err(failed)?;
    equal("whether mkfifo succeeds", &made.success(), &true)
}

/// Runs `work`, which must not wait for the other end of a FIFO. If it does, the FIFO is opened after a moment.
fn without_waiting(fifo: &Path, work: impl FnOnce() -> Result<(), Problem>) -> Result<(), Problem> {
    let (done, waited) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..1000 {
                thread::sleep(Duration::from_millis(10));
                if done.load(Ordering::Relaxed) {
                    return;
                }
            }
            waited.store(true, Ordering::Relaxed);
            // This never blocks, and ends the wait of both readers and writers.
            let end = OpenOptions::new().read(true).write(true).open(fifo);
            while !done.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(10));
            }
            drop(end);
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    })?;
    equal("whether it waits for a FIFO", &waited.into_inner(), &false)
}

fn fifo<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let path = root(subject).join("deep/fifo");
    make_fifo(&path)?;
    without_waiting(&path, || is_special(subject, b"deep/fifo"))
}

fn socket<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let _listener = UnixListener::bind(root(subject).join("deep/s")).map_err(failed)?;
    is_special(subject, b"deep/s")
}

fn is_special<F: FileSystem>(subject: &Subject<F>, path: &[u8]) -> Result<(), Problem> {
    subject.fails(path, &[FsError::NotRegularFile])?;
    let (above, name) = split(path);
    let entries = subject.entries(above)?;
    let found = entry(&entries, name)?;
    equal(
        &format!("whether {} is marked as unavailable", show(path)),
        &found.unavailable,
        &true,
    )
}

/// Each change is seen by the next question.
fn changed<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let folder = root(subject).join("deep");
    let ask_before = || -> Result<(), Problem> {
        for _ in 0..3 {
            subject.open(b"deep/new")?.ok();
            subject.open(b"deep/a.txt")?.ok();
            subject.list(b"deep")?.ok();
        }
        Ok(())
    };
    ask_before()?;
    fs::write(folder.join("new"), "created").map_err(failed)?;
    subject.has(b"deep/new", b"created")?;
    equal(
        "whether a new file is listed",
        &subject.names(b"deep")?.contains(&b"new"[..]),
        &true,
    )?;
    ask_before()?;
    fs::write(folder.join("new"), "changed").map_err(failed)?;
    subject.has(b"deep/new", b"changed")?;
    ask_before()?;
    fs::write(folder.join("other"), "renamed over it").map_err(failed)?;
    fs::rename(folder.join("other"), folder.join("new")).map_err(failed)?;
    subject.has(b"deep/new", b"renamed over it")?;
    ask_before()?;
    fs::remove_file(folder.join("new")).map_err(failed)?;
    subject.lacks(b"deep/new")?;
    ask_before()?;
    fs::remove_file(folder.join("a.txt")).map_err(failed)?;
    fs::create_dir(folder.join("a.txt")).map_err(failed)?;
    let names = subject.names(b"deep/a.txt")?;
    equal("the number of names in a new directory", &names.len(), &0)
}

/// The engine handles a file that has become shorter, so a read returns 0 at the new end.
fn shorter<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let mut file = subject.file(b"large")?.0;
    let in_folder = OpenOptions::new()
        .write(true)
        .open(root(subject).join("large"));
    in_folder
        .and_then(|file| file.set_len(10))
        .map_err(failed)?;
    let n = subject.read(&mut file, 50_000, &mut [0; 100])?;
    equal("the count of a read past the new end", &n, &0)
}

/// Nothing outside is read through a directory that was asked for before.
fn exchanged<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let folder = root(subject);
    subject.has(b"deep/er/leaf", b"leaf")?;
    subject.names(b"deep/er")?;
    fs::rename(folder.join("deep/er"), folder.join("deep/was")).map_err(failed)?;
    let outside = folder.join("../outside").canonicalize().map_err(failed)?;
    std::os::unix::fs::symlink(outside, folder.join("deep/er")).map_err(failed)?;
    subject.fails(b"deep/er/secret", &[FsError::OutsideRoot])?;
    subject.fails(b"deep/er/leaf", &[FsError::OutsideRoot, FsError::NotFound])?;
    match subject.list(b"deep/er")? {
        Err(_) => Ok(()),
        Ok(_) => Err("a folder outside of the root can be listed".into()),
    }
}

fn taken<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    keeps_the_file_of_another(subject, new(b"new"))
}

fn changed_meanwhile<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let meta = subject.file(b"a.txt")?.1;
    keeps_the_file_of_another(subject, replacing(b"a.txt", meta))
}

/// Begins to create a file, which another program then writes. Its file must stay, and nothing else be left.
fn keeps_the_file_of_another<F: FileSystem>(
    subject: &Subject<F>,
    create: Create,
) -> Result<(), Problem> {
    let path = root(subject).join(OsStr::from_bytes(create.path.as_bytes()));
    let mut file = subject.begin(create, b"ours")?;
    fs::write(&path, "another length").map_err(failed)?;
    let committed = subject.fs.commit(&mut file);
    equal("the answer to `Commit`", &committed, &Err(FsError::Exists))?;
    drop(file);
    same_bytes(
        "the file of the other program",
        &fs::read(path).map_err(failed)?,
        b"another length",
    )?;
    subject.tree().map(drop)
}

/// A stored file is not executable, and never more readable than the one that it replaces.
fn permissions<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let folder = root(subject);
    subject.store(new(b"new"), b"new")?;
    let mode = |name: &str| fs::metadata(folder.join(name)).map(|found| found.mode() & 0o777);
    equal(
        "whether a new file is executable",
        &(mode("new").map_err(failed)? & 0o111),
        &0,
    )?;
    for old in [0o600, 0o640, 0o755] {
        fs::set_permissions(folder.join("a.txt"), Permissions::from_mode(old)).map_err(failed)?;
        let meta = subject.file(b"a.txt")?.1;
        subject.store(replacing(b"a.txt", meta), b"new")?;
        let more = mode("a.txt").map_err(failed)? & !(old & !0o111);
        equal(
            &format!("what is added to the permissions {old:o}"),
            &format!("{more:o}"),
            &"0".into(),
        )?;
    }
    Ok(())
}

fn storing_at_fifo<F: FileSystem>(subject: &Subject<F>) -> Result<(), Problem> {
    let path = root(subject).join("fifo");
    make_fifo(&path)?;
    without_waiting(&path, || {
        subject.refuses(&new(b"fifo"), &[FsError::NotRegularFile, FsError::Exists])
    })?;
    let kind = fs::symlink_metadata(&path).map_err(failed)?.file_type();
    equal("whether it is still a FIFO", &kind.is_fifo(), &true)
}
