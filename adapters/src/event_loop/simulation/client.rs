//! [`Client`]: a scripted client, and the check of everything that it receives.

use std::time::Duration;

use super::kernel::{Kernel, Net, Task};
use super::random::Random;
use crate::simulation::byte_at;

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// It sends its requests, reads the replies at once, and then closes.
    Closes,
    /// It closes its side after its last request.
    HalfCloses,
    /// It leaves the end to the server.
    Stays,
    /// It stops in the middle of its last request.
    StopsSending,
    /// It stops reading when it has sent its requests.
    StopsReading,
    /// It resets the connection at some time.
    Resets,
}

impl Habit {
    /// Returns whether a client must get complete replies.
    fn is_good(self) -> bool {
        matches!(self, Habit::Closes | Habit::HalfCloses | Habit::Stays)
    }

    fn requests(
        self,
        conn: usize,
        is_pipelined: bool,
        random: &mut Random,
        bounds: Bounds,
    ) -> Vec<Request> {
        let count = random.between(usize::from(self != Habit::Closes), 4);
        let mut requests: Vec<Request> = (0..count)
            .map(|number| Request::new(conn, number, bounds.size_max, random))
            .collect();
        if is_pipelined && bounds.has_quick_pool && random.one_in(8) {
            let size = random.between(0, 100);
            let many = count..count + random.between(1, 60);
            requests.extend(many.map(|number| Request::file(conn, number, size)));
        }
        if self == Habit::Resets && random.one_in(2) {
            // It has gone long before it would get a reply.
            requests.truncate(requests.len() - 1);
            requests.push(Request::wait(conn, requests.len(), 4_500));
        }
        requests
    }

    /// Lets some of the connections end with their last request.
    fn end_requests(
        self,
        requests: &mut Vec<Request>,
        conn: usize,
        random: &mut Random,
        bounds: Bounds,
    ) {
        let number = requests.len();
        if bounds.upgrades && self == Habit::Closes && random.one_in(2) {
            requests.push(Request::upgrade(conn, number));
        } else if bounds.lingers && self.is_good() && random.one_in(6) {
            // The server closes the connection while the client still sends.
            let len = bounds.size_max.min(60_000);
            requests.push(Request::refused(conn, number, len));
        } else if let Some(last) = requests.last_mut().filter(|_| random.one_in(2)) {
            // The server closes the connection first, and perhaps another client gets its place.
            last.announce_close();
            if bounds.lingers && random.one_in(3) {
                // Some clients send a line break after a request (RFC 9112 §2.2).
                last.bytes.extend_from_slice(b"\r\n");
                last.has_line_break = true;
            }
        }
    }
}

struct Request {
    bytes: Vec<u8>,
    head_len: usize,
    /// Whether a line break follows, which is sent separately.
    has_line_break: bool,
    status: u16,
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    File(usize),
    Text(&'static [u8]),
}

pub(super) struct Client {
    conn: usize,
    pub(super) habit: Habit,
    is_pipelined: bool,
    requests: Vec<Request>,
    /// The number of requests that were sent, and their ends among everything that was sent.
    ends: Vec<usize>,
    /// The number of replies that were received, and their bytes.
    pub(super) replies: usize,
    received: usize,
    /// Since when nothing has moved.
    pub(super) since: Duration,
    pub(super) is_done: bool,
    /// The state of the connection when the shutdown began: how many replies had arrived, how many bytes were read.
    at_shutdown: Option<(usize, usize)>,
}

/// What the clients of a world may ask for.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// The size of the largest file.
    pub(super) size_max: usize,
    pub(super) upgrades: bool,
    /// Whether many calls of the pool take little time. Replies to pipelined requests are written together.
    pub(super) has_quick_pool: bool,
    /// Whether the server reads what arrives after its last reply.
    pub(super) lingers: bool,
}

/// What a world allows its server to do to its clients.
#[derive(Clone, Copy)]
pub(super) struct Excuses {
    /// There may be too many connections, or too few descriptors.
    pub(super) crowded: bool,
    pub(super) aborted: bool,
}

impl Client {
    pub(super) fn new(conn: usize, random: &mut Random, bounds: Bounds) -> Client {
        let habits = [
            Habit::Closes,
            Habit::Closes,
            Habit::HalfCloses,
            Habit::Stays,
            Habit::Stays,
            Habit::StopsSending,
            Habit::StopsReading,
            Habit::Resets,
        ];
        let habit = habits[random.below(habits.len())];
        let is_pipelined = random.one_in(3);
        let mut requests = habit.requests(conn, is_pipelined, random, bounds);
        habit.end_requests(&mut requests, conn, random, bounds);
        Client {
            conn,
            habit,
            is_pipelined,
            requests,
            ends: Vec::new(),
            replies: 0,
            received: 0,
            since: Duration::ZERO,
            is_done: false,
            at_shutdown: None,
        }
    }

