//! Tests the tar and zip archives of a `Disk`: how other tools read them, whole and in ranges, what they leave out,
//! their versions and limits, and that a change during the download aborts them.
#![cfg(unix)]

#[path = "../../conformance/tests/tools/mod.rs"]
mod tools;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path as StdPath;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use sanserve_core::{ArchiveFormat, ArchiveRequest};
use sanserve_core::{FileSystem, FsError, Got, Meta, Opened, Path};
use sanserve_server::{Disk, OpenFile};
use tempfile::TempDir;
use tools::skip;

/// Opens the archive of the whole tree.
fn open_archive(disk: &Disk, format: ArchiveFormat) -> Result<(OpenFile, Meta), FsError> {
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

/// Reads the bytes of a range, in pieces of this size at most. Returns `None` if the archive is aborted.
fn read(disk: &Disk, archive: &mut OpenFile, from: u64, to: u64, piece: usize) -> Option<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; piece]);
    while from + (bytes.len() as u64) < to {
        let at = from + bytes.len() as u64;
        let len = piece.min(usize::try_from(to - at).unwrap());
        match disk.fill(archive, at, &mut buffer[..len]) {
            Got::Bytes(0) => panic!("the archive ends at {at}"),
            Got::Bytes(n) => bytes.extend(&buffer[..n]),
            Got::Working => {}
            Got::Refused(_) => return None,
            other => panic!("{other:?}"),
        }
    }
    Some(bytes)
}

/// Returns the whole archive.
fn read_all(disk: &Disk, format: ArchiveFormat) -> Vec<u8> {
    let (mut archive, meta) = open_archive(disk, format).unwrap();
    let bytes = read(disk, &mut archive, 0, meta.len, 32 * 1024).unwrap();
    assert!(matches!(
        disk.fill(&mut archive, meta.len, &mut [0]),
        Got::Bytes(0)
    ));
    bytes
}

/// Runs a tool with an archive as its standard input and returns its output, or `None` if it is not installed.
fn run_tool(tool: &str, args: &[&str], archive: &[u8]) -> Option<String> {
    let mut command = Command::new(tool);
    command.args(args).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        skip(format_args!("{tool} is not installed"));
        return None;
    };
    child.stdin.take().unwrap().write_all(archive).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Prints names in hexadecimal, modes and contents, as Python's zipfile and tarfile read them.
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

/// Returns the entries of an archive as Python reads them, a line each, or `None` if Python is not installed.
fn entries_in_python(format: ArchiveFormat, archive: &[u8]) -> Option<Vec<String>> {
    let output = run_tool("python3", &["-c", READER, &format!("{format:?}")], archive)?;
    Some(
        output
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect(),
    )
}

/// Appends the lines that [`READER`] should print for a directory: all entries, sorted by name.
fn expected_entries(root: &StdPath, name: &[u8], lines: &mut Vec<String>) {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    lines.push(format!("{} d 755", hex(name)));
    let mut entries: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap())
        .collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = [name, b"/", entry.file_name().as_bytes()].concat();
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            expected_entries(&entry.path(), &name, lines);
        } else {
            let mode = if metadata.permissions().mode() & 0o111 != 0 {
                755
            } else {
                644
            };
            let text = hex(&fs::read(entry.path()).unwrap());
            lines.push(format!("{} f {mode} {text}", hex(&name)).trim_end().into());
        }
    }
}

