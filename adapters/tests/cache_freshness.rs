//! Tests the caches of `Disk` (small files in memory, large files kept open, listings): the first request after a
//! change sees it, what was moved out of the root is refused, and few things are cached, only briefly.
#![cfg(target_os = "linux")]

mod client;

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

/// Returns the content of a file, and whether it came from the cache.
fn get(disk: &Disk, name: &str) -> Result<(Vec<u8>, bool), FsError> {
    let path = Name::parse(name).unwrap();
    let Opened::File { mut file, meta, .. } = disk.open(&path)? else {
        panic!("{name} is not a file");
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

/// Waits until a file has been unchanged for long enough to be cached, then requests it, and asserts that it is cached.
fn wait_until_cached(disk: &Disk, folder: &Path, name: &str) {
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
    assert!(get(disk, name).unwrap().1, "{name} is not cached");
}

#[test]
fn a_change_is_seen_by_the_next_request() {
    check_changes(0);
}

#[test]
fn a_change_of_a_large_file_is_seen_by_the_next_request() {
    check_changes(100_000);
}

/// Changes a file in several ways while another thread requests it. The file has this many bytes of padding.
fn check_changes(padding: usize) {
    let padded = |text: &str| format!("{text}{}", "x".repeat(padding));
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    fs::write(&a, padded("first")).unwrap();
    fs::write(&b, padded("other")).unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    disk.evict_idle();
    let stop = AtomicBool::new(false);
    let assert_content = |expected: &str| {
        let start = Instant::now();
        for _ in 0..3 {
            let (bytes, is_cached) = get(&disk, "/a").unwrap();
            assert!(bytes == expected.as_bytes(), "not the latest content");
            let is_early = start.elapsed() < Duration::from_secs(1);
            assert!(!is_cached || !is_early, "cached too early");
        }
    };
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = get(&disk, "/a");
            }
        });
        wait_until_cached(&disk, folder.path(), "/a");
        // Rewritten, to the same length.
        fs::write(&a, padded("again")).unwrap();
        assert_content(&padded("again"));
        // Rewritten again immediately: changes in quick succession are all seen.
        (0..200).for_each(|n| {
            fs::write(&a, padded(&format!("{n:05}"))).unwrap();
            assert_content(&padded(&format!("{n:05}")));
        });
        wait_until_cached(&disk, folder.path(), "/a");
        File::options()
            .write(true)
            .open(&a)
            .unwrap()
            .set_len(2)
            .unwrap();
        assert_content("00");
        wait_until_cached(&disk, folder.path(), "/a");
        wait_until_cached(&disk, folder.path(), "/b");
        // Replaced by another file with the same time.
        let modified = fs::metadata(&a).unwrap().modified().unwrap();
        let times = FileTimes::new().set_modified(modified);
        File::options()
            .write(true)
            .open(&b)
            .unwrap()
            .set_times(times)
            .unwrap();
        fs::rename(&b, &a).unwrap();
        assert_content(&padded("other"));
    });
    wait_until_cached(&disk, folder.path(), "/a");
    let before = fs::metadata(&a).unwrap().permissions().mode();
    fs::set_permissions(&a, fs::Permissions::from_mode(before | 0o111)).unwrap();
    let Ok(Opened::File { meta, .. }) = disk.open(&Name::parse("/a").unwrap()) else {
        panic!("the file still exists");
    };
    assert!(meta.executable);
    wait_until_cached(&disk, folder.path(), "/a");
    fs::remove_file(&a).unwrap();
    assert_eq!(get(&disk, "/a").unwrap_err(), FsError::NotFound);
}

#[test]
fn a_path_that_now_leads_out_of_the_root_is_refused() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let inside = folder.path().join("sub");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("a"), "inside").unwrap();
    fs::write(outside.path().join("a"), "secret").unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    wait_until_cached(&disk, folder.path(), "/sub/a");
    fs::rename(&inside, folder.path().join("moved")).unwrap();
    symlink(outside.path(), &inside).unwrap();
    assert_eq!(get(&disk, "/sub/a").unwrap_err(), FsError::OutsideRoot);
    wait_until_cached(&disk, folder.path(), "/moved/a");
}

/// Moves a directory out of the root, and replaces it by a link to its new place.
fn move_out(parent: &Path, name: &str) {
    let (inside, outside) = (parent.join("root").join(name), parent.join("out"));
    fs::rename(&inside, &outside).unwrap();
    let up = "../".repeat(1 + name.matches('/').count());
    symlink(format!("{up}out"), &inside).unwrap();
    assert!(fs::metadata(&inside).unwrap().is_dir());
}

#[test]
fn a_link_to_a_file_moved_out_of_the_root_is_refused() {
    // Each thread waits until its file is old enough to be cached.
    thread::scope(|scope| {
        for moved in ["a", "a/b", "a/b/c"] {
            for len in [10, 100_000] {
                scope.spawn(move || check_moved_out(moved, len));
            }
        }
    });
}

