//! Tests of the structure of archives, where the conformance cases do not cover it: times, names, and limits.

use std::sync::Arc;

use sanserve_core::archive::Archive;
use sanserve_core::{ArchiveFormat, ArchiveRequest};
use sanserve_core::{Entries, Entry, FileSystem, FsError, Got, Meta, Opened, Path};

/// One empty file with this time of the last modification, or one empty directory without one.
enum One {
    File(i64),
    Directory,
}

impl FileSystem for One {
    type File = ();

    fn open(&self, path: &Path) -> Result<Opened<()>, FsError> {
        let One::File(modified) = *self else {
            return Ok(Opened::Directory);
        };
        let meta = Meta::new(0).with_modified(Some(modified));
        match path.as_bytes() {
            b"a" => Ok(Opened::File {
                file: (),
                meta,
                sendable: false,
            }),
            _ => Err(FsError::NotFound),
        }
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        if !path.as_bytes().is_empty() {
            return Ok(Arc::default());
        }
        let entry = Entry {
            name: b"a",
            directory: matches!(self, One::Directory),
            ..Entry::default()
        };
        Ok(Arc::new(Entries::from_iter([entry])))
    }

    fn read(&self, (): &mut (), _: u64, _: &mut [u8]) -> Result<usize, FsError> {
        Ok(0)
    }
}

/// Returns the beginning of an archive.
fn start<const N: usize>(fs: &One, format: ArchiveFormat) -> [u8; N] {
    let (path, hidden) = (Path::default(), false);
    let pack = ArchiveRequest {
        path,
        format,
        hidden,
    };
    let mut bytes = [0; N];
    let mut archive = Archive::new(fs, &pack).unwrap();
    let got: Got<()> = archive.fill(fs, 0, &mut bytes);
    assert!(matches!(got, Got::Bytes(n) if n == N));
    bytes
}

/// Returns the time and the date in the first header of a zip.
fn clock(fs: &One) -> (u16, u16) {
    let header: [u8; 14] = start(fs, ArchiveFormat::Zip);
    let number = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    (number(10), number(12))
}

/// APPNOTE.TXT §4.4.6: hours from bit 11, minutes from bit 5, then seconds in units of two; years since 1980 from bit
/// 9, months from bit 5, then days.
#[test]
fn dos_times_in_a_zip_have_two_second_steps_from_1980_to_2107() {
    let time = |hour: u16, minute: u16, second: u16| hour << 11 | minute << 5 | (second / 2);
    let date = |year: u16, month: u16, day: u16| (year - 1980) << 9 | month << 5 | day;
    // 2020-01-01 23:58:59.
    let seen = clock(&One::File(1_577_836_800 + 86_339));
    assert_eq!(seen, (time(23, 58, 59), date(2020, 1, 1)));
    assert_eq!(clock(&One::File(-1)), (0, date(1980, 1, 1)));
    assert_eq!(
        clock(&One::File(i64::MAX)),
        (time(23, 59, 59), date(2107, 12, 31))
    );
}

/// APPNOTE.TXT §4.4.11: without the extra field `UT`, nothing after the name means 1970.
#[test]
fn an_entry_without_a_time_is_not_dated_1970_in_a_zip() {
    let directory = One::Directory;
    assert_eq!(clock(&directory), (0, 1 << 5 | 1));
    let header: [u8; 30] = start(&directory, ArchiveFormat::Zip);
    assert_eq!((header[26], header[28]), (6, 0), "files/, and no more");
    // A tar always has a time (POSIX.1-2017, pax, ustar), which is 0 here.
    let header: [u8; 512] = start(&directory, ArchiveFormat::Tar);
    assert_eq!(&header[136..148], b"00000000000\0");
}

/// Returns the extra field of the first header of a zip with a file of this time.
fn extra(modified: i64) -> Vec<u8> {
    // The first name is files/, of a directory with the same time.
    let header: [u8; 72] = start(&One::File(modified), ArchiveFormat::Zip);
    let len = usize::from(u16::from_le_bytes([header[28], header[29]]));
    header[36..36 + len].to_vec()
}

