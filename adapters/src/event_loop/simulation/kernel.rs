//! [`Kernel`]: the simulated operating system: sockets, edge-triggered polls, descriptors and the clock.
//!
//! A socket behaves like one of Linux: a read returns everything that has arrived, up to the length of the buffer; a
//! write fills the buffer; a close with unread data resets the connection. A poll reports a socket after each arrival
//! and, after a write that did not fit, when a third of the buffer is free. It reports what the socket is ready for at
//! the time of the poll, so several changes are one event.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;

use super::random::Random;
use crate::event_loop::system::{Event, Readiness, Source};
use crate::hang_up::HangUp;

/// What may go wrong in a world. A number is how rarely it does: once in so many operations, or never if it is 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// A system call is interrupted.
    pub(super) interrupts: usize,
    /// A poll reports readiness that does not exist.
    pub(super) spurious: usize,
    /// A poll reports only some of the sockets that are ready.
    pub(super) partial_polls: usize,
    /// A socket that is closed lives on for a moment, in a child process that is being started.
    pub(super) inherited: usize,
    /// A connection is aborted before it is accepted.
    pub(super) aborted_accepts: usize,
    /// A socket cannot be registered.
    pub(super) registrations: usize,
    /// Packets arrive while a worker is in the middle of a turn.
    pub(super) interleaving: usize,
    /// A file cannot be read.
    pub(super) files: usize,
    /// The longest time from an event to the turn of its worker.
    pub(super) wake_up_max: Duration,
    /// The longest time that a thread of the pool takes for a call.
    pub(super) job_max: Duration,
    /// How many sockets may be open; more are refused with `EMFILE`.
    pub(super) descriptors: usize,
}

/// What happens at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// A worker has a turn.
    Turn(usize),
    /// A thread of the pool begins a job, and has the result of one.
    Job(usize),
    EndJob(usize),
    /// The waker of a handler is called.
    Wake(usize),
    /// The function that took over an upgraded connection returns.
    EndUpgrade(usize),
    Net(Net),
    /// Nothing may be left of a client that has reset its connection, and of all clients.
    Gone(usize),
    Rest,
    /// The server is told to stop, may not be idle any more, and is told to close the connections that are left.
    Shutdown,
    Stopping,
    Abort,
}

/// What happens on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Net {
    Connect(usize),
    /// Bytes of a client arrive, up to this position of everything that it sends.
    Deliver(usize, usize),
    /// A client has closed its side.
    Fin(usize),
    /// A client has reset the connection.
    Reset(usize),
    /// A client reads.
    Drain(usize),
    /// The last copy of a socket that the server has closed is closed.
    LastClose(usize),
    /// Other programs have closed their descriptors, so there are enough.
    Descriptors,
}

/// The two ends of a connection, and the way between them.
#[derive(Default)]
pub(super) struct Tcp {
    /// Everything that the client has sent or will have sent.
    pub(super) sent: Vec<u8>,
    /// How much of it has arrived, and how much of that the server has read.
    pub(super) delivered: usize,
    pub(super) read: usize,
    pub(super) fin: bool,
    pub(super) reset: bool,
    /// What the server has written and the client has not received.
    outbound: VecDeque<u8>,
    capacity: usize,
    wants_space: bool,
    pub(super) shut: bool,
    /// Whether the server has accepted and closed it, and the moment of the latter.
    pub(super) accepted: bool,
    pub(super) closed: bool,
    closed_at_last: bool,
    pub(super) delivered_at_close: usize,
    /// The worker that has it.
    worker: usize,
    /// Where it is registered: the worker, and its entry there.
    entry: Option<(usize, usize)>,
    /// When a worker first read from it, for which it has to have room.
    pub(super) admitted_at: Option<Duration>,
    /// Whether it could not be registered, or a file could not be read for it.
    pub(super) broken: bool,
    /// What the client has received.
    pub(super) received: Vec<u8>,
    pub(super) client_eof: bool,
    pub(super) client_reset: bool,
    /// The length of the log when the client saw the end of the connection.
    pub(super) log_at_end: usize,
    /// Whether the client has closed its socket, and whether it reads.
    pub(super) gone: bool,
    pub(super) reads: bool,
    draining: bool,
    acknowledged: u64,
}

impl Tcp {
    pub(super) fn is_registered(&self) -> bool {
        self.entry.is_some()
    }
}

