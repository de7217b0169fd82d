//! Directories as archives: what Python and unzip read of them, in whatever pieces they came.
#![cfg(unix)]

#[path = "../../conformance/tests/tools/mod.rs"]
mod tools;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path as Place;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use sanserve_core::{ArchiveFormat, ArchiveRequest};
use sanserve_core::{FileSystem, FsError, Got, Meta, Opened, Path};
use sanserve_server::{Disk, Open};
use tempfile::TempDir;
use tools::skip;

/// The archive of the whole tree.
fn pack(disk: &Disk, format: ArchiveFormat) -> Result<(Open, Meta), FsError> {
    let (path, hidden) = (Path::default(), false);
    match disk.archive(&ArchiveRequest {
        path,
        format,
        hidden,
    })? {
        Opened::File {
            file,
            meta,
            sendable,
        } => {
            assert!(!sendable);
            Ok((file, meta))
        }
        other => panic!("not a file: {other:?}"),
    }
}

/// The bytes in this range, read by pieces of that size at most. `None` if that cannot be done.
fn read(disk: &Disk, open: &mut Open, from: u64, to: u64, piece: usize) -> Option<Vec<u8>> {
    let (mut bytes, mut room) = (Vec::new(), vec![0; piece]);
    while from + (bytes.len() as u64) < to {
        let at = from + bytes.len() as u64;
        let most = piece.min(usize::try_from(to - at).unwrap());
        match disk.fill(open, at, &mut room[..most]) {
            Got::Bytes(0) => panic!("it ends at {at}"),
            Got::Bytes(n) => bytes.extend(&room[..n]),
            Got::Working => {}
            Got::Refused(_) => return None,
            other => panic!("{other:?}"),
        }
    }
    Some(bytes)
}

fn whole(disk: &Disk, format: ArchiveFormat) -> Vec<u8> {
    let (mut open, meta) = pack(disk, format).unwrap();
    let bytes = read(disk, &mut open, 0, meta.len, 32 * 1024).unwrap();
    assert!(matches!(
        disk.fill(&mut open, meta.len, &mut [0]),
        Got::Bytes(0)
    ));
    bytes
}

/// What a program says that is given an archive on its standard input. `None` if it is not there.
fn tell(program: &str, args: &[&str], archive: &[u8]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        skip(format_args!("{program} is not installed"));
        return None;
    };
    child.stdin.take().unwrap().write_all(archive).unwrap();
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Names in hexadecimal, modes and contents, as Python's own readers of archives have them.
const READER: &str = r#"
import io, sys, zipfile, tarfile
data = io.BytesIO(sys.stdin.buffer.read())
if sys.argv[1] == 'Zip':
    archive = zipfile.ZipFile(data)
    assert archive.testzip() is None
    for info in archive.infolist():
        name = info.filename.encode('utf-8' if info.flag_bits & 0x800 else 'cp437')
        text = b'' if info.is_dir() else archive.read(info)
        print(name.rstrip(b'/').hex(), 'd' if info.is_dir() else 'f', oct(info.external_attr >> 16 & 0o777)[2:], text.hex())
else:
    archive = tarfile.open(fileobj=data)
    for info in archive.getmembers():
        name = info.name.encode('utf-8', 'surrogateescape')
        text = b'' if info.isdir() else archive.extractfile(info).read()
        print(name.hex(), 'd' if info.isdir() else 'f', oct(info.mode)[2:], text.hex())
"#;

fn python(format: ArchiveFormat, archive: &[u8]) -> Option<Vec<String>> {
    let said = tell("python3", &["-c", READER, &format!("{format:?}")], archive)?;
    Some(
        said.lines()
            .map(|line| line.trim_end().to_owned())
            .collect(),
    )
}

