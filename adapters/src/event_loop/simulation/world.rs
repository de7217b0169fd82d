//! A world: a server with its clients, and the scheduler that runs them on one thread.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sanserve_core::{Config, Files, Limits, Protocol, Timeouts};

use super::client::{Client, Excuses, STALL};
use super::files::{SimulatedFile, SimulatedFiles};
use super::handler::{self, SimulatedHandler, Wakers};
use super::kernel::{Faults, Kernel, SharedKernel, Task};
use super::random::Random;
use super::system::{SimulatedSocket, SimulatedSystem};
use crate::event_loop::completions::Job;
use crate::event_loop::shared::Shared;
use crate::event_loop::system::System;
use crate::event_loop::upgrade::Upgraded;
use crate::event_loop::worker::{Common, Worker};

/// Everything about a world that its seed decides in advance.
#[derive(Debug)]
struct Plan {
    workers: usize,
    listeners: usize,
    connections_max: usize,
    cold: usize,
    upgrades: bool,
    config: Config,
    faults: Faults,
    capacity: usize,
    clients: usize,
    /// In which time all clients connect.
    arrival: Duration,
    /// When the server is stopped; otherwise that is after all clients have left.
    shutdown_at: Option<Duration>,
    grace: Duration,
}

impl Plan {
    fn new(random: &mut Random) -> Plan {
        let clients = [3, 8, 8, 20][random.below(4)];
        let clients = random.between(1, clients);
        let is_crowded = random.one_in(4);
        let room = random.between(1, clients);
        let odds = |random: &mut Random, rarity: usize| match random.one_in(2) {
            true => 0,
            false => rarity,
        };
        let millis = Duration::from_millis;
        let faults = Faults {
            interrupts: odds(random, 20),
            spurious: odds(random, 5),
            partial_polls: odds(random, 3),
            inherited: odds(random, 3),
            aborted_accepts: if random.one_in(8) { 10 } else { 0 },
            registrations: if random.one_in(8) { 10 } else { 0 },
            interleaving: odds(random, 4),
            files: if random.one_in(6) { 20 } else { 0 },
            wake_up_max: [Duration::from_micros(200), millis(5), millis(40)][random.below(3)],
            job_max: [millis(1), millis(20), millis(150)][random.below(3)],
            descriptors: if is_crowded && random.one_in(2) {
                room
            } else {
                usize::MAX
            },
        };
        let connections_max = match is_crowded && faults.descriptors == usize::MAX {
            true => room,
            false => 64,
        };
        let timeouts = Timeouts::default()
            .with_idle(millis(random.between(5_000, 20_000) as u64))
            .with_park([millis(0), millis(50), millis(100)][random.below(3)])
            .with_head(millis(8_000))
            .with_grace(millis(8_000))
            .with_receive_buffer(1_000)
            .with_linger(millis([0, 0, 200, 2_000][random.below(4)]))
            .with_ask(millis(10_000));
        let limits = Limits::default().with_outbox([512, 4_096, 32_768][random.below(3)]);
        Plan {
            workers: random.between(1, 4),
            listeners: random.between(1, 2),
            connections_max,
            cold: [0, 1, 3][random.below(3)],
            upgrades: random.one_in(4),
            config: Config::default()
                .with_protocol(Protocol::Http11)
                .with_timeouts(timeouts)
                .with_limits(limits),
            faults,
            capacity: [100, 4_096, 65_536, 1 << 20][random.below(4)],
            clients,
            arrival: [Duration::ZERO, millis(5), millis(300)][random.below(3)],
            shutdown_at: random.one_in(2).then(|| random.time(millis(600))),
            grace: [millis(0), millis(100), millis(2_000)][random.below(3)],
        }
    }

    fn is_crowded(&self) -> bool {
        self.connections_max < self.clients || self.faults.descriptors < self.clients
    }
}

type SimulatedWorker<'a, M> = Worker<'a, SimulatedSystem, SimulatedFiles, SimulatedHandler, M>;

/// What the parts of a world share.
struct World {
    plan: Plan,
    kernel: SharedKernel,
    jobs: Mutex<Vec<Option<Job<SimulatedFile>>>>,
    wakers: Wakers,
    log: Arc<Mutex<String>>,
}