/// Moves a directory that contains a file of this length out of the root.
fn check_moved_out(moved: &str, len: usize) {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("root");
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    fs::write(root.join("a/b/c/file"), vec![b'x'; len]).unwrap();
    let disk = Disk::open(&root).unwrap();
    disk.evict_idle();
    wait_until_cached(&disk, &root, "/a/b/c/file");
    move_out(parent.path(), moved);
    let case = format!("{moved}, {len} bytes");
    for _ in 0..3 {
        let got = get(&disk, "/a/b/c/file").map(drop);
        assert_eq!(got, Err(FsError::OutsideRoot), "{case}");
    }
    // Moved back, and then out again, while the path to it has a link within the root.
    fs::remove_file(root.join(moved)).unwrap();
    fs::rename(parent.path().join("out"), root.join(moved)).unwrap();
    wait_until_cached(&disk, &root, "/a/b/c/file");
    fs::rename(root.join("a"), root.join("real")).unwrap();
    symlink("real", root.join("a")).unwrap();
    wait_until_cached(&disk, &root, "/a/b/c/file");
    fs::rename(root.join("real"), parent.path().join("out")).unwrap();
    symlink("../out", root.join("real")).unwrap();
    let got = get(&disk, "/a/b/c/file").map(drop);
    assert_eq!(got, Err(FsError::OutsideRoot), "{case}, by a link");
}

#[test]
fn more_directories_than_can_be_watched_are_served_safely() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("root");
    let names: Vec<_> = (0..600).map(|n| format!("/a/{n}/file")).collect();
    for name in &names {
        let file = root.join(&name[1..]);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "inside").unwrap();
    }
    let disk = Disk::open(&root).unwrap();
    wait_until_cached(&disk, &root, names.last().unwrap());
    for name in &names {
        get(&disk, name).unwrap();
    }
    move_out(parent.path(), "a");
    for name in &names {
        assert_eq!(
            get(&disk, name).unwrap_err(),
            FsError::OutsideRoot,
            "{name}"
        );
    }
}

#[test]
fn a_cached_listing_of_a_directory_moved_out_of_the_root_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("root");
    fs::create_dir_all(root.join("a/sub")).unwrap();
    let disk = Disk::open(&root).unwrap();
    wait_until_listing_cached(&disk, "/a/sub/");
    move_out(parent.path(), "a");
    let path = Name::parse("/a/sub/").unwrap();
    assert_eq!(disk.list(&path).unwrap_err(), FsError::OutsideRoot);
}

#[test]
fn large_files_are_kept_open_only_if_idle_ones_are_evicted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small"), [b'x'; 16 * 1024]).unwrap();
    fs::write(folder.path().join("large"), [b'x'; 16 * 1024 + 1]).unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    wait_until_cached(&disk, folder.path(), "/small");
    for _ in 0..3 {
        assert!(!get(&disk, "/large").unwrap().1);
    }
    assert_eq!(open_files(folder.path()), 0);
    assert!(!disk.evict_idle());
    for _ in 0..3 {
        assert!(get(&disk, "/large").unwrap().1);
    }
    assert_eq!(open_files(folder.path()), 1);
}

#[test]
fn few_files_are_kept_open_and_only_briefly() {
    let folder = tempfile::tempdir().unwrap();
    let name = |n: usize| format!("/{n}");
    for n in 0..100 {
        fs::write(folder.path().join(&name(n)[1..]), [b'x'; 20_000]).unwrap();
    }
    let disk = Disk::open(folder.path()).unwrap();
    disk.evict_idle();
    wait_until_cached(&disk, folder.path(), &name(99));
    (0..100).for_each(|n| _ = get(&disk, &name(n)).unwrap());
    assert!(
        (1..=32).contains(&open_files(folder.path())),
        "{}",
        open_files(folder.path())
    );
    // After two evictions only the file that was requested in between is still open.
    fs::remove_file(folder.path().join("98")).unwrap();
    assert!(disk.evict_idle());
    get(&disk, &name(99)).unwrap();
    assert!(disk.evict_idle());
    assert_eq!(open_files(folder.path()), 1);
    assert!(!disk.evict_idle());
    assert_eq!(open_files(folder.path()), 0);
}

#[test]
fn a_server_closes_a_deleted_file() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large");
    fs::write(&large, [b'x'; 20_000]).unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = server.with_threads(2).with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let path = folder.path().to_owned();
    let serving = thread::spawn(move || {
        wait_until_large_cached(&disk, &path);
        server.serve_forever(&disk, Config::default(), Files::new)
    });
    for _ in 0..3 {
        assert!(client::get(address, "/large").ends_with("xx"));
    }
    fs::remove_file(&large).unwrap();
    let start = Instant::now();
    while open_files(folder.path()) > 0 {
        assert!(start.elapsed() < client::TIMEOUT, "the file is still open");
        thread::sleep(Duration::from_millis(20));
    }
    stopper.shutdown(Duration::ZERO);
    serving.join().unwrap().unwrap();
}