/// A xorshift generator, so that the trees are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Creates a random number of files and directories with random names.
fn create_tree(root: &StdPath, depth: u32, random: &mut Random) {
    for _ in 0..random.below(7) {
        let len = [1, 8, 90, 101, 200][random.below(5) as usize];
        let mut name: Vec<u8> = (0..len).map(|_| b'!' + random.below(90) as u8).collect();
        name.retain(|byte| !b"/\\:.\"".contains(byte));
        match random.below(6) {
            0 => name.push(0xff),
            1 => name.extend("ü".bytes()),
            _ => {}
        }
        if !Path::is_portable_name(&name) {
            continue;
        }
        let path = root.join(OsStr::from_bytes(&name));
        if path.exists() {
            continue;
        }
        if depth > 0 && random.below(3) == 0 {
            fs::create_dir(&path).unwrap();
            create_tree(&path, depth - 1, random);
            continue;
        }
        let len = [0, 1, 511, 512, 513, 70_000][random.below(6) as usize];
        fs::write(
            &path,
            (0..len)
                .map(|_| random.below(256) as u8)
                .collect::<Vec<_>>(),
        )
        .unwrap();
        let mode = if random.below(4) == 0 { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn python_reads_archives_of_random_trees_assembled_from_ranges() {
    for seed in 1..=8 {
        let (root, mut random) = (TempDir::new().unwrap(), Random(seed * 0x9e37_79b9));
        create_tree(root.path(), 3, &mut random);
        let disk = Disk::open(root.path()).unwrap();
        let mut lines = Vec::new();
        expected_entries(root.path(), b"files", &mut lines);
        for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
            let bytes = read_all(&disk, format);
            let len = bytes.len() as u64;
            let mut joined = Vec::new();
            while (joined.len() as u64) < len {
                let from = joined.len() as u64;
                let to = len.min(from + 1 + random.below(len));
                let piece = [97, 1000, 40_000][random.below(3) as usize];
                let (mut archive, _) = open_archive(&disk, format).unwrap();
                joined.extend(read(&disk, &mut archive, from, to, piece).unwrap());
            }
            assert!(
                joined == bytes,
                "{format:?} of seed {seed} differs when read in ranges"
            );
            if let Some(entries) = entries_in_python(format, &bytes) {
                assert_eq!(entries, lines, "{format:?} of seed {seed}");
            }
        }
    }
}

#[test]
fn unzip_and_tar_accept_the_archives() {
    let (root, mut random) = (TempDir::new().unwrap(), Random(4711));
    create_tree(root.path(), 3, &mut random);
    let disk = Disk::open(root.path()).unwrap();
    let tar = read_all(&disk, ArchiveFormat::Tar);
    run_tool("tar", &["-t", "-v", "-f", "-"], &tar);
    let zip = TempDir::new().unwrap();
    let path = zip.path().join("a.zip");
    fs::write(&path, read_all(&disk, ArchiveFormat::Zip)).unwrap();
    run_tool("unzip", &["-t", path.to_str().unwrap()], b"");
}

/// Unpacks an archive with a tool, and returns the times of its files in seconds since 1970. `None` if the tool is not
/// installed.
fn unpacked_times(tool: &str, args: &[&str], archive: &StdPath) -> Option<Vec<i64>> {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(tool);
    command.args(args).arg(archive).current_dir(folder.path());
    let Ok(output) = command.env("TZ", "UTC").output() else {
        skip(format_args!("{tool} is not installed"));
        return None;
    };
    assert!(output.status.success(), "{tool}: {output:?}");
    let files = TIMES.map(|time| folder.path().join(format!("files/{time}")));
    Some(
        files
            .iter()
            .map(|file| fs::metadata(file).unwrap().mtime())
            .collect(),
    )
}

/// A tool that does not know the zip field for the exact time gets the nearest time that the basic zip format, which
/// begins in 1980, can express.
#[test]
fn times_before_1970_and_after_2038_are_unpacked_correctly() {
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
        let path = archives.path().join(format!("{format:?}"));
        fs::write(&path, read_all(&disk, format)).unwrap();
        path
    });
    const EXTRACT: &str =
        "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(filter='data')";
    let tools: [(&str, &[&str]); 4] = [
        ("tar", &["-xf"]),
        ("bsdtar", &["-xf"]),
        ("7z", &["x", "-y", "-ttar"]),
        ("python3", &["-c", EXTRACT]),
    ];
    for (tool, args) in tools {
        if let Some(times) = unpacked_times(tool, args, &tar) {
            assert_eq!(times, TIMES, "{tool}");
        }
    }
    let nearest = TIMES.map(|time| if time < 0 { 315_532_800 } else { time });
    let tools: [(&str, &[&str], _); 3] = [
        ("7z", &["x", "-y", "-tzip"], TIMES),
        ("unzip", &["-q"], nearest),
        ("bsdtar", &["-xf"], nearest),
    ];
    for (tool, args, expected) in tools {
        if let Some(times) = unpacked_times(tool, args, &zip) {
            assert_eq!(times, expected, "{tool}");
        }
    }
}

