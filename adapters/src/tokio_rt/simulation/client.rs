//! [`Client`]: a client that behaves well or badly, and the check of everything that it receives.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sanserve_conformance::sim::Random;
use sanserve_conformance::sim::reader::{logged, parse};
use tokio::time::{Instant, sleep, timeout};

use super::network::{AtStop, CLIENT, Link, Network, SERVER, address, is_proxy, pause};
use super::request::Request;

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// It sends its requests, reads the replies, and then closes.
    Closes,
    /// It closes its side after its last request.
    HalfCloses,
    /// It leaves the end to the server.
    Stays,
    /// It stops in the middle of its last request.
    StopsSending,
    /// It stops reading when it has sent its requests.
    StopsReading,
    /// It resets the connection after this time.
    Resets(Duration),
}

pub(super) struct Client {
    network: Network,
    link: usize,
    /// The address by which it is found in the log.
    address: IpAddr,
    habit: Habit,
    random: Random,
    is_pipelined: bool,
    /// Whether there may be more clients than the server has room for.
    is_crowded: bool,
    /// Whether the server may fail to see that something has arrived when it makes room: it can only try to read from
    /// a stream that is no socket, and a read may return `Pending` for no reason.
    may_overlook: bool,
    /// Whether the last request says that it is the last.
    announces_end: bool,
    start: Duration,
    requests: Vec<Request>,
    /// Where each request that was sent ends, among everything that was sent.
    ends: Vec<usize>,
    received: Vec<u8>,
    /// The number of complete replies, and their bytes.
    replies: usize,
    checked: usize,
    was_reset: bool,
}

/// What a world decides about its clients.
pub(super) struct Clients {
    pub(super) size_max: usize,
    pub(super) upgrades: bool,
    pub(super) has_proxies: bool,
    pub(super) is_crowded: bool,
    pub(super) may_overlook: bool,
    /// In which time all of them connect.
    pub(super) arrival: Duration,
}

impl Client {
    pub(super) fn new(
        network: &Network,
        link: usize,
        random: &mut Random,
        all: &Clients,
    ) -> Client {
        let random = &mut random.fork();
        let resets = Habit::Resets(Duration::from_millis(random.below(100) as u64));
        let habit = random.pick(&[
            Habit::Closes,
            Habit::Closes,
            Habit::HalfCloses,
            Habit::Stays,
            Habit::Stays,
            Habit::StopsSending,
            Habit::StopsReading,
            resets,
        ]);
        let least = usize::from(habit != Habit::Closes);
        let count = least + random.below(5 - least);
        let mut requests: Vec<Request> = (0..count)
            .map(|number| Request::new(link, number, all.size_max, random))
            .collect();
        let is_upgraded = all.upgrades && habit == Habit::Closes && random.one_in(4);
        let announces_end = !is_upgraded && random.one_in(2);
        if is_upgraded {
            requests.push(Request::upgrade(link, count));
        } else if let Some(last) = requests.last_mut().filter(|_| announces_end) {
            last.add_field(b"Connection: close\r\n");
        }
        let mut peer = address(link).ip();
        if all.has_proxies && is_proxy(Some(peer)) {
            let client = Ipv4Addr::new(198, 51, 100, link as u8);
            peer = client.into();
            if let Some(first) = requests.first_mut() {
                first.prepend(&header(client));
            }
        }
        Client {
            network: network.clone(),
            link,
            address: peer,
            habit,
            is_pipelined: random.one_in(3),
            is_crowded: all.is_crowded,
            may_overlook: all.may_overlook,
            announces_end,
            start: Duration::from_millis(random.below(all.arrival.as_millis() as usize + 1) as u64),
            random: random.fork(),
            requests,
            ends: Vec::new(),
            received: Vec::new(),
            replies: 0,
            checked: 0,
            was_reset: false,
        }
    }

    /// Connects, sends the requests, checks the replies and the log, and waits until the server has closed the
    /// connection.
    pub(super) async fn run(mut self) -> Result<(), String> {
        let link = self.link;
        let result = self.live().await;
        result.map_err(|text| format!("client {link}: {text}"))
    }

    async fn live(&mut self) -> Result<(), String> {
        pause(self.start).await;
        if !self.network.connect(self.link) {
            return Ok(());
        }
        if let Habit::Resets(after) = self.habit {
            if let Ok(result) = timeout(after, self.converse()).await {
                result?;
            }
            let state = &mut *self.network.lock();
            state.links[self.link].gone[CLIENT] = true;
            state.reset(self.link, SERVER);
        } else {
            self.converse().await?;
            self.check_log(false)?;
        }
        if self.habit != Habit::StopsReading {
            self.close();
        }
        self.wait_until_closed().await?;
        self.check_stop()?;
        self.close();
        self.check_log(true)
    }

    fn close(&self) {
        let state = &mut *self.network.lock();
        if !state.links[self.link].gone[CLIENT] {
            state.close(self.link, CLIENT);
        }
    }

