//! [`SimulatedHandler`]: answers the requests of a world: with files, after a wait, by storing, or by an upgrade.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sanserve_core::{Event, Exchange, Files, Handler, Next};
use tokio::time::{Instant, sleep};

use super::client::PROMPT;
use super::files::content;
use super::network::Network;
use crate::simulation::{WAIT_MAX, create, reply, upgrade};

pub(super) struct SimulatedHandler {
    network: Network,
    files: Files,
    state: State,
}

/// What the handler does for the current request.
enum State {
    File,
    /// Waits for an event. This is when it has happened.
    Wait(Arc<OnceLock<Instant>>),
    /// Receives content, and counts its bytes.
    Receive(u64),
    /// Creates a file with as many bytes, writes them, commits it.
    Create(u64),
    Write,
    Commit,
}

impl SimulatedHandler {
    pub(super) fn new(network: Network) -> SimulatedHandler {
        SimulatedHandler {
            network,
            files: Files::new(),
            state: State::File,
        }
    }

    /// Waits for an event that happens in some milliseconds. Its waker may also be called before.
    fn wait(&mut self, ex: &mut Exchange<'_>, millis: u64) -> Next {
        let happened = Arc::new(OnceLock::new());
        self.state = State::Wait(Arc::clone(&happened));
        let waker = ex.waker().clone();
        let is_early = self.network.lock().random.one_in(3);
        tokio::spawn(async move {
            let time = Duration::from_millis(millis);
            if is_early {
                sleep(time / 2).await;
                waker.wake_by_ref();
            }
            sleep(time).await;
            let _ = happened.set(Instant::now());
            waker.wake();
        });
        Next::Wait(WAIT_MAX)
    }
}

impl Handler for SimulatedHandler {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let path = ex.path();
        if let Some(path) = path.strip_prefix("/wait/") {
            let millis = path.split(['/', '?']).nth(1);
            let millis = millis.and_then(|it| it.parse().ok());
            return self.wait(ex, millis.unwrap_or(0));
        }
        if path.starts_with("/put/") {
            self.state = State::Receive(0);
            return Next::Body;
        }
        if path.starts_with("/upgrade/") {
            return upgrade(ex);
        }
        self.state = State::File;
        self.files.begin(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match (&mut self.state, event) {
            (State::File, event) => self.files.resume(ex, event),
            (State::Wait(happened), Event::Woken) => match happened.get() {
                Some(at) => {
                    check_delay(&self.network, ex, *at);
                    reply(ex, 200, b"woken")
                }
                None => Next::Wait(WAIT_MAX),
            },
            (State::Receive(len), Event::Data(bytes)) => {
                let end = *len + bytes.len() as u64;
                if bytes != content(*len, end) {
                    let mut state = self.network.lock();
                    state.fail(|| "a handler receives the wrong content".into());
                }
                *len = end;
                Next::Body
            }
            (State::Receive(len), Event::End) => {
                self.state = State::Create(*len);
                create()
            }
            (State::Create(len), Event::Created(_)) => {
                let bytes = content(0, *len).to_vec();
                self.state = State::Write;
                Next::WriteFile(bytes)
            }
            (State::Write, Event::End) => {
                self.state = State::Commit;
                Next::Commit
            }
            (State::Commit, Event::End) => reply(ex, 201, b""),
            _ => reply(ex, 500, b"lost"),
        }
    }
}

/// Checks that a handler was woken soon after an event, unless its connection was occupied.
fn check_delay(network: &Network, ex: &Exchange<'_>, happened_at: Instant) {
    let link = ex.path().split('/').nth(2);
    let link: usize = link.and_then(|it| it.parse().ok()).unwrap_or(0);
    let state = &mut *network.lock();
    let was_moved = state.links[link].moved_at >= Some(happened_at);
    if !was_moved && happened_at.elapsed() > PROMPT {
        state.fail(|| format!("the handler of connection {link} is woken late"));
    }
}
