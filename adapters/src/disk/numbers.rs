//! Converts times to seconds since 1970, and combines several numbers into one, for the metadata of files.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns seconds since 1970, rounded down also for earlier times, and the remaining nanoseconds.
pub(super) fn since_1970(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (after.as_secs() as i64, after.subsec_nanos()),
        Err(error) => {
            let before = error.duration();
            let (seconds, nanos) = (-(before.as_secs() as i64), before.subsec_nanos());
            match nanos {
                0 => (seconds, 0),
                nanos => (seconds - 1, 1_000_000_000 - nanos),
            }
        }
    }
}

/// Combines several numbers into one, with steps of SplitMix64.
pub(super) fn mix(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |state, number| {
        let mut z = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}
