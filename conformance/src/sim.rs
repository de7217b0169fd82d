//! Deterministic simulation: runs the engine and a handler in random worlds with faults, and checks the results.
//!
//! A world is a file system, a few connections and one clock. Connections are reset and stall, answers are short, late
//! or missing, disks fail, files change while they are open, and requests may be damaged. Everything is derived from a
//! seed, so that the same seed gives the same world on every machine: a failure can be reproduced from its seed.
//! Nothing here uses a socket, a disk, the system's clock or a thread.
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
mod excerpt;
mod fault_plan;
mod faults;
mod faulty_fs;
mod faulty_io;
mod fs_failure;
mod grammar;
mod handlers;
mod input;
mod mistake_log;
mod model_tree;
mod page;
mod peer;
mod plan;
mod played;
mod random;
pub mod reader;
mod recording_handler;
mod recovery;
mod reference_run;
mod replay;
mod report;
mod request;
mod script;
mod seed;
pub mod services;
mod settings;
mod shown;
mod shrink;
mod side_by_side;
mod tracked_handle;
mod transcript;
mod tree;
mod watchdog;
mod world;

use sanserve_core::{Config, FileSystem, Handler};

pub use self::conversation::Conversation;
pub use self::excerpt::excerpt;
pub use self::faults::{FaultClass, Faults};
pub(crate) use self::fs_failure::read_fs_error;
pub use self::handlers::standard as standard_handler;
use self::played::{Examined, Played};
pub use self::random::Random;
pub(crate) use self::replay::read_time;
pub use self::replay::replay;
pub use self::report::Failure;
pub use self::request::Request;
pub use self::seed::{Part, Reduction, Seed};
pub use self::tree::{File, TARGETS, Tree};

/// A simulation: how worlds are created, and the checks.
pub struct Sim<S: FileSystem, H> {
    fs: Box<dyn Fn(&mut Random) -> S>,
    change: Box<Change<S>>,
    handler: Box<dyn Fn(u64) -> H>,
    config: Option<Box<ConfigFn>>,
    requests: Box<RequestsFn>,
    /// Generates the requests for the handler of a number, in place of `requests`.
    requests_for: Option<fn(&mut Random, u64) -> Vec<Request>>,
    /// Returns the number of connections.
    connections: fn(&mut Random) -> usize,
    /// The targets of random requests.
    targets: Option<&'static [&'static str]>,
    faults: Option<Faults>,
    before_world: Box<dyn Fn()>,
    checks: Vec<(&'static str, Box<CheckFn>)>,
    world_checks: Vec<Box<WorldCheckFn<S>>>,
    allowed: Box<AllowedFn>,
}

