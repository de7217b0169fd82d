//! [`HighWater`]: the largest number of connections since memory was last trimmed; it decides when trimming is
//! worthwhile.

/// The largest number seen since [`has_fallen`](HighWater::has_fallen) last returned true.
#[derive(Debug, Default)]
pub(super) struct HighWater {
    peak: usize,
}

impl HighWater {
    /// Takes note of the current number.
    pub(super) fn record(&mut self, count: usize) {
        self.peak = self.peak.max(count);
    }

    /// Returns whether fewer than a quarter of the peak are left, and if so, begins anew from there.
    pub(super) fn has_fallen(&mut self, left: usize) -> bool {
        let fallen = self.peak >= PEAK_MIN && left <= self.peak / 4;
        if fallen {
            self.peak = left;
        }
        fallen
    }
}

/// Below this peak there is too little memory to be worth trimming.
const PEAK_MIN: usize = 16;
