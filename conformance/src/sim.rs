//! Deterministic simulation: a seed is a world, and every world must keep the rules.
//!
//! A world is a file system, a few connections to it and one clock. Links are cut and stall,
//! answers come in pieces, late or never, disks fail, files change under way, and what peers send
//! may be damaged. All of it is drawn from the seed, so that the same seed is the same world on
//! every machine: a failure is a number that can be told to someone else. Nothing here reads a
//! socket, a disk or a clock, and no thread is started.
//!
//! The engine is carried by an adapter that causes the mishaps ([`Faults`]). What came of it, a
//! [`Conversation`] for each connection, is looked at by [`checks`], which cause none. Simulate
//! *your* handler in the same way, in a test:
//!
//! ```
//! use sanserve_conformance::sim::Sim;
//! use sanserve_core::{Exchange, Handler, Next};
//!
//! struct Hello;
//!
//! impl Handler for Hello {
//!     fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
//!         ex.send_response(200);
//!         ex.send_header("Content-Length", 6);
//!         ex.end_headers();
//!         ex.write(b"hello\n");
//!         Next::Done
//!     }
//! }
//!
//! let sim = Sim::new(|_| Hello)
//!     .targets(&["/", "/hello?x=1"])
//!     .check("greets", |conversation| {
//!         let greets = |body: &[u8]| body.is_empty() || b"hello\n".starts_with(body);
//!         let replies = conversation.replies()?;
//!         let all = replies.iter().all(|reply| reply.status != 200 || greets(&reply.body));
//!         if all { Ok(()) } else { Err("it says something else".into()) }
//!     });
//! sim.run(); // 1,000 seeds, or SEEDS; SEED=4711 prints the transcript of one
//! ```
//!
//! [`Sim::over`] brings a file system of your own. The handler must answer the same requests in the
//! same way each time: it is made anew for the world without mishaps that it is compared with.

pub mod checks;
mod compare;
pub mod conversation;
mod driver;
mod faults;
mod faulty_fs;
mod faulty_io;
mod grammar;
mod handlers;
mod peer;
mod random;
pub mod reader;
mod recording_handler;
mod reference_run;
mod replay;
mod report;
mod script;
mod settings;
mod tracked_handle;
mod transcript;
mod tree;
mod world;

use sanserve_core::{Config, FileSystem, Handler};

use self::checks::CHECKS;
pub use self::conversation::Conversation;
use self::conversation::{Counts, Disruptions};
use self::driver::{Driver, address};
use self::faults::FaultPlan;
pub use self::faults::Faults;
use self::grammar::Requests;
pub use self::handlers::standard as standard_handler;
use self::peer::Peer;
pub use self::random::Random;
pub use self::replay::replay;
pub use self::report::Failure;
use self::transcript::Transcript;
pub use self::tree::{File, TARGETS, Tree};
use self::world::{START, World};

/// A simulation: what is simulated, and what must be true of it.
pub struct Sim<S: FileSystem, H> {
    fs: Box<dyn Fn(&mut Random) -> S>,
    change: Box<Change<S>>,
    handler: Box<dyn Fn(u64) -> H>,
    config: Box<dyn Fn(&mut Random) -> Config>,
    targets: &'static [&'static str],
    faults: Option<Faults>,
    checks: Vec<(&'static str, Box<CheckFn>)>,
}

type Change<S> = dyn Fn(&S, &mut Random);
type CheckFn = dyn Fn(&Conversation) -> Result<(), String>;

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The connections of this world.
    pub conversations: Vec<Conversation>,
    /// The transcript, if it was asked for.
    pub transcript: String,
}

impl<H: Handler> Sim<Tree, H> {
    /// Simulates a handler over a small [`Tree`] that changes under way. A new one is made for each
    /// connection, of a number that is drawn from the seed: let it decide what can be set.
    pub fn new(handler: impl Fn(u64) -> H + 'static) -> Self {
        let mut sim = Sim::over(Tree::grow, handler);
        sim.change = Box::new(Tree::change);
        sim
    }
}

impl Sim<Tree, Box<dyn Handler>> {
    /// The simulation of the engine itself, with the file service, scripts, and handlers that
    /// stream or do nonsense.
    #[must_use]
    pub fn standard() -> Self {
        Sim::new(handlers::standard).check("files", |conversation| {
            if handlers::serves_files(conversation.handler) {
                checks::files(conversation)
            } else {
                Ok(())
            }
        })
    }
}

impl<S: FileSystem, H: Handler> Sim<S, H> {
    /// Simulates a handler over a file system, both made anew for each world.
    pub fn over(
        fs: impl Fn(&mut Random) -> S + 'static,
        handler: impl Fn(u64) -> H + 'static,
    ) -> Self {
        Sim {
            fs: Box::new(fs),
            change: Box::new(|_, _| {}),
            handler: Box::new(handler),
            config: Box::new(settings::config),
            targets: TARGETS,
            faults: None,
            checks: Vec::new(),
        }
    }

