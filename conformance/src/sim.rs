//! Deterministic simulation: runs the engine and a handler in random worlds with faults, and checks the results.
//!
//! A world is a file system, a few connections and one clock. Connections are reset and stall, answers are short, late or
//! missing, disks fail, files change while they are open, and requests may be damaged. Everything is derived from a seed,
//! so that the same seed gives the same world on every machine: a failure can be reproduced from its seed. Nothing here
//! uses a socket, a disk, the system's clock or a thread.
//!
//! A driver injects the faults ([`Faults`]) and records a [`Conversation`] for each connection. The [`checks`] then
//! look at the conversations. To simulate *your* handler, write a test:
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
//!         if all { Ok(()) } else { Err("the content is not hello".into()) }
//!     });
//! sim.run(); // 1,000 seeds, or SEEDS; SEED=4711 prints the transcript of one
//! ```
//!
//! [`Sim::over`] uses a file system of your own. The handler must always give the same replies to the same requests,
//! because its replies are compared with those of a run without faults, which has a new handler.

pub mod checks;
mod compare;
pub mod conversation;
mod driver;
mod faults;
mod faulty_fs;
mod faulty_io;
mod fs_failure;
mod grammar;
mod handlers;
mod mistake_log;
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
mod watchdog;
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

/// A simulation: how worlds are created, and the checks.
pub struct Sim<S: FileSystem, H> {
    fs: Box<dyn Fn(&mut Random) -> S>,
    change: Box<Change<S>>,
    handler: Box<dyn Fn(u64) -> H>,
    config: Box<dyn Fn(&mut Random) -> Config>,
    targets: &'static [&'static str],
    faults: Option<Faults>,
    checks: Vec<(&'static str, Box<CheckFn>)>,
    world_checks: Vec<(&'static str, Box<WorldCheckFn<S>>)>,
    allowed: Box<AllowedFn>,
}

type Change<S> = dyn Fn(&S, &mut Random);
type CheckFn = dyn Fn(&Conversation) -> Result<(), String>;
type WorldCheckFn<S> = dyn Fn(&S, &[Conversation]) -> Result<(), String>;
type AllowedFn = dyn Fn(&Conversation, &str) -> bool;

/// The result of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The conversations of this world.
    pub conversations: Vec<Conversation>,
    /// The transcript, if one was requested.
    pub transcript: String,
}

impl<H: Handler> Sim<Tree, H> {
    /// Simulates a handler over a small [`Tree`], whose files change. `handler` creates one for each connection, from a
    /// random number that you can use to choose settings.
    pub fn new(handler: impl Fn(u64) -> H + 'static) -> Self {
        let mut sim = Sim::over(Tree::random, handler);
        sim.change = Box::new(Tree::change);
        sim
    }
}

impl Sim<Tree, Box<dyn Handler>> {
    /// Simulates the engine itself, with the file service, CGI, and handlers that stream or act at random.
    #[must_use]
    pub fn standard() -> Self {
        Sim::new(handlers::standard)
            .check("files", |conversation| {
                if handlers::serves_files(conversation.handler) {
                    checks::files(conversation)
                } else {
                    Ok(())
                }
            })
            .allow_handler_errors(|conversation, error| {
                handlers::intends(conversation.handler, error)
            })
    }
}

