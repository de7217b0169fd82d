//! Tests `Disk`: the files it opens and refuses, its listings, and the metadata and versions it reports.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path as StdPath;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use sanserve_core::{Entry, FileSystem, FileVersion, FsError, Meta, Opened, Path};
use sanserve_server::Disk;
use tempfile::TempDir;

/// Makes a directory `root` to serve, and a file `secret` beside it.
fn site() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("root/d")).unwrap();
    fs::write(dir.path().join("secret"), "secret").unwrap();
    fs::write(dir.path().join("root/a.txt"), "hello").unwrap();
    fs::write(dir.path().join("root/d/b.txt"), "below").unwrap();
    dir
}

fn disk(site: &TempDir) -> Disk {
    Disk::open(site.path().join("root")).unwrap()
}

fn path(target: &str) -> Path {
    Path::parse(target).unwrap()
}

/// Returns the content of a file, or `/` for a directory.
fn look_up(disk: &Disk, target: &str) -> Result<String, FsError> {
    match disk.open(&path(target))? {
        Opened::Directory => Ok("/".into()),
        Opened::File { mut file, meta, .. } => {
            let mut bytes = vec![0; meta.len as usize];
            let n = disk.read(&mut file, 0, &mut bytes)?;
            assert_eq!(n, bytes.len());
            Ok(String::from_utf8(bytes).unwrap())
        }
        _ => unreachable!("there are only files and directories"),
    }
}

fn meta(disk: &Disk, target: &str) -> Meta {
    match disk.open(&path(target)) {
        Ok(Opened::File { meta, .. }) => meta,
        other => panic!("{target} is not a file: {other:?}"),
    }
}

/// Returns the entries of a directory by name: whether each is a directory, and whether it is a link.
fn names(disk: &Disk, target: &str) -> Vec<(String, bool, bool)> {
    let entries = disk.list(&path(target)).unwrap();
    let row = |entry: Entry<'_>| {
        (
            entry.name.escape_ascii().to_string(),
            entry.directory,
            entry.link,
        )
    };
    let mut names: Vec<_> = entries.iter().map(row).collect();
    names.sort();
    names
}

#[test]
fn files_and_directories_are_found() {
    let site = site();
    for disk in [disk(&site), disk(&site).with_follow_symlinks(true)] {
        assert_eq!(look_up(&disk, "/a.txt"), Ok("hello".into()));
        assert_eq!(look_up(&disk, "/d/b.txt"), Ok("below".into()));
        assert_eq!(look_up(&disk, "/d"), Ok("/".into()));
        assert_eq!(look_up(&disk, "/"), Ok("/".into()));
        assert_eq!(look_up(&disk, "/nope"), Err(FsError::NotFound));
    }
}

#[test]
fn reads_start_at_the_offset_and_stop_at_the_end_of_the_file() {
    let site = site();
    let disk = disk(&site);
    let Ok(Opened::File { mut file, .. }) = disk.open(&path("/a.txt")) else {
        panic!("a.txt is not a file");
    };
    let mut buffer = [0; 16];
    assert_eq!(disk.read(&mut file, 3, &mut buffer), Ok(2));
    assert_eq!(&buffer[..2], b"lo");
    assert_eq!(disk.read(&mut file, 0, &mut buffer[..2]), Ok(2));
    assert_eq!(&buffer[..2], b"he");
    assert_eq!(disk.read(&mut file, 5, &mut buffer), Ok(0));
}

#[test]
fn links_within_the_root_are_followed() {
    let site = site();
    symlink("d/b.txt", site.path().join("root/file")).unwrap();
    symlink("../a.txt", site.path().join("root/d/up")).unwrap();
    symlink("d", site.path().join("root/dir")).unwrap();
    let disk = disk(&site);
    assert_eq!(look_up(&disk, "/file"), Ok("below".into()));
    assert_eq!(look_up(&disk, "/d/up"), Ok("hello".into()));
    assert_eq!(look_up(&disk, "/dir"), Ok("/".into()));
    assert_eq!(look_up(&disk, "/dir/up"), Ok("hello".into()));
}

