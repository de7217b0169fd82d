//! [`SimulatedHandler`]: answers the requests of a world: with files, after a wait, by storing, or by an upgrade.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use sanserve_core::{Event, Exchange, Files, Handler, Next};

use super::kernel::{SharedKernel, Task};
use crate::simulation::{WAIT_MAX, create, reply, upgrade};

/// The wakers of handlers that wait, and whether what each waits for has happened.
pub(super) type Wakers = Arc<Mutex<Vec<(Waker, Arc<AtomicBool>)>>>;

pub(super) struct SimulatedHandler {
    pub(super) kernel: SharedKernel,
    pub(super) wakers: Wakers,
    pub(super) files: Files,
    pub(super) state: State,
    /// The waker of the first request that waited.
    pub(super) waker: Option<Waker>,
}

/// What the handler does for the current request.
pub(super) enum State {
    File,
    /// Waits until this is true.
    Wait(Arc<AtomicBool>),
    /// Receives content, and counts its bytes.
    Receive(usize),
    /// Creates a file with as many bytes, writes them, commits it.
    Create(usize),
    Write,
    Commit,
}

impl SimulatedHandler {
    fn wait(&mut self, ex: &mut Exchange<'_>, millis: u64) -> Next {
        let happened = Arc::new(AtomicBool::new(false));
        let mut wakers = self.wakers.lock().expect("no holder panics");
        let first = self.waker.get_or_insert_with(|| ex.waker().clone());
        let mut kernel = self.kernel.lock();
        // A waker is valid as long as its connection, and may be called too often, or too late.
        let waker = match kernel.random.one_in(3) {
            true => &*first,
            false => ex.waker(),
        };
        wakers.push((waker.clone(), Arc::clone(&happened)));
        let at = kernel.now + Duration::from_millis(millis);
        kernel.at(at, Task::Wake(wakers.len() - 1));
        if kernel.random.one_in(3) {
            let again = at + kernel.random.time(Duration::from_millis(300));
            kernel.at(again, Task::Wake(wakers.len() - 1));
        }
        self.state = State::Wait(happened);
        Next::Wait(WAIT_MAX)
    }
}

impl Handler for SimulatedHandler {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let path = ex.path();
        if let Some(path) = path.strip_prefix("/wait/") {
            let millis = path.split(['/', '?']).nth(1);
            return self.wait(ex, millis.and_then(|it| it.parse().ok()).unwrap_or(0));
        }
        if path.starts_with("/refuse/") {
            return reply(ex, 413, b"refused");
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
            (State::Wait(happened), Event::Woken) => match happened.load(Ordering::Relaxed) {
                true => reply(ex, 200, b"woken"),
                false => Next::Wait(WAIT_MAX),
            },
            (State::Receive(len), Event::Data(bytes)) => {
                *len += bytes.len();
                Next::Body
            }
            (State::Receive(len), Event::End) => {
                self.state = State::Create(*len);
                create()
            }
            (State::Create(len), Event::Created(_)) => {
                let bytes = vec![b'x'; *len];
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