/// The poll of a worker.
#[derive(Default)]
struct Poll {
    entries: Vec<Option<Entry>>,
    ready: VecDeque<Ready>,
    woken: bool,
    accepts: Vec<bool>,
    /// When the worker has its next turn.
    turn_at: Option<Duration>,
    /// How many connections it has.
    open: usize,
}

struct Entry {
    conn: usize,
    key: usize,
    is_ready: bool,
}

#[derive(Clone, Copy)]
enum Ready {
    Waker,
    Listener(usize),
    Entry(usize),
}

pub(super) struct Kernel {
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) now: Duration,
    pub(super) tcp: Vec<Tcp>,
    polls: Vec<Poll>,
    /// For each listener, the connections that were not accepted, and how many workers have it open.
    queues: Vec<VecDeque<usize>>,
    pub(super) listening: usize,
    agenda: BinaryHeap<Reverse<(Duration, u64, Task)>>,
    added: u64,
    /// The sockets and files that the server has open.
    pub(super) sockets: usize,
    pub(super) files: usize,
    /// When bytes of any connection moved, one was accepted or closed, or descriptors became available.
    pub(super) moved_at: Duration,
    /// Whether a thread of the pool has just begun the call that is being made.
    pub(super) begins_job: bool,
    pub(super) log: String,
    /// The connections whose clients have something to look at.
    pub(super) changed: Vec<usize>,
    pub(super) wrong: Option<String>,
    pub(super) trace: Option<Vec<String>>,
}

