//! A world: a server with its clients, and the scheduler that runs them on one thread.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sanserve_core::{Config, Files, Limits, Protocol, Timeouts};

use super::client::{Bounds, Client, Excuses};
use super::files::{SimulatedFile, SimulatedFiles};
use super::handler::{self, SimulatedHandler, Wakers};
use super::kernel::{Faults, Kernel, Net, STALL, SharedKernel, Task};
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
    stops_before_start: bool,
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
            upgrades: random.one_in(3),
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
            stops_before_start: random.one_in(64),
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
    let bounds = Bounds {
        size_max: 50 * plan.capacity,
        upgrades: plan.upgrades,
        has_quick_pool: plan.faults.job_max < STALL / 128,
        lingers: !plan.config.timeouts.linger.is_zero(),
    };
    let clients = (0..plan.clients)
        .map(|conn| Client::new(conn, &mut random, bounds))
        .collect();
    let counts = (plan.workers, plan.listeners, plan.clients);
    let mut kernel = Kernel::new(random, plan.faults.clone(), counts, plan.capacity);
    kernel.trace = trace.then(Vec::new);
    let world = World {
        plan,
        kernel: SharedKernel::new(kernel),
        jobs: Mutex::default(),
        wakers: Wakers::default(),
    };
    let state = State {
        clients,
        shutdown_at: None,
        abort_at: None,
        aborted: false,
    };
    let result = world.serve(state);
    let mut kernel = world.kernel.lock();
    if let Some(lines) = kernel.trace.take() {
        println!("{:#?}", world.plan);
        lines.iter().for_each(|line| println!("{line}"));
        println!("{}", kernel.log);
    }
    result
}

