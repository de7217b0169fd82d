//! What a disk opens, what it refuses, and what it says of it.
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

/// A directory `root` to serve, and a file `secret` beside it.
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

/// What is found under a target: what a file holds, or `/`.
fn look(disk: &Disk, target: &str) -> Result<String, FsError> {
    match disk.open(&path(target))? {
        Opened::Directory => Ok("/".into()),
        Opened::File { mut file, meta, .. } => {
            let mut bytes = vec![0; meta.len as usize];
            let n = disk.read(&mut file, 0, &mut bytes)?;
            assert_eq!(n, bytes.len());
            Ok(String::from_utf8(bytes).unwrap())
        }
        _ => unreachable!("nothing is run here"),
    }
}

fn meta(disk: &Disk, target: &str) -> Meta {
    match disk.open(&path(target)) {
        Ok(Opened::File { meta, .. }) => meta,
        other => panic!("{target} is no file: {other:?}"),
    }
}

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
        assert_eq!(look(&disk, "/a.txt"), Ok("hello".into()));
        assert_eq!(look(&disk, "/d/b.txt"), Ok("below".into()));
        assert_eq!(look(&disk, "/d"), Ok("/".into()));
        assert_eq!(look(&disk, "/"), Ok("/".into()));
        assert_eq!(look(&disk, "/nope"), Err(FsError::NotFound));
    }
}

#[test]
fn reading_starts_where_it_is_told_and_ends_with_the_file() {
    let site = site();
    let disk = disk(&site);
    let Ok(Opened::File { mut file, .. }) = disk.open(&path("/a.txt")) else {
        panic!("a.txt is a file");
    };
    let mut into = [0; 16];
    assert_eq!(disk.read(&mut file, 3, &mut into), Ok(2));
    assert_eq!(&into[..2], b"lo");
    assert_eq!(disk.read(&mut file, 0, &mut into[..2]), Ok(2));
    assert_eq!(&into[..2], b"he");
    assert_eq!(disk.read(&mut file, 5, &mut into), Ok(0));
}

#[test]
fn links_that_stay_inside_are_followed() {
    let site = site();
    symlink("d/b.txt", site.path().join("root/file")).unwrap();
    symlink("../a.txt", site.path().join("root/d/up")).unwrap();
    symlink("d", site.path().join("root/dir")).unwrap();
    let disk = disk(&site);
    assert_eq!(look(&disk, "/file"), Ok("below".into()));
    assert_eq!(look(&disk, "/d/up"), Ok("hello".into()));
    assert_eq!(look(&disk, "/dir"), Ok("/".into()));
    assert_eq!(look(&disk, "/dir/up"), Ok("hello".into()));
}

#[test]
fn links_that_lead_out_are_followed_only_if_that_is_wanted() {
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
            look(&disk(&site), target),
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
        assert_eq!(look(&follows, target), Ok("secret".into()), "{target}");
    }
    let row = |name: &str| (name.to_string(), true, false);
    let above = names(&follows, "/above/");
    assert_eq!(above, [row("root"), ("secret".into(), false, false)]);
}

