//! Loads the local time zone, and returns its offset from UTC, for log lines.

#[cfg(unix)]
use std::{
    env::{self, VarError},
    path::PathBuf,
};

use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use portable_atomic::AtomicU64;
#[cfg(unix)]
use sanserve_server::text_file;

/// Loads the time zone. This takes more stack than a connection's thread has, so it must not be left to the first log
/// line.
pub(crate) fn load() {
    LazyLock::force(&ZONE);
}

/// Returns by how many seconds local time is ahead of UTC at the Unix time `unix`.
///
/// Offsets change only at full quarters of an hour, so the result is cached for the quarter.
pub(crate) fn local_offset(unix: i64) -> i32 {
    // Quarter and offset share one atomic number, so they always belong together. The initial quarter is far in the
    // future.
    static LAST: AtomicU64 = AtomicU64::new(u64::MAX);
    let quarter = unix.div_euclid(15 * 60) as u32;
    let last = LAST.load(Ordering::Relaxed);
    if (last >> 32) as u32 == quarter {
        return last as u32 as i32;
    }
    let offset = look_up(unix);
    let found = u64::from(quarter) << 32 | u64::from(offset as u32);
    LAST.store(found, Ordering::Relaxed);
    offset
}

fn look_up(unix: i64) -> i32 {
    let moment = Timestamp::from_second(unix);
    moment.map_or(0, |moment| ZONE.to_offset(moment).seconds())
}

/// Finds the zone in the system's file, or else through jiff, which searches all zones first.
fn find() -> TimeZone {
    #[cfg(unix)]
    if let Some(zone) = from_file() {
        return zone;
    }
    TimeZone::system()
}

/// Loads the zone as tzset(3) does: from the file that `TZ` names, or else from `/etc/localtime`.
#[cfg(unix)]
fn from_file() -> Option<TimeZone> {
    let name = match env::var("TZ") {
        Ok(name) => PathBuf::from("/usr/share/zoneinfo").join(name.trim_start_matches(':')),
        Err(VarError::NotPresent) => "/etc/localtime".into(),
        Err(VarError::NotUnicode(_)) => return None,
    };
    TimeZone::tzif("local", &text_file::read_bytes(&name).ok()?).ok()
}

static ZONE: LazyLock<TimeZone> = LazyLock::new(find);
