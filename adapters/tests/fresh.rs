//! Small files are kept in memory and large ones open, listings as long as nothing happens, and yet nobody gets what they were: once a
//! change can be seen, the next request has it.
#![cfg(target_os = "linux")]

mod peer;

use std::fs::{self, File, FileTimes};
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sanserve_core::{Config, Entries, FileSystem, Files, FsError, Opened, Path as Name};
use sanserve_server::Disk;
use sanserve_server::event_loop::HTTPServer;

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
    Ok((bytes, file.is_cached()))
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
    changes(0);
}

#[test]
fn a_change_of_a_large_file_is_seen_by_the_next_request() {
    changes(100_000);
}

/// All kinds of changes to a file that has so many bytes more, while another thread asks for it.
fn changes(more: usize) {
    let long = |text: &str| format!("{text}{}", "x".repeat(more));
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    fs::write(&a, long("first")).unwrap();
    fs::write(&b, long("other")).unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    disk.evict_idle();
    let stop = AtomicBool::new(false);
    let see = |expected: &str| {
        let start = Instant::now();
        for _ in 0..3 {
            let (bytes, kept) = get(&disk, "/a").unwrap();
            assert!(bytes == expected.as_bytes(), "not what was written last");
            let soon = start.elapsed() < Duration::from_secs(1);
            assert!(!kept || !soon, "kept too soon");
        }
    };
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = get(&disk, "/a");
            }
        });
        settle(&disk, folder.path(), "/a");
        // Rewritten, to the same length.
        fs::write(&a, long("again")).unwrap();
        see(&long("again"));
        // And at once once more: no two changes are so close that one hides the other.
        (0..200).for_each(|n| {
            fs::write(&a, long(&format!("{n:05}"))).unwrap();
            see(&long(&format!("{n:05}")));
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
        see(&long("other"));
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
    assert_eq!(get(&disk, "/sub/a").unwrap_err(), FsError::OutsideRoot);
    settle(&disk, folder.path(), "/moved/a");
}

/// Moves a directory out of the root and puts a link to it in its place.
fn lead_out(above: &Path, name: &str) {
    let (inside, outside) = (above.join("root").join(name), above.join("out"));
    fs::rename(&inside, &outside).unwrap();
    let up = "../".repeat(1 + name.matches('/').count());
    symlink(format!("{up}out"), &inside).unwrap();
    assert!(fs::metadata(&inside).unwrap().is_dir());
}

#[test]
fn a_link_to_what_was_moved_out_gives_nothing_though_it_is_the_same_file() {
    // Each waits until its file is old enough to be kept.
    thread::scope(|scope| {
        for moved in ["a", "a/b", "a/b/c"] {
            for len in [10, 100_000] {
                scope.spawn(move || moved_out(moved, len));
            }
        }
    });
}

/// Leads a path out of the root after that directory, with a file of this length at its end.
fn moved_out(moved: &str, len: usize) {
    let above = tempfile::tempdir().unwrap();
    let root = above.path().join("root");
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    fs::write(root.join("a/b/c/file"), vec![b'x'; len]).unwrap();
    let disk = Disk::open(&root).unwrap();
    disk.evict_idle();
    settle(&disk, &root, "/a/b/c/file");
    lead_out(above.path(), moved);
    let what = format!("{moved}, {len} bytes");
    for _ in 0..3 {
        let got = get(&disk, "/a/b/c/file").map(drop);
        assert_eq!(got, Err(FsError::OutsideRoot), "{what}");
    }
    // Back again, and then once more by a link that stays inside.
    fs::remove_file(root.join(moved)).unwrap();
    fs::rename(above.path().join("out"), root.join(moved)).unwrap();
    settle(&disk, &root, "/a/b/c/file");
    fs::rename(root.join("a"), root.join("real")).unwrap();
    symlink("real", root.join("a")).unwrap();
    settle(&disk, &root, "/a/b/c/file");
    fs::rename(root.join("real"), above.path().join("out")).unwrap();
    symlink("../out", root.join("real")).unwrap();
    let got = get(&disk, "/a/b/c/file").map(drop);
    assert_eq!(got, Err(FsError::OutsideRoot), "{what}, by a link");
}

#[test]
fn more_directories_than_can_be_watched_are_served_as_safely() {
    let above = tempfile::tempdir().unwrap();
    let root = above.path().join("root");
    let names: Vec<_> = (0..600).map(|n| format!("/a/{n}/file")).collect();
    for name in &names {
        let file = root.join(&name[1..]);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "inside").unwrap();
    }
    let disk = Disk::open(&root).unwrap();
    settle(&disk, &root, names.last().unwrap());
    for name in &names {
        get(&disk, name).unwrap();
    }
    lead_out(above.path(), "a");
    for name in &names {
        assert_eq!(
            get(&disk, name).unwrap_err(),
            FsError::OutsideRoot,
            "{name}"
        );
    }
}

