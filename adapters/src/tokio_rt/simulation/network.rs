//! [`Network`]: the connections of a world, with everything that is delayed, cut or damaged in it, and its transcript.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use sanserve_conformance::sim::Random;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

/// The faults of a world. Each happens one time in so many; 0 means never.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// A read or write is interrupted.
    pub(super) interrupts: u32,
    /// A read or write moves fewer bytes than it could.
    pub(super) short: u32,
    /// An operation fails to see that it could proceed, and its task is woken later.
    pub(super) spurious: u32,
    /// A task is woken later than the event.
    pub(super) late: u32,
    /// One direction of a connection stands still for up to two seconds, once.
    pub(super) held: u32,
    /// An accept fails: for lack of descriptors, or since the client has gone.
    pub(super) accepts: u32,
    /// A call of the file system fails.
    pub(super) files: u32,
    /// How long packets and late wake-ups take, at most.
    pub(super) delay: Duration,
    /// How long a call of the pool takes, at most.
    pub(super) call: Duration,
}

/// One direction of a connection.
#[derive(Default)]
pub(super) struct Direction {
    /// Bytes that were written and are not delivered.
    pub(super) sent: Vec<u8>,
    /// Bytes that were delivered and not read.
    pub(super) delivered: Vec<u8>,
    /// The number of bytes that were ever delivered.
    pub(super) delivered_len: usize,
    /// Whether the writer has closed this direction, and whether the reader has been told.
    pub(super) closed: bool,
    pub(super) end_delivered: bool,
    /// Whether the direction has already been held.
    was_held: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    carrier: Option<Waker>,
}

/// A connection: towards the server, and towards the client.
#[derive(Default)]
pub(super) struct Link {
    pub(super) directions: [Direction; 2],
    /// Whether an end was told that the connection is reset: the server, the client.
    pub(super) reset: [bool; 2],
    /// Whether an end has closed its socket.
    pub(super) gone: [bool; 2],
    pub(super) accepted: bool,
    /// The number of bytes that the server has read, and that had been delivered to it when it closed.
    pub(super) read: usize,
    pub(super) delivered_at_close: usize,
    /// Whether a fault allows any reply, or none.
    pub(super) broken: bool,
    /// When something was last transferred.
    pub(super) moved_at: Option<Instant>,
    pub(super) closed_at: Option<Instant>,
    /// The number of complete replies that the client has received.
    pub(super) replies: usize,
    /// Whether the client waits for no reply.
    pub(super) is_idle: bool,
    /// The state when the server was told to stop.
    pub(super) at_stop: Option<AtStop>,
}

/// The state of a connection when the server was told to stop.
#[derive(Clone, Copy)]
pub(super) struct AtStop {
    pub(super) at: Instant,
    /// The number of complete replies that the client had received.
    pub(super) replies: usize,
    /// The number of bytes that the server had read.
    pub(super) read: usize,
}

/// The ends of a connection, as indexes of the arrays in [`Link`]. The direction *towards* an end has its index.
pub(super) const SERVER: usize = 0;
pub(super) const CLIENT: usize = 1;

/// The state of a network.
pub(super) struct State {
    pub(super) random: Random,
    pub(super) faults: Faults,
    /// The size of each buffer of a socket.
    pub(super) capacity: usize,
    pub(super) links: Vec<Link>,
    backlog: VecDeque<usize>,
    acceptor: Option<Waker>,
    pub(super) listens: bool,
    /// The numbers of open sockets and files of the server.
    pub(super) sockets: usize,
    pub(super) files: usize,
    pub(super) sockets_max: usize,
    /// When the server cuts off the replies that are left, once it was told to stop.
    pub(super) cut_at: Option<Instant>,
    pub(super) log: String,
    /// What is wrong, if anything.
    pub(super) wrong: Option<String>,
    pub(super) transcript: Vec<String>,
    start: Instant,
    /// When an operation was last made, and how many have been made since the clock has moved.
    active: (Instant, usize),
}

