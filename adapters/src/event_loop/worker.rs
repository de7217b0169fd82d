//! [`Worker`]: runs one thread with all its connections: it polls for events, drives connections, runs timers
//! and evicts caches. Accepting connections, and closing others to make room for them, is in `admission`.

mod admission;

use std::io::{self, ErrorKind};
use std::mem;
use std::net::{IpAddr, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::Scope;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Token};
use sanserve_core::{Config, FileSystem, Handler, Now, Phase};
use slab::Slab;

use super::completions::{HandlerWaker, Job};
use super::driver::{Action, ConnectionDriver};
use super::high_water::HighWater;
use super::log_buffer::LogBuffer;
use super::pending_call::FsContext;
use super::poller::{COMPLETIONS, FIRST_LISTENER, Poller};
use super::pool::Pool;
use super::shared::Shared;
use super::timers::Timers;
use super::transport::Transport;
use super::upgrade::Upgrade;
use crate::blocking::Clock;
use crate::eviction::EvictionOrder;

/// What all workers of a server have in common.
pub(super) struct Common<'scope, 'env, FS: FileSystem, H, M> {
    pub(super) files: &'env FS,
    pub(super) config: Arc<Config>,
    pub(super) handler: &'env M,
    /// Takes over upgraded connections, if upgrades are allowed.
    pub(super) upgrade: Option<&'env dyn Upgrade<H>>,
    pub(super) shared: &'env Shared,
    pub(super) scope: &'scope Scope<'scope, 'env>,
    pub(super) pool: Arc<Pool<'scope, 'env, Job<FS::File>>>,
}

/// One thread of a server.
pub(super) struct Worker<'scope, 'env, FS: FileSystem, H, M> {
    common: Common<'scope, 'env, FS, H, M>,
    poller: Poller<FS::File>,
    connections: Slab<Slot<FS::File, H>>,
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
    log: LogBuffer<'env>,
    clock: Clock,
    now: Now,
    accepted: u64,
}

/// A connection that is being served.
struct Slot<F, H> {
    driver: ConnectionDriver<F, H>,
    /// Tells it from earlier connections with the same key.
    generation: u64,
    /// When it has to be driven.
    deadline: Option<Duration>,
    /// Its phase in the order of eviction.
    phase: Phase,
    /// Whether it is in the run queue.
    is_queued: bool,
}

