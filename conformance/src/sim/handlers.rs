//! The handlers of the standard simulation: services of sanserve-core, two handlers that use content, one that upgrades
//! connections, and one that acts at random.

use std::time::Duration;

use sanserve_core::{
    Cgi, CgiScript, Create, Event, Exchange, FileSettings, Files, Handler, Next, Path, wire,
};

use super::Random;

/// Returns the handler for a number, as in [`Sim::standard`](super::Sim::standard) and its transcripts.
#[must_use]
pub fn standard(number: u64) -> Box<dyn Handler> {
    match kind(number) {
        HandlerKind::Files => Box::new(files(number)),
        HandlerKind::Cgi => Box::new(Cgi::new("localhost", 8000)),
        HandlerKind::Echo => Box::<Echo>::default(),
        HandlerKind::Relay => Box::new(Relay),
        HandlerKind::Upgrader => Box::new(Upgrader(Random::new(number))),
        HandlerKind::RandomHandler => Box::new(RandomHandler::new(number)),
    }
}

/// Returns whether this is the number of a plain file service.
pub(super) fn serves_files(number: u64) -> bool {
    kind(number) == HandlerKind::Files
}

/// Returns whether the handler of this number makes this mistake on purpose.
pub(super) fn intends(number: u64, mistake: &str) -> bool {
    match kind(number) {
        HandlerKind::RandomHandler => true,
        HandlerKind::Upgrader => {
            mistake == "upgraded the connection before it had read the content"
        }
        _ => false,
    }
}

#[derive(PartialEq, Eq)]
enum HandlerKind {
    Files,
    Cgi,
    Echo,
    Relay,
    Upgrader,
    RandomHandler,
}

fn kind(number: u64) -> HandlerKind {
    match number % 16 {
        0..6 => HandlerKind::Files,
        6..10 => HandlerKind::Cgi,
        10 | 11 => HandlerKind::Echo,
        12 => HandlerKind::Relay,
        13 => HandlerKind::Upgrader,
        _ => HandlerKind::RandomHandler,
    }
}

/// Returns a file service with random settings.
fn files(number: u64) -> Files {
    let mut random = Random::new(number);
    let mut settings = FileSettings::default();
    settings.precompressed = random.one_in(3);
    settings.hidden = random.one_in(2);
    settings.cors = random.pick(&[None, None, Some("*")]).map(Into::into);
    settings.spa = random
        .pick(&[None, None, Some("b.html"), Some("none")])
        .map(Into::into);
    settings.not_found_page = random
        .pick(&[None, None, Some("big.bin"), Some("sub")])
        .map(Into::into);
    settings.cache_control = random.pick(&[None, Some("no-cache")]).map(Into::into);
    settings.into()
}

/// Collects the content, then sends it back with a `Content-Length`.
#[derive(Default)]
struct Echo {
    content: Vec<u8>,
    is_sent: bool,
}

impl Handler for Echo {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        *self = Echo::default();
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Data(bytes) => {
                self.content.extend_from_slice(bytes);
                Next::Body
            }
            _ if self.is_sent => Next::Done,
            _ => {
                ex.send_response(200);
                ex.send_header("Content-Length", self.content.len());
                ex.end_headers();
                self.is_sent = true;
                Next::Write(std::mem::take(&mut self.content).into())
            }
        }
    }
}

/// Sends content back while it arrives.
struct Relay;

impl Handler for Relay {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        ex.end_headers();
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Data(bytes) => {
                ex.write(bytes);
                Next::Body
            }
            _ => Next::Done,
        }
    }
}

/// Upgrades the connection or sends a small reply, before or after it has read the content.
struct Upgrader(Random);

impl Handler for Upgrader {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        match self.0.one_in(2) {
            true => self.reply(ex),
            false => Next::Body,
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Data(_) => Next::Body,
            _ => self.reply(ex),
        }
    }
}