type Change<S> = dyn Fn(&S, &mut Random);
type RequestsFn = dyn Fn(&mut Random, usize) -> Vec<Request>;
type ConfigFn = dyn Fn(&mut Random) -> Config;
type CheckFn = dyn Fn(&Conversation) -> Result<(), String>;
/// Returns the name of a check of the world that fails, and the message.
type WorldCheckFn<S> = dyn Fn(&S, &[Conversation]) -> Result<(), (&'static str, String)>;
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
            config: None,
            requests: grammar_of(TARGETS),
            requests_for: None,
            connections: settings::connections,
            targets: Some(TARGETS),
            faults: None,
            before_world: Box::new(|| ()),
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
        Sim {
            requests: grammar_of(targets),
            targets: Some(targets),
            ..self
        }
    }

    /// Sets the requests of each connection, in place of random ones. `requests` gets the limit of content in this
    /// world: a few bytes, kilobytes or megabytes. [`Random::log_uniform`] returns a length below it.
    ///
    /// ```
    /// use sanserve_conformance::sim::{Request, Sim};
    /// use sanserve_core::Upload;
    ///
    /// Sim::new(|_| Upload::new()).requests(|random, content_max| {
    ///     let content = vec![b'x'; random.log_uniform(content_max)];
    ///     let put = Request::new("PUT", "/new").content(content).chunked(random);
    ///     vec![put, Request::new("GET", "/new")]
    /// });
    /// ```
    #[must_use]
    pub fn requests(self, requests: impl Fn(&mut Random, usize) -> Vec<Request> + 'static) -> Self {
        Sim {
            requests: Box::new(requests),
            targets: None,
            ..self
        }
    }

    /// Sets the configuration of connections, in place of a random one.
    #[must_use]
    pub fn config(self, config: impl Fn(&mut Random) -> Config + 'static) -> Self {
        Sim {
            config: Some(Box::new(config)),
            ..self
        }
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

    /// Calls a function before every world, which resets state that handlers share.
    #[must_use]
    pub fn before_world(self, before_world: impl Fn() + 'static) -> Self {
        let before_world = Box::new(before_world);
        Sim {
            before_world,
            ..self
        }
    }

    /// Adds a check at the end of every world, when all connections have closed and all handlers were dropped. It gets
    /// the file system and the conversations. For state that handlers share, clone an `Rc` of it into the closures:
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use sanserve_conformance::sim::Sim;
    /// use sanserve_core::from_fn;
    ///
    /// let served = Rc::new(Cell::new(0_usize));
    /// let [count, reset] = [Rc::clone(&served), Rc::clone(&served)];
    /// let sim = Sim::new(move |_| {
    ///     let count = Rc::clone(&count);
    ///     from_fn(move |ex| {
    ///         count.set(count.get() + 1);
    ///         ex.send_error(404, "Not Found")
    ///     })
    /// });
    /// sim.before_world(move || reset.set(0))
    ///     .check_world("counts", move |_, conversations| {
    ///         let requests = conversations.iter().map(|conversation| conversation.requests.len());
    ///         match (served.get(), requests.sum::<usize>()) {
    ///             (served, requests) if served == requests => Ok(()),
    ///             (served, requests) => Err(format!("{served} of {requests} requests")),
    ///         }
    ///     })
    ///     .run();
    /// ```
    #[must_use]
    pub fn check_world(
        mut self,
        name: &'static str,
        check: impl Fn(&S, &[Conversation]) -> Result<(), String> + 'static,
    ) -> Self {
        let check = move |fs: &S, conversations: &[Conversation]| {
            check(fs, conversations).map_err(|message| (name, message))
        };
        self.world_checks.push(Box::new(check));
        self
    }

    /// Allows mistakes of the handler for which `allowed` returns true. By default every mistake that the engine
    /// reports ([`LogEvent::Mistake`](sanserve_core::log::LogEvent::Mistake)), such as `wrote less than
    /// Content-Length`, fails the check `handler`.
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
    pub fn simulate(&self, seed: impl Into<Seed>, transcript: bool) -> Outcome {
        let seed = seed.into();
        let Played {
            conversations,
            transcript,
            panic,
            ..
        } = self.play(&seed, transcript);
        if let Some((_, message)) = panic {
            panic!("seed {seed}: {message}");
        }
        Outcome {
            conversations,
            transcript,
        }
    }

    /// Runs the world of a seed and all checks.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check_seed(&self, seed: impl Into<Seed>) -> Result<Outcome, Failure> {
        let Examined { played, failure } = self.examine(&seed.into(), false);
        match failure {
            Some(failure) => Err(failure),
            None => Ok(Outcome {
                conversations: played.conversations,
                transcript: played.transcript,
            }),
        }
    }
}

/// Returns the generator of requests for these targets.
fn grammar_of(targets: &'static [&'static str]) -> Box<RequestsFn> {
    Box::new(move |random, content_max| grammar::requests(random, targets, content_max))
}

/// The date in every world that has one: 2026-01-01 00:00 UTC.
const DATE: i64 = 1_767_225_600;

/// Compiles the examples of the page on simulation.
#[cfg(doctest)]
#[doc = include_str!("../../docs/simulation.md")]
struct Simulation;