/// Modification times in seconds since 1970: before 1970, those of reproducible builds, on both sides of 2^31, and
/// before 2^32. Later times are a day off in unzip, which treats 2100 as a leap year.
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

/// A file that lies too deep for the system to open it is an error; it is not left out silently.
#[test]
fn a_tree_that_is_too_deep_is_refused() {
    let root = TempDir::new().unwrap();
    let name = "n".repeat(200);
    let mut dir =
        cap_std::fs::Dir::open_ambient_dir(root.path(), cap_std::ambient_authority()).unwrap();
    for depth in 1..=21 {
        dir.create_dir(&name).unwrap();
        dir = dir.open_dir(&name).unwrap();
        if depth == 19 {
            let disk = Disk::open(root.path()).unwrap();
            assert!(open_archive(&disk, ArchiveFormat::Tar).is_ok());
        }
    }
    dir.write("file", "deep").unwrap();
    let disk = Disk::open(root.path()).unwrap();
    for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
        assert_eq!(open_archive(&disk, format).map(drop), Err(FsError::TooLong));
    }
    // A path that cannot exist is not found, rather than too deep.
    for missing in [format!("/{}/", "n".repeat(256)), "/d".repeat(3_000)] {
        let archive = disk.archive(&ArchiveRequest {
            path: Path::parse(&missing).unwrap(),
            format: ArchiveFormat::Zip,
            hidden: false,
        });
        assert_eq!(archive.map(drop), Err(FsError::NotFound), "{missing}");
    }
    // An archive of a directory further down includes the file.
    let below = Disk::open(root.path().join(&name).join(&name)).unwrap();
    assert!(String::from_utf8_lossy(&read_all(&below, ArchiveFormat::Tar)).contains("deep"));
}

#[test]
fn an_archive_omits_hidden_files_and_links_out_of_the_root() {
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
        ("circular", "."),
        ("nowhere", "b"),
    ] {
        symlink(target, root.join(name)).unwrap();
    }
    let disk = Disk::open(&root).unwrap();
    for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
        if let Some(entries) = entries_in_python(format, &read_all(&disk, format)) {
            let line = |name: &str| {
                let name: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
                format!("{name} f 644 68656c6c6f")
            };
            assert_eq!(entries[1..], [line("files/a"), line("files/inside")]);
        }
    }
}

#[test]
fn a_file_that_changes_during_the_download_aborts_the_archive() {
    for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
        let root = TempDir::new().unwrap();
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        fs::write(&a, vec![b'a'; 10_000]).unwrap();
        fs::write(&b, "b").unwrap();
        let disk = Disk::open(root.path()).unwrap();
        let (mut archive, meta) = open_archive(&disk, format).unwrap();
        assert!(read(&disk, &mut archive, 0, 5000, 1000).is_some());
        // Changed in place, with the same length.
        File::options()
            .write(true)
            .open(&a)
            .unwrap()
            .write_at(b"x", 9_999)
            .unwrap();
        assert!(
            read(&disk, &mut archive, 5000, meta.len, 1000).is_none(),
            "{format:?}"
        );
        let (mut archive, later) = open_archive(&disk, format).unwrap();
        assert_eq!(later.len, meta.len);
        assert_ne!(later.version.unwrap(), meta.version.unwrap());
        // Replaced by another file.
        fs::rename(&b, &a).unwrap();
        assert!(
            read(&disk, &mut archive, 0, meta.len, 1000).is_none(),
            "{format:?}"
        );
    }
}

#[test]
fn every_change_in_the_tree_changes_the_version() {
    let root = TempDir::new().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let mut seen = Vec::new();
    let mut assert_new_version = |change: &str| {
        for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
            let version = open_archive(&disk, format).unwrap().1.version.unwrap();
            assert!(!seen.contains(&version), "{change}");
            seen.push(version);
        }
    };
    assert_new_version("nothing");
    fs::write(root.path().join("a"), "a").unwrap();
    assert_new_version("a file");
    fs::rename(root.path().join("a"), root.path().join("b")).unwrap();
    assert_new_version("a name");
    fs::create_dir(root.path().join("c")).unwrap();
    assert_new_version("a directory");
    // New content with the same length and the same time in whole seconds, as archives have it.
    let file = File::create(root.path().join("b")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000))
        .unwrap();
    assert_new_version("a time");
    (&file).write_all(b"z").unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000))
        .unwrap();
    assert_new_version("content");
}