/// The lines that the reader says of a tree that is served: all in the order of their names.
fn expected(root: &Place, name: &[u8], lines: &mut Vec<String>) {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    lines.push(format!("{} d 755", hex(name)));
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap());
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = [name, b"/", entry.file_name().as_bytes()].concat();
        let found = entry.metadata().unwrap();
        if found.is_dir() {
            expected(&entry.path(), &name, lines);
        } else {
            let mode = if found.permissions().mode() & 0o111 != 0 {
                755
            } else {
                644
            };
            let text = hex(&fs::read(entry.path()).unwrap());
            lines.push(format!("{} f {mode} {text}", hex(&name)).trim_end().into());
        }
    }
}

/// xorshift: the same trees every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Some files and directories, whatever they may be called.
fn grow(root: &Place, depth: u32, dice: &mut Dice) {
    for _ in 0..dice.below(7) {
        let len = [1, 8, 90, 101, 200][dice.below(5) as usize];
        let mut name: Vec<u8> = (0..len).map(|_| b'!' + dice.below(90) as u8).collect();
        name.retain(|byte| !b"/\\:.\"".contains(byte));
        match dice.below(6) {
            0 => name.push(0xff),
            1 => name.extend("ü".bytes()),
            _ => {}
        }
        if !Path::is_portable_name(&name) {
            continue;
        }
        let place = root.join(OsStr::from_bytes(&name));
        if place.exists() {
            continue;
        }
        if depth > 0 && dice.below(3) == 0 {
            fs::create_dir(&place).unwrap();
            grow(&place, depth - 1, dice);
            continue;
        }
        let len = [0, 1, 511, 512, 513, 70_000][dice.below(6) as usize];
        fs::write(
            &place,
            (0..len).map(|_| dice.below(256) as u8).collect::<Vec<_>>(),
        )
        .unwrap();
        let mode = if dice.below(4) == 0 { 0o755 } else { 0o644 };
        fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn any_tree_cut_anywhere_is_read_by_python() {
    for seed in 1..=8 {
        let (root, mut dice) = (TempDir::new().unwrap(), Dice(seed * 0x9e37_79b9));
        grow(root.path(), 3, &mut dice);
        let disk = Disk::open(root.path()).unwrap();
        let mut lines = Vec::new();
        expected(root.path(), b"files", &mut lines);
        for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
            let bytes = whole(&disk, format);
            let len = bytes.len() as u64;
            let mut joined = Vec::new();
            while (joined.len() as u64) < len {
                let from = joined.len() as u64;
                let to = len.min(from + 1 + dice.below(len));
                let piece = [97, 1000, 40_000][dice.below(3) as usize];
                let (mut open, _) = pack(&disk, format).unwrap();
                joined.extend(read(&disk, &mut open, from, to, piece).unwrap());
            }
            assert!(
                joined == bytes,
                "{format:?} of seed {seed} differs by pieces"
            );
            if let Some(said) = python(format, &bytes) {
                assert_eq!(said, lines, "{format:?} of seed {seed}");
            }
        }
    }
}

#[test]
fn unzip_and_tar_find_no_fault() {
    let (root, mut dice) = (TempDir::new().unwrap(), Dice(4711));
    grow(root.path(), 3, &mut dice);
    let disk = Disk::open(root.path()).unwrap();
    let tar = whole(&disk, ArchiveFormat::Tar);
    tell("tar", &["-t", "-v", "-f", "-"], &tar);
    let zip = TempDir::new().unwrap();
    let place = zip.path().join("a.zip");
    fs::write(&place, whole(&disk, ArchiveFormat::Zip)).unwrap();
    tell("unzip", &["-t", place.to_str().unwrap()], b"");
}

/// The times of the files below a folder, in seconds since 1970, after a program has unpacked an archive there.
fn unpacked(program: &str, args: &[&str], archive: &Place) -> Option<Vec<i64>> {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(program);
    command.args(args).arg(archive).current_dir(folder.path());
    let Ok(output) = command.env("TZ", "UTC").output() else {
        skip(format_args!("{program} is not installed"));
        return None;
    };
    assert!(output.status.success(), "{program}: {output:?}");
    let files = TIMES.map(|time| folder.path().join(format!("files/{time}")));
    Some(
        files
            .iter()
            .map(|file| fs::metadata(file).unwrap().mtime())
            .collect(),
    )
}

/// Before 1970 and after 2038 no unpacker takes a time for another one. Where it does not know the field that
/// has it, the time is the nearest of those that every zip has, from 1980 on.
#[test]
fn times_before_1970_and_after_2038_are_not_taken_for_others() {
    let root = TempDir::new().unwrap();
    for time in TIMES {
        let file = File::create(root.path().join(time.to_string())).unwrap();
        let since = Duration::from_secs(time.unsigned_abs());
        let at = if time < 0 {
            UNIX_EPOCH - since
        } else {
            UNIX_EPOCH + since
        };
        file.set_modified(at).unwrap();
        assert_eq!(file.metadata().unwrap().mtime(), time);
    }
    let disk = Disk::open(root.path()).unwrap();
    let archives = TempDir::new().unwrap();
    let [tar, zip] = [ArchiveFormat::Tar, ArchiveFormat::Zip].map(|format| {
        let place = archives.path().join(format!("{format:?}"));
        fs::write(&place, whole(&disk, format)).unwrap();
        place
    });
    const READER: &str = "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(filter='data')";
    let all: [(&str, &[&str]); 4] = [
        ("tar", &["-xf"]),
        ("bsdtar", &["-xf"]),
        ("7z", &["x", "-y", "-ttar"]),
        ("python3", &["-c", READER]),
    ];
    for (program, args) in all {
        if let Some(times) = unpacked(program, args, &tar) {
            assert_eq!(times, TIMES, "{program}");
        }
    }
    let nearest = TIMES.map(|time| if time < 0 { 315_532_800 } else { time });
    let all: [(&str, &[&str], _); 3] = [
        ("7z", &["x", "-y", "-tzip"], TIMES),
        ("unzip", &["-q"], nearest),
        ("bsdtar", &["-xf"], nearest),
    ];
    for (program, args, expected) in all {
        if let Some(times) = unpacked(program, args, &zip) {
            assert_eq!(times, expected, "{program}");
        }
    }
}

/// In seconds since 1970: in 1969, of reproducible builds, on both sides of 2^31, and before 2^32. Behind that unzip is a day
/// late, for which 2100 is a leap year.
const TIMES: [i64; 8] = [
    -17_280_000,
    -1,
    0,
    1,
    1_577_836_801,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
];

/// What lies deeper than the system opens files is not left out without a word.
#[test]
fn there_is_no_archive_of_what_lies_too_deep() {
    let root = TempDir::new().unwrap();
    let name = "n".repeat(200);
    let mut dir =
        cap_std::fs::Dir::open_ambient_dir(root.path(), cap_std::ambient_authority()).unwrap();
    for depth in 1..=21 {
        dir.create_dir(&name).unwrap();
        dir = dir.open_dir(&name).unwrap();
        if depth == 19 {
            let disk = Disk::open(root.path()).unwrap();
            assert!(pack(&disk, ArchiveFormat::Tar).is_ok());
        }
    }
    dir.write("file", "deep").unwrap();
    let disk = Disk::open(root.path()).unwrap();
    for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
        assert_eq!(pack(&disk, format).map(drop), Err(FsError::TooLong));
    }
    // What cannot be there is not too deep.
    for missing in [format!("/{}/", "n".repeat(256)), "/d".repeat(3_000)] {
        let packed = disk.archive(&ArchiveRequest {
            path: Path::parse(&missing).unwrap(),
            format: ArchiveFormat::Zip,
            hidden: false,
        });
        assert_eq!(packed.map(drop), Err(FsError::NotFound), "{missing}");
    }
    // From further down it is.
    let below = Disk::open(root.path().join(&name).join(&name)).unwrap();
    assert!(String::from_utf8_lossy(&whole(&below, ArchiveFormat::Tar)).contains("deep"));
}