/// An absolute link that begins with the name of the served directory, as it was given or as it is.
#[test]
fn absolute_links_that_lead_back_into_the_root_are_followed() {
    let site = site();
    let root = site.path().canonicalize().unwrap().join("root");
    let given = site.path().join("given");
    symlink("root", &given).unwrap();
    for (name, target) in [
        ("file", root.join("d/b.txt")),
        ("given", given.join("d//./b.txt")),
        ("up", root.join("d/../a.txt")),
        ("dir", root.join("d")),
        ("root", root.clone()),
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
    let disk = Disk::open(&given).unwrap();
    for target in [
        "/file",
        "/given",
        "/dir/b.txt",
        "/twice",
        "/relative",
        "/root/d/b.txt",
    ] {
        assert_eq!(look(&disk, target), Ok("below".into()), "{target}");
    }
    assert_eq!(look(&disk, "/up"), Ok("hello".into()));
    assert_eq!(
        (look(&disk, "/dir"), look(&disk, "/root")),
        (Ok("/".into()), Ok("/".into()))
    );
    assert_eq!(names(&disk, "/dir/"), names(&disk, "/d/"));
    assert_eq!(look(&disk, "/nowhere"), Err(FsError::NotFound));
    for target in [
        "/out",
        "/beside",
        "/other",
        "/leads",
        "/root/out",
        "/circle",
    ] {
        assert_eq!(look(&disk, target), Err(FsError::OutsideRoot), "{target}");
    }
    let entries = disk.list(&Path::default()).unwrap();
    let listed = entries
        .iter()
        .filter(|entry| entry.link && !entry.unavailable);
    let mut listed: Vec<_> = listed
        .map(|entry| {
            let mark = if entry.directory { "/" } else { "" };
            format!("{}{mark}", entry.name.escape_ascii())
        })
        .collect();
    listed.sort_unstable();
    let expected = ["dir/", "file", "given", "relative", "root/", "twice", "up"];
    assert_eq!(listed, expected);
}

/// No more is done for a path than for forty links.
#[test]
fn absolute_links_are_followed_forty_times_at_most() {
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
    assert_eq!(look(&disk, "/39"), Ok("hello".into()));
    assert_eq!(look(&disk, "/40"), Err(FsError::OutsideRoot));
}

/// What is listed can be had, and what cannot be had is listed by CPython's page alone.
#[test]
fn what_cannot_be_had_is_marked_in_a_list() {
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
        let marked = entries.iter().filter(|entry| entry.unavailable);
        let mut marked: Vec<_> = marked
            .map(|entry| String::from_utf8(entry.name.to_vec()).unwrap())
            .collect();
        marked.sort();
        for entry in entries.iter() {
            let name = format!("/{}", str::from_utf8(entry.name).unwrap());
            assert_eq!(look_for(disk, &name), !entry.unavailable, "{name}");
        }
        marked
    };
    let wanted = [
        "absolute", "dangling", "fifo", "outside", "socket", "to-fifo",
    ];
    assert_eq!(unavailable(&disk(&site)), wanted);
    let wanted = ["absolute", "dangling", "fifo", "socket", "to-fifo"];
    assert_eq!(unavailable(&disk(&site).with_follow_symlinks(true)), wanted);
}

fn look_for(disk: &Disk, target: &str) -> bool {
    disk.open(&path(target)).is_ok()
}

