//! [`Worker`]: runs one thread with all its connections: it polls for events, drives connections, runs timers
//! and evicts caches. Accepting connections, and closing others to make room for them, is in `admission`.

mod admission;

use std::io::{self, ErrorKind};
use std::mem;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Config, FileSystem, Handler, Now, Phase};
use slab::Slab;

use super::completions::{CompletionQueue, HandlerWaker, Job};
use super::driver::{Action, ConnectionDriver};
use super::high_water::HighWater;
use super::log_buffer::LogBuffer;
use super::open_memo::OpenMemo;
use super::pending_call::FsContext;
use super::shared::Shared;
use super::system::{Event, Source, System};
use super::timers::Timers;
use super::transport::Transport;
use super::upgrade::Upgraded;
use crate::eviction::EvictionOrder;

/// What all workers of a server have in common.
pub(super) struct Common<'a, Y: System, FS: FileSystem, H, M> {
    pub(super) files: &'a FS,
    pub(super) config: Arc<Config>,
    pub(super) handler: &'a M,
    pub(super) shared: &'a Shared<Y::Socket>,
    /// Has a thread of the pool run a job.
    pub(super) submit: Box<dyn Fn(Job<FS::File>) + 'a>,
    /// Takes over upgraded connections, if upgrades are allowed.
    pub(super) upgrade: Option<Box<BeginUpgrade<'a, Y::Socket, H>>>,
}

type BeginUpgrade<'a, S, H> = dyn Fn(Upgraded<'a, S, H>) + 'a;

/// One thread of a server.
pub(super) struct Worker<'a, Y: System, FS: FileSystem, H, M> {
    common: Common<'a, Y, FS, H, M>,
    system: Y,
    completions: Arc<CompletionQueue<FS::File>>,
    connections: Slab<Slot<Y::Socket, FS::File, H>>,
    /// The number of connections that serve a request.
    active: usize,
    connections_peak: HighWater,
    active_peak: HighWater,
    /// When to evict idle cache entries and trim memory.
    evict_at: Option<Duration>,
    timers: Timers,
    /// Connections that can continue, and wait for their next turn.
    run_queue: Vec<usize>,
    /// Listeners that may have a connection to accept.
    ready_listeners: Vec<usize>,
    /// When to try again to accept, if no event comes before.
    accept_at: Option<Duration>,
    /// The order in which connections are closed to make room.
    eviction_order: EvictionOrder,
    memo: OpenMemo<FS::File>,
    log: LogBuffer<'a>,
    now: Now,
    accepted: u64,
    /// Whether no more connections are accepted.
    closing: bool,
}

/// A connection that is being served.
struct Slot<S, F, H> {
    driver: ConnectionDriver<S, F, H>,
    /// Tells it from earlier connections with the same key.
    generation: u64,
    /// When it has to be driven.
    deadline: Option<Duration>,
    /// Its phase in the order of eviction.
    phase: Phase,
    /// Whether it is in the run queue.
    is_queued: bool,
}