#[test]
fn links_out_of_the_root_are_followed_only_if_enabled() {
    let site = site();
    let root = site.path().join("root");
    symlink("../secret", root.join("relative")).unwrap();
    symlink(site.path().join("secret"), root.join("absolute")).unwrap();
    symlink("..", root.join("above")).unwrap();
    symlink("/proc/self/root", root.join("magic")).unwrap();
    for target in [
        "/relative",
        "/absolute",
        "/above",
        "/above/secret",
        "/magic",
    ] {
        assert_eq!(
            look_up(&disk(&site), target),
            Err(FsError::OutsideRoot),
            "{target}"
        );
    }
    assert_eq!(
        disk(&site).list(&path("/above/")),
        Err(FsError::OutsideRoot)
    );

    let follows = disk(&site).with_follow_symlinks(true);
    for target in ["/relative", "/absolute", "/above/secret"] {
        assert_eq!(look_up(&follows, target), Ok("secret".into()), "{target}");
    }
    let row = |name: &str| (name.to_string(), true, false);
    let above = names(&follows, "/above/");
    assert_eq!(above, [row("root"), ("secret".into(), false, false)]);
}

/// An absolute link may begin with the path of the root as it was given, or with its canonical path.
#[test]
fn absolute_links_into_the_root_are_followed() {
    let site = site();
    let root = site.path().canonicalize().unwrap().join("root");
    let alias = site.path().join("alias");
    symlink("root", &alias).unwrap();
    for (name, target) in [
        ("file", root.join("d/b.txt")),
        ("alias", alias.join("d//./b.txt")),
        ("up", root.join("d/../a.txt")),
        ("dir", root.join("d")),
        ("itself", root.clone()),
        ("twice", root.join("file")),
        ("relative", "dir/b.txt".into()),
        ("circle", root.join("circle")),
        ("nowhere", root.join("nope")),
        ("out", root.join("../secret")),
        ("beside", site.path().join("rooted/secret")),
        ("other", site.path().join("secret")),
        ("leads", root.join("other")),
    ] {
        symlink(target, root.join(name)).unwrap();
    }
    let disk = Disk::open(&alias).unwrap();
    for target in [
        "/file",
        "/alias",
        "/dir/b.txt",
        "/twice",
        "/relative",
        "/itself/d/b.txt",
    ] {
        assert_eq!(look_up(&disk, target), Ok("below".into()), "{target}");
    }
    assert_eq!(look_up(&disk, "/up"), Ok("hello".into()));
    assert_eq!(
        (look_up(&disk, "/dir"), look_up(&disk, "/itself")),
        (Ok("/".into()), Ok("/".into()))
    );
    assert_eq!(names(&disk, "/dir/"), names(&disk, "/d/"));
    assert_eq!(look_up(&disk, "/nowhere"), Err(FsError::NotFound));
    for target in [
        "/out",
        "/beside",
        "/other",
        "/leads",
        "/itself/out",
        "/circle",
    ] {
        assert_eq!(
            look_up(&disk, target),
            Err(FsError::OutsideRoot),
            "{target}"
        );
    }
    let entries = disk.list(&Path::default()).unwrap();
    let mut listed: Vec<_> = entries
        .iter()
        .filter(|entry| entry.link && !entry.unavailable)
        .map(|entry| {
            let suffix = if entry.directory { "/" } else { "" };
            format!("{}{suffix}", entry.name.escape_ascii())
        })
        .collect();
    listed.sort_unstable();
    let expected = [
        "alias", "dir/", "file", "itself/", "relative", "twice", "up",
    ];
    assert_eq!(listed, expected);
}

