//! [`World`]: runs connections over a file system with one clock. The connection whose answer comes first takes the
//! next step.

use std::time::Duration;

use sanserve_core::{FileSystem, Handler};

use super::Random;
use super::conversation::Phase;
use super::driver::Driver;
use super::fault_plan::FaultPlan;
use super::faults::FaultClass;

/// The state of a simulation.
pub(super) struct World<'a, S: FileSystem, H> {
    pub(super) fs: S,
    pub(super) change: &'a dyn Fn(&S, &mut Random),
    pub(super) drivers: Vec<Driver<S::File, H>>,
    /// The faults that are not those of one connection.
    pub(super) faults: FaultPlan,
    /// The connection that takes a step.
    pub(super) current: usize,
}

impl<S: FileSystem, H: Handler> World<'_, S, H> {
    /// Runs until all connections have closed or were abandoned.
    pub(super) fn run(&mut self) {
        let mut now = START;
        loop {
            let is_open = |driver: &Driver<S::File, H>| {
                !driver.conversation.counts.closed && !driver.abandoned
            };
            let open = self.drivers.iter().filter(|driver| is_open(driver));
            let phase = open.map(|driver| driver.conversation.phase).min();
            let open = self
                .drivers
                .iter_mut()
                .filter(|driver| is_open(driver) && Some(driver.conversation.phase) == phase);
            let Some(next) = open.min_by_key(|driver| (driver.at, driver.turn())) else {
                return;
            };
            self.current = next.conversation.number;
            now = now.max(next.at);
            let has_faults = phase == Some(Phase::During);
            if has_faults && self.faults.occurs(FaultClass::FileChange) {
                (self.change)(&self.fs, &mut self.faults.detail);
                next.comment(|| "file_change".into());
            }
            next.step(now, &self.fs);
            if has_faults && self.faults.occurs(FaultClass::ClockJump) {
                next.comment(|| "clock_jump".into());
                now += Duration::from_millis(self.faults.detail.number() % 86_400_000);
                self.drivers.iter_mut().for_each(Driver::clock_jumped);
            }
        }
    }
}

/// The time at which every world begins.
pub(super) const START: Duration = Duration::from_secs(1000);