/// The network of a world.
#[derive(Clone)]
pub(super) struct Network(Arc<Mutex<State>>);

impl Network {
    pub(super) fn new(random: Random, faults: Faults, capacity: usize, links: usize) -> Network {
        let now = Instant::now();
        Network(Arc::new(Mutex::new(State {
            random,
            faults,
            capacity,
            links: (0..links).map(|_| Link::default()).collect(),
            backlog: VecDeque::new(),
            acceptor: None,
            listens: true,
            sockets: 0,
            files: 0,
            sockets_max: usize::MAX,
            cut_at: None,
            log: String::new(),
            wrong: None,
            transcript: Vec::new(),
            start: now,
            active: (now, 0),
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder panics")
    }

    /// Connects a client; returns whether the server listens.
    pub(super) fn connect(&self, link: usize) -> bool {
        let mut state = self.lock();
        state.note(|| format!("client {link} connects"));
        if !state.listens {
            return false;
        }
        state.links[link].moved_at = Some(Instant::now());
        state.backlog.push_back(link);
        state.acceptor.take().into_iter().for_each(Waker::wake);
        drop(state);
        for to in [SERVER, CLIENT] {
            tokio::spawn(self.clone().carry(link, to));
        }
        true
    }

    /// Delivers what is written in one direction, until both ends have gone.
    async fn carry(self, link: usize, to: usize) {
        loop {
            if !poll_fn(|cx| self.lock().poll_cargo(link, to, cx)).await {
                return;
            }
            let delay = self.lock().transit(link, to);
            pause(delay).await;
            let late = self.lock().deliver(link, to);
            if let Some(late) = late {
                pause(late).await;
                self.lock().wake(link, to);
            }
        }
    }
}

/// Pauses; if the time is zero, lets other tasks run once.
pub(super) async fn pause(time: Duration) {
    match time {
        Duration::ZERO => yield_now().await,
        time => sleep(time).await,
    }
}

impl State {
    /// Adds a line to the transcript.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        let time = (Instant::now() - self.start).as_secs_f64();
        self.transcript.push(format!("{time:9.3} {}", line()));
    }

    /// Records what is wrong, unless something was before.
    pub(super) fn fail(&mut self, text: impl FnOnce() -> String) {
        if self.wrong.is_none() {
            let text = text();
            self.note(|| format!("WRONG: {text}"));
            self.wrong = Some(text);
        }
    }

    /// Returns a time of at most `max`, in half of the cases zero.
    pub(super) fn time(&mut self, max: Duration) -> Duration {
        match self.random.one_in(2) {
            true => Duration::ZERO,
            false => Duration::from_millis(self.random.below(max.as_millis() as usize + 1) as u64),
        }
    }

    /// Records that the server is told to stop, with this grace period.
    pub(super) fn stop(&mut self, grace: Duration) {
        self.note(|| format!("the server is told to stop within {grace:?}"));
        let now = Instant::now();
        let cut_at = now + grace;
        self.cut_at = Some(self.cut_at.map_or(cut_at, |earlier| earlier.min(cut_at)));
        for link in &mut self.links {
            link.at_stop.get_or_insert(AtStop {
                at: now,
                replies: link.replies,
                read: link.read,
            });
        }
    }

    /// Counts an operation of the server, which must not make many of them while the clock stands still.
    ///
    /// # Errors
    /// If it has made too many, so that it stops.
    pub(super) fn count(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let (at, count) = self.active;
        self.active = (now, if at == now { count + 1 } else { 0 });
        if count > OPERATIONS_MAX {
            self.fail(|| "the server polls in a circle".into());
            return Err(ErrorKind::Other.into());
        }
        Ok(())
    }

    /// Waits until something can be delivered. Ready with false when nothing more can come.
    fn poll_cargo(&mut self, link: usize, to: usize, cx: &mut Context<'_>) -> Poll<bool> {
        let capacity = self.capacity;
        let link = &mut self.links[link];
        if link.gone == [true; 2] {
            return Poll::Ready(false);
        }
        let is_gone = link.gone[to];
        let direction = &mut link.directions[to];
        let has_room = direction.delivered.len() < capacity || is_gone;
        let has_end = direction.sent.is_empty() && direction.closed && !direction.end_delivered;
        if has_end || has_room && !direction.sent.is_empty() {
            return Poll::Ready(true);
        }
        direction.carrier = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Returns how long the next bytes take.
    fn transit(&mut self, link: usize, to: usize) -> Duration {
        let (held, delay) = (self.faults.held, self.faults.delay);
        if self.random.one_in(held) && !self.links[link].directions[to].was_held {
            self.links[link].directions[to].was_held = true;
            self.note(|| format!("connection {link} is held towards {to}"));
            return Duration::from_millis(self.random.below(2_000) as u64);
        }
        self.time(delay)
    }

    /// Delivers some bytes, or the end. Returns when the reader is to be woken, if that is later.
    fn deliver(&mut self, number: usize, to: usize) -> Option<Duration> {
        let room = self.capacity - self.links[number].directions[to].delivered.len();
        let all = self.links[number].directions[to].sent.len();
        let mut len = all.min(room);
        if len > 1 && self.random.one_in(3) {
            len = 1 + self.random.below(len);
        }
        let link = &mut self.links[number];
        if link.gone[to] {
            return self.refuse(number, to);
        }
        let direction = &mut link.directions[to];
        direction
            .delivered
            .extend_from_slice(&direction.sent[..len]);
        direction.sent.drain(..len);
        direction.delivered_len += len;
        direction.end_delivered = direction.closed && direction.sent.is_empty();
        let ends = direction.end_delivered;
        let writer = direction.writer.take();
        link.moved_at = Some(Instant::now());
        self.note(|| format!("connection {number} delivers {len} bytes to {to}, end: {ends}"));
        writer.into_iter().for_each(Waker::wake);
        let (late, delay) = (self.faults.late, self.faults.delay);
        if self.random.one_in(late) {
            return Some(self.time(delay));
        }
        self.wake(number, to);
        None
    }

    /// Bytes arrive at an end that has closed its socket: it resets the connection.
    fn refuse(&mut self, number: usize, to: usize) -> Option<Duration> {
        let direction = &mut self.links[number].directions[to];
        let has_bytes = !direction.sent.is_empty();
        direction.sent.clear();
        direction.end_delivered = direction.closed;
        if has_bytes {
            self.reset(number, 1 - to);
        }
        None
    }

    /// Tells an end that the connection is reset. What was not delivered to it is lost.
    pub(super) fn reset(&mut self, number: usize, end: usize) {
        let link = &mut self.links[number];
        link.reset[end] = true;
        link.moved_at = Some(Instant::now());
        link.directions[end].sent.clear();
        self.note(|| format!("connection {number} is reset at {end}"));
        self.wake(number, end);
        self.links[number].directions[1 - end].wake_writer();
        self.wake_carriers(number);
    }

    /// Wakes the reader at an end.
    fn wake(&mut self, number: usize, end: usize) {
        let direction = &mut self.links[number].directions[end];
        direction.reader.take().into_iter().for_each(Waker::wake);
    }

    pub(super) fn wake_carriers(&mut self, number: usize) {
        for direction in &mut self.links[number].directions {
            direction.carrier.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Reads at an end, up to `max` bytes. No bytes are the end.
    pub(super) fn poll_read(
        &mut self,
        at: (usize, usize),
        max: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Vec<u8>>> {
        let bytes = ready!(self.poll_peek(at, max, cx))?;
        self.take(at, bytes.len());
        Poll::Ready(Ok(bytes))
    }

    /// Returns what [`poll_read`](Self::poll_read) would, and leaves it there.
    pub(super) fn poll_peek(
        &mut self,
        (number, end): (usize, usize),
        max: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Vec<u8>>> {
        let link = &mut self.links[number];
        let direction = &mut link.directions[end];
        if direction.delivered.is_empty() && link.reset[end] {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let len = direction.delivered.len().min(max);
        if len == 0 && !direction.end_delivered {
            direction.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(direction.delivered[..len].to_vec()))
    }

    /// Takes bytes out that were delivered at an end.
    pub(super) fn take(&mut self, (number, end): (usize, usize), len: usize) {
        let direction = &mut self.links[number].directions[end];
        direction.delivered.drain(..len);
        direction.carrier.take().into_iter().for_each(Waker::wake);
    }

    /// Writes from an end, up to `max` bytes of `from`. A client has room for everything.
    pub(super) fn poll_write(
        &mut self,
        (number, end): (usize, usize),
        from: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let capacity = self.capacity;
        let link = &mut self.links[number];
        let direction = &mut link.directions[1 - end];
        if link.reset[end] || direction.closed {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let room = match end {
            SERVER => capacity - direction.sent.len(),
            _ => from.len(),
        };
        if room == 0 {
            direction.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let len = room.min(from.len());
        direction.sent.extend_from_slice(&from[..len]);
        direction.carrier.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(len))
    }

    /// Closes one direction.
    pub(super) fn shut_down(&mut self, number: usize, end: usize) {
        let direction = &mut self.links[number].directions[1 - end];
        direction.closed = true;
        direction.carrier.take().into_iter().for_each(Waker::wake);
    }

    /// Closes a socket. If there is something unread, the other end is told that the connection is reset.
    pub(super) fn close(&mut self, number: usize, end: usize) {
        let link = &mut self.links[number];
        link.gone[end] = true;
        let unread = link.directions[end].delivered.len();
        self.note(|| format!("connection {number} is closed by {end}, unread: {unread}"));
        self.shut_down(number, end);
        if unread > 0 {
            self.reset(number, 1 - end);
        }
        self.wake_carriers(number);
    }
}

impl Direction {
    fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }
}

impl State {
    /// Accepts a connection, and returns its index.
    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.count()?;
        let Some(link) = self.backlog.front().copied() else {
            self.acceptor = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let accepts = self.faults.accepts;
        if self.random.one_in(accepts) {
            return Poll::Ready(Err(self.fail_accept(link)));
        }
        self.backlog.pop_front();
        self.links[link].accepted = true;
        self.links[link].moved_at = Some(Instant::now());
        self.sockets += 1;
        self.note(|| format!("connection {link} is accepted"));
        if self.sockets > self.sockets_max {
            let sockets = self.sockets;
            self.fail(|| format!("the server has {sockets} connections"));
        }
        Poll::Ready(Ok(link))
    }

    /// Closes the listener, and resets the connections that were not accepted.
    pub(super) fn stop_listening(&mut self) {
        self.listens = false;
        self.note(|| "the listener is closed".into());
        while let Some(link) = self.backlog.pop_front() {
            self.links[link].gone[SERVER] = true;
            self.reset(link, CLIENT);
        }
    }

    /// Returns the error of an accept, after which the connection may be lost.
    fn fail_accept(&mut self, link: usize) -> io::Error {
        self.note(|| "an accept fails".into());
        match self.random.below(3) {
            0 => {
                self.backlog.pop_front();
                self.links[link].broken = true;
                self.links[link].gone[SERVER] = true;
                self.reset(link, CLIENT);
                ErrorKind::ConnectionAborted.into()
            }
            1 => ErrorKind::Interrupted.into(),
            _ => io::Error::other("no descriptor is left"),
        }
    }
}

/// Returns the address of a peer: the client, or its proxy.
pub(super) fn address(link: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, link as u8), 1024))
}

/// Returns whether a peer is a proxy, in a world that has proxies.
pub(super) fn is_proxy(peer: Option<IpAddr>) -> bool {
    (0..256)
        .step_by(2)
        .any(|link| peer == Some(address(link).ip()))
}

/// More operations than a server of this size makes within a millisecond.
const OPERATIONS_MAX: usize = 200_000;