/// The clients, and how far the shutdown is.
struct State {
    clients: Vec<Client>,
    shutdown_at: Option<Duration>,
    abort_at: Option<Duration>,
    aborted: bool,
}

/// Runs the world of a seed. Returns what is wrong; prints the transcript if `trace` is set.
pub(super) fn run(seed: u64, trace: bool) -> Result<(), String> {
    let mut random = Random::new(seed);
    let plan = Plan::new(&mut random);
    let clients = (0..plan.clients)
        .map(|conn| Client::new(conn, &mut random, (50 * plan.capacity, plan.upgrades)))
        .collect();
    let counts = (plan.workers, plan.listeners, plan.clients);
    let mut kernel = Kernel::new(random, plan.faults.clone(), counts, plan.capacity);
    kernel.trace = trace.then(Vec::new);
    let world = World {
        plan,
        kernel: SharedKernel::new(kernel),
        jobs: Mutex::default(),
        wakers: Wakers::default(),
        log: Arc::default(),
    };
    let state = State {
        clients,
        shutdown_at: None,
        abort_at: None,
        aborted: false,
    };
    let result = world.serve(state);
    if let Some(lines) = world.kernel.lock().trace.take() {
        println!("{:#?}", world.plan);
        lines.iter().for_each(|line| println!("{line}"));
        println!("{}", world.log.lock().expect("no holder panics"));
    }
    result
}

impl World {
    fn serve(&self, mut state: State) -> Result<(), String> {
        let lines = Arc::clone(&self.log);
        let log = move |text: &str| lines.lock().expect("no holder panics").push_str(text);
        let (plan, kernel) = (&self.plan, &self.kernel);
        let shared = Shared::new(plan.workers, plan.connections_max, Box::new(log));
        let files = SimulatedFiles {
            kernel: kernel.clone(),
            cold: plan.cold,
        };
        let handler = || SimulatedHandler {
            kernel: kernel.clone(),
            wakers: Arc::clone(&self.wakers),
            files: Files::new(),
            state: handler::State::File,
        };
        let upgraded = Arc::default();
        let workers = self.start(&shared, &files, &handler, &upgraded);
        let ran = self.run(workers, &mut state, &shared, &files, &upgraded);
        upgraded.lock().expect("no holder panics").clear();
        // The pool drops the jobs that are left.
        self.jobs.lock().expect("no holder panics").clear();
        self.wakers.lock().expect("no holder panics").clear();
        shared.shutdown.finished();
        ran?;
        self.check_end(&shared)?;
        self.check_log(&state.clients, &self.kernel.lock(), false)
    }