#[test]
fn files_over_4_gib_and_65_536_entries_use_zip64() {
    let root = TempDir::new().unwrap();
    let large = File::create(root.path().join("large")).unwrap();
    large.set_len(5 << 30).unwrap();
    fs::write(root.path().join("x"), "behind").unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let (mut archive, meta) = open_archive(&disk, ArchiveFormat::Tar).unwrap();
    let header = read(&disk, &mut archive, meta.len - 2048, meta.len, 2048).unwrap();
    assert_eq!(
        (&header[..7], &header[512..518]),
        (&b"files/x"[..], &b"behind"[..])
    );
    // The length of a zip and the bytes before the first checksum are known without reading any file.
    let (mut archive, meta) = open_archive(&disk, ArchiveFormat::Zip).unwrap();
    assert_eq!(meta.len, {
        let heads = (30 + 6 + 9) + (30 + 11 + 9 + 20) + (30 + 7 + 9);
        let records = (46 + 6 + 9) + (46 + 11 + 9 + 20) + (46 + 7 + 9 + 12);
        heads + (5 << 30) + 24 + 6 + 16 + records + 56 + 20 + 22
    });
    let head = read(&disk, &mut archive, 45, 45 + 70, 70).unwrap();
    assert_eq!(head[..6], *b"PK\x03\x04\x2d\x00");
    let behind = 45 + 70 + (5u64 << 30) + 24;
    let head = read(&disk, &mut archive, behind, behind + 52, 52).unwrap();
    assert_eq!(
        (&head[..4], &head[46..]),
        (&b"PK\x03\x04"[..], &b"behind"[..])
    );

    let root = TempDir::new().unwrap();
    for name in 0..65_535 {
        File::create(root.path().join(name.to_string())).unwrap();
    }
    let disk = Disk::open(root.path()).unwrap();
    let (mut archive, meta) = open_archive(&disk, ArchiveFormat::Zip).unwrap();
    let end = read(&disk, &mut archive, meta.len - 98, meta.len, 98).unwrap();
    assert_eq!(end[..4], *b"PK\x06\x06");
    assert_eq!(end[24..32], 65_536u64.to_le_bytes());
}

#[test]
fn the_number_of_open_archives_is_limited() {
    let root = TempDir::new().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let mut archives: Vec<_> = (0..16)
        .map(|_| open_archive(&disk, ArchiveFormat::Tar).unwrap())
        .collect();
    assert_eq!(
        open_archive(&disk, ArchiveFormat::Tar).unwrap_err(),
        FsError::NoResources
    );
    archives.pop();
    assert!(open_archive(&disk, ArchiveFormat::Tar).is_ok());
}

#[test]
fn a_directory_with_a_refused_name_has_no_archive() {
    let root = TempDir::new().unwrap();
    fs::create_dir(root.path().join("aux.d")).unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let try_archive = |disk: &Disk| {
        let (path, format) = (Path::parse("/aux.d/").unwrap(), ArchiveFormat::Tar);
        let archive = disk.archive(&ArchiveRequest {
            path,
            format,
            hidden: false,
        });
        archive.map(drop)
    };
    assert_eq!(try_archive(&disk), Ok(()));
    assert_eq!(
        try_archive(&disk.with_portable_names(true)),
        Err(FsError::InvalidName)
    );
}

#[test]
fn names_special_to_windows_are_replaced_in_zip_or_left_out_if_refused() {
    let root = TempDir::new().unwrap();
    for name in ["a\\b", "aux.c", "plain", "std::vector.html"] {
        fs::write(root.path().join(name), "x").unwrap();
    }
    let disk = Disk::open(root.path()).unwrap();
    let names = |disk: &Disk, format| -> Option<Vec<String>> {
        let lines = entries_in_python(format, &read_all(disk, format))?;
        let name = |line: &String| {
            let hex = line.split(' ').next().unwrap().as_bytes();
            let digits = hex.chunks(2).map(|two| str::from_utf8(two).unwrap());
            let bytes = digits.map(|two| u8::from_str_radix(two, 16).unwrap());
            String::from_utf8(bytes.collect()).unwrap()
        };
        Some(lines.iter().skip(1).map(name).collect())
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