#[test]
fn a_listing_of_what_was_moved_out_is_not_given() {
    let above = tempfile::tempdir().unwrap();
    let root = above.path().join("root");
    fs::create_dir_all(root.join("a/sub")).unwrap();
    let disk = Disk::open(&root).unwrap();
    have_kept(&disk, "/a/sub/");
    lead_out(above.path(), "a");
    let path = Name::parse("/a/sub/").unwrap();
    assert_eq!(disk.list(&path).unwrap_err(), FsError::OutsideRoot);
}

#[test]
fn large_files_are_held_open_only_where_somebody_tidies() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small"), [b'x'; 16 * 1024]).unwrap();
    fs::write(folder.path().join("large"), [b'x'; 16 * 1024 + 1]).unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    settle(&disk, folder.path(), "/small");
    for _ in 0..3 {
        assert!(!get(&disk, "/large").unwrap().1);
    }
    assert_eq!(held(folder.path()), 0);
    assert!(!disk.evict_idle());
    for _ in 0..3 {
        assert!(get(&disk, "/large").unwrap().1);
    }
    assert_eq!(held(folder.path()), 1);
}

#[test]
fn few_files_are_held_and_none_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let name = |n: usize| format!("/{n}");
    for n in 0..100 {
        fs::write(folder.path().join(&name(n)[1..]), [b'x'; 20_000]).unwrap();
    }
    let disk = Disk::open(folder.path()).unwrap();
    disk.evict_idle();
    settle(&disk, folder.path(), &name(99));
    (0..100).for_each(|n| _ = get(&disk, &name(n)).unwrap());
    assert!(
        (1..=32).contains(&held(folder.path())),
        "{}",
        held(folder.path())
    );
    // Two looks later nobody has asked again, but for the one.
    fs::remove_file(folder.path().join("98")).unwrap();
    assert!(disk.evict_idle());
    get(&disk, &name(99)).unwrap();
    assert!(disk.evict_idle());
    assert_eq!(held(folder.path()), 1);
    assert!(!disk.evict_idle());
    assert_eq!(held(folder.path()), 0);
}

#[test]
fn a_server_lets_go_of_what_was_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large");
    fs::write(&large, [b'x'; 20_000]).unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_threads(2).with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let path = folder.path().to_owned();
    let serving = thread::spawn(move || {
        settle_large(&disk, &path);
        server.serve_forever(&disk, Config::default(), Files::new)
    });
    for _ in 0..3 {
        assert!(peer::get(address, "/large").ends_with("xx"));
    }
    fs::remove_file(&large).unwrap();
    let start = Instant::now();
    while held(folder.path()) > 0 {
        assert!(start.elapsed() < peer::LONG, "it is still open");
        thread::sleep(Duration::from_millis(20));
    }
    stopper.shutdown(Duration::ZERO);
    serving.join().unwrap().unwrap();
}

/// What the disk says is in a directory.
fn list(disk: &Disk, name: &str) -> Arc<Entries> {
    disk.list(&Name::parse(name).unwrap()).unwrap()
}

/// Whether the next listing is the one before it.
fn is_kept(disk: &Disk, name: &str) -> bool {
    Arc::ptr_eq(&list(disk, name), &list(disk, name))
}

/// Asks for a listing until it is kept.
fn have_kept(disk: &Disk, name: &str) {
    let start = Instant::now();
    while !is_kept(disk, name) {
        assert!(start.elapsed() < peer::LONG, "{name} is not kept");
    }
}

/// Names, lengths and times, as the system has them.
fn there(folder: &Path) -> Vec<(Vec<u8>, Option<u64>, i64)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| {
        let (entry, meta) = entry
            .map(|entry| (entry.file_name(), entry.metadata().unwrap()))
            .unwrap();
        let len = meta.is_file().then_some(meta.len());
        (entry.into_encoded_bytes(), len, meta.mtime())
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    entries
}

fn listed(disk: &Disk, name: &str) -> Vec<(Vec<u8>, Option<u64>, i64)> {
    let entries = list(disk, name);
    let entries = entries.iter();
    let mut entries: Vec<_> = entries
        .map(|entry| (entry.name.to_vec(), entry.len, entry.modified.unwrap()))
        .collect();
    entries.sort();
    entries
}