#[test]
fn at_most_40_absolute_links_are_followed() {
    let site = site();
    let root = site.path().canonicalize().unwrap().join("root");
    for at in 0..60 {
        let target = if at == 0 {
            "a.txt".into()
        } else {
            format!("{}", at - 1)
        };
        symlink(root.join(target), root.join(at.to_string())).unwrap();
    }
    let disk = Disk::open(&root).unwrap();
    assert_eq!(look_up(&disk, "/39"), Ok("hello".into()));
    assert_eq!(look_up(&disk, "/40"), Err(FsError::OutsideRoot));
}

/// Every entry that is not marked can be opened. Only CPython's page lists the marked ones.
#[test]
fn a_listing_marks_entries_that_cannot_be_opened() {
    let site = site();
    let root = site.path().join("root");
    symlink("nowhere", root.join("dangling")).unwrap();
    symlink("../secret", root.join("outside")).unwrap();
    symlink("/dev/zero", root.join("absolute")).unwrap();
    symlink("fifo", root.join("to-fifo")).unwrap();
    symlink("a.txt", root.join("good")).unwrap();
    mknodat(CWD, root.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    let unavailable = |disk: &Disk| -> Vec<String> {
        let entries = disk.list(&Path::default()).unwrap();
        let mut marked: Vec<_> = entries
            .iter()
            .filter(|entry| entry.unavailable)
            .map(|entry| String::from_utf8(entry.name.to_vec()).unwrap())
            .collect();
        marked.sort();
        for entry in entries.iter() {
            let name = format!("/{}", str::from_utf8(entry.name).unwrap());
            let can_be_opened = disk.open(&path(&name)).is_ok();
            assert_eq!(can_be_opened, !entry.unavailable, "{name}");
        }
        marked
    };
    let expected = [
        "absolute", "dangling", "fifo", "outside", "socket", "to-fifo",
    ];
    assert_eq!(unavailable(&disk(&site)), expected);
    let expected = ["absolute", "dangling", "fifo", "socket", "to-fifo"];
    assert_eq!(
        unavailable(&disk(&site).with_follow_symlinks(true)),
        expected
    );
}

#[test]
fn nothing_outside_the_root_is_opened_while_names_are_exchanged() {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        use std::sync::atomic::{AtomicBool, Ordering};
        use std::thread;

        let site = site();
        let root = site.path().join("root");
        let outside = site.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("b.txt"), "secret").unwrap();
        symlink("../outside", root.join("link")).unwrap();
        let (disk, done) = (disk(&site), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let (one, other) = (root.join("d"), root.join("link"));
                    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
                }
            });
            for _ in 0..5_000 {
                let content = look_up(&disk, "/d/b.txt");
                assert!(
                    content != Ok("secret".into()),
                    "a file outside the root was opened"
                );
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn dangling_and_circular_links_are_not_found() {
    let site = site();
    symlink("nowhere", site.path().join("root/broken")).unwrap();
    symlink("circle", site.path().join("root/circle")).unwrap();
    for disk in [disk(&site), disk(&site).with_follow_symlinks(true)] {
        assert_eq!(look_up(&disk, "/broken"), Err(FsError::NotFound));
        assert_eq!(look_up(&disk, "/circle"), Err(FsError::NotFound));
    }
}

#[test]
fn a_fifo_neither_blocks_nor_is_read() {
    let site = site();
    let fifo = site.path().join("root/fifo");
    mknodat(CWD, fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for disk in [disk(&site), disk(&site).with_follow_symlinks(true)] {
        assert_eq!(look_up(&disk, "/fifo"), Err(FsError::NotRegularFile));
        assert!(names(&disk, "/").contains(&("fifo".into(), false, false)));
    }
}

#[test]
fn a_listing_has_lengths_and_times_but_none_of_files_outside_the_root() {
    let site = site();
    let root = site.path().join("root");
    let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_millis(1_500));
    for name in ["a.txt", "d"] {
        let file = File::open(root.join(name)).unwrap();
        file.set_times(times).unwrap();
    }
    symlink("a.txt", root.join("inside")).unwrap();
    symlink("../secret", root.join("outside")).unwrap();
    symlink("nowhere", root.join("broken")).unwrap();
    mknodat(CWD, root.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    for follow in [false, true] {
        let entries = disk(&site)
            .with_follow_symlinks(follow)
            .list(&path("/"))
            .unwrap();
        let len_and_time = |name: &str| {
            let entry = entries.iter().find(|entry| entry.name == name.as_bytes());
            let Entry { len, modified, .. } = entry.unwrap();
            (len, modified)
        };
        assert_eq!(len_and_time("a.txt"), (Some(5), Some(1)));
        assert_eq!(len_and_time("d"), (None, Some(1)));
        assert_eq!(len_and_time("inside"), (Some(5), Some(1)));
        assert_eq!(len_and_time("broken"), (None, None));
        assert_eq!(len_and_time("outside").0, follow.then_some(6));
        assert_eq!(len_and_time("outside").1.is_some(), follow);
        assert_eq!(len_and_time("fifo").0, None);
    }
}

#[test]
fn a_listing_is_sorted_by_name() {
    let site = TempDir::new().unwrap();
    for name in ["b10", "B9", "a"] {
        fs::write(site.path().join(name), "").unwrap();
    }
    fs::create_dir(site.path().join("z")).unwrap();
    let entries = Disk::open(&site).unwrap().list(&path("/")).unwrap();
    let names = entries.iter().map(|entry| entry.name);
    assert!(names.eq([&b"z"[..], b"a", b"B9", b"b10"]));
}

#[test]
fn sockets_and_devices_are_not_read() {
    let site = site();
    let _socket = UnixListener::bind(site.path().join("root/socket")).unwrap();
    symlink("/dev/zero", site.path().join("root/zero")).unwrap();
    let follows = disk(&site).with_follow_symlinks(true);
    assert_eq!(
        look_up(&disk(&site), "/socket"),
        Err(FsError::NotRegularFile)
    );
    assert_eq!(look_up(&follows, "/socket"), Err(FsError::NotRegularFile));
    assert_eq!(look_up(&follows, "/zero"), Err(FsError::NotRegularFile));
    assert_eq!(look_up(&disk(&site), "/zero"), Err(FsError::OutsideRoot));

    let (zero, mode) = (makedev(1, 5), Mode::RUSR);
    let device = site.path().join("root/device");
    if let Err(error) = mknodat(CWD, device, FileType::CharacterDevice, mode, zero) {
        eprintln!("skipped: this user may not create devices: {error}");
        return;
    }
    assert_eq!(
        look_up(&disk(&site), "/device"),
        Err(FsError::NotRegularFile)
    );
    assert_eq!(look_up(&follows, "/device"), Err(FsError::NotRegularFile));
}

#[test]
fn a_path_below_a_file_is_not_found_and_a_long_name_is_too_long() {
    let site = site();
    let long = format!("/{}", "n".repeat(300));
    let longer = format!("/{}a.txt", "d/".repeat(3_000));
    for disk in [disk(&site), disk(&site).with_follow_symlinks(true)] {
        assert_eq!(look_up(&disk, "/a.txt/b"), Err(FsError::NotFound));
        assert_eq!(disk.list(&path("/a.txt")), Err(FsError::NotFound));
        assert_eq!(disk.list(&path("/nope")), Err(FsError::NotFound));
        assert_eq!(look_up(&disk, &long), Err(FsError::TooLong));
        assert_eq!(look_up(&disk, &longer), Err(FsError::TooLong));
    }
}

#[test]
fn an_unreadable_file_is_forbidden() {
    let site = site();
    let (file, dir) = (site.path().join("root/a.txt"), site.path().join("root/d"));
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o111)).unwrap();
    if File::open(&file).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    for disk in [disk(&site), disk(&site).with_follow_symlinks(true)] {
        assert_eq!(look_up(&disk, "/a.txt"), Err(FsError::Forbidden));
        assert_eq!(disk.list(&path("/d/")), Err(FsError::Forbidden));
        assert_eq!(look_up(&disk, "/d"), Ok("/".into()), "it can be traversed");
        assert_eq!(look_up(&disk, "/d/b.txt"), Ok("below".into()));
    }
}