    /// Connects and sends the first request, or all of them.
    pub(super) fn start(&mut self, kernel: &mut Kernel, at: Duration) {
        kernel.at(at, Task::Net(Net::Connect(self.conn)));
        self.since = at;
        let mut at = at;
        self.send(kernel, &mut at);
        while self.is_pipelined && self.ends.len() < self.requests.len() {
            self.send(kernel, &mut at);
        }
        if self.habit == Habit::Resets {
            let at = at + kernel.random.time(Duration::from_millis(100));
            kernel.at(at, Task::Net(Net::Reset(self.conn)));
        }
        if self.requests.is_empty() {
            self.leave(kernel, at);
        }
    }

    /// Sends the next request in a few pieces.
    fn send(&mut self, kernel: &mut Kernel, at: &mut Duration) {
        let number = self.ends.len();
        let Some(request) = self.requests.get(number) else {
            return;
        };
        let is_last = number + 1 == self.requests.len();
        let mut len = request.bytes.len();
        if is_last && self.habit == Habit::StopsSending {
            len = kernel.random.below(len);
        }
        let sent = &mut kernel.tcp[self.conn].sent;
        let begin = sent.len();
        sent.extend_from_slice(&request.bytes[..len]);
        let end = sent.len();
        self.ends.push(begin + request.bytes.len());
        let gap = [
            Duration::ZERO,
            Duration::from_millis(3),
            Duration::from_millis(80),
        ];
        let gap = gap[kernel.random.below(3)];
        let line_break = if request.has_line_break {
            len.min(2)
        } else {
            0
        };
        for _ in 0..kernel.random.below(3) {
            let to = kernel.random.between(begin, end - line_break);
            *at += kernel.random.time(gap);
            kernel.at(*at, Task::Net(Net::Deliver(self.conn, to)));
        }
        for to in [end - line_break, end] {
            *at += kernel.random.time(gap);
            kernel.at(*at, Task::Net(Net::Deliver(self.conn, to)));
        }
        self.since = self.since.max(*at);
        if is_last {
            match self.habit {
                Habit::HalfCloses => kernel.at(*at + TICK, Task::Net(Net::Fin(self.conn))),
                Habit::StopsReading => kernel.tcp[self.conn].reads = false,
                _ => {}
            }
        }
    }

    fn leave(&mut self, kernel: &mut Kernel, at: Duration) {
        if self.habit == Habit::Closes {
            kernel.tcp[self.conn].gone = true;
            kernel.at(at + TICK, Task::Net(Net::Fin(self.conn)));
            self.is_done = true;
        }
    }

    /// Looks at what has arrived.
    pub(super) fn look(&mut self, kernel: &mut Kernel, excuses: Excuses) {
        if self.is_done {
            return;
        }
        self.since = self.since.max(kernel.now);
        while self.replies < self.requests.len() {
            let received = &kernel.tcp[self.conn].received[self.received..];
            let request = &self.requests[self.replies];
            match request.check(received) {
                Ok(None) => break,
                Ok(Some(len)) => self.received += len,
                Err(_) if kernel.tcp[self.conn].broken || !self.habit.is_good() => {
                    self.is_done = true;
                    return self.give_up(kernel);
                }
                Err(text) => {
                    let (conn, number) = (self.conn, self.replies);
                    return kernel.fail(|| format!("client {conn}, reply {number}: {text}"));
                }
            }
            self.replies += 1;
            if !self.is_pipelined {
                let pause = Duration::from_millis(150);
                let mut at = kernel.now + kernel.random.time(pause);
                self.send(kernel, &mut at);
            }
        }
        let tcp = &kernel.tcp[self.conn];
        if tcp.client_eof || tcp.client_reset {
            self.is_done = true;
            self.end(kernel, excuses);
        } else if self.replies == self.requests.len() {
            self.leave(kernel, kernel.now);
        }
    }

    /// Closes a connection that has lost its meaning.
    fn give_up(&mut self, kernel: &mut Kernel) {
        kernel.tcp[self.conn].gone = true;
        kernel.at(kernel.now + TICK, Task::Net(Net::Reset(self.conn)));
    }

