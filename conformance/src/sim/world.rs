//! [`World`]: runs connections over a file system with one clock. The connection whose answer comes first takes the
//! next step.

use std::time::Duration;

use sanserve_core::{FileSystem, Handler};

use super::Random;
use super::driver::Driver;
use super::faults::Faults;

/// The state of a simulation.
pub(super) struct World<'a, S: FileSystem, H> {
    pub(super) fs: S,
    pub(super) change: &'a dyn Fn(&S, &mut Random),
    pub(super) drivers: Vec<Driver<S::File, H>>,
    pub(super) faults: Faults,
    pub(super) random: Random,
    /// The connection that takes a step.
    pub(super) current: usize,
}

impl<S: FileSystem, H: Handler> World<'_, S, H> {
    /// Runs until all connections have closed or were abandoned.
    pub(super) fn run(&mut self) {
        let mut now = START;
        loop {
            let open = self.drivers.iter_mut();
            let open =
                open.filter(|driver| !driver.conversation.counts.closed && !driver.abandoned);
            let Some(next) = open.min_by_key(|driver| driver.at) else {
                return;
            };
            self.current = next.conversation.number;
            now = now.max(next.at);
            if self.random.one_in(self.faults.file_change) {
                (self.change)(&self.fs, &mut self.random);
            }
            next.step(now, &self.fs);
            if self.random.one_in(self.faults.clock_jump) {
                now += Duration::from_millis(self.random.number() % 86_400_000);
                self.drivers.iter_mut().for_each(Driver::clock_jumped);
            }
        }
    }
}

/// The time at which every world begins.
pub(super) const START: Duration = Duration::from_secs(1000);