#[test]
fn what_the_server_would_not_send_is_not_in_it() {
    let (above, hello) = (TempDir::new().unwrap(), "hello");
    let root = above.path().join("root");
    fs::create_dir_all(root.join(".git")).unwrap();
    for name in ["a", ".env", ".git/config", "../SECRET"] {
        fs::write(root.join(name), hello).unwrap();
    }
    for (name, target) in [
        ("inside", "a"),
        ("out", "../SECRET"),
        ("absolute", "/etc/passwd"),
        ("round", "."),
        ("nowhere", "b"),
    ] {
        symlink(target, root.join(name)).unwrap();
    }
    let disk = Disk::open(&root).unwrap();
    for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
        if let Some(said) = python(format, &whole(&disk, format)) {
            let line = |name: &str| {
                let name: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
                format!("{name} f 644 68656c6c6f")
            };
            assert_eq!(said[1..], [line("files/a"), line("files/inside")]);
        }
    }
}

#[test]
fn a_file_that_changes_under_way_breaks_it_off() {
    for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
        let root = TempDir::new().unwrap();
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        fs::write(&a, vec![b'a'; 10_000]).unwrap();
        fs::write(&b, "b").unwrap();
        let disk = Disk::open(root.path()).unwrap();
        let (mut open, meta) = pack(&disk, format).unwrap();
        assert!(read(&disk, &mut open, 0, 5000, 1000).is_some());
        // In place, and of the same length.
        File::options()
            .write(true)
            .open(&a)
            .unwrap()
            .write_at(b"x", 9_999)
            .unwrap();
        assert!(
            read(&disk, &mut open, 5000, meta.len, 1000).is_none(),
            "{format:?}"
        );
        let (mut open, later) = pack(&disk, format).unwrap();
        assert_eq!(later.len, meta.len);
        assert_ne!(later.version.unwrap(), meta.version.unwrap());
        // Another one of that name.
        fs::rename(&b, &a).unwrap();
        assert!(
            read(&disk, &mut open, 0, meta.len, 1000).is_none(),
            "{format:?}"
        );
    }
}

