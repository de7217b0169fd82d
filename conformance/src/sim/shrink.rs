//! Reduces the world of a failure to the parts that it needs, see [`Sim::shrink`].

use std::ops::Range;
use std::time::{Duration, Instant};

use sanserve_core::{FileSystem, Handler};

use super::faults::FaultClass;
use super::plan::{ConnectionPlan, Plan};
use super::report::{Failure, quietly};
use super::seed::{ALL, Part, Reduction, Seed};
use super::{Examined, Sim};

impl<S: FileSystem, H: Handler> Sim<S, H> {
    /// Reduces the world of a failure: leaves out connections, requests, fields, content and faults as long as the same
    /// check fails. This takes a few seconds, and 20 at most.
    #[must_use]
    pub fn shrink(&self, failure: &Failure) -> Failure {
        let mut shrinking = Shrinking {
            sim: self,
            whole: self.plan(&Seed::from(failure.seed.number)),
            failure: failure.clone(),
            work_left: WORK_MAX,
            deadline: Instant::now() + TIME_MAX,
        };
        quietly(|| {
            let mut before = None;
            while !shrinking.is_over() && before.as_ref() != Some(&shrinking.failure.seed) {
                before = Some(shrinking.failure.seed.clone());
                shrinking.pass();
            }
        });
        shrinking.failure
    }
}

/// The longest time, on slow machines.
const TIME_MAX: Duration = Duration::from_secs(20);

/// The most steps in all worlds that are tried. The limit is in steps so that the result is the same on every machine
/// that is fast enough.
const WORK_MAX: u64 = 4_000_000;

struct Shrinking<'a, S: FileSystem, H> {
    sim: &'a Sim<S, H>,
    whole: Plan,
    /// The failure in the smallest world so far.
    failure: Failure,
    work_left: u64,
    deadline: Instant,
}

impl<S: FileSystem, H: Handler> Shrinking<'_, S, H> {
    fn is_over(&self) -> bool {
        self.work_left == 0 || Instant::now() >= self.deadline
    }

    /// Runs a world, and subtracts its steps.
    fn examine(&mut self, seed: &Seed, recording: bool) -> Examined<S> {
        let examined = self.sim.examine(seed, recording);
        self.work_left = self.work_left.saturating_sub(examined.played.work());
        examined
    }

    /// Leaves out a part, if the same check fails without it.
    fn try_without(&mut self, reduction: Reduction) -> bool {
        if self.is_over() || reduction.range.is_empty() {
            return false;
        }
        let seed = self.failure.seed.clone().without(reduction);
        if seed == self.failure.seed {
            return true;
        }
        let failure = self.examine(&seed, false).failure;
        let failure = failure.filter(|failure| self.failure.is_alike(failure));
        let fails = failure.is_some();
        self.failure = failure.unwrap_or_else(|| self.failure.clone());
        fails
    }

    /// Leaves out as many of these parts as possible: first all, then halves, and at last single ones.
    fn remove(&mut self, mut items: Vec<usize>, reduction: impl Fn(Range<usize>) -> Reduction) {
        let mut size = items.len();
        while size > 0 {
            let mut kept = Vec::new();
            for chunk in items.chunks(size) {
                let range = chunk[0]..chunk[chunk.len() - 1] + 1;
                if !self.try_without(reduction(range)) {
                    kept.extend_from_slice(chunk);
                }
            }
            items = kept;
            size = if size > 1 && size > items.len() {
                items.len()
            } else {
                size / 2
            };
        }
    }

    /// Tries all kinds of parts once, those first without which much is gone.
    fn pass(&mut self) {
        let failing = self.failure.connection;
        let numbers: Vec<usize> = (0..self.whole.connections.len()).collect();
        let of_world = |part, range| Reduction::new(None, None, part, range);
        self.try_without(of_world(Part::Connection, failing + 1..numbers.len()));
        self.try_without(of_world(Part::Connection, 0..failing));
        self.remove(numbers, |range| of_world(Part::Connection, range));
        if !self.try_without(of_world(Part::Faults, ALL)) {
            for class in FaultClass::ALL {
                if self.whole.faults.odds(class) > 0 {
                    self.try_without(of_world(Part::Fault(class), ALL));
                }
            }
        }
        for plan in self.whole.connections.clone() {
            if !self.failure.seed.lacks(Part::Connection, plan.number) {
                self.reduce_connection(&plan);
            }
        }
        self.reduce_faults();
    }

    fn reduce_connection(&mut self, plan: &ConnectionPlan) {
        let number = Some(plan.number);
        let part = |part, range| Reduction::new(number, None, part, range);
        let requests = plan.requests.iter().map(|(at, _)| *at).collect();
        self.remove(requests, |range| part(Part::Request, range));
        for (simple, is_there) in [
            (Part::Cut, plan.cut.is_some()),
            (Part::Break, plan.breaks.is_some()),
            (Part::Pieces, plan.pieces.len() > 1),
            (Part::Start, !plan.start.is_zero()),
            (Part::Config, true),
        ] {
            if is_there {
                self.try_without(part(simple, ALL));
            }
        }
        self.remove((0..plan.damage.len()).collect(), |range| {
            part(Part::Damage, range)
        });
        for (at, request) in &plan.requests {
            if self.failure.seed.lacks_request(plan.number, *at) {
                continue;
            }
            let part = |part, range| Reduction::new(number, Some(*at), part, range);
            let fields = (0..request.fields.len()).collect();
            self.remove(fields, |range| part(Part::Field, range));
            if let Some(content) = &request.content {
                if content.chunks.is_some() {
                    self.try_without(part(Part::Chunks, ALL));
                }
                self.shorten(content.bytes.len(), |from| {
                    part(Part::Content, from..usize::MAX)
                });
            }
        }
    }

    /// Leaves out as much of the end of content as possible.
    fn shorten(&mut self, len: usize, reduction: impl Fn(usize) -> Reduction) {
        if len == 0 || self.try_without(reduction(0)) {
            return;
        }
        let (mut too_short, mut enough) = (0, len);
        while enough - too_short > 1 && !self.is_over() {
            let middle = too_short + (enough - too_short) / 2;
            match self.try_without(reduction(middle)) {
                true => enough = middle,
                false => too_short = middle,
            }
        }
    }

    /// Leaves out the single faults that are not needed.
    fn reduce_faults(&mut self) {
        let seed = self.failure.seed.clone();
        let occurred = self.examine(&seed, true).played.occurred;
        for (connection, faults) in occurred {
            for class in FaultClass::ALL {
                let occasions = faults.iter().filter(|(other, _)| *other == class);
                let occasions: Vec<usize> = occasions.map(|(_, at)| *at).collect();
                if occasions.is_empty() {
                    continue;
                }
                let part = |range| Reduction::new(connection, None, Part::Fault(class), range);
                if connection.is_none() || !self.try_without(part(ALL)) {
                    self.remove(occasions, part);
                }
            }
        }
    }
}