    /// The server has ended the connection: checks that there is a reason if replies are missing.
    fn end(&mut self, kernel: &mut Kernel, excuses: Excuses) {
        kernel.tcp[self.conn].gone = true;
        kernel.at(kernel.now + TICK, Task::Net(Net::Fin(self.conn)));
        let tcp = &kernel.tcp[self.conn];
        if self.replies == self.requests.len() || tcp.broken || !self.habit.is_good() {
            return;
        }
        let is_partial = tcp.received.len() > self.received;
        let begin = self.begin(self.replies);
        let request = &self.requests[self.replies];
        // To make room, a connection may be closed that is idle, or whose next head is not complete. If other bytes
        // arrive after that, replies that the client has not read are lost, too.
        let is_between_requests = (self.replies..self.ends.len()).any(|number| {
            let begin = self.begin(number);
            let head = begin + 1..begin + self.requests[number].head_len;
            tcp.delivered_at_close == begin || head.contains(&tcp.read)
        });
        let evicted = excuses.crowded && (!tcp.accepted || is_between_requests);
        let (end, is_pipelined) = (begin + request.bytes.len(), self.is_pipelined);
        let stopped = self.at_shutdown.is_some_and(|(replies, read)| {
            let was_read = replies == self.replies && read >= end && !is_pipelined;
            // The bytes of a later request arrived after the close.
            let is_lost = is_pipelined && tcp.client_reset;
            excuses.aborted || is_lost || !is_partial && !was_read
        });
        if !evicted && !stopped {
            let (conn, number, len) = (self.conn, self.replies, tcp.received.len());
            let how = if tcp.client_reset { "reset" } else { "closed" };
            let begin = self.received;
            kernel.fail(|| {
                format!(
                    "client {conn}: {how} after {} bytes of reply {number}",
                    len - begin
                )
            });
        }
    }

    /// Takes note that the server is told to stop.
    pub(super) fn note_shutdown(&mut self, kernel: &Kernel) {
        self.at_shutdown = Some((self.replies, kernel.tcp[self.conn].read));
    }

    /// Returns since when the client has waited for a reply for which everything has arrived.
    pub(super) fn waits_since(&self, kernel: &Kernel) -> Option<Duration> {
        let waits = self.replies < self.ends.len() && self.habit.is_good() && !self.is_done;
        let admitted_at = kernel.tcp[self.conn].admitted_at.unwrap_or_default();
        waits.then(|| self.since.max(admitted_at))
    }

    /// Returns whether the server has given the connection room.
    pub(super) fn is_admitted(&self, kernel: &Kernel) -> bool {
        kernel.tcp[self.conn].admitted_at.is_some()
    }

    /// Returns whether the connection has room and must not be closed to make some for others. If `is_short`, there
    /// are too few descriptors, so that only idle connections are closed.
    pub(super) fn holds_room(&self, kernel: &Kernel, is_short: bool) -> bool {
        let tcp = &kernel.tcp[self.conn];
        let begin = self.begin(self.replies);
        let head = self.requests.get(self.replies).map_or(0, |it| it.head_len);
        let is_idle = tcp.delivered == begin;
        let is_head = (begin..begin + head).contains(&tcp.delivered);
        let last = self.requests.last();
        let is_upgraded =
            self.replies == self.requests.len() && last.is_some_and(|it| it.status == 101);
        let is_evictable = is_idle && !is_upgraded || is_head && !is_short;
        self.is_admitted(kernel) && !tcp.closed && (tcp.shut || !is_evictable)
    }

