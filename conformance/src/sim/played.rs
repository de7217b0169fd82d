//! [`Played`]: a world that was run, and how one is run and checked.

use sanserve_core::{FileSystem, Handler};

use super::checks::CHECKS;
use super::conversation::Conversation;
use super::driver::Driver;
use super::fault_plan::{FaultPlan, Occurred};
use super::peer::Peer;
use super::plan::{ConnectionPlan, Plan};
use super::report::{Failure, catch};
use super::transcript::Transcript;
use super::world::{START, World};
use super::{CheckFn, Seed, Sim, recovery, reference_run, side_by_side};

/// A world that was run.
pub(super) struct Played<S> {
    fs: S,
    pub(super) conversations: Vec<Conversation>,
    pub(super) transcript: String,
    /// The connection whose handler panicked, and the message.
    pub(super) panic: Option<(usize, String)>,
    /// The first check of the whole world that fails, and its message.
    world_failure: Option<(&'static str, String)>,
    /// The faults of the world and of each connection, if they were recorded.
    pub(super) occurred: Vec<(Option<usize>, Occurred)>,
}

/// A world that was run and checked.
pub(super) struct Examined<S> {
    pub(super) played: Played<S>,
    pub(super) failure: Option<Failure>,
}

impl<S> Played<S> {
    /// Returns a measure of the time that it took, in steps.
    pub(super) fn work(&self) -> u64 {
        let conversations = self.conversations.iter();
        let steps = conversations.map(|conversation| {
            let counts = conversation.counts;
            counts.steps + counts.bytes_moved / 256
        });
        30 + steps.sum::<u64>()
    }
}

impl<S: FileSystem, H: Handler> Sim<S, H> {
    /// Runs the world of a seed, until its end or a panic.
    pub(super) fn play(&self, seed: &Seed, recording: bool) -> Played<S> {
        (self.before_world)();
        let mut plan = self.plan(seed);
        let mut world = World {
            fs: (self.fs)(&mut plan.fs),
            change: &*self.change,
            drivers: Vec::new(),
            faults: plan.faults(None, recording),
            current: 0,
        };
        for connection in &plan.connections {
            let faults = plan.faults(Some(connection), recording);
            let driver = self.connection(connection, faults, recording);
            world.drivers.push(driver);
        }
        let panic = catch(|| world.run()).err();
        let mut played = Played {
            conversations: Vec::new(),
            transcript: String::new(),
            panic: panic.map(|message| (world.current, message)),
            fs: world.fs,
            world_failure: None,
            occurred: vec![(None, world.faults.occurred.unwrap_or_default())],
        };
        let mut transcripts = Vec::new();
        for driver in world.drivers {
            let (conversation, transcript, occurred) = driver.end();
            let number = Some(conversation.number);
            played.occurred.push((number, occurred));
            played.conversations.push(conversation);
            transcripts.push(transcript);
        }
        // Before the reference runs, whose handlers also use what handlers share.
        self.check_world_end(&mut played);
        self.run_references(&mut played, recording);
        if recording {
            played.transcript = join(&plan, &played.conversations, &transcripts);
        }
        played
    }

    fn connection(
        &self,
        plan: &ConnectionPlan,
        faults: FaultPlan,
        recording: bool,
    ) -> Driver<S::File, H> {
        let start = START + plan.start;
        let input = plan.input();
        let peer = Peer::new(plan, &input, start);
        let conversation = Conversation::new(plan, input);
        let handler = (self.handler)(plan.handler);
        let transcript = recording.then(|| Transcript::new(&conversation));
        let mut driver = Driver::new(conversation, peer, faults, handler, start);
        if let Some(transcript) = transcript {
            driver.write_transcript(transcript);
            let lines = plan.describe(&driver.conversation.input);
            lines.into_iter().for_each(|line| driver.comment(|| line));
        }
        driver
    }

    fn check_world_end(&self, played: &mut Played<S>) {
        let (fs, conversations) = (&played.fs, &played.conversations);
        let mut checks = self.world_checks.iter();
        let own = checks.find_map(|check| check(fs, conversations).err());
        let recovery = || Some(("recovery", recovery::check(conversations).err()?));
        played.world_failure = own.or_else(recovery);
    }

    /// Runs each connection once more, without faults.
    fn run_references(&self, played: &mut Played<S>, recording: bool) {
        for conversation in &mut played.conversations {
            if !conversation.counts.closed {
                continue;
            }
            let handler = || (self.handler)(conversation.handler);
            match catch(|| reference_run::run(conversation, handler(), recording)) {
                Ok(reference) => conversation.reference = reference,
                Err(message) => {
                    let panic = (conversation.number, message);
                    played.panic.get_or_insert(panic);
                }
            }
        }
    }

    /// Runs the world of a seed and all checks.
    pub(super) fn examine(&self, seed: &Seed, recording: bool) -> Examined<S> {
        let twice = seed.number.is_multiple_of(RUN_TWICE_EVERY);
        let played = self.play(seed, twice || recording);
        let failure = self.find_failure(seed, &played).or_else(|| {
            (twice && self.play(seed, true).transcript != played.transcript).then(|| {
                let message = "two runs of one seed have different transcripts";
                Failure::new(seed, "deterministic", 0, message.into())
            })
        });
        Examined { played, failure }
    }

    /// Returns the first check that fails in a world that was run.
    fn find_failure(&self, seed: &Seed, played: &Played<S>) -> Option<Failure> {
        if let Some((connection, message)) = &played.panic {
            let message = message.clone();
            return Some(Failure::new(seed, "panic", *connection, message));
        }
        for conversation in &played.conversations {
            let mut errors = conversation.handler_errors();
            let number = conversation.number;
            if let Some(error) = errors.find(|error| !(self.allowed)(conversation, error)) {
                let message = format!("the handler {error}");
                return Some(Failure::new(seed, "handler", number, message));
            }
            let checks = CHECKS
                .iter()
                .map(|(name, check)| (*name, check as &CheckFn));
            let own = self.checks.iter().map(|(name, check)| (*name, &**check));
            for (name, check) in checks.chain(own) {
                if let Err(message) = check(conversation) {
                    return Some(Failure::new(seed, name, number, message));
                }
            }
        }
        let (name, message) = played.world_failure.clone()?;
        Some(Failure::new(seed, name, 0, message))
    }
}

/// Returns the transcript of a world.
fn join(plan: &Plan, conversations: &[Conversation], transcripts: &[String]) -> String {
    let mut text = plan.describe();
    for (conversation, transcript) in conversations.iter().zip(transcripts) {
        text.push_str(transcript);
        for line in side_by_side::lines(conversation) {
            text.push_str(&format!("# {line}\n"));
        }
    }
    text
}

/// One seed in this number is run twice, and both transcripts must be the same.
const RUN_TWICE_EVERY: u64 = 64;