#[test]
fn every_change_of_the_tree_makes_another_version() {
    let root = TempDir::new().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let mut seen = Vec::new();
    let mut look = |what: &str| {
        for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
            let version = pack(&disk, format).unwrap().1.version.unwrap();
            assert!(!seen.contains(&version), "{what}");
            seen.push(version);
        }
    };
    look("nothing");
    fs::write(root.path().join("a"), "a").unwrap();
    look("a file");
    fs::rename(root.path().join("a"), root.path().join("b")).unwrap();
    look("a name");
    fs::create_dir(root.path().join("c")).unwrap();
    look("a directory");
    // A time in whole seconds, as those from archives are, with other content of the same length.
    let file = File::create(root.path().join("b")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000))
        .unwrap();
    look("a time");
    (&file).write_all(b"z").unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000))
        .unwrap();
    look("content");
}

#[test]
fn more_than_four_gigabytes_and_many_files_want_zip64() {
    let root = TempDir::new().unwrap();
    let large = File::create(root.path().join("large")).unwrap();
    large.set_len(5 << 30).unwrap();
    fs::write(root.path().join("x"), "behind").unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let (mut open, meta) = pack(&disk, ArchiveFormat::Tar).unwrap();
    let header = read(&disk, &mut open, meta.len - 2048, meta.len, 2048).unwrap();
    assert_eq!(
        (&header[..7], &header[512..518]),
        (&b"files/x"[..], &b"behind"[..])
    );
    // The lengths of a zip need no reading, and neither does what stands before the sums.
    let (mut open, meta) = pack(&disk, ArchiveFormat::Zip).unwrap();
    assert_eq!(meta.len, {
        let heads = (30 + 6 + 9) + (30 + 11 + 9 + 20) + (30 + 7 + 9);
        let records = (46 + 6 + 9) + (46 + 11 + 9 + 20) + (46 + 7 + 9 + 12);
        heads + (5 << 30) + 24 + 6 + 16 + records + 56 + 20 + 22
    });
    let head = read(&disk, &mut open, 45, 45 + 70, 70).unwrap();
    assert_eq!(head[..6], *b"PK\x03\x04\x2d\x00");
    let behind = 45 + 70 + (5u64 << 30) + 24;
    let head = read(&disk, &mut open, behind, behind + 52, 52).unwrap();
    assert_eq!(
        (&head[..4], &head[46..]),
        (&b"PK\x03\x04"[..], &b"behind"[..])
    );

    let root = TempDir::new().unwrap();
    for name in 0..65_535 {
        File::create(root.path().join(name.to_string())).unwrap();
    }
    let disk = Disk::open(root.path()).unwrap();
    let (mut open, meta) = pack(&disk, ArchiveFormat::Zip).unwrap();
    let end = read(&disk, &mut open, meta.len - 98, meta.len, 98).unwrap();
    assert_eq!(end[..4], *b"PK\x06\x06");
    assert_eq!(end[24..32], 65_536u64.to_le_bytes());
}