    /// Creates the workers, each with its part of the system.
    fn start<'a, M: Fn() -> SimulatedHandler>(
        &'a self,
        shared: &'a Shared<SimulatedSocket>,
        files: &'a SimulatedFiles,
        handler: &'a M,
        upgraded: &UpgradedConnections<'a>,
    ) -> Vec<Option<SimulatedWorker<'a, M>>> {
        let config = Arc::new(self.plan.config.clone());
        let systems: Vec<SimulatedSystem> = (0..self.plan.workers)
            .map(|worker| SimulatedSystem {
                kernel: self.kernel.clone(),
                worker,
                listeners: self.plan.listeners,
            })
            .collect();
        shared
            .shutdown
            .start(systems.iter().map(System::waker).collect());
        let worker = |system| {
            let common = Common {
                files,
                config: Arc::clone(&config),
                handler,
                shared,
                submit: Box::new(|job| {
                    let mut kernel = self.kernel.lock();
                    let mut jobs = self.jobs.lock().expect("no holder panics");
                    let job_max = kernel.faults.job_max;
                    kernel.after(job_max, Task::Job(jobs.len()));
                    jobs.push(Some(job));
                }),
                upgrade: self.plan.upgrades.then(|| {
                    let upgraded = Arc::clone(upgraded);
                    let begin = move |connection| {
                        let mut upgraded = upgraded.lock().expect("no holder panics");
                        let task = Task::EndUpgrade(upgraded.len());
                        self.kernel.lock().after(UPGRADE_MAX, task);
                        upgraded.push(Some(connection));
                    };
                    Box::new(begin) as Box<_>
                }),
            };
            Some(Worker::new(common, system))
        };
        systems.into_iter().map(worker).collect()
    }

    /// Runs one task after the other, until all workers have ended or something is wrong.
    fn run<M: Fn() -> SimulatedHandler>(
        &self,
        mut workers: Vec<Option<SimulatedWorker<'_, M>>>,
        state: &mut State,
        shared: &Shared<SimulatedSocket>,
        files: &SimulatedFiles,
        upgraded: &UpgradedConnections<'_>,
    ) -> Result<(), String> {
        self.begin(&mut workers, state);
        let mut events = SimulatedSystem::events();
        for _ in 0..TASKS_MAX {
            let Some(task) = self.kernel.lock().next_task() else {
                return Err("nothing is scheduled, and a worker has not ended".into());
            };
            match task {
                Task::Turn(number) => {
                    if let Some(worker) = &mut workers[number] {
                        if worker.turn(&mut events) {
                            let timeout = worker.poll_timeout();
                            self.kernel.lock().sleep(number, timeout);
                        } else {
                            workers[number] = None;
                        }
                    }
                }
                Task::Job(number) => {
                    let job = self.jobs.lock().expect("no holder panics")[number].take();
                    job.into_iter().for_each(|job| job.run(files));
                }
                Task::Wake(number) => {
                    let wakers = self.wakers.lock().expect("no holder panics");
                    let (waker, happened) = &wakers[number];
                    happened.store(true, Ordering::Relaxed);
                    waker.wake_by_ref();
                }
                Task::EndUpgrade(number) => {
                    let connection = upgraded.lock().expect("no holder panics")[number].take();
                    drop(connection);
                }
                Task::Net(net) => self.kernel.lock().run(net),
                Task::Rest => self.check_rest()?,
                Task::Shutdown => {
                    state.begin_shutdown(&mut self.kernel.lock(), &self.plan);
                    shared.shutdown.close();
                }
                Task::Abort => {
                    state.aborted = true;
                    shared.shutdown.abort();
                }
            }
            self.look(state)?;
            if workers.iter().all(Option::is_none) {
                return Ok(());
            }
        }
        Err(format!("the world has not ended after {TASKS_MAX} tasks"))
    }

    /// Schedules what the seed has decided, and lets all workers begin to poll.
    fn begin<M: Fn() -> SimulatedHandler>(
        &self,
        workers: &mut [Option<SimulatedWorker<'_, M>>],
        state: &mut State,
    ) {
        let mut kernel = self.kernel.lock();
        for (number, worker) in workers.iter().enumerate() {
            let timeout = worker.as_ref().and_then(Worker::poll_timeout);
            kernel.sleep(number, timeout);
        }
        for client in &mut state.clients {
            let at = kernel.random.time(self.plan.arrival);
            client.start(&mut kernel, at);
        }
        if let Some(at) = self.plan.shutdown_at {
            state.shutdown_at = Some(at);
            kernel.at(at, Task::Shutdown);
        }
    }

    /// Lets the clients look at what has changed, and checks that the server makes progress.
    fn look(&self, state: &mut State) -> Result<(), String> {
        let kernel = &mut *self.kernel.lock();
        let excuses = Excuses {
            crowded: self.plan.is_crowded(),
            aborted: state.aborted,
        };
        while let Some(conn) = kernel.changed.pop() {
            let client = &mut state.clients[conn];
            let was_done = client.is_done;
            client.look(kernel, excuses);
            // A client that has seen the end of its connection may look for its lines in the log.
            if client.is_done && !was_done && kernel.tcp[conn].client_eof {
                self.check_log(&state.clients[conn..=conn], kernel, true)?;
            }
        }
        if let Some(text) = kernel.wrong.take() {
            return Err(text);
        }
        let crowded = excuses.crowded;
        if let Some(client) = state
            .clients
            .iter()
            .find(|it| it.is_stalled(kernel, crowded))
        {
            return Err(client.describe_stall());
        }
        self.check_fairness(kernel)?;
        if state.abort_at.is_some_and(|at| at + STALL < kernel.now) {
            return Err("the shutdown does not end".into());
        }
        // When all clients have left, and everything has come to rest, the server is stopped.
        if state.shutdown_at.is_none() && state.clients.iter().all(|it| it.is_over(kernel)) {
            let at = kernel.now + REST;
            state.shutdown_at = Some(at);
            kernel.at(at, Task::Rest);
            kernel.at(at + Duration::from_micros(1), Task::Shutdown);
        }
        Ok(())
    }

    /// Checks that a worker has not many more connections than others, where nothing keeps the others from accepting.
    fn check_fairness(&self, kernel: &Kernel) -> Result<(), String> {
        let is_even = !self.plan.is_crowded() && self.plan.faults.wake_up_max < PROMPT;
        let (sum, most) = kernel
            .loads()
            .fold((0, 0), |(sum, most), load| (sum + load, most.max(load)));
        let share = sum / self.plan.workers;
        if is_even && most > share + SLACK {
            return Err(format!("a worker has {most} of {sum} connections"));
        }
        Ok(())
    }

    /// Checks that nothing is left of clients that have gone.
    fn check_rest(&self) -> Result<(), String> {
        let kernel = self.kernel.lock();
        let open = |conn: &usize| kernel.tcp[*conn].accepted && !kernel.tcp[*conn].closed;
        match (0..kernel.tcp.len()).find(open) {
            Some(conn) => Err(format!(
                "connection {conn} is open long after its client left"
            )),
            None => Ok(()),
        }
    }

    /// Checks that the server has closed and released everything.
    fn check_end(&self, shared: &Shared<SimulatedSocket>) -> Result<(), String> {
        let kernel = self.kernel.lock();
        if kernel.sockets > 0 || kernel.files > 0 {
            let (sockets, files) = (kernel.sockets, kernel.files);
            return Err(format!(
                "{sockets} sockets and {files} files are still open"
            ));
        }
        let room = (0..self.plan.connections_max)
            .filter(|_| shared.try_acquire())
            .count();
        if room < self.plan.connections_max || shared.try_acquire() {
            return Err(format!(
                "{room} of {} connections are free",
                self.plan.connections_max
            ));
        }
        match shared.has_backlog() {
            true => Err("the backlog is not empty".into()),
            false => Ok(()),
        }
    }

    /// Checks how often each request is in the log. If `soon`, only that the requests with a reply are there.
    fn check_log(&self, clients: &[Client], kernel: &Kernel, soon: bool) -> Result<(), String> {
        let log = self.log.lock().expect("no holder panics");
        for client in clients {
            for (number, (least, most)) in client.logged(kernel).enumerate() {
                let target = client.target(number);
                let count = log.matches(&target).count();
                if count < least || count > most && !soon {
                    return Err(format!("{target} is in the log {count} times"));
                }
            }
        }
        Ok(())
    }
}

impl State {
    fn begin_shutdown(&mut self, kernel: &mut Kernel, plan: &Plan) {
        // Without connections the server has to end at once, so then nothing else wakes its workers.
        let (ends, aborts) = match kernel.sockets {
            0 => (Duration::ZERO, 2 * STALL),
            _ => (plan.grace, plan.grace),
        };
        self.shutdown_at = Some(kernel.now);
        self.abort_at = Some(kernel.now + ends);
        kernel.at(kernel.now + aborts, Task::Abort);
        for client in &mut self.clients {
            client.note_shutdown(kernel);
        }
    }
}

type UpgradedConnections<'a> =
    Arc<Mutex<Vec<Option<Upgraded<'a, SimulatedSocket, SimulatedHandler>>>>>;

/// How long an upgraded connection is used.
const UPGRADE_MAX: Duration = Duration::from_millis(100);

/// The time after which nothing may be left of a client that has gone: longer than all timeouts of the engine.
const REST: Duration = Duration::from_secs(60);

/// Workers that continue within this time after an event share the connections evenly.
const PROMPT: Duration = Duration::from_millis(1);

/// A worker may have so many connections more than its share.
const SLACK: usize = 7;

const TASKS_MAX: usize = 200_000;