#[test]
fn modification_times_are_rounded_down_even_before_1970() {
    let site = site();
    let modified_after_setting = |time| {
        let file = File::options()
            .write(true)
            .open(site.path().join("root/a.txt"))
            .unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
        meta(&disk(&site), "/a.txt").modified
    };
    let half = Duration::from_millis(500);
    assert_eq!(modified_after_setting(UNIX_EPOCH + 3 * half), Some(1));
    assert_eq!(modified_after_setting(UNIX_EPOCH), Some(0));
    assert_eq!(modified_after_setting(UNIX_EPOCH - half), Some(-1));
    assert_eq!(modified_after_setting(UNIX_EPOCH - 2 * half), Some(-1));
    assert_eq!(modified_after_setting(UNIX_EPOCH - 3 * half), Some(-2));
}

#[test]
fn names_need_not_be_utf8() {
    let site = site();
    let name = OsStr::from_bytes(b"\xff&.txt");
    fs::write(site.path().join("root").join(name), "odd").unwrap();
    let disk = disk(&site);
    assert_eq!(look_up(&disk, "/%ED%B3%BF&.txt"), Ok("odd".into()));
    assert!(names(&disk, "/").contains(&("\\xff&.txt".into(), false, false)));
}

#[test]
fn a_listing_distinguishes_directories_and_links() {
    let site = site();
    let root = site.path().join("root");
    symlink("d", root.join("to-directory")).unwrap();
    symlink("../d", root.join("d/to-directory")).unwrap();
    symlink("a.txt", root.join("to-file")).unwrap();
    symlink("..", root.join("to-outside")).unwrap();
    symlink("nowhere", root.join("to-nowhere")).unwrap();
    let expected = |outside| {
        let row = |(name, directory, link): (&str, bool, bool)| (name.to_string(), directory, link);
        [
            ("a.txt", false, false),
            ("d", true, false),
            ("to-directory", true, true),
            ("to-file", false, true),
            ("to-nowhere", false, true),
            ("to-outside", outside, true),
        ]
        .map(row)
    };
    assert_eq!(names(&disk(&site), "/"), expected(false));
    assert_eq!(
        names(&disk(&site).with_follow_symlinks(true), "/"),
        expected(true)
    );
    assert_eq!(
        names(&disk(&site), "/d/")[1],
        ("to-directory".into(), true, true)
    );
}

