//! Tests zip archives as file systems: ranges of large deflated files, damaged files, and entries that are left out.

use std::fs;
use std::io::{ErrorKind, Write};

use sanserve_core::{FileSystem, FsError, Opened, Path};
use sanserve_server::zip::{ZipFile, ZipFiles};
use tempfile::NamedTempFile;
use zip::unstable::write::FileOptionsExt;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Writes an archive.
fn archive(write: impl FnOnce(&mut ZipWriter<&fs::File>)) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    let mut archive = ZipWriter::new(file.as_file());
    write(&mut archive);
    archive.finish().expect("space");
    file
}

fn opened(file: &NamedTempFile) -> ZipFiles {
    ZipFiles::open(file.path(), |_| 0).expect("the archive can be read")
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

fn path(target: &str) -> Path {
    Path::parse(target).expect("a path")
}

fn open(files: &ZipFiles, target: &str) -> Result<ZipFile, FsError> {
    match files.open(&path(target))? {
        Opened::File { file, .. } => Ok(file),
        other => panic!("{target} is {other:?}"),
    }
}

/// Reads `len` bytes from an offset.
fn read(files: &ZipFiles, file: &mut ZipFile, at: u64, len: usize) -> Result<Vec<u8>, FsError> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match files.read(file, at + filled as u64, &mut bytes[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Lines that are all different, so that bytes from another offset are noticed.
fn lines(len: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(len + 16);
    for number in 0u64.. {
        if text.len() >= len {
            break;
        }
        let _ = writeln!(text, "{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    text
}

#[test]
fn a_large_deflated_file_is_read_from_any_offset() {
    let content = lines(8_500_000);
    let file = archive(|archive| {
        archive.start_file("large.txt", deflated()).expect("a name");
        archive.write_all(&content).expect("space");
    });
    let files = opened(&file);
    let mut first = open(&files, "/large.txt").expect("it exists");
    let mut second = open(&files, "/large.txt").expect("it exists");
    let end = content.len();
    for at in [end - 10, 0, 4_200_000, 4_199_999, 1, end] {
        for file in [&mut first, &mut second] {
            let part = read(&files, file, at as u64, 70_000).expect("it can be read");
            let expected = &content[at..end.min(at + 70_000)];
            assert!(part == expected, "at {at}");
        }
    }
    let whole = read(&files, &mut second, 0, end + 1).expect("it can be read");
    assert!(whole == content);
}

#[test]
fn the_last_bytes_of_a_damaged_file_are_not_sent() {
    let content = lines(300_000);
    let file = archive(|archive| {
        archive.start_file("a.txt", deflated()).expect("a name");
        archive.write_all(&content).expect("space");
    });
    // The CRC-32 in the directory at the end: 16 bytes after its signature.
    let mut bytes = fs::read(file.path()).expect("the archive");
    let directory = bytes.windows(4).rposition(|bytes| bytes == b"PK\x01\x02");
    bytes[directory.expect("a directory") + 16] ^= 1;
    fs::write(file.path(), &bytes).expect("space");
    let files = opened(&file);
    let mut damaged = open(&files, "/a.txt").expect("it exists");
    let len = content.len() - 1000;
    let part = read(&files, &mut damaged, 0, len).expect("these are not the last bytes");
    assert!(part == content[..len]);
    assert_eq!(
        read(&files, &mut damaged, len as u64, 1000),
        Err(FsError::Io)
    );
}

#[test]
fn a_file_whose_bytes_are_damaged_fails() {
    let content = lines(300_000);
    let file = archive(|archive| {
        archive.start_file("a.txt", deflated()).expect("a name");
        archive.write_all(&content).expect("space");
    });
    let mut bytes = fs::read(file.path()).expect("the archive");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xff);
    fs::write(file.path(), &bytes).expect("space");
    let files = opened(&file);
    let mut damaged = open(&files, "/a.txt").expect("it exists");
    assert_eq!(
        read(&files, &mut damaged, 0, content.len()),
        Err(FsError::Io)
    );
}

#[test]
fn entries_that_cannot_be_served_are_left_out() {
    let file = archive(|archive| {
        for name in [
            "good.txt",
            "../above.txt",
            "/absolute.txt",
            "a//b.txt",
            "good.txt/below",
        ] {
            archive.start_file(name, deflated()).expect("a name");
            archive.write_all(b"text").expect("space");
        }
        let encrypted = deflated().with_deprecated_encryption(b"secret");
        let encrypted = encrypted.expect("a password");
        archive
            .start_file("encrypted.txt", encrypted)
            .expect("a name");
        archive.write_all(b"text").expect("space");
        archive
            .add_symlink("link", "good.txt", deflated())
            .expect("a name");
        archive.add_directory("empty", deflated()).expect("a name");
    });
    let files = opened(&file);
    let entries = files.list(&path("/")).expect("the root");
    let served: Vec<_> = entries
        .iter()
        .filter(|entry| !entry.unavailable)
        .map(|entry| String::from_utf8_lossy(entry.name).into_owned())
        .collect();
    assert_eq!(served, ["empty", "good.txt"]);
    assert_eq!(files.left_out(), 6);
    for target in ["/encrypted.txt", "/link"] {
        assert_eq!(
            open(&files, target).err(),
            Some(FsError::NotRegularFile),
            "{target}"
        );
    }
    for target in [
        "/above.txt",
        "/absolute.txt",
        "/a/b.txt",
        "/good.txt/below",
        "/nope",
    ] {
        assert_eq!(
            open(&files, target).err(),
            Some(FsError::NotFound),
            "{target}"
        );
    }
    assert!(
        files
            .list(&path("/empty/"))
            .expect("a directory")
            .is_empty()
    );
}

#[test]
fn an_archive_that_is_replaced_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("site.zip");
    let put = |content: &[u8]| {
        let file = archive(|archive| {
            archive.start_file("./a.txt", deflated()).expect("a name");
            archive.write_all(content).expect("space");
        });
        fs::copy(file.path(), folder.path().join("new")).expect("space");
        fs::rename(folder.path().join("new"), &target).expect("a folder");
    };
    put(b"the first");
    let files = ZipFiles::open(&target, |_| 0).expect("the archive can be read");
    let mut first = open(&files, "/a.txt").expect("it exists");
    put(b"the second");
    let mut second = open(&files, "/a.txt").expect("it exists");
    let content = |file: &mut ZipFile| read(&files, file, 0, 100).expect("it can be read");
    assert_eq!(content(&mut second), b"the second");
    assert_eq!(content(&mut first), b"the first");
    fs::remove_file(&target).expect("it exists");
    assert_eq!(open(&files, "/a.txt").err(), Some(FsError::NotFound));
}

#[test]
fn what_is_no_archive_is_refused() {
    let file = archive(|archive| {
        archive.start_file("a.txt", deflated()).expect("a name");
        archive.write_all(b"text").expect("space");
    });
    let bytes = fs::read(file.path()).expect("the archive");
    for len in [0, 1, 30, bytes.len() - 23, bytes.len() - 1] {
        fs::write(file.path(), &bytes[..len]).expect("space");
        let error = ZipFiles::open(file.path(), |_| 0).expect_err("it is truncated");
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{len} bytes");
    }
}

#[test]
fn times_without_a_zone_are_local() {
    let file = archive(|archive| {
        let time = zip::DateTime::from_date_and_time(2024, 2, 29, 12, 30, 58).expect("a time");
        let options = deflated().last_modified_time(time);
        archive.start_file("a.txt", options).expect("a name");
    });
    let files = ZipFiles::open(file.path(), |_| 3600).expect("the archive can be read");
    let entries = files.list(&path("/")).expect("the root");
    let modified = entries.get(0).and_then(|entry| entry.modified);
    // 2024-02-29 11:30:58 UTC.
    assert_eq!(modified, Some(1_709_206_258));
}
