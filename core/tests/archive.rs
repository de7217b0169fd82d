//! Directories as archives, as far as the list of cases does not show it: what its files have in common.

use std::sync::Arc;

use sanserve_core::archive::{Archive, Format, Pack};
use sanserve_core::{Entries, Entry, FileSystem, FsError, Got, Meta, Opened, Path};

/// One empty file, last changed at that time.
struct One(i64);

impl FileSystem for One {
    type File = ();

    fn open(&self, path: &Path) -> Result<Opened<()>, FsError> {
        let meta = Meta {
            len: 0,
            modified: Some(self.0),
            version: None,
            executable: false,
        };
        match path.as_bytes() {
            b"a" => Ok(Opened::File {
                file: (),
                meta,
                sendable: false,
            }),
            _ => Err(FsError::NotFound),
        }
    }

    fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        let entry = Entry {
            name: b"a",
            ..Entry::default()
        };
        Ok(Arc::new(Entries::from_iter([entry])))
    }

    fn read(&self, (): &mut (), _: u64, _: &mut [u8]) -> Result<usize, FsError> {
        Ok(0)
    }
}

/// The time and the date in the first header of a zip.
fn clock(modified: i64) -> (u16, u16) {
    let (fs, format) = (One(modified), Format::Zip);
    let (path, hidden) = (Path::default(), false);
    let pack = Pack {
        path,
        format,
        hidden,
    };
    let mut header = [0; 14];
    let mut archive = Archive::new(&fs, &pack).unwrap();
    let got: Got<()> = archive.fill(&fs, 0, &mut header);
    assert!(matches!(got, Got::Bytes(14)));
    let number = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    (number(10), number(12))
}

/// APPNOTE.TXT §4.4.6: hours from bit 11 on, minutes from bit 5 on, then seconds by twos; years since 1980
/// from bit 9 on, months from bit 5 on, then days.
#[test]
fn a_zip_has_times_by_two_seconds_from_1980_to_2107() {
    let time = |hour: u16, minute: u16, second: u16| hour << 11 | minute << 5 | (second / 2);
    let date = |year: u16, month: u16, day: u16| (year - 1980) << 9 | month << 5 | day;
    // 2020-01-01 23:58:59.
    let seen = clock(1_577_836_800 + 86_339);
    assert_eq!(seen, (time(23, 58, 59), date(2020, 1, 1)));
    assert_eq!(clock(-1), (0, date(1980, 1, 1)));
    assert_eq!(clock(i64::MAX), (time(23, 59, 59), date(2107, 12, 31)));
}