impl World {
    fn serve(&self, mut state: State) -> Result<(), String> {
        let log = self.kernel.clone();
        let log = move |text: &str| log.lock().log.push_str(text);
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
            waker: None,
        };
        let upgraded = Arc::default();
        if plan.stops_before_start {
            state.begin_shutdown(&mut kernel.lock(), plan);
            shared.shutdown.close();
        }
        let workers = self.start(&shared, &files, &handler, &upgraded);
        let ran = self.run(workers, &mut state, &shared, &files, &upgraded);
        let aborted = self.check_upgraded(&state, &upgraded);
        upgraded.lock().expect("no holder panics").clear();
        // The pool drops the jobs that are left.
        self.jobs.lock().expect("no holder panics").clear();
        self.wakers.lock().expect("no holder panics").clear();
        shared.shutdown.finished();
        ran.and(aborted)?;
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
                        let mut kernel = self.kernel.lock();
                        let time = UPGRADE_MAX[kernel.random.below(2)];
                        kernel.after(time, task);
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
                Task::Job(number) => self.begin_job(number, files),
                Task::EndJob(number) => {
                    let job = self.jobs.lock().expect("no holder panics")[number].take();
                    job.into_iter().for_each(|job| job.call(files));
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
                Task::Gone(conn) => self.check_gone(conn)?,
                Task::Rest => self.check_rest()?,
                Task::Shutdown => {
                    state.begin_shutdown(&mut self.kernel.lock(), &self.plan);
                    shared.shutdown.close();
                }
                Task::Stopping => self.check_stopping(state)?,
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
            let mut at = kernel.random.time(self.plan.arrival);
            if self.plan.stops_before_start {
                // No client wakes the workers.
                at += STOPPING;
            }
            client.start(&mut kernel, at);
        }
        if self.plan.faults.descriptors < self.plan.clients && kernel.random.one_in(2) {
            kernel.after(Duration::from_secs(1), Task::Net(Net::Descriptors));
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
            let (was_done, replies) = (client.is_done, client.replies);
            client.look(kernel, excuses);
            // A worker keeps no lines while it sleeps.
            let mut targets = (replies..client.replies).map(|number| client.target(number));
            if let Some(target) = targets.find(|target| kernel.log.rfind(target).is_none()) {
                return Err(format!("{target} has a reply, and is not in the log"));
            }
            // A client that has seen the end of its connection may look for its lines in the log.
            if client.is_done && !was_done && kernel.tcp[conn].client_eof {
                self.check_log(&state.clients[conn..=conn], kernel, true)?;
            }
        }
        if let Some(text) = kernel.wrong.take() {
            return Err(text);
        }
        let stalled = |client: &&Client| {
            client.waits_since(kernel).is_some_and(|since| {
                match excuses.crowded && !client.is_admitted(kernel) {
                    true => self.lacks_room_since(since, state, kernel) + ADMISSION < kernel.now,
                    false => since + STALL < kernel.now,
                }
            })
        };
        if let Some(client) = state.clients.iter().find(stalled) {
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

    /// Returns since when a crowded server could have made room for a client that waits since then.
    fn lacks_room_since(&self, since: Duration, state: &State, kernel: &Kernel) -> Duration {
        let is_short = self.plan.faults.descriptors < self.plan.clients;
        let room = self.plan.connections_max.min(kernel.faults.descriptors);
        let holds = |client: &&Client| client.holds_room(kernel, is_short);
        let held = state.clients.iter().filter(holds).count();
        match held < room {
            true => since.max(kernel.moved_at),
            false => kernel.now,
        }
    }

    /// Checks that the server has noticed that a client has reset its connection, unless that was upgraded.
    fn check_gone(&self, conn: usize) -> Result<(), String> {
        let kernel = self.kernel.lock();
        let tcp = &kernel.tcp[conn];
        match tcp.is_registered() && !tcp.closed {
            true => Err(format!("connection {conn} is open long after its reset")),
            false => Ok(()),
        }
    }

    /// Checks that a server that is to stop has closed its listeners and the idle connections.
    fn check_stopping(&self, state: &State) -> Result<(), String> {
        let kernel = self.kernel.lock();
        if kernel.listening > 0 {
            return Err("a listener is open long after the shutdown began".into());
        }
        let idle = |client: &&Client| client.was_idle_at_shutdown(&kernel);
        match state.clients.iter().find(idle) {
            Some(client) => Err(client.describe_idle()),
            None => Ok(()),
        }
    }

    /// Checks that the sockets of upgraded connections are shut down when the grace period is over.
    fn check_upgraded(
        &self,
        state: &State,
        upgraded: &UpgradedConnections<'_>,
    ) -> Result<(), String> {
        let kernel = self.kernel.lock();
        let upgraded = upgraded.lock().expect("no holder panics");
        let is_left = |conn: &usize| !kernel.tcp[*conn].shut && state.aborted;
        let mut conns = upgraded.iter().flatten().map(|it| it.stream.conn);
        match conns.find(is_left) {
            Some(conn) => Err(format!("connection {conn} is upgraded, and not shut down")),
            None => Ok(()),
        }
    }

    /// Has a thread of the pool begin a job, unless that is not needed any more.
    fn begin_job(&self, number: usize, files: &SimulatedFiles) {
        let mut jobs = self.jobs.lock().expect("no holder panics");
        let Some(job) = jobs[number].take().filter(Job::is_needed) else {
            return;
        };
        let mut kernel = self.kernel.lock();
        if kernel.random.one_in(2) {
            jobs[number] = Some(job);
            let job_max = kernel.faults.job_max;
            return kernel.after(job_max, Task::EndJob(number));
        }
        kernel.begins_job = true;
        drop((kernel, jobs));
        job.call(files);
        self.kernel.lock().begins_job = false;
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
        for client in clients {
            let log = match soon {
                true => &kernel.log[..client.log_at_end(kernel)],
                false => &kernel.log[..],
            };
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
        if STOPPING < aborts {
            kernel.at(kernel.now + STOPPING, Task::Stopping);
        }
        for client in &mut self.clients {
            client.note_shutdown(kernel);
        }
    }
}

type UpgradedConnections<'a> =
    Arc<Mutex<Vec<Option<Upgraded<'a, SimulatedSocket, SimulatedHandler>>>>>;

/// How long an upgraded connection is used: not for long, or often until the grace period is over.
const UPGRADE_MAX: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(10)];

/// The time after which a server that is to stop has closed what is idle.
const STOPPING: Duration = Duration::from_millis(500);

/// The time after which nothing may be left of a client that has gone: longer than all timeouts of the engine.
const REST: Duration = Duration::from_secs(60);

/// The time in which a crowded server has made room for a client, if it can close another connection.
const ADMISSION: Duration = Duration::from_millis(200);

/// Workers that continue within this time after an event share the connections evenly.
const PROMPT: Duration = Duration::from_millis(1);

/// A worker may have so many connections more than its share.
const SLACK: usize = 7;

const TASKS_MAX: usize = 200_000;