impl Kernel {
    pub(super) fn new(
        random: Random,
        faults: Faults,
        (workers, listeners, clients): (usize, usize, usize),
        capacity: usize,
    ) -> Kernel {
        let poll = || Poll {
            accepts: vec![false; listeners],
            ..Poll::default()
        };
        let tcp = || Tcp {
            capacity,
            reads: true,
            ..Tcp::default()
        };
        Kernel {
            random,
            faults,
            now: Duration::ZERO,
            tcp: (0..clients).map(|_| tcp()).collect(),
            polls: (0..workers).map(|_| poll()).collect(),
            queues: vec![VecDeque::new(); listeners],
            listening: workers,
            agenda: BinaryHeap::new(),
            added: 0,
            sockets: 0,
            files: 0,
            moved_at: Duration::ZERO,
            begins_job: false,
            log: String::new(),
            changed: Vec::new(),
            wrong: None,
            trace: None,
        }
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>12.6} {}", self.now.as_secs_f64(), text()));
        }
    }

    /// Takes note of a fault of the server; the first one counts.
    pub(super) fn fail(&mut self, text: impl FnOnce() -> String) {
        if self.wrong.is_none() {
            self.wrong = Some(text());
        }
    }

    pub(super) fn at(&mut self, at: Duration, task: Task) {
        // Tasks of one time are in random order.
        self.added += 1;
        let order = (self.random.below(1 << 16) as u64) << 32 | self.added;
        self.agenda.push(Reverse((at, order, task)));
    }

    pub(super) fn after(&mut self, max: Duration, task: Task) {
        let at = self.now + self.random.time(max);
        self.at(at, task);
    }

    /// Takes the next task, and moves the clock to its time.
    pub(super) fn next_task(&mut self) -> Option<Task> {
        loop {
            let Reverse((at, _, task)) = self.agenda.pop()?;
            if let Task::Turn(worker) = task {
                if self.polls[worker].turn_at != Some(at) {
                    continue;
                }
                self.polls[worker].turn_at = None;
            }
            self.now = self.now.max(at);
            return Some(task);
        }
    }

    /// Runs a task of the network that is due soon, in the middle of a worker's turn.
    fn interleave(&mut self) {
        if self.random.one_in(self.faults.interleaving)
            && let Some(Reverse((at, _, Task::Net(net)))) = self.agenda.peek().copied()
            && at <= self.now + Duration::from_millis(1)
        {
            self.agenda.pop();
            self.run(net);
        }
    }

    /// Lets a worker have a turn when its timeout is over, if nothing wakes it before.
    pub(super) fn sleep(&mut self, worker: usize, timeout: Option<Duration>) {
        if !self.polls[worker].ready.is_empty() {
            return self.wake_up(worker);
        }
        if let Some(timeout) = timeout {
            // A sleeping thread continues a little later than it asked for.
            let late = match timeout.is_zero() {
                true => Duration::ZERO,
                false => self.random.time(self.faults.wake_up_max),
            };
            self.turn_at(worker, self.now + timeout + late);
        }
    }

    fn wake_up(&mut self, worker: usize) {
        let at = self.now + self.random.time(self.faults.wake_up_max);
        self.turn_at(worker, at);
    }

    fn turn_at(&mut self, worker: usize, at: Duration) {
        let turn_at = &mut self.polls[worker].turn_at;
        if turn_at.is_none_or(|earlier| at < earlier) {
            *turn_at = Some(at);
            self.at(at, Task::Turn(worker));
        }
    }

    pub(super) fn wake(&mut self, worker: usize) {
        if !std::mem::replace(&mut self.polls[worker].woken, true) {
            self.polls[worker].ready.push_back(Ready::Waker);
        }
        self.wake_up(worker);
    }

    /// Reports a change of a connection's socket to the poll where it is registered.
    fn edge(&mut self, conn: usize) {
        let Some((worker, entry)) = self.tcp[conn].entry else {
            return;
        };
        if let Some(at) = &mut self.polls[worker].entries[entry] {
            if !std::mem::replace(&mut at.is_ready, true) {
                self.polls[worker].ready.push_back(Ready::Entry(entry));
            }
            self.wake_up(worker);
        }
    }

    pub(super) fn poll(&mut self, worker: usize) -> io::Result<Vec<Event>> {
        if self.random.one_in(self.faults.interrupts) {
            return Err(ErrorKind::Interrupted.into());
        }
        let mut left = self.polls[worker].ready.len();
        if left > 1 && self.random.one_in(self.faults.partial_polls) {
            left = self.random.between(1, left);
        }
        let mut events = Vec::new();
        for _ in 0..left {
            let poll = &mut self.polls[worker];
            match poll.ready.pop_front() {
                Some(Ready::Waker) => {
                    poll.woken = false;
                    events.push(event(Source::Completions, NOTHING));
                }
                Some(Ready::Listener(listener)) => {
                    poll.accepts[listener] = false;
                    events.push(event(Source::Listener(listener), NOTHING));
                }
                Some(Ready::Entry(entry)) => {
                    let Some(at) = &mut poll.entries[entry] else {
                        continue;
                    };
                    at.is_ready = false;
                    let (conn, key) = (at.conn, at.key);
                    let ready = self.readiness(conn);
                    if ready.readable || ready.writable || ready.reset {
                        events.push(event(Source::Socket(key), ready));
                    }
                }
                None => {}
            }
        }
        if self.random.one_in(self.faults.spurious) {
            let entries = self.polls[worker].entries.len();
            let key = self.random.below(entries + 2);
            let ready = Readiness {
                readable: true,
                writable: self.random.one_in(2),
                ..NOTHING
            };
            events.push(event(Source::Socket(key), ready));
        }
        self.note(|| format!("worker {worker} polls: {} events", events.len()));
        Ok(events)
    }

    fn readiness(&self, conn: usize) -> Readiness {
        let tcp = &self.tcp[conn];
        let space = tcp.capacity - tcp.outbound.len();
        Readiness {
            readable: tcp.read < tcp.delivered || tcp.fin || tcp.reset,
            writable: space * 3 >= tcp.capacity || tcp.reset,
            read_closed: tcp.fin || tcp.reset,
            reset: tcp.reset || tcp.fin && tcp.shut,
        }
    }

    pub(super) fn register(&mut self, worker: usize, conn: usize, key: usize) -> io::Result<()> {
        if self.random.one_in(self.faults.registrations) {
            self.tcp[conn].broken = true;
            return Err(Errno::NOSPC.into());
        }
        self.interleave();
        let entries = &mut self.polls[worker].entries;
        let entry = entries
            .iter()
            .position(Option::is_none)
            .unwrap_or(entries.len());
        if entry == entries.len() {
            entries.push(None);
        }
        entries[entry] = Some(Entry {
            conn,
            key,
            is_ready: false,
        });
        // A connection from the backlog may have been accepted by another worker.
        let accepted_by = std::mem::replace(&mut self.tcp[conn].worker, worker);
        self.polls[accepted_by].open -= 1;
        self.polls[worker].open += 1;
        self.tcp[conn].entry = Some((worker, entry));
        self.edge(conn);
        Ok(())
    }

    pub(super) fn deregister(&mut self, conn: usize) {
        if let Some((worker, entry)) = self.tcp[conn].entry.take() {
            self.polls[worker].entries[entry] = None;
            let others = |ready: &Ready| !matches!(ready, Ready::Entry(at) if *at == entry);
            self.polls[worker].ready.retain(others);
        }
    }

    pub(super) fn accept(&mut self, worker: usize, listener: usize) -> io::Result<usize> {
        self.interleave();
        self.interrupt()?;
        if self.queues[listener].is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.sockets >= self.faults.descriptors {
            self.note(|| format!("worker {worker} is out of descriptors"));
            return Err(Errno::MFILE.into());
        }
        let conn = self.queues[listener].pop_front().expect("it is not empty");
        if self.random.one_in(self.faults.aborted_accepts) {
            self.tcp[conn].broken = true;
            self.tcp[conn].client_reset = true;
            self.changed.push(conn);
            return Err(ErrorKind::ConnectionAborted.into());
        }
        self.note(|| format!("worker {worker} accepts connection {conn}"));
        self.sockets += 1;
        self.moved_at = self.now;
        self.tcp[conn].accepted = true;
        self.tcp[conn].worker = worker;
        self.polls[worker].open += 1;
        Ok(conn)
    }

    /// Returns how many connections each worker has accepted and not closed.
    pub(super) fn loads(&self) -> impl Iterator<Item = usize> {
        self.polls.iter().map(|poll| poll.open)
    }

    pub(super) fn close_listeners(&mut self) {
        self.listening -= 1;
        if self.listening == 0 {
            let queues: Vec<usize> = self.queues.iter_mut().flat_map(|it| it.drain(..)).collect();
            for conn in queues {
                self.tcp[conn].client_reset = true;
                self.changed.push(conn);
            }
        }
    }

    fn interrupt(&mut self) -> io::Result<()> {
        match self.random.one_in(self.faults.interrupts) {
            true => Err(ErrorKind::Interrupted.into()),
            false => Ok(()),
        }
    }

    pub(super) fn read(&mut self, conn: usize, into: &mut [u8]) -> io::Result<usize> {
        self.interleave();
        self.interrupt()?;
        let tcp = &mut self.tcp[conn];
        tcp.admitted_at.get_or_insert(self.now);
        if tcp.reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let n = into.len().min(tcp.delivered - tcp.read);
        if n == 0 && !tcp.fin {
            return Err(ErrorKind::WouldBlock.into());
        }
        into[..n].copy_from_slice(&tcp.sent[tcp.read..tcp.read + n]);
        tcp.read += n;
        self.moved_at = self.now;
        self.note(|| format!("the server reads {n} bytes of connection {conn}"));
        Ok(n)
    }

    /// Writes the bytes that `make` makes for this length.
    pub(super) fn write(
        &mut self,
        conn: usize,
        len: usize,
        make: impl Fn(usize) -> u8,
    ) -> io::Result<usize> {
        self.interleave();
        self.interrupt()?;
        let tcp = &mut self.tcp[conn];
        if tcp.reset || tcp.shut {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let n = len.min(tcp.capacity - tcp.outbound.len());
        tcp.wants_space |= n < len;
        if n == 0 && len > 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        tcp.outbound.extend((0..n).map(make));
        self.moved_at = self.now;
        self.note(|| format!("the server writes {n} of {len} bytes to connection {conn}"));
        self.drain_soon(conn);
        Ok(n)
    }

    pub(super) fn shutdown(&mut self, conn: usize) {
        self.note(|| format!("the server shuts connection {conn} down"));
        self.tcp[conn].shut = true;
        self.drain_soon(conn);
    }

    pub(super) fn has_unread(&self, conn: usize) -> bool {
        self.tcp[conn].read < self.tcp[conn].delivered
    }

    pub(super) fn outstanding(&self, conn: usize) -> u64 {
        self.tcp[conn].outbound.len() as u64
    }

    pub(super) fn acknowledged(&self, conn: usize) -> u64 {
        self.tcp[conn].acknowledged
    }

    pub(super) fn hang_up(&self, conn: usize) -> Option<HangUp> {
        let ready = self.readiness(conn);
        match ready.reset {
            true => Some(HangUp::Reset),
            false => ready.read_closed.then_some(HangUp::Closed),
        }
    }

    /// Closes the server's descriptor of a connection.
    pub(super) fn close(&mut self, conn: usize) {
        self.sockets -= 1;
        self.moved_at = self.now;
        let tcp = &mut self.tcp[conn];
        tcp.closed = true;
        tcp.delivered_at_close = tcp.delivered;
        self.note(|| format!("the server closes connection {conn}"));
        self.polls[self.tcp[conn].worker].open -= 1;
        match self.random.one_in(self.faults.inherited) {
            true => self.after(Duration::from_millis(20), Task::Net(Net::LastClose(conn))),
            false => self.last_close(conn),
        }
    }

    fn last_close(&mut self, conn: usize) {
        self.deregister(conn);
        let tcp = &mut self.tcp[conn];
        tcp.closed_at_last = true;
        match tcp.read < tcp.delivered {
            true => self.reset_client(conn),
            false => self.drain_soon(conn),
        }
    }

    fn reset_client(&mut self, conn: usize) {
        let tcp = &mut self.tcp[conn];
        if !tcp.client_eof {
            tcp.outbound.clear();
            tcp.client_reset = true;
            tcp.log_at_end = self.log.len();
            self.changed.push(conn);
        }
    }

    fn drain_soon(&mut self, conn: usize) {
        let tcp = &mut self.tcp[conn];
        if tcp.reads && !std::mem::replace(&mut tcp.draining, true) {
            self.after(LATENCY, Task::Net(Net::Drain(conn)));
        }
    }

    pub(super) fn run(&mut self, net: Net) {
        self.note(|| format!("{net:?}"));
        match net {
            Net::Connect(conn) => self.connect(conn),
            Net::Deliver(conn, to) => {
                let tcp = &mut self.tcp[conn];
                let to = to.min(tcp.sent.len());
                if to > tcp.delivered {
                    tcp.delivered = to;
                    match tcp.closed_at_last {
                        true => self.reset_client(conn),
                        false => self.edge(conn),
                    }
                }
            }
            Net::Fin(conn) => {
                self.tcp[conn].fin = true;
                self.edge(conn);
            }
            Net::Reset(conn) => {
                self.tcp[conn].reset = true;
                self.tcp[conn].outbound.clear();
                self.edge(conn);
                self.at(self.now + STALL, Task::Gone(conn));
            }
            Net::Drain(conn) => self.drain(conn),
            Net::LastClose(conn) => self.last_close(conn),
            Net::Descriptors => {
                self.faults.descriptors = usize::MAX;
                self.moved_at = self.now;
            }
        }
    }

    fn connect(&mut self, conn: usize) {
        if self.listening == 0 {
            self.tcp[conn].client_reset = true;
            self.changed.push(conn);
            return;
        }
        let listener = self.random.below(self.queues.len());
        self.queues[listener].push_back(conn);
        for worker in 0..self.polls.len() {
            let poll = &mut self.polls[worker];
            if !std::mem::replace(&mut poll.accepts[listener], true) {
                poll.ready.push_back(Ready::Listener(listener));
            }
            self.wake_up(worker);
        }
    }

    /// Lets a client read.
    fn drain(&mut self, conn: usize) {
        let tcp = &mut self.tcp[conn];
        tcp.draining = false;
        if !tcp.reads {
            return;
        }
        if tcp.gone && !tcp.outbound.is_empty() {
            return self.run(Net::Reset(conn));
        }
        let n = tcp.outbound.len().min(self.random.between(1, 64 * 1024));
        tcp.received.extend(tcp.outbound.drain(..n));
        tcp.acknowledged += n as u64;
        let space = tcp.capacity - tcp.outbound.len();
        let has_space = tcp.wants_space && space * 3 >= tcp.capacity;
        if has_space {
            tcp.wants_space = false;
        }
        if !tcp.outbound.is_empty() {
            self.drain_soon(conn);
        } else if tcp.shut || tcp.closed_at_last {
            tcp.client_eof = true;
            tcp.log_at_end = self.log.len();
        }
        self.moved_at = self.now;
        self.changed.push(conn);
        if has_space {
            self.edge(conn);
        }
    }
}

/// The kernel, which all parts of a world share.
#[derive(Clone)]
pub(super) struct SharedKernel(Arc<Mutex<Kernel>>);

impl SharedKernel {
    pub(super) fn new(kernel: Kernel) -> SharedKernel {
        SharedKernel(Arc::new(Mutex::new(kernel)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Kernel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn event(source: Source, readiness: Readiness) -> Event {
    Event { source, readiness }
}

const NOTHING: Readiness = Readiness {
    readable: false,
    writable: false,
    read_closed: false,
    reset: false,
};

/// The longest time that a packet takes.
const LATENCY: Duration = Duration::from_millis(2);

/// How long a client waits for a reply of which nothing arrives. Much more than packets, wake-ups and calls take
/// together, and less than every timeout of the engine.
pub(super) const STALL: Duration = Duration::from_secs(3);