/// Info-ZIP's field `UT` has four bytes for the time, which some readers treat as signed and some as unsigned. The NTFS
/// field (APPNOTE.TXT §4.5.5) has units of 100 ns since 1601.
#[test]
fn times_in_a_zip_are_unambiguous() {
    for modified in [
        0,
        1,
        1_577_836_800,
        i32::MAX.into(),
        1 << 31,
        u32::MAX.into(),
    ] {
        let mut field = b"UT\x05\0\x01".to_vec();
        field.extend(u32::try_from(modified).unwrap().to_le_bytes());
        assert_eq!(extra(modified), field, "{modified}");
    }
    // The second is the time of the epoch, 116,444,736,000,000,000, and 2^32 seconds.
    for (modified, ticks) in [
        (-1, 116_444_735_990_000_000_u64),
        (1 << 32, 159_394_408_960_000_000),
        (-11_644_473_600, 0),
    ] {
        let mut field = b"\x0a\0\x20\0\0\0\0\0\x01\0\x18\0".to_vec();
        (0..3).for_each(|_| field.extend(ticks.to_le_bytes()));
        assert_eq!(extra(modified), field, "{modified}");
    }
    for modified in [i64::MIN, -11_644_473_601, i64::MAX] {
        assert_eq!(extra(modified), b"", "{modified}");
    }
}

/// Returns a file whose length is all that is known.
fn of_length(len: u64) -> Opened<()> {
    let meta = Meta::new(len);
    Opened::File {
        file: (),
        meta,
        sendable: false,
    }
}

/// Files with these lengths.
struct Large(&'static [u64]);

impl FileSystem for Large {
    type File = ();

    fn open(&self, path: &Path) -> Result<Opened<()>, FsError> {
        let index: usize = str::from_utf8(path.as_bytes()).unwrap().parse().unwrap();
        Ok(of_length(self.0[index]))
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        let mut entries = Entries::new();
        for index in 0..self.0.len() {
            let name = index.to_string();
            entries.push(Entry {
                name: name.as_bytes(),
                ..Entry::default()
            });
        }
        Ok(Arc::new(entries))
    }

    fn read(&self, (): &mut (), _: u64, _: &mut [u8]) -> Result<usize, FsError> {
        Ok(0)
    }
}

#[test]
fn an_archive_longer_than_a_file_can_be_is_refused() {
    const MOST: u64 = i64::MAX as u64;
    for format in [ArchiveFormat::Tar, ArchiveFormat::Zip] {
        let len = |lens: &'static [u64]| {
            let (path, hidden) = (Path::default(), false);
            let pack = ArchiveRequest {
                path,
                format,
                hidden,
            };
            Archive::new(&Large(lens), &pack).map(|archive| archive.meta().len)
        };
        assert!(len(&[MOST / 2, MOST / 4]).is_ok_and(|len| len > MOST / 4 * 3));
        for lens in [
            &[MOST][..],
            &[MOST, MOST],
            &[MOST, MOST, MOST],
            &[u64::MAX],
            &[u64::MAX, 1],
            &[MOST / 2, MOST / 2, 10],
        ] {
            assert_eq!(len(lens), Err(FsError::TooMany), "{format:?}, {lens:?}");
        }
    }
}

/// Empty files with these names.
struct Names(Vec<Vec<u8>>);

impl FileSystem for Names {
    type File = ();

    fn open(&self, _: &Path) -> Result<Opened<()>, FsError> {
        Ok(of_length(0))
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        let mut entries = Entries::new();
        for name in &self.0 {
            entries.push(Entry {
                name,
                ..Entry::default()
            });
        }
        Ok(Arc::new(entries))
    }

    fn read(&self, (): &mut (), _: u64, _: &mut [u8]) -> Result<usize, FsError> {
        Ok(0)
    }
}