/// Returns the entries of a directory.
fn list(disk: &Disk, name: &str) -> Arc<Entries> {
    disk.list(&Name::parse(name).unwrap()).unwrap()
}

/// Returns whether two listings in a row are the same cached one.
fn is_cached(disk: &Disk, name: &str) -> bool {
    Arc::ptr_eq(&list(disk, name), &list(disk, name))
}

/// Requests a listing until it is cached.
fn wait_until_listing_cached(disk: &Disk, name: &str) {
    let start = Instant::now();
    while !is_cached(disk, name) {
        assert!(start.elapsed() < client::TIMEOUT, "{name} is not cached");
    }
}

/// The name, length and modification time of an entry.
type Row = (Vec<u8>, Option<u64>, i64);

/// Returns the entries of a directory, as the system reports them.
fn system_rows(folder: &Path) -> Vec<Row> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let row = |entry: fs::DirEntry| {
        let meta = entry.metadata().unwrap();
        let len = meta.is_file().then_some(meta.len());
        (entry.file_name().into_encoded_bytes(), len, meta.mtime())
    };
    let mut rows: Vec<_> = entries.map(row).collect();
    rows.sort();
    rows
}

/// Returns the entries of a directory, as the disk lists them.
fn listed_rows(disk: &Disk, name: &str) -> Vec<Row> {
    let entries = list(disk, name);
    let mut rows: Vec<_> = entries
        .iter()
        .map(|entry| (entry.name.to_vec(), entry.len, entry.modified.unwrap()))
        .collect();
    rows.sort();
    rows
}

#[test]
fn a_change_in_a_directory_is_seen_by_the_next_listing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("root")).unwrap();
    fs::create_dir(at("root/sub")).unwrap();
    fs::create_dir(at("elsewhere")).unwrap();
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
            fs::rename(at("root/2"), at("elsewhere/2")).unwrap();
        }),
        ("move here", &|| {
            fs::rename(at("elsewhere/2"), at("root/two")).unwrap();
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
                wait_until_listing_cached(&disk, "/");
                change();
                assert_eq!(
                    listed_rows(&disk, "/"),
                    system_rows(&at("root")),
                    "{name}, {round}"
                );
            }
            open.set_len(0).unwrap();
            fs::write(at("root/2"), "").unwrap();
        }
        // Changes in quick succession.
        for n in 0..1_000 {
            fs::write(at("root/3"), "x".repeat(n)).unwrap();
            assert_eq!(listed_rows(&disk, "/"), system_rows(&at("root")));
        }
    });
}

#[test]
fn a_listing_is_not_cached_where_changes_are_not_reported() {
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
    wait_until_listing_cached(&disk, "/plain/");
    for name in ["/links/", "/names/", "/many/"] {
        assert!((0..20).all(|_| !is_cached(&disk, name)), "{name}");
    }
    // A disk that follows links out of the root caches no listings at all.
    let disk = disk.with_follow_symlinks(true);
    assert!((0..20).all(|_| !is_cached(&disk, "/plain/")));
}

#[test]
fn a_path_that_now_leads_to_another_directory_lists_that_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("above/sub")).unwrap();
    fs::create_dir_all(at("other/sub")).unwrap();
    fs::write(at("above/sub/a"), "").unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    wait_until_listing_cached(&disk, "/above/sub/");
    fs::rename(at("above"), at("moved")).unwrap();
    fs::rename(at("other"), at("above")).unwrap();
    assert!(list(&disk, "/above/sub/").is_empty());
}

#[test]
fn few_listings_are_cached_and_only_briefly() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..20 {
        fs::create_dir(folder.path().join(n.to_string())).unwrap();
    }
    let disk = Disk::open(folder.path()).unwrap();
    (0..20).for_each(|n| wait_until_listing_cached(&disk, &format!("/{n}/")));
    let watches = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|path| path.ends_with("anon_inode:inotify"));
    assert!(watches.count() <= 4 * 8);
    let cached = list(&disk, "/19/");
    let start = Instant::now();
    while disk.evict_idle() {
        assert!(
            start.elapsed() < client::TIMEOUT,
            "something is still cached"
        );
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!Arc::ptr_eq(&cached, &list(&disk, "/19/")));
}

/// Stops the other thread when this is dropped, even by a panic.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until the large file is kept open.
fn wait_until_large_cached(disk: &Disk, folder: &Path) {
    disk.evict_idle();
    wait_until_cached(disk, folder, "/large");
}

/// Returns how many files of this folder are open in this process.
fn open_files(folder: &Path) -> usize {
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|path| path != folder && path.starts_with(folder))
        .count()
}