    /// How the file system changes now and then.
    #[must_use]
    pub fn change(self, change: impl Fn(&S, &mut Random) + 'static) -> Self {
        let change = Box::new(change);
        Sim { change, ..self }
    }

    /// What is asked for, in place of [`TARGETS`].
    #[must_use]
    pub fn targets(self, targets: &'static [&'static str]) -> Self {
        Sim { targets, ..self }
    }

    /// How connections are set up, in place of all that is allowed.
    #[must_use]
    pub fn config(self, config: impl Fn(&mut Random) -> Config + 'static) -> Self {
        let config = Box::new(config);
        Sim { config, ..self }
    }

    /// How often things go wrong, in place of what the seed says.
    #[must_use]
    pub fn faults(self, faults: Faults) -> Self {
        Sim {
            faults: Some(faults),
            ..self
        }
    }

    /// One more thing that must be true of every conversation.
    #[must_use]
    pub fn check(
        mut self,
        name: &'static str,
        check: impl Fn(&Conversation) -> Result<(), String> + 'static,
    ) -> Self {
        self.checks.push((name, Box::new(check)));
        self
    }

    /// Plays the world of a seed, without looking at what comes of it.
    #[must_use]
    pub fn simulate(&self, seed: u64, transcript: bool) -> Outcome {
        let mut random = Random::new(seed);
        let faults = Faults::of(&mut random);
        let faults = self.faults.unwrap_or(faults);
        let mut world = World {
            fs: (self.fs)(&mut random),
            change: &*self.change,
            drivers: Vec::new(),
            faults,
            random: random.fork(),
        };
        for number in 0..settings::connections(&mut random) {
            let driver = self.connection(number, faults, &mut random, transcript);
            world.drivers.push(driver);
        }
        world.run();
        let mut outcome = Outcome {
            conversations: Vec::new(),
            transcript: format!("# sanserve transcript 1, seed {seed}\n"),
        };
        for driver in world.drivers {
            let (mut conversation, transcript) = driver.end();
            outcome.transcript.push_str(&transcript);
            conversation.reference =
                reference_run::run(&conversation, (self.handler)(conversation.handler));
            outcome.conversations.push(conversation);
        }
        outcome
    }

    fn connection(
        &self,
        number: usize,
        faults: Faults,
        random: &mut Random,
        transcript: bool,
    ) -> Driver<S::File, H> {
        let start = START + settings::start(random);
        let requests = Requests::grow(random, self.targets);
        let mut peer = Peer::new(random, requests, start);
        settings::break_transport(&mut peer, random);
        let conversation = Conversation {
            number,
            handler: random.number(),
            config: (self.config)(random),
            unix: (!random.one_in(8)).then_some(DATE),
            input: peer.requests.bytes.clone(),
            half_close: peer.half_close,
            sent_lines: peer.requests.lines.clone(),
            requests: Vec::new(),
            output: Vec::new(),
            log: String::new(),
            fs_calls: Vec::new(),
            disruptions: Disruptions::default(),
            counts: Counts::default(),
            reference: None,
        };
        let handler = (self.handler)(conversation.handler);
        let transcript = transcript.then(|| {
            let peer = address(number);
            Transcript::new(
                number,
                conversation.handler,
                &peer,
                conversation.unix,
                &conversation.config,
            )
        });
        let plan = FaultPlan::new(faults, random.fork(), conversation.input.len());
        let mut driver = Driver::new(conversation, peer, plan, handler, start);
        driver.transcript = transcript;
        driver
    }

    /// Plays the world of a seed and makes all checks.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check_seed(&self, seed: u64) -> Result<Outcome, Failure> {
        let twice = seed.is_multiple_of(TWICE);
        let outcome = report::catch(seed, || self.simulate(seed, twice))?;
        if twice && self.simulate(seed, true).transcript != outcome.transcript {
            return Err(Failure::new(
                seed,
                "deterministic",
                0,
                "two transcripts of one seed differ".into(),
            ));
        }
        for conversation in &outcome.conversations {
            let checks = CHECKS
                .iter()
                .map(|(name, check)| (*name, check as &CheckFn));
            let own = self.checks.iter().map(|(name, check)| (*name, &**check));
            for (name, check) in checks.chain(own) {
                check(conversation)
                    .map_err(|what| Failure::new(seed, name, conversation.number, what))?;
            }
        }
        Ok(outcome)
    }
}

/// Each of so many seeds is played twice, and must be the same both times.
const TWICE: u64 = 64;

/// What the date is in every world that knows it: 2026-01-01 00:00 UTC.
const DATE: i64 = 1_767_225_600;

/// What the page on simulation says is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/simulation.md")]
struct Simulation;