#[test]
fn nothing_outside_is_opened_while_names_change_places() {
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
                let found = look(&disk, "/d/b.txt");
                assert!(
                    found != Ok("secret".into()),
                    "a file outside of the root was opened"
                );
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn links_to_nowhere_and_in_circles_are_not_found() {
    let site = site();
    symlink("nowhere", site.path().join("root/broken")).unwrap();
    symlink("circle", site.path().join("root/circle")).unwrap();
    for disk in [disk(&site), disk(&site).with_follow_symlinks(true)] {
        assert_eq!(look(&disk, "/broken"), Err(FsError::NotFound));
        assert_eq!(look(&disk, "/circle"), Err(FsError::NotFound));
    }
}

#[test]
fn a_fifo_is_neither_waited_for_nor_read() {
    let site = site();
    let fifo = site.path().join("root/fifo");
    mknodat(CWD, fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for disk in [disk(&site), disk(&site).with_follow_symlinks(true)] {
        assert_eq!(look(&disk, "/fifo"), Err(FsError::NotRegularFile));
        assert!(names(&disk, "/").contains(&("fifo".into(), false, false)));
    }
}

#[test]
fn a_list_tells_what_is_known_of_each_entry_and_nothing_of_what_lies_outside() {
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
        let known = |name: &str| {
            let entry = entries.iter().find(|entry| entry.name == name.as_bytes());
            let Entry { len, modified, .. } = entry.unwrap();
            (len, modified)
        };
        assert_eq!(known("a.txt"), (Some(5), Some(1)));
        assert_eq!(known("d"), (None, Some(1)));
        assert_eq!(known("inside"), (Some(5), Some(1)));
        assert_eq!(known("broken"), (None, None));
        assert_eq!(known("outside").0, follow.then_some(6));
        assert_eq!(known("outside").1.is_some(), follow);
        assert_eq!(known("fifo").0, None);
    }
}

#[test]
fn a_list_is_in_the_order_of_its_names() {
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
fn neither_sockets_nor_devices_are_read() {
    let site = site();
    let _socket = UnixListener::bind(site.path().join("root/socket")).unwrap();
    symlink("/dev/zero", site.path().join("root/zero")).unwrap();
    let follows = disk(&site).with_follow_symlinks(true);
    assert_eq!(look(&disk(&site), "/socket"), Err(FsError::NotRegularFile));
    assert_eq!(look(&follows, "/socket"), Err(FsError::NotRegularFile));
    assert_eq!(look(&follows, "/zero"), Err(FsError::NotRegularFile));
    assert_eq!(look(&disk(&site), "/zero"), Err(FsError::OutsideRoot));

    let (zero, mode) = (makedev(1, 5), Mode::RUSR);
    let device = site.path().join("root/device");
    if let Err(error) = mknodat(CWD, device, FileType::CharacterDevice, mode, zero) {
        eprintln!("skipped: this user may not make devices: {error}");
        return;
    }
    assert_eq!(look(&disk(&site), "/device"), Err(FsError::NotRegularFile));
    assert_eq!(look(&follows, "/device"), Err(FsError::NotRegularFile));
}

#[test]
fn a_file_is_no_directory_and_a_long_name_no_file() {
    let site = site();
    let long = format!("/{}", "n".repeat(300));
    let longer = format!("/{}a.txt", "d/".repeat(3_000));
    for disk in [disk(&site), disk(&site).with_follow_symlinks(true)] {
        assert_eq!(look(&disk, "/a.txt/b"), Err(FsError::NotFound));
        assert_eq!(disk.list(&path("/a.txt")), Err(FsError::NotFound));
        assert_eq!(disk.list(&path("/nope")), Err(FsError::NotFound));
        assert_eq!(look(&disk, &long), Err(FsError::TooLong));
        assert_eq!(look(&disk, &longer), Err(FsError::TooLong));
    }
}

#[test]
fn what_may_not_be_read_is_forbidden() {
    let site = site();
    let (file, dir) = (site.path().join("root/a.txt"), site.path().join("root/d"));
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o111)).unwrap();
    if File::open(&file).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    for disk in [disk(&site), disk(&site).with_follow_symlinks(true)] {
        assert_eq!(look(&disk, "/a.txt"), Err(FsError::Forbidden));
        assert_eq!(disk.list(&path("/d/")), Err(FsError::Forbidden));
        assert_eq!(look(&disk, "/d"), Ok("/".into()), "one may pass through it");
        assert_eq!(look(&disk, "/d/b.txt"), Ok("below".into()));
    }
}

#[test]
fn times_are_rounded_down_also_before_1970() {
    let site = site();
    let set = |time| {
        let file = File::options()
            .write(true)
            .open(site.path().join("root/a.txt"))
            .unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
        meta(&disk(&site), "/a.txt").modified
    };
    let half = Duration::from_millis(500);
    assert_eq!(set(UNIX_EPOCH + 3 * half), Some(1));
    assert_eq!(set(UNIX_EPOCH), Some(0));
    assert_eq!(set(UNIX_EPOCH - half), Some(-1));
    assert_eq!(set(UNIX_EPOCH - 2 * half), Some(-1));
    assert_eq!(set(UNIX_EPOCH - 3 * half), Some(-2));
}

#[test]
fn names_need_not_be_utf_8() {
    let site = site();
    let name = OsStr::from_bytes(b"\xff&.txt");
    fs::write(site.path().join("root").join(name), "odd").unwrap();
    let disk = disk(&site);
    assert_eq!(look(&disk, "/%ED%B3%BF&.txt"), Ok("odd".into()));
    assert!(names(&disk, "/").contains(&("\\xff&.txt".into(), false, false)));
}