/// Returns the names of the files in a zip, from its headers and from its records (APPNOTE.TXT §4.3.7, §4.3.12).
fn names_in_zip(names: Vec<Vec<u8>>) -> [Vec<Vec<u8>>; 2] {
    let fs = Names(names);
    let pack = ArchiveRequest {
        path: Path::parse("/d").unwrap(),
        format: ArchiveFormat::Zip,
        hidden: true,
    };
    let mut archive = Archive::new(&fs, &pack).unwrap();
    let mut zip = vec![0; archive.meta().len as usize];
    let mut at = 0;
    while at < zip.len() {
        let got: Got<()> = archive.fill(&fs, at as u64, &mut zip[at..]);
        let Got::Bytes(n @ 1..) = got else {
            panic!("{got:?}")
        };
        at += n;
    }
    let number = |at: usize| usize::from(u16::from_le_bytes([zip[at], zip[at + 1]]));
    [(b"PK\x03\x04", 26, 30), (b"PK\x01\x02", 28, 46)].map(|(mark, len, name)| {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(start) = zip[at..].windows(4).position(|four| four == mark) {
            let start = at + start;
            at = start + name + number(start + len);
            found.push(zip[start + name..at].to_vec());
        }
        found.into_iter().skip(1).collect()
    })
}

/// Nested directories, of which this many have a path that is not too long.
struct Deep(usize);

impl FileSystem for Deep {
    type File = ();

    fn open(&self, _: &Path) -> Result<Opened<()>, FsError> {
        Ok(Opened::Directory)
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        if path.segments().count() > self.0 {
            return Err(FsError::TooLong);
        }
        let entry = Entry {
            name: b"d",
            directory: true,
            ..Entry::default()
        };
        Ok(Arc::new(Entries::from_iter([entry])))
    }

    fn read(&self, (): &mut (), _: u64, _: &mut [u8]) -> Result<usize, FsError> {
        Ok(0)
    }
}

#[test]
fn a_directory_with_too_long_a_path_is_not_found_and_one_that_contains_such_a_path_is_too_deep() {
    for (path, error) in [
        ("/d/", FsError::TooLong),
        ("/d/d/", FsError::TooLong),
        ("/d/d/d/", FsError::NotFound),
    ] {
        let pack = ArchiveRequest {
            path: Path::parse(path).unwrap(),
            format: ArchiveFormat::Zip,
            hidden: false,
        };
        let made = Archive::new(&Deep(2), &pack);
        assert_eq!(made.map(drop).unwrap_err(), error, "{path}");
    }
}

#[test]
fn no_name_in_a_zip_leads_elsewhere_on_windows() {
    let names = [
        ("..\\..\\evil", ".._.._evil"),
        ("10:30.log", "10_30.log"),
        ("C:x", "C_x"),
        ("R.E.M.", "R.E.M_"),
        ("a.txt", "a.txt"),
        ("a\\b", "a_b"),
        ("aux.c", "_ux.c"),
        ("blank  . ", "blank____"),
        ("nul", "_ul"),
        ("std::vector.html", "std__vector.html"),
    ];
    let expected: Vec<Vec<u8>> = names
        .iter()
        .map(|(_, name)| format!("d/{name}").into_bytes())
        .collect();
    let given: Vec<Vec<u8>> = names
        .iter()
        .map(|(name, _)| name.as_bytes().to_vec())
        .collect();
    for found in names_in_zip(given) {
        let text: Vec<_> = found
            .iter()
            .map(|name| String::from_utf8_lossy(name))
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn all_names_in_a_zip_are_portable() {
    let letters = [b'.', b' ', b'\\', b':', b'$', b'a', b'\x0b', 0xff];
    let mut names: Vec<Vec<u8>> = Vec::from([Vec::new()]);
    let mut last = names.clone();
    for _ in 0..4 {
        let longer = |name: &Vec<u8>| letters.map(|letter| [&name[..], &[letter]].concat());
        last = last.iter().flat_map(longer).collect();
        names.extend(last.iter().cloned());
    }
    for device in ["con", "NUL", "aux", "com1", "LPT\u{b9}", "conin$"] {
        for end in ["", ".", ".c", ":x", " ", "\u{b}", "::$DATA", "\\x", " .x"] {
            names.push([device, end].concat().into_bytes());
        }
    }
    names.retain(|name| Path::is_name(name));
    let count = names.len();
    for found in names_in_zip(names) {
        assert_eq!(found.len(), count);
        for name in found {
            let name = name.strip_prefix(b"d/").unwrap();
            assert!(Path::is_portable_name(name), "{:?}", name.escape_ascii());
        }
    }
}
