//! [`Watchdog`]: a thread that reports the seed of a world that does not end because a handler does not return. A
//! connection that never stops taking steps is detected by its driver.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Watches a run, until it is dropped.
pub(super) struct Watchdog {
    seed: Arc<AtomicU64>,
}

impl Watchdog {
    /// Starts the thread. It ends the process if one seed takes longer than this number of seconds.
    pub(super) fn start(seconds: u64) -> Watchdog {
        let seed = Arc::new(AtomicU64::new(0));
        let watched = Arc::clone(&seed);
        thread::spawn(move || {
            let (mut last, mut elapsed) = (0, 0);
            // Afterwards only this thread holds it.
            while Arc::strong_count(&watched) > 1 {
                let seed = watched.load(Ordering::Relaxed);
                elapsed = if seed == last { elapsed + 1 } else { 0 };
                last = seed;
                if elapsed > seconds {
                    give_up(seed, seconds);
                }
                thread::sleep(Duration::from_secs(1));
            }
        });
        Watchdog { seed }
    }

    pub(super) fn seed_begins(&self, seed: u64) {
        self.seed.store(seed, Ordering::Relaxed);
    }
}

/// Prints the seed, even if the output of a test is captured, and ends the process.
fn give_up(seed: u64, seconds: u64) {
    let text = format!(
        "\nseed {seed}: the world has not ended after {seconds} seconds: a handler does not return\n\
         to run it again, set SEED={seed}\n"
    );
    _ = std::io::stderr().write_all(text.as_bytes());
    std::process::exit(1);
}
