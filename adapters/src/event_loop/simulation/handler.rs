//! [`SimulatedHandler`]: answers the requests of a world: with files, after a wait, by storing, or by an upgrade.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use sanserve_core::{Create, Event, Exchange, Files, Handler, Next, Path};

use super::kernel::{SharedKernel, Task};

/// The wakers of handlers that wait, and whether what each waits for has happened.
pub(super) type Wakers = Arc<Mutex<Vec<(Waker, Arc<AtomicBool>)>>>;

pub(super) struct SimulatedHandler {
    pub(super) kernel: SharedKernel,
    pub(super) wakers: Wakers,
    pub(super) files: Files,
    pub(super) state: State,
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
        wakers.push((ex.waker().clone(), Arc::clone(&happened)));
        let mut kernel = self.kernel.lock();
        let at = kernel.now + Duration::from_millis(millis);
        kernel.at(at, Task::Wake(wakers.len() - 1));
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
        if path.starts_with("/put/") {
            self.state = State::Receive(0);
            return Next::Body;
        }
        if path.starts_with("/upgrade/") {
            ex.send_response(101);
            ex.send_header("Connection", "Upgrade");
            ex.send_header("Upgrade", "simulation");
            ex.end_headers();
            return Next::Upgrade;
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

fn create() -> Next {
    Next::Create(Box::new(Create {
        path: Path::parse("/files/0/0").expect("a valid path"),
        directories_max: 0,
        replaces: None,
        len: None,
    }))
}

fn reply(ex: &mut Exchange<'_>, status: u16, content: &[u8]) -> Next {
    ex.send_response(status);
    ex.send_header("Content-Length", content.len());
    ex.end_headers();
    ex.write(content);
    Next::Done
}

/// A handler that is not woken for so long gives up, and its client gets an error.
const WAIT_MAX: Duration = Duration::from_secs(5);