    /// Sends and receives, until one side has nothing more to say.
    async fn converse(&mut self) -> Result<(), String> {
        self.send().await;
        while self.is_pipelined && self.ends.len() < self.requests.len() {
            self.send().await;
        }
        loop {
            let is_sent = self.ends.len() == self.requests.len();
            match self.habit {
                Habit::StopsReading if is_sent => return Ok(()),
                Habit::Closes if self.replies == self.requests.len() => return Ok(()),
                _ => {}
            }
            let Some(bytes) = self.read().await? else {
                return self.check_end();
            };
            self.received.extend_from_slice(&bytes);
            if !self.take_replies().await? {
                return Ok(());
            }
        }
    }

    /// Sends the next request, if there is one, in a few pieces.
    async fn send(&mut self) {
        let number = self.ends.len();
        let Some(request) = self.requests.get(number) else {
            return;
        };
        self.network.lock().links[self.link].is_idle = false;
        let begin = self.ends.last().copied().unwrap_or(0);
        self.ends.push(begin + request.bytes.len());
        let is_last = number + 1 == self.requests.len();
        let mut len = request.bytes.len();
        if is_last && self.habit == Habit::StopsSending {
            len = self.random.below(len);
        }
        let gap = self.random.pick(&[0, 3, 80]);
        let mut from = 0;
        while from < len {
            let to = match self.random.one_in(2) {
                true => len,
                false => from + 1 + self.random.below(len - from),
            };
            let piece = &self.requests[number].bytes[from..to];
            let write = poll_fn(|cx| {
                let mut state = self.network.lock();
                state.poll_write((self.link, CLIENT), piece, cx)
            });
            // If the connection is reset, the next read says so.
            let _ = write.await;
            from = to;
            pause(Duration::from_millis(self.random.below(gap + 1) as u64)).await;
        }
        if is_last && self.habit == Habit::HalfCloses {
            self.network.lock().shut_down(self.link, CLIENT);
        }
    }

    /// Receives some bytes, or the end.
    async fn read(&mut self) -> Result<Option<Vec<u8>>, String> {
        let max = self.random.pick(&[100, 1_000, 65_536, 65_536]);
        loop {
            let read = poll_fn(|cx| {
                let mut state = self.network.lock();
                state.poll_read((self.link, CLIENT), max, cx)
            });
            match timeout(STALL, read).await {
                Ok(Ok(bytes)) => return Ok(Some(bytes).filter(|bytes| !bytes.is_empty())),
                Ok(Err(_)) => {
                    self.was_reset = true;
                    return Ok(None);
                }
                Err(_) => self.check_stall()?,
            }
        }
    }

    /// Checks that the client does not wait in vain.
    fn check_stall(&self) -> Result<(), String> {
        let state = self.network.lock();
        let link = &state.links[self.link];
        let waits = self.replies < self.ends.len() && self.is_good() && !link.broken;
        let has_room =
            |other: &Link| other.is_idle && !other.gone[SERVER] && is_quiet(other, STALL);
        let has_room = !self.is_crowded || state.links.iter().any(has_room);
        let max = if waits && has_room { STALL } else { OPEN_MAX };
        match is_quiet(link, max) {
            true => Err(format!(
                "nothing happens for {max:?}, after {} replies to {} requests",
                self.replies,
                self.ends.len()
            )),
            false => Ok(()),
        }
    }

    /// Checks the replies that are complete, and sends the next requests. Returns whether to read on.
    async fn take_replies(&mut self) -> Result<bool, String> {
        while self.replies < self.requests.len() {
            let request = &self.requests[self.replies];
            let is_broken = self.network.lock().links[self.link].broken;
            match request.check(&self.received[self.checked..]) {
                Ok(None) => break,
                Ok(Some(len)) => self.checked += len,
                Err(_) if !self.is_good() => break,
                Err(_) if is_broken => return Ok(false),
                Err(text) => return Err(format!("reply {}: {text}", self.replies)),
            }
            self.replies += 1;
            self.note_replies();
            if !self.is_pipelined {
                pause(Duration::from_millis(self.random.below(150) as u64)).await;
                self.send().await;
            }
        }
        Ok(true)
    }

    fn note_replies(&self) {
        let (link, replies) = (self.link, self.replies);
        let state = &mut *self.network.lock();
        state.links[link].replies = replies;
        state.links[link].is_idle = replies == self.ends.len();
        state.note(|| format!("client {link} has received {replies} replies"));
    }

    /// Returns whether the client must get complete replies.
    fn is_good(&self) -> bool {
        matches!(self.habit, Habit::Closes | Habit::HalfCloses | Habit::Stays)
    }

