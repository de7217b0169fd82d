//! What the clock on the wall shows, for log lines.

#[cfg(unix)]
use std::{
    env::{self, VarError},
    path::PathBuf,
};

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
#[cfg(unix)]
use sanserve_server::text_file;

/// Reads the zone, once and for all. That takes more stack than a connection's thread has, so it
/// must not be left to the first log line.
pub(crate) fn read() {
    LazyLock::force(&ZONE);
}

/// How many seconds this machine's time zone is ahead of UTC at the moment `unix`.
///
/// Clocks change at full quarters of an hour, so one look at the zone is enough for one of them.
pub(crate) fn local_offset(unix: i64) -> i32 {
    // Quarter and offset share one number, so no thread can see the one without the other. At
    // first it is a quarter that is far off.
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

/// What the system says; else what the library makes of it, which looks through all zones there are
/// first.
fn find() -> TimeZone {
    #[cfg(unix)]
    if let Some(zone) = from_file() {
        return zone;
    }
    TimeZone::system()
}

/// The zone as tzset(3) finds it: in the file that `TZ` names, or else in that of this machine.
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