#[test]
fn there_are_not_too_many_at_a_time() {
    let root = TempDir::new().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let mut held: Vec<_> = (0..16)
        .map(|_| pack(&disk, ArchiveFormat::Tar).unwrap())
        .collect();
    assert_eq!(
        pack(&disk, ArchiveFormat::Tar).unwrap_err(),
        FsError::NoResources
    );
    held.pop();
    assert!(pack(&disk, ArchiveFormat::Tar).is_ok());
}

#[test]
fn no_archive_is_made_of_a_directory_whose_name_is_refused() {
    let root = TempDir::new().unwrap();
    fs::create_dir(root.path().join("aux.d")).unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let pack = |disk: &Disk| {
        let (path, format) = (Path::parse("/aux.d/").unwrap(), ArchiveFormat::Tar);
        let packed = disk.archive(&ArchiveRequest {
            path,
            format,
            hidden: false,
        });
        packed.map(drop)
    };
    assert_eq!(pack(&disk), Ok(()));
    assert_eq!(
        pack(&disk.with_portable_names(true)),
        Err(FsError::InvalidName)
    );
}

#[test]
fn names_that_windows_reads_otherwise_are_in_archives_unless_they_are_refused() {
    let root = TempDir::new().unwrap();
    for name in ["a\\b", "aux.c", "plain", "std::vector.html"] {
        fs::write(root.path().join(name), "x").unwrap();
    }
    let disk = Disk::open(root.path()).unwrap();
    let names = |disk: &Disk, format| -> Option<Vec<String>> {
        let lines = python(format, &whole(disk, format))?;
        let hex = |line: &String| {
            let hex = line.split(' ').next().unwrap().as_bytes();
            let bytes = hex.chunks(2).map(|two| str::from_utf8(two).unwrap());
            let bytes = bytes.map(|two| u8::from_str_radix(two, 16).unwrap());
            String::from_utf8(bytes.collect()).unwrap()
        };
        Some(lines.iter().skip(1).map(hex).collect())
    };
    let Some(tar) = names(&disk, ArchiveFormat::Tar) else {
        return;
    };
    let exact = ["files/a\\b", "files/aux.c", "files/plain"];
    assert_eq!(tar, [&exact[..], &["files/std::vector.html"]].concat());
    let zip = names(&disk, ArchiveFormat::Zip).unwrap();
    let portable = ["files/a_b", "files/_ux.c", "files/plain"];
    assert_eq!(zip, [&portable[..], &["files/std__vector.html"]].concat());
    let disk = disk.with_portable_names(true);
    for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
        assert_eq!(names(&disk, format).unwrap(), ["files/plain"]);
    }
}