#[test]
fn a_root_that_is_not_a_directory_is_refused_with_a_clear_message() {
    let site = site();
    let message = |name: &StdPath| Disk::open(name).unwrap_err().to_string();
    let (missing, file) = (site.path().join("nope"), site.path().join("secret"));
    assert_eq!(
        message(&missing),
        format!("there is no directory {}", missing.display())
    );
    assert_eq!(
        message(&file),
        format!("{} is not a directory", file.display())
    );
}

/// Writes `a.txt`, in place or by renaming another file over it, with this modification time.
fn write(site: &TempDir, content: &str, modified: Duration, in_place: bool) {
    let name = site.path().join("root/a.txt");
    let temporary = if in_place {
        name.clone()
    } else {
        site.path().join("root/new")
    };
    fs::write(&temporary, content).unwrap();
    let file = File::options().write(true).open(&temporary).unwrap();
    file.set_modified(UNIX_EPOCH + modified).unwrap();
    fs::rename(temporary, name).unwrap();
}

/// Returns the version of `a.txt` once it is settled.
fn settled(disk: &Disk) -> FileVersion {
    loop {
        let version = meta(disk, "/a.txt").version.expect("every file has one");
        if version.is_settled() {
            return version;
        }
        thread::yield_now();
    }
}

/// Modification times that tools set: exact ones, whole seconds (tar, unzip, curl -R), one for all files (Nix, OSTree).
const TIMES: [Duration; 4] = [
    Duration::new(1_577_836_800, 750_000_000),
    Duration::from_secs(1_577_836_800),
    Duration::from_secs(0),
    Duration::from_secs(1),
];