impl<S: FileSystem, H: Handler> Sim<S, H> {
    /// Simulates a handler over a file system. A new file system is created for each world.
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
            world_checks: Vec::new(),
            allowed: Box::new(|_, _| false),
        }
    }

    /// Sets a function that changes the file system while connections are served.
    #[must_use]
    pub fn change(self, change: impl Fn(&S, &mut Random) + 'static) -> Self {
        let change = Box::new(change);
        Sim { change, ..self }
    }

    /// Sets the request targets, in place of [`TARGETS`].
    #[must_use]
    pub fn targets(self, targets: &'static [&'static str]) -> Self {
        Sim { targets, ..self }
    }

    /// Sets the configuration of connections, in place of a random one.
    #[must_use]
    pub fn config(self, config: impl Fn(&mut Random) -> Config + 'static) -> Self {
        let config = Box::new(config);
        Sim { config, ..self }
    }

    /// Sets the fault rates, in place of random ones.
    #[must_use]
    pub fn faults(self, faults: Faults) -> Self {
        Sim {
            faults: Some(faults),
            ..self
        }
    }

    /// Adds a check of every conversation.
    #[must_use]
    pub fn check(
        mut self,
        name: &'static str,
        check: impl Fn(&Conversation) -> Result<(), String> + 'static,
    ) -> Self {
        self.checks.push((name, Box::new(check)));
        self
    }

    /// Adds a check at the end of every world, when all connections have closed and all handlers were dropped. It gets
    /// the file system and the conversations. For state that handlers share, clone an `Rc` of it into both closures:
    ///
    /// ```
    /// use std::rc::Rc;
    /// use sanserve_conformance::sim::Sim;
    /// use sanserve_core::{Next, from_fn};
    ///
    /// let pool = Rc::new(());
    /// let shared = Rc::clone(&pool);
    /// let sim = Sim::new(move |_| {
    ///     let slot = Rc::clone(&shared);
    ///     from_fn(move |ex| {
    ///         let _slot = &slot;
    ///         ex.send_error(404, "Not Found")
    ///     })
    /// });
    /// sim.check_world("pool", move |_, _| match Rc::strong_count(&pool) {
    ///     2 => Ok(()),
    ///     more => Err(format!("{} slots are lost", more - 2)),
    /// })
    /// .run();
    /// ```
    #[must_use]
    pub fn check_world(
        mut self,
        name: &'static str,
        check: impl Fn(&S, &[Conversation]) -> Result<(), String> + 'static,
    ) -> Self {
        self.world_checks.push((name, Box::new(check)));
        self
    }

    /// Allows mistakes of the handler for which `allowed` returns true. By default every mistake that the engine reports
    /// ([`LogEvent::Mistake`](sanserve_core::log::LogEvent::Mistake)), such as `wrote less than Content-Length`, fails the
    /// check `handler`.
    #[must_use]
    pub fn allow_handler_errors(
        self,
        allowed: impl Fn(&Conversation, &str) -> bool + 'static,
    ) -> Self {
        let allowed = Box::new(allowed);
        Sim { allowed, ..self }
    }

    /// Runs the world of a seed without checks.
    ///
    /// # Panics
    /// If the handler panics.
    #[must_use]
    pub fn simulate(&self, seed: u64, transcript: bool) -> Outcome {
        let Played {
            conversations,
            transcript,
            panic,
            ..
        } = self.play(seed, transcript);
        if let Some((_, message)) = panic {
            panic!("seed {seed}: {message}");
        }
        Outcome {
            conversations,
            transcript,
        }
    }

    /// Runs the world of a seed, until its end or a panic.
    fn play(&self, seed: u64, transcript: bool) -> Played<S> {
        let mut random = Random::new(seed);
        let faults = Faults::of(&mut random);
        let faults = self.faults.unwrap_or(faults);
        let mut world = World {
            fs: (self.fs)(&mut random),
            change: &*self.change,
            drivers: Vec::new(),
            faults,
            random: random.fork(),
            current: 0,
        };
        for number in 0..settings::connections(&mut random) {
            let driver = self.connection(number, faults, &mut random, transcript);
            world.drivers.push(driver);
        }
        let panic = report::catch(|| world.run()).err();
        let mut played = Played {
            conversations: Vec::new(),
            transcript: format!("# sanserve transcript 1, seed {seed}\n"),
            panic: panic.map(|message| (world.current, message)),
            fs: world.fs,
        };
        for driver in world.drivers {
            let (mut conversation, transcript) = driver.end();
            played.transcript.push_str(&transcript);
            if conversation.counts.closed {
                let handler = || (self.handler)(conversation.handler);
                match report::catch(|| reference_run::run(&conversation, handler())) {
                    Ok(reference) => conversation.reference = reference,
                    Err(message) => {
                        played.panic.get_or_insert((conversation.number, message));
                    }
                }
            }
            played.conversations.push(conversation);
        }
        played
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
            config: mistake_log::set((self.config)(random)),
            unix: (!random.one_in(8)).then_some(DATE),
            input: std::mem::take(&mut peer.requests.bytes),
            half_close: peer.half_close,
            sent_lines: peer.requests.lines.take(),
            sent_contents: std::mem::take(&mut peer.requests.contents),
            request_ends: peer.requests.ends.clone(),
            upgradable: !random.one_in(4),
            upgraded: None,
            requests: Vec::new(),
            output: Vec::new(),
            log: String::new(),
            fs_calls: Vec::new(),
            fs_failures: Vec::new(),
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
                conversation.upgradable,
            )
        });
        let plan = FaultPlan::new(faults, random.fork());
        let mut driver = Driver::new(conversation, peer, plan, handler, start);
        driver.transcript = transcript;
        driver
    }

    /// Runs the world of a seed and all checks.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check_seed(&self, seed: u64) -> Result<Outcome, Failure> {
        let twice = seed.is_multiple_of(RUN_TWICE_EVERY);
        let Played {
            conversations,
            transcript,
            panic,
            fs,
        } = self.play(seed, twice);
        if let Some((connection, message)) = panic {
            return Err(Failure::new(seed, "panic", connection, message));
        }
        let outcome = Outcome {
            conversations,
            transcript,
        };
        if twice && self.play(seed, true).transcript != outcome.transcript {
            return Err(Failure::new(
                seed,
                "deterministic",
                0,
                "two runs of one seed have different transcripts".into(),
            ));
        }
        for conversation in &outcome.conversations {
            let mut errors = conversation.handler_errors();
            if let Some(error) = errors.find(|error| !(self.allowed)(conversation, error)) {
                let message = format!("the handler {error}");
                return Err(Failure::new(seed, "handler", conversation.number, message));
            }
            let checks = CHECKS
                .iter()
                .map(|(name, check)| (*name, check as &CheckFn));
            let own = self.checks.iter().map(|(name, check)| (*name, &**check));
            for (name, check) in checks.chain(own) {
                check(conversation)
                    .map_err(|message| Failure::new(seed, name, conversation.number, message))?;
            }
        }
        for (name, check) in &self.world_checks {
            check(&fs, &outcome.conversations)
                .map_err(|message| Failure::new(seed, name, 0, message))?;
        }
        Ok(outcome)
    }
}

/// A world that was run.
struct Played<S> {
    fs: S,
    conversations: Vec<Conversation>,
    transcript: String,
    /// The connection whose handler panicked, and the message.
    panic: Option<(usize, String)>,
}

/// One seed in this number is run twice, and both transcripts must be the same.
const RUN_TWICE_EVERY: u64 = 64;

/// The date in every world that has one: 2026-01-01 00:00 UTC.
const DATE: i64 = 1_767_225_600;

/// Compiles the examples of the page on simulation.
#[cfg(doctest)]
#[doc = include_str!("../../docs/simulation.md")]
struct Simulation;