    /// Returns the position of a request among everything that the client sends.
    fn begin(&self, number: usize) -> usize {
        number.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    /// Returns whether the connection was idle when the shutdown began, and is still open.
    pub(super) fn was_idle_at_shutdown(&self, kernel: &Kernel) -> bool {
        let tcp = &kernel.tcp[self.conn];
        let was_idle = |(replies, read)| replies == self.requests.len() && read == tcp.delivered;
        self.habit == Habit::Stays
            && self.at_shutdown.is_some_and(was_idle)
            && !tcp.closed
            && !tcp.shut
    }

    pub(super) fn describe_idle(&self) -> String {
        format!(
            "client {} is idle, and connected long after the shutdown began",
            self.conn
        )
    }

    /// Returns the length of the log when the client saw the end of its connection.
    pub(super) fn log_at_end(&self, kernel: &Kernel) -> usize {
        kernel.tcp[self.conn].log_at_end
    }

    pub(super) fn describe_stall(&self) -> String {
        let (conn, number, since) = (self.conn, self.replies, self.since.as_secs_f64());
        format!("client {conn} waits for reply {number} since {since:.6}, and nothing happens")
    }

    /// Returns whether nothing more will come from this client.
    pub(super) fn is_over(&self, kernel: &Kernel) -> bool {
        let tcp = &kernel.tcp[self.conn];
        let is_quiet = !self.habit.is_good() || self.habit == Habit::Stays;
        self.is_done || is_quiet && tcp.closed || tcp.client_reset
    }

    /// Returns the target of a request, as it is in the log.
    pub(super) fn target(&self, number: usize) -> String {
        let head = &self.requests[number].bytes;
        let mut words = head.split(|byte| *byte == b' ');
        let target = words.nth(1).unwrap_or_default();
        format!(" {} HTTP", String::from_utf8_lossy(target))
    }

    /// Returns how often each request may be in the log, at least and at most. A file that cannot be read turns a
    /// reply that was logged into another one, if nothing of it was sent.
    pub(super) fn logged(&self, kernel: &Kernel) -> impl Iterator<Item = (usize, usize)> {
        let most = 1 + usize::from(kernel.tcp[self.conn].broken);
        (0..self.requests.len()).map(move |number| match number < self.replies {
            true => (1, most),
            false => (0, most),
        })
    }
}

impl Request {
    fn new(conn: usize, number: usize, size_max: usize, random: &mut Random) -> Request {
        let sizes = [0, 10, 700, 5_000, 40_000, 300_000];
        let size = size_max.min(sizes[random.below(6)]);
        let size = random.between(0, size);
        match random.below(8) {
            0 => Request::wait(conn, number, random.between(0, 400)),
            1 => {
                let line = format!("PUT /put/{conn}/0?{number} HTTP/1.1");
                Request::made(&line, size, 201, Content::Text(b""))
            }
            _ => Request::file(conn, number, size),
        }
    }

    fn file(conn: usize, number: usize, size: usize) -> Request {
        let line = format!("GET /files/{conn}/{size}?{number} HTTP/1.1");
        Request::made(&line, 0, 200, Content::File(size))
    }

    fn wait(conn: usize, number: usize, millis: usize) -> Request {
        let line = format!("GET /wait/{conn}/{millis}?{number} HTTP/1.1");
        Request::made(&line, 0, 200, Content::Text(b"woken"))
    }

    /// A request that is answered before its content has arrived, with an error.
    fn refused(conn: usize, number: usize, len: usize) -> Request {
        let line = format!("PUT /refuse/{conn}/0?{number} HTTP/1.1\r\nConnection: close");
        Request::made(&line, len, 413, Content::Text(b"refused"))
    }

    /// Adds `Connection: close`.
    fn announce_close(&mut self) {
        let field = b"Connection: close\r\n";
        let end = self.head_len - 2;
        self.bytes.splice(end..end, field.iter().copied());
        self.head_len += field.len();
    }

    fn upgrade(conn: usize, number: usize) -> Request {
        let line = format!(
            "GET /upgrade/{conn}/0?{number} HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: simulation"
        );
        Request::made(&line, 0, 101, Content::Text(b""))
    }

    fn made(line: &str, len: usize, status: u16, content: Content) -> Request {
        let mut text = format!("{line}\r\nHost: x\r\n");
        if len > 0 {
            text += &format!("Content-Length: {len}\r\n");
        }
        text += "\r\n";
        let mut bytes = text.into_bytes();
        let head_len = bytes.len();
        bytes.resize(head_len + len, b'x');
        Request {
            bytes,
            head_len,
            has_line_break: false,
            status,
            content,
        }
    }

    /// Checks the beginning of what was received. Returns the length of the reply, if it is complete.
    fn check(&self, received: &[u8]) -> Result<Option<usize>, String> {
        let Some(head) = received.windows(4).position(|it| it == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&received[..head]);
        let status = text.get(9..12).and_then(|it| it.parse().ok());
        if !text.starts_with("HTTP/1.1 ") || status != Some(self.status) {
            return Err(format!("unexpected head {text:?}"));
        }
        let content = &received[head + 4..];
        let wanted = match self.content {
            Content::File(len) => len,
            Content::Text(text) => text.len(),
        };
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        if length.and_then(|it| it.parse().ok()).unwrap_or(0) != wanted {
            return Err(format!("Content-Length is not {wanted}"));
        }
        if content.len() < wanted {
            return Ok(None);
        }
        let is_right = |(at, byte): (usize, &u8)| match self.content {
            Content::File(_) => *byte == byte_at(at as u64),
            Content::Text(text) => *byte == text[at],
        };
        match content[..wanted].iter().enumerate().all(is_right) {
            true => Ok(Some(head + 4 + wanted)),
            false => Err("the content is wrong".into()),
        }
    }
}

const TICK: Duration = Duration::from_micros(10);