impl<'scope, 'env: 'scope, FS, H, M> Worker<'scope, 'env, FS, H, M>
where
    FS: FileSystem<File: Send + 'static> + Sync,
    H: Handler + 'env,
    M: Fn() -> H + Sync,
{
    /// Creates a worker without connections.
    pub(super) fn new(common: Common<'scope, 'env, FS, H, M>, poller: Poller<FS::File>) -> Self {
        Worker {
            poller,
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
            log: LogBuffer::new(common.shared.log()),
            clock: Clock::start(),
            now: Now::default(),
            accepted: 0,
            common,
        }
    }

    /// Serves until the server is stopped and all connections are closed.
    pub(super) fn run(mut self) {
        self.evict_idle();
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut closing = false;
        while !(closing && self.connections.is_empty()) {
            self.log.flush();
            if let Err(error) = self.poller.poll.poll(&mut events, self.poll_timeout()) {
                assert!(
                    error.kind() == ErrorKind::Interrupted,
                    "cannot wait: {error}"
                );
                continue;
            }
            self.now = self.clock.now();
            for event in &events {
                match event.token() {
                    COMPLETIONS => self.take_completions(),
                    Token(listener @ FIRST_LISTENER..) => {
                        self.listener_ready(listener - FIRST_LISTENER);
                    }
                    Token(token) => {
                        let (key, is_pipe) = (token / 2, token % 2 == 1);
                        let can_continue = self.connections.get_mut(key).is_some_and(|slot| {
                            if is_pipe {
                                slot.driver.waits_for_process()
                            } else {
                                slot.driver.on_event(event)
                            }
                        });
                        if can_continue {
                            self.drive(key);
                        }
                    }
                }
            }
            for key in mem::take(&mut self.run_queue) {
                if let Some(slot) = self.connections.get_mut(key) {
                    slot.is_queued = false;
                    self.drive(key);
                }
            }
            self.run_timers();
            if self.evict_at.is_some_and(|at| at <= self.now.tick) {
                self.evict_idle();
            }
            if !closing && self.common.shared.is_closed() {
                closing = true;
                // From now on clients are refused, or reach the next server on this address.
                self.poller.listeners.clear();
                self.ready_listeners.clear();
                self.common.shared.clear_backlog();
                self.begin_shutdown();
            }
            if closing && self.common.shared.is_aborted() {
                self.connections.clear();
            }
            if !closing {
                self.admit();
            }
        }
        self.log.flush();
    }

    /// Returns how long to poll.
    fn poll_timeout(&self) -> Option<Duration> {
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
        if listener < self.poller.listeners.len() && !self.ready_listeners.contains(&listener) {
            self.ready_listeners.push(listener);
        }
    }

    fn open(&mut self, socket: TcpStream, address: Option<IpAddr>) -> io::Result<()> {
        let transport = Transport::new(socket, self.common.shared.layer()?);
        let handler = (self.common.handler)();
        self.accepted += 1;
        let key = self.connections.insert(Slot {
            driver: ConnectionDriver::new(transport, address, handler, self.now),
            generation: self.accepted,
            deadline: None,
            phase: Phase::Busy,
            is_queued: false,
        });
        self.connections_peak.record(self.connections.len());
        self.drive(key);
        // A client that sends its request immediately and then closes never has to be polled.
        if let Some(slot) = self.connections.get(key) {
            let socket = slot.driver.socket().as_raw_fd();
            let interest = Interest::READABLE | Interest::WRITABLE;
            let (registry, token) = (self.poller.poll.registry(), Token(2 * key));
            if registry
                .register(&mut SourceFd(&socket), token, interest)
                .is_err()
            {
                self.close(key);
            }
        }
        Ok(())
    }

    /// Drives a connection until it would block.
    fn drive(&mut self, key: usize) {
        let Some(slot) = self.connections.get_mut(key) else {
            return;
        };
        let (common, completions, registry) = (
            &self.common,
            &self.poller.completions,
            self.poller.poll.registry(),
        );
        let generation = slot.generation;
        let submit = |request, wanted| {
            let job = Job::new(request, wanted, (key, generation), Arc::clone(completions));
            common.pool.submit(job);
        };
        let listen = |pipe: BorrowedFd<'_>| {
            // A pipe that cannot be registered is checked from time to time.
            let mut source = SourceFd(&pipe.as_raw_fd());
            let _ = registry.register(&mut source, Token(2 * key + 1), Interest::READABLE);
        };
        let waker = || HandlerWaker::new((key, generation), Arc::clone(completions));
        let context = FsContext {
            files: common.files,
            submit: &submit,
            listen: &listen,
            waker: &waker,
            can_upgrade: common.upgrade.is_some(),
        };
        let (now, log) = (self.now, &mut self.log);
        // A panic has already been reported by the panic hook.
        let (driver, config) = (&mut slot.driver, &common.config);
        let was_active = driver.is_active();
        let drive = AssertUnwindSafe(|| driver.drive(now, config, &context, log));
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
        let slot = self.connections.remove(key);
        self.eviction_order.remove(key);
        self.active -= usize::from(slot.driver.is_active());
        let socket = slot.driver.socket().as_raw_fd();
        // It is not registered if the first request upgraded it.
        let _ = self
            .poller
            .poll
            .registry()
            .deregister(&mut SourceFd(&socket));
        let (shared, scope) = (self.common.shared, self.common.scope);
        match (slot.driver.into_upgraded(shared), self.common.upgrade) {
            (Some(upgraded), Some(upgrade)) => upgrade.begin(scope, upgraded),
            _ => shared.release(),
        }
    }

    fn close(&mut self, key: usize) {
        let mut slot = self.connections.remove(key);
        self.eviction_order.remove(key);
        let shared = self.common.shared;
        let served = slot.driver.end();
        shared.log_failure(slot.driver.socket(), &self.common.config, &served);
        shared.release();
        self.active -= usize::from(slot.driver.is_active());
        drop(slot);
    }

    /// Evicts idle cache entries of the file system, and trims memory after a peak.
    fn evict_idle(&mut self) {
        let held = self.common.files.evict_idle();
        self.evict_at = held.then_some(self.now.tick + EVICT_INTERVAL);
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
                Some(_) => self.drive(key),
                None => {}
            }
        }
    }

    /// Passes the completions of the pool to their connections.
    fn take_completions(&mut self) {
        let completions = self.poller.completions.take();
        for ((key, generation), completion) in completions {
            let slot = self.connections.get_mut(key);
            // A connection that has closed in the meantime is skipped.
            if let Some(slot) = slot.filter(|slot| slot.generation == generation) {
                slot.driver.complete(completion);
                self.drive(key);
            }
        }
    }

    /// Makes the current reply of each connection its last one.
    fn begin_shutdown(&mut self) {
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.connections[key].driver.finish();
            self.drive(key);
        }
    }
}

const EVENTS_MAX: usize = 1024;
/// Time between activity and eviction, and between two evictions.
const EVICT_INTERVAL: Duration = Duration::from_secs(1);
