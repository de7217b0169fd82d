//! Small files are kept in memory, and yet nobody gets what they were: once a change can be seen, the next
//! request has it.
#![cfg(target_os = "linux")]

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sanserve::{Disk, Open};
use sanserve_core::{FileSystem, FsError, Opened, Path as Name};

/// What the disk says of a name: its content, and whether that was in memory.
fn get(disk: &Disk, name: &str) -> Result<(Vec<u8>, bool), FsError> {
    let path = Name::parse(name).unwrap();
    let Opened::File { mut file, meta, .. } = disk.open(&path)? else {
        panic!("{name} is no file");
    };
    let (mut bytes, mut at) = (vec![0; meta.len as usize], 0);
    while at < bytes.len() {
        match disk.read(&mut file, at as u64, &mut bytes[at..])? {
            0 => break,
            n => at += n,
        }
    }
    bytes.truncate(at);
    Ok((bytes, matches!(file, Open::Kept(_))))
}

/// Waits until a file has been left alone for so long that it can be kept, and has it kept.
fn settle(disk: &Disk, folder: &Path, name: &str) {
    let changed = fs::metadata(folder.join(&name[1..])).unwrap().ctime();
    while SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64
        <= changed + 2
    {
        thread::sleep(Duration::from_millis(20));
    }
    get(disk, name).unwrap();
    assert!(get(disk, name).unwrap().1, "{name} is not kept");
}

#[test]
fn a_change_is_seen_by_the_next_request() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    fs::write(&a, "first").unwrap();
    fs::write(&b, "other").unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    let stop = AtomicBool::new(false);
    let see = |expected: &str| {
        let start = Instant::now();
        for _ in 0..3 {
            let (bytes, kept) = get(&disk, "/a").unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
            let soon = start.elapsed() < Duration::from_secs(1);
            assert!(!kept || !soon, "kept too soon");
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = get(&disk, "/a");
            }
        });
        settle(&disk, folder.path(), "/a");
        // Rewritten, to the same length.
        fs::write(&a, "again").unwrap();
        see("again");
        // And at once once more: no two changes are so close that one hides the other.
        (0..200).for_each(|n| {
            fs::write(&a, format!("{n:05}")).unwrap();
            see(&format!("{n:05}"));
        });
        settle(&disk, folder.path(), "/a");
        File::options()
            .write(true)
            .open(&a)
            .unwrap()
            .set_len(2)
            .unwrap();
        see("00");
        settle(&disk, folder.path(), "/a");
        settle(&disk, folder.path(), "/b");
        // Another file of that name, and as old.
        let times = fs::metadata(&a).unwrap();
        let times = FileTimes::new().set_modified(times.modified().unwrap());
        File::options()
            .write(true)
            .open(&b)
            .unwrap()
            .set_times(times)
            .unwrap();
        fs::rename(&b, &a).unwrap();
        see("other");
        stop.store(true, Ordering::Relaxed);
    });
    settle(&disk, folder.path(), "/a");
    let before = fs::metadata(&a).unwrap().permissions().mode();
    fs::set_permissions(&a, fs::Permissions::from_mode(before | 0o111)).unwrap();
    let Ok(Opened::File { meta, .. }) = disk.open(&Name::parse("/a").unwrap()) else {
        panic!("it is still there");
    };
    assert!(meta.executable);
    settle(&disk, folder.path(), "/a");
    fs::remove_file(&a).unwrap();
    assert_eq!(get(&disk, "/a").unwrap_err(), FsError::NotFound);
}

#[test]
fn a_path_that_leads_out_by_now_gives_nothing() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let inside = folder.path().join("sub");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("a"), "inside").unwrap();
    fs::write(outside.path().join("a"), "secret").unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    settle(&disk, folder.path(), "/sub/a");
    fs::rename(&inside, folder.path().join("moved")).unwrap();
    symlink(outside.path(), &inside).unwrap();
    assert_eq!(get(&disk, "/sub/a").unwrap_err(), FsError::NotFound);
    settle(&disk, folder.path(), "/moved/a");
}

#[test]
fn large_files_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small"), [b'x'; 16 * 1024]).unwrap();
    fs::write(folder.path().join("large"), [b'x'; 16 * 1024 + 1]).unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    settle(&disk, folder.path(), "/small");
    for _ in 0..3 {
        assert!(!get(&disk, "/large").unwrap().1);
    }
}