#[test]
fn a_change_in_a_directory_is_seen_by_the_next_listing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("root")).unwrap();
    fs::create_dir(at("root/sub")).unwrap();
    fs::create_dir(at("else")).unwrap();
    (0..50).for_each(|n| fs::write(at(&format!("root/{n}")), "").unwrap());
    let disk = Disk::open(at("root")).unwrap();
    let long_ago = |name: &str| {
        let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(1_000));
        File::open(at(name)).unwrap().set_times(times).unwrap();
    };
    let append = |name: &str| {
        use std::io::Write;
        let file = File::options().append(true).open(at(name));
        file.unwrap().write_all(b"more").unwrap();
    };
    let open = File::options().append(true).open(at("root/3")).unwrap();
    let changes: [(&str, &dyn Fn()); 16] = [
        ("create", &|| fs::write(at("root/new"), "new").unwrap()),
        ("append", &|| append("root/new")),
        ("append again", &|| append("root/new")),
        ("truncate", &|| open.set_len(7).unwrap()),
        ("rename", &|| {
            fs::rename(at("root/new"), at("root/newer")).unwrap();
        }),
        ("replace", &|| {
            fs::rename(at("root/newer"), at("root/1")).unwrap();
        }),
        ("touch", &|| long_ago("root/2")),
        ("move away", &|| {
            fs::rename(at("root/2"), at("else/2")).unwrap();
        }),
        ("move here", &|| {
            fs::rename(at("else/2"), at("root/two")).unwrap();
        }),
        ("delete", &|| fs::remove_file(at("root/two")).unwrap()),
        ("make a directory", &|| {
            fs::create_dir(at("root/made")).unwrap();
        }),
        ("remove it", &|| fs::remove_dir(at("root/made")).unwrap()),
        ("touch a directory", &|| long_ago("root/sub")),
        ("fill it", &|| fs::write(at("root/sub/new"), "").unwrap()),
        ("touch it again", &|| long_ago("root/sub")),
        ("empty it", &|| fs::remove_file(at("root/sub/new")).unwrap()),
    ];
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                list(&disk, "/");
            }
        });
        for round in 0..20 {
            for (name, change) in changes {
                have_kept(&disk, "/");
                change();
                assert_eq!(listed(&disk, "/"), there(&at("root")), "{name}, {round}");
            }
            open.set_len(0).unwrap();
            fs::write(at("root/2"), "").unwrap();
        }
        // At once after one another.
        for n in 0..1_000 {
            fs::write(at("root/3"), "x".repeat(n)).unwrap();
            assert_eq!(listed(&disk, "/"), there(&at("root")));
        }
    });
}

#[test]
fn a_listing_is_not_kept_where_changes_are_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["links", "names", "many", "plain"] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("file"), "").unwrap();
    }
    symlink("file", at("links/link")).unwrap();
    fs::hard_link(at("names/file"), at("other")).unwrap();
    (0..65).for_each(|n| fs::create_dir(at("many").join(n.to_string())).unwrap());
    let disk = Disk::open(folder.path()).unwrap();
    have_kept(&disk, "/plain/");
    for name in ["/links/", "/names/", "/many/"] {
        assert!((0..20).all(|_| !is_kept(&disk, name)), "{name}");
    }
    // What follows links out of the root keeps nothing at all.
    let disk = disk.with_follow_symlinks(true);
    assert!((0..20).all(|_| !is_kept(&disk, "/plain/")));
}

#[test]
fn a_path_that_leads_to_another_directory_by_now_lists_that() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("above/sub")).unwrap();
    fs::create_dir_all(at("other/sub")).unwrap();
    fs::write(at("above/sub/a"), "").unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    have_kept(&disk, "/above/sub/");
    fs::rename(at("above"), at("moved")).unwrap();
    fs::rename(at("other"), at("above")).unwrap();
    assert!(list(&disk, "/above/sub/").is_empty());
}

#[test]
fn few_listings_are_kept_and_none_for_long() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..20 {
        fs::create_dir(folder.path().join(n.to_string())).unwrap();
    }
    let disk = Disk::open(folder.path()).unwrap();
    (0..20).for_each(|n| have_kept(&disk, &format!("/{n}/")));
    let told = fs::read_dir("/proc/self/fd").unwrap();
    let told = told.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    assert!(
        told.filter(|path| path.ends_with("anon_inode:inotify"))
            .count()
            <= 4 * 8
    );
    let kept = list(&disk, "/19/");
    let start = Instant::now();
    while disk.evict_idle() {
        assert!(start.elapsed() < peer::LONG, "something is still kept");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!Arc::ptr_eq(&kept, &list(&disk, "/19/")));
}

/// Ends the other thread, also if this one fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until the large file can be kept.
fn settle_large(disk: &Disk, folder: &Path) {
    disk.evict_idle();
    settle(disk, folder, "/large");
}

/// How many files of this folder are open in this process.
fn held(folder: &Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    open.filter(|path| path != folder && path.starts_with(folder))
        .count()
}