#[test]
fn new_content_with_the_same_length_and_time_has_a_new_version() {
    let site = site();
    let disk = disk(&site);
    for (time, in_place) in TIMES
        .into_iter()
        .flat_map(|time| [(time, true), (time, false)])
    {
        write(&site, "0", time, in_place);
        let mut before = settled(&disk);
        for content in ["1", "2", "3"] {
            assert_eq!(
                settled(&disk),
                before,
                "the version of an unchanged file is stable"
            );
            write(&site, content, time, in_place);
            assert_ne!(
                meta(&disk, "/a.txt").version,
                Some(before),
                "{time:?}, in place: {in_place}"
            );
            before = settled(&disk);
        }
    }
}

/// Returns whether the version of `a.txt` is unsettled after at least one of many writes. On a busy machine it may be
/// settled by the time of the look-up.
fn is_seen_unsettled(disk: &Disk, write: impl Fn()) -> bool {
    (0..1000).any(|_| {
        write();
        let version = meta(disk, "/a.txt").version;
        version.is_some_and(|version| !version.is_settled())
    })
}

#[test]
fn the_version_of_a_file_changed_just_now_is_not_settled() {
    let site = site();
    let disk = disk(&site);
    assert!(is_seen_unsettled(&disk, || write(
        &site, "new", TIMES[1], true
    )));
    settled(&disk);
}

#[test]
fn the_portable_version_of_a_file_changed_just_now_is_not_settled() {
    let site = site();
    let disk = disk(&site).with_portable_tags(true);
    let name = site.path().join("root/a.txt");
    assert!(is_seen_unsettled(&disk, || fs::write(&name, "new").unwrap()));
    // A file whose time is in whole seconds has no portable version.
    let modified = fs::metadata(&name).unwrap().modified().unwrap();
    if modified.duration_since(UNIX_EPOCH).unwrap().subsec_nanos() > 0 {
        settled(&disk);
    }
}

#[test]
fn portable_tags_depend_only_on_the_modification_time() {
    let site = site();
    let disk = disk(&site).with_portable_tags(true);
    write(&site, "a", TIMES[0], true);
    let number = 1_577_836_800_750_000_000;
    assert_eq!(
        meta(&disk, "/a.txt").version,
        Some(FileVersion::new(number))
    );
    for whole in &TIMES[1..] {
        write(&site, "a", *whole, true);
        assert_eq!(meta(&disk, "/a.txt").version, None, "{whole:?}");
    }
}

#[test]
fn listings_of_a_large_directory_are_shared() {
    let site = TempDir::new().unwrap();
    for number in 0..10_500 {
        fs::write(site.path().join(number.to_string()), "").unwrap();
    }
    // The target of a link cannot be watched, so the listing of this directory is not cached.
    symlink("0", site.path().join("link")).unwrap();
    let disk = Disk::open(site.path()).unwrap();
    let list = || disk.list(&Path::default()).unwrap();
    let (first, second) = (list(), list());
    assert_eq!(first.len(), 10_501);
    assert!(Arc::ptr_eq(&first, &second));
    fs::write(site.path().join("new"), "").unwrap();
    let third = list();
    assert_eq!(third.len(), 10_502, "a new file is listed immediately");
    assert!(!Arc::ptr_eq(&first, &third));
}