#[test]
fn a_list_tells_directories_and_links() {
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
fn a_root_that_is_no_directory_is_refused_in_plain_words() {
    let site = site();
    let refusal = |name: &StdPath| Disk::open(name).unwrap_err().to_string();
    let (missing, file) = (site.path().join("nope"), site.path().join("secret"));
    assert_eq!(
        refusal(&missing),
        format!("there is no directory {}", missing.display())
    );
    assert_eq!(
        refusal(&file),
        format!("{} is not a directory", file.display())
    );
}

/// Writes `a.txt`, or puts another file in its place, with that time of the last change.
fn write(site: &TempDir, content: &str, modified: Duration, in_place: bool) {
    let name = site.path().join("root/a.txt");
    let written = if in_place {
        name.clone()
    } else {
        site.path().join("root/new")
    };
    fs::write(&written, content).unwrap();
    let file = File::options().write(true).open(&written).unwrap();
    file.set_modified(UNIX_EPOCH + modified).unwrap();
    fs::rename(written, name).unwrap();
}

/// The version of `a.txt` once that is settled.
fn settled(disk: &Disk) -> FileVersion {
    loop {
        let version = meta(disk, "/a.txt").version.expect("every file has one");
        if version.is_settled() {
            return version;
        }
        thread::yield_now();
    }
}

/// Times that tools leave: exact ones, whole seconds (tar, unzip, curl -R), one for all files (Nix, OSTree).
const TIMES: [Duration; 4] = [
    Duration::new(1_577_836_800, 750_000_000),
    Duration::from_secs(1_577_836_800),
    Duration::from_secs(0),
    Duration::from_secs(1),
];

#[test]
fn another_content_of_the_same_length_and_time_has_another_version() {
    let site = site();
    let disk = disk(&site);
    for (time, in_place) in TIMES
        .into_iter()
        .flat_map(|time| [(time, true), (time, false)])
    {
        write(&site, "0", time, in_place);
        let mut before = settled(&disk);
        for content in ["1", "2", "3"] {
            assert_eq!(settled(&disk), before, "it lasts as long as the file does");
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

/// Whether the version of `a.txt` is seen to be open to a change in the same moment, after each of some writes. A busy
/// machine may take longer than that moment.
fn is_seen_unsettled(disk: &Disk, write: impl Fn()) -> bool {
    (0..1000).any(|_| {
        write();
        let version = meta(disk, "/a.txt").version;
        version.is_some_and(|version| !version.is_settled())
    })
}

#[test]
fn the_version_of_a_file_that_was_changed_just_now_is_not_settled() {
    let site = site();
    let disk = disk(&site);
    assert!(is_seen_unsettled(&disk, || write(
        &site, "new", TIMES[1], true
    )));
    settled(&disk);
}

#[test]
fn nor_is_a_portable_one_whose_time_was_just_now() {
    let site = site();
    let disk = disk(&site).with_portable_tags(true);
    let name = site.path().join("root/a.txt");
    assert!(is_seen_unsettled(&disk, || fs::write(&name, "new").unwrap()));
    // Nobody can tell a time in whole seconds from another such time, so it must have a fraction.
    let modified = fs::metadata(&name).unwrap().modified().unwrap();
    if modified.duration_since(UNIX_EPOCH).unwrap().subsec_nanos() > 0 {
        settled(&disk);
    }
}

#[test]
fn portable_tags_are_made_of_the_time_of_the_last_change_alone() {
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
fn readers_of_a_large_directory_share_its_entries() {
    let site = TempDir::new().unwrap();
    for number in 0..10_500 {
        fs::write(site.path().join(number.to_string()), "").unwrap();
    }
    // What leads elsewhere cannot be watched, so nothing is kept of this directory.
    symlink("0", site.path().join("link")).unwrap();
    let disk = Disk::open(site.path()).unwrap();
    let list = || disk.list(&Path::default()).unwrap();
    let (first, second) = (list(), list());
    assert_eq!(first.len(), 10_501);
    assert!(Arc::ptr_eq(&first, &second));
    fs::write(site.path().join("new"), "").unwrap();
    let third = list();
    assert_eq!(third.len(), 10_502, "what is new is listed at once");
    assert!(!Arc::ptr_eq(&first, &third));
}