impl Upgrader {
    fn reply(&mut self, ex: &mut Exchange<'_>) -> Next {
        let is_upgrade = self.0.one_in(2);
        if ex.command() == "CONNECT" {
            ex.send_response(200);
            ex.end_headers();
            return Next::Upgrade;
        }
        if is_upgrade && ex.request_version() == wire::Version::Http11 {
            ex.send_response(101);
            ex.send_header("Connection", "Upgrade");
            ex.send_header("Upgrade", "echo");
            ex.end_headers();
            return Next::Upgrade;
        }
        ex.send_response(200);
        ex.send_header("Content-Length", 6);
        ex.end_headers();
        ex.write(b"hello\n");
        Next::Done
    }
}

/// Does up to 12 random things, valid or not. They depend only on its number, not on the fragmentation, because it
/// reads to the end of anything that it reads.
struct RandomHandler {
    random: Random,
    actions_left: usize,
    reading: Option<Next>,
}

impl RandomHandler {
    fn new(number: u64) -> RandomHandler {
        RandomHandler {
            random: Random::new(number),
            actions_left: 0,
            reading: None,
        }
    }

    fn next_action(&mut self, ex: &mut Exchange<'_>) -> Next {
        while self.actions_left > 0 {
            self.actions_left -= 1;
            if let Some(next) = self.try_action(ex) {
                return next;
            }
        }
        Next::Done
    }

    fn try_action(&mut self, ex: &mut Exchange<'_>) -> Option<Next> {
        let path = || Path::parse(ex.path()).unwrap_or_default();
        Some(match self.random.below(22) {
            0 => Next::Body,
            1 => Next::Read,
            2 => Next::Open(path()),
            3 => Next::List(path()),
            4 => {
                let start = self.random.number() % 100;
                Next::Send(start..start + self.random.number() % 3000)
            }
            5 => Next::Flush,
            6 => Next::Feed,
            7 => Next::Run(Box::new(CgiScript {
                path: path(),
                args: Vec::new(),
                env: Vec::new(),
                path_translated: Path::default(),
            })),
            8 => {
                return self
                    .actions_left
                    .eq(&0)
                    .then(|| ex.send_error(404, ex.path()));
            }
            9 => {
                ex.send_response_only(103, "Early Hints");
                ex.end_headers();
                ex.send_response(200);
                return None;
            }
            10..12 => {
                ex.send_response(self.random.pick(&[200, 200, 204, 304, 404, 999]));
                return None;
            }
            12 => {
                let name = self
                    .random
                    .pick(&["Content-Length", "Connection", "X", "X\n"]);
                ex.send_header(name, self.random.below(100));
                return None;
            }
            13 => {
                ex.end_headers();
                return None;
            }
            17 => Next::Wait(Duration::from_millis(self.random.number() % 5_000)),
            18 => Next::WriteFile(vec![b'g'; self.random.below(5_000)]),
            19 => Next::Commit,
            20 => Next::Create(Box::new(Create {
                path: path(),
                directories_max: self.random.below(3),
                replaces: None,
                len: None,
            })),
            21 => Next::Upgrade,
            14 => Next::Write(vec![b'x'; self.random.below(100_000)].into()),
            _ => {
                let len = self.random.below(100);
                ex.write(&[b'x'; 100][..len]);
                return None;
            }
        })
    }
}

impl Handler for RandomHandler {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.actions_left = self.random.below(12);
        if self.random.one_in(2) {
            ex.send_response(200);
            ex.end_headers();
        }
        self.reading = None;
        self.remember(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if let (Event::Data(bytes), Some(next)) = (event, &self.reading) {
            ex.write(bytes);
            return next.clone();
        }
        self.remember(ex)
    }
}

impl RandomHandler {
    fn remember(&mut self, ex: &mut Exchange<'_>) -> Next {
        let next = self.next_action(ex);
        self.reading = matches!(next, Next::Body | Next::Read).then(|| next.clone());
        next
    }
}