    /// The server has ended the connection: checks that there is a reason if replies are missing.
    fn check_end(&self) -> Result<(), String> {
        let state = self.network.lock();
        let link = &state.links[self.link];
        let is_complete = self.replies == self.requests.len();
        if is_complete || link.broken || !self.is_good() {
            return Ok(());
        }
        let is_cut = state.cut_at.is_some_and(|at| at <= Instant::now());
        let is_overlooked = self.may_overlook && link.read < link.delivered_at_close;
        let evicted =
            self.is_crowded && (!link.accepted || is_overlooked || self.is_between_requests(link));
        if evicted || is_cut || self.may_be_stopped(link) {
            return Ok(());
        }
        let how = if self.was_reset { "reset" } else { "closed" };
        let begun = self.received.len() - self.checked;
        Err(format!(
            "{how} after {begun} bytes of reply {}",
            self.replies
        ))
    }

    /// Returns whether the connection was idle when it was closed, or the next head not complete. If other bytes arrive
    /// after that, replies that the client has not read are lost, too.
    fn is_between_requests(&self, link: &Link) -> bool {
        (self.replies..self.ends.len()).any(|number| {
            let begin = self.begin(number);
            let head = begin + 1..begin + self.requests[number].head_len;
            link.delivered_at_close == begin || head.contains(&link.read)
        })
    }

    /// Returns whether the connection may have ended because the server was told to stop. A request that was read
    /// before gets its reply.
    fn may_be_stopped(&self, link: &Link) -> bool {
        let Some(AtStop { replies, read, .. }) = link.at_stop else {
            return false;
        };
        let is_begun = self.received.len() > self.checked;
        let end = self.begin(self.replies) + self.requests[self.replies].bytes.len();
        let was_read = replies == self.replies && read >= end && !self.is_pipelined;
        // The bytes of a later request arrived after the close.
        let is_lost = self.is_pipelined && self.was_reset;
        is_lost || !is_begun && !was_read
    }

    /// Checks that the connection was closed soon if it was idle when the server was told to stop.
    fn check_stop(&self) -> Result<(), String> {
        let state = self.network.lock();
        let link = &state.links[self.link];
        let Some((stop, closed_at)) = link.at_stop.zip(link.closed_at) else {
            return Ok(());
        };
        let last = stop.replies.checked_sub(1).map(|last| &self.requests[last]);
        // The other protocol decides when an upgraded connection ends.
        let was_idle = last.is_none_or(|last| last.status != 101)
            && stop.read == link.delivered_at_close
            && stop.replies == self.replies
            && stop.read == self.begin(stop.replies);
        match was_idle && !self.announces_end && closed_at > stop.at + PROMPT {
            true => Err("an idle connection stays open when the server stops".into()),
            false => Ok(()),
        }
    }

    /// Returns where a request begins among everything that was sent.
    fn begin(&self, number: usize) -> usize {
        number.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    /// Waits until the server has closed the connection.
    async fn wait_until_closed(&self) -> Result<(), String> {
        let (begin, mut step) = (Instant::now(), Duration::from_millis(1));
        while !self.network.lock().links[self.link].gone[SERVER] {
            if begin.elapsed() > OPEN_MAX {
                return Err("the connection is still open".into());
            }
            sleep(step).await;
            step *= 2;
        }
        Ok(())
    }

    /// Checks the replies against the log, with the reader of the conformance package, and how often each request is
    /// logged. A file that cannot be read turns a reply that was logged into another one, if nothing of it was sent.
    fn check_log(&self, is_closed: bool) -> Result<(), String> {
        let state = self.network.lock();
        let peer = format!("{} ", self.address);
        let lines = state.log.lines().filter(|line| line.starts_with(&peer));
        let log: String = lines.flat_map(|line| [line, "\n"]).collect();
        let most = 1 + usize::from(state.links[self.link].broken);
        for (number, request) in self.requests.iter().enumerate() {
            let (target, least) = (request.target(), usize::from(number < self.replies));
            let count = log.matches(&target).count();
            if count < least || is_closed && count > most {
                return Err(format!("{target} is in the log {count} times"));
            }
        }
        parse(&self.received, &logged(&log)).map(|_| ())
    }
}

/// Returns the header of a proxy for this client: of version 1 or 2, depending on its address.
fn header(client: Ipv4Addr) -> Vec<u8> {
    let octets = client.octets();
    match octets[3] % 4 {
        0 => format!("PROXY TCP4 {client} 192.0.2.1 1024 80\r\n").into_bytes(),
        _ => [
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f",
            &octets[..],
            b"\xc0\0\x02\x01\x04\0\0\x50\x04\0\0",
        ]
        .concat(),
    }
}

fn is_quiet(link: &Link, time: Duration) -> bool {
    link.moved_at.is_some_and(|at| at.elapsed() >= time)
}

/// How long a client waits for a reply of which nothing arrives. Longer than packets, wake-ups and calls take together,
/// and shorter than every timeout of the engine.
const STALL: Duration = Duration::from_secs(3);

/// What needs no packet happens within this time.
pub(super) const PROMPT: Duration = Duration::from_millis(500);

/// How long a connection may stay open without a transfer, longer than all timeouts of the engine together.
const OPEN_MAX: Duration = Duration::from_secs(60);