impl<'a, Y, FS, H, M> Worker<'a, Y, FS, H, M>
where
    Y: System,
    FS: FileSystem<File: Send + 'static>,
    H: Handler,
    M: Fn() -> H,
{
    /// Creates a worker without connections.
    pub(super) fn new(common: Common<'a, Y, FS, H, M>, system: Y) -> Self {
        let mut worker = Worker {
            completions: Arc::new(CompletionQueue::new(system.waker())),
            system,
            connections: Slab::new(),
            active: 0,
            connections_peak: HighWater::default(),
            active_peak: HighWater::default(),
            evict_at: None,
            timers: Timers::default(),
            run_queue: Vec::new(),
            ready_listeners: Vec::new(),
            accept_at: None,
            eviction_order: EvictionOrder::default(),
            memo: OpenMemo::default(),
            log: LogBuffer::new(common.shared.log()),
            now: Now::default(),
            accepted: 0,
            closing: false,
            common,
        };
        worker.evict_idle();
        worker
    }

    /// Serves until the server is stopped and all connections are closed.
    pub(super) fn run(mut self) {
        let mut events = Y::events();
        while self.turn(&mut events) {}
    }

    /// Waits for events once, and does what they and the time require. Returns whether there is more to do, ever.
    pub(super) fn turn(&mut self, events: &mut Y::Events) -> bool {
        if let Err(error) = self.system.poll(events, self.poll_timeout()) {
            assert!(
                error.kind() == ErrorKind::Interrupted,
                "cannot wait: {error}"
            );
            return true;
        }
        self.now = self.system.now();
        // With one event there is nothing to gain from reading first.
        let only_reads = Y::iter(events).nth(1).is_some();
        for event in Y::iter(events) {
            self.on_event(&event, only_reads);
        }
        self.run_queued();
        self.run_timers();
        if self.evict_at.is_some_and(|at| at <= self.now.tick) {
            self.evict_idle();
        }
        if !self.closing && self.common.shared.is_closed() {
            self.begin_shutdown();
        }
        if self.closing && self.common.shared.is_aborted() {
            self.close_all();
        }
        if !self.closing {
            self.admit();
        }
        // It may hold files open.
        self.memo.clear();
        self.log.flush();
        !(self.closing && self.connections.is_empty())
    }

    /// Drives the connections that have received something, or whose last turn ended before their work did.
    fn run_queued(&mut self) {
        let mut queue = mem::take(&mut self.run_queue);
        self.memo.others_wait = queue.len() > 1;
        for key in queue.drain(..) {
            if let Some(slot) = self.connections.get_mut(key) {
                slot.is_queued = false;
                self.drive(key, false);
            }
        }
        self.memo.others_wait = false;
        // Its memory is used again.
        if self.run_queue.is_empty() {
            self.run_queue = queue;
        }
    }

    fn on_event(&mut self, event: &Event, only_reads: bool) {
        let (key, is_pipe) = match event.source {
            Source::Completions => return self.take_completions(),
            Source::Listener(listener) => return self.listener_ready(listener),
            Source::Socket(key) => (key, false),
            Source::Pipe(key) => (key, true),
        };
        let can_continue = self.connections.get_mut(key).is_some_and(|slot| {
            if is_pipe {
                slot.driver.waits_for_process()
            } else {
                slot.driver.on_event(event.readiness)
            }
        });
        if can_continue {
            self.drive(key, only_reads);
        }
    }

    /// Returns how long to poll.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        if !self.run_queue.is_empty() {
            return Some(Duration::ZERO);
        }
        let (evict_at, accept_at) = (self.evict_at, self.accept_at);
        let next = self
            .timers
            .next()
            .into_iter()
            .chain(evict_at)
            .chain(accept_at)
            .min();
        next.map(|at| at.saturating_sub(self.now.tick))
    }

    /// Takes note that a listener is ready, unless it is closed.
    fn listener_ready(&mut self, listener: usize) {
        if listener < self.system.listeners() && !self.ready_listeners.contains(&listener) {
            self.ready_listeners.push(listener);
        }
    }

    fn open(&mut self, socket: Y::Socket, address: Option<IpAddr>) -> io::Result<()> {
        let transport = Transport::new(socket, self.common.shared.layer(address)?);
        let handler = (self.common.handler)();
        self.accepted += 1;
        let mut driver = ConnectionDriver::new(transport, address, handler, self.now);
        if let Some(recorder) = &self.common.shared.recorder {
            driver.record(recorder, &self.common.config);
        }
        let key = self.connections.insert(Slot {
            driver,
            generation: self.accepted,
            deadline: None,
            phase: Phase::Busy,
            is_queued: false,
        });
        self.connections_peak.record(self.connections.len());
        self.drive(key, false);
        // A client that sends its request immediately and then closes never has to be polled.
        if let Some(slot) = self.connections.get(key)
            && self.system.register(slot.driver.socket(), key).is_err()
        {
            self.close(key);
        }
        Ok(())
    }

    /// Drives a connection until it would block, or if this `only_reads`, until it has received something.
    fn drive(&mut self, key: usize, only_reads: bool) {
        let Some(slot) = self.connections.get_mut(key) else {
            return;
        };
        let (common, completions, system) = (&self.common, &self.completions, &self.system);
        let generation = slot.generation;
        let submit = |request, wanted| {
            let job = Job::new(request, wanted, (key, generation), Arc::clone(completions));
            (common.submit)(job);
        };
        let listen = |pipe: BorrowedFd<'_>| system.register_pipe(pipe, key);
        let waker = || HandlerWaker::new((key, generation), completions);
        let context = FsContext {
            files: common.files,
            submit: &submit,
            listen: &listen,
            waker: &waker,
            can_upgrade: common.upgrade.is_some(),
        };
        let (now, memo, log) = (self.now, &mut self.memo, &mut self.log);
        // A panic has already been reported by the panic hook.
        let (driver, config) = (&mut slot.driver, &common.config);
        let was_active = driver.is_active();
        let drive = AssertUnwindSafe(|| driver.drive(now, config, &context, memo, log, only_reads));
        let action = panic::catch_unwind(drive).unwrap_or(Action::Close);
        self.active = self.active + usize::from(driver.is_active()) - usize::from(was_active);
        self.active_peak.record(self.active);
        self.evict_at.get_or_insert(now.tick + EVICT_INTERVAL);
        let phase = match action {
            Action::WaitFor(_) => driver.phase(),
            Action::Yield | Action::Upgrade | Action::Close => Phase::Busy,
        };
        // With a new deadline the connection has become idle again, or has begun another head.
        let anew = matches!(action, Action::WaitFor(deadline) if deadline != slot.deadline);
        if phase != slot.phase || phase != Phase::Busy && anew {
            slot.phase = phase;
            self.eviction_order.set_phase(key, phase);
        }
        match action {
            Action::WaitFor(deadline) => {
                slot.deadline = deadline;
                if let Some(deadline) = deadline {
                    self.timers.set(key, deadline);
                }
            }
            Action::Yield if slot.is_queued => {}
            Action::Yield => {
                slot.is_queued = true;
                self.run_queue.push(key);
            }
            Action::Upgrade => self.hand_over(key),
            Action::Close => self.close(key),
        }
    }

    /// Removes a connection that changes to another protocol.
    fn hand_over(&mut self, key: usize) {
        // The other protocol may end before this turn does.
        self.log.flush();
        let slot = self.connections.remove(key);
        self.eviction_order.remove(key);
        self.active -= usize::from(slot.driver.is_active());
        self.system.deregister(slot.driver.socket());
        let shared = self.common.shared;
        match (slot.driver.into_upgraded(shared), &self.common.upgrade) {
            (Some(upgraded), Some(upgrade)) => upgrade(upgraded),
            _ => shared.release(),
        }
    }

    fn close(&mut self, key: usize) {
        let mut slot = self.connections.remove(key);
        self.eviction_order.remove(key);
        let (shared, log) = (self.common.shared, &mut self.log);
        let served = slot.driver.end();
        // A client that has seen the end of its connection may look for its lines in the log.
        log.flush();
        shared.log_failure(slot.driver.socket(), &self.common.config, &served);
        shared.release();
        self.active -= usize::from(slot.driver.is_active());
        drop(slot);
    }

    /// Evicts idle cache entries of the file system, and trims memory after a peak.
    fn evict_idle(&mut self) {
        let now = self.now.tick;
        let is_due = self.common.shared.begin_eviction(now, EVICT_INTERVAL);
        // If another worker has just done it, there may be entries left.
        let held = !is_due || self.common.files.evict_idle();
        self.evict_at = held.then_some(now + EVICT_INTERVAL);
        let fallen = self.connections_peak.has_fallen(self.connections.len());
        if fallen {
            self.connections.shrink_to_fit();
            self.eviction_order.shrink(self.connections.capacity());
        }
        if self.active_peak.has_fallen(self.active) || fallen {
            self.common.shared.trim_memory();
        }
    }

    /// Drives all connections whose time has come.
    fn run_timers(&mut self) {
        while let Some(key) = self.timers.pop(self.now.tick) {
            match self.connections.get(key).and_then(|slot| slot.deadline) {
                Some(deadline) if deadline > self.now.tick => self.timers.set(key, deadline),
                Some(_) => self.drive(key, false),
                None => {}
            }
        }
    }

    /// Passes the completions of the pool to their connections.
    fn take_completions(&mut self) {
        let completions = self.completions.take();
        for ((key, generation), completion) in completions {
            let slot = self.connections.get_mut(key);
            // A connection that has closed in the meantime is skipped.
            if let Some(slot) = slot.filter(|slot| slot.generation == generation) {
                slot.driver.complete(completion);
                self.drive(key, false);
            }
        }
    }

    /// Stops accepting connections, and makes the current reply of each connection its last one.
    fn begin_shutdown(&mut self) {
        self.closing = true;
        // From now on clients are refused, or reach the next server on this address.
        self.system.close_listeners();
        self.ready_listeners.clear();
        self.accept_at = None;
        self.common.shared.clear_backlog();
        for key in self.keys() {
            self.connections[key].driver.finish();
            self.drive(key, false);
        }
    }

    /// Closes the connections that are left when the grace period is over.
    fn close_all(&mut self) {
        for key in self.keys() {
            self.close(key);
        }
    }

    fn keys(&self) -> Vec<usize> {
        self.connections.iter().map(|(key, _)| key).collect()
    }
}

/// Time between activity and eviction, and between two evictions.
const EVICT_INTERVAL: Duration = Duration::from_secs(1);
