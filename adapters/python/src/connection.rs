//! [`Connection`]: the engine for one connection, driven by Python.
//!
//! Each method that makes progress returns an [`Event`], which says what Python has to do next. On a socket the GIL is
//! released until then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use sanserve_core::{Connection as Engine, FileSystem, FsError, Got, Now, Phase, Want};
use sanserve_server::OpenFile;

use crate::log;
use crate::relay::{Command, Progress, Relay, lock};
use crate::request::Request;
use crate::settings::{Settings, Shared};
#[cfg(unix)]
use crate::socket::Socket;
use crate::transport::{Memory, Moved, Transport};

/// What happened, or what Python has to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The connection has ended.
    Closed,
    /// A request has arrived for Python.
    Request,
    /// The last operation is complete.
    Ready,
    /// Only without a socket: the engine needs input, or the deadline has to pass.
    WantsInput,
    /// Only without a socket: there is output to send before the engine continues.
    HasOutput,
    /// There are log events.
    Log,
    /// The connection belongs to another protocol now.
    Upgraded,
    /// The bytes that Python has written are no valid reply, and the connection closes.
    Refused,
    /// Only without a socket: the engine sends nothing more, so the sending side is to be closed after the output.
    Shutdown,
    /// A signal has arrived. Python never gets this event.
    Interrupted,
}

/// The engine for one connection.
#[pyclass(frozen, module = "sanserve._engine")]
pub(crate) struct Connection {
    inner: Mutex<Inner>,
    stop: Arc<Stop>,
}

/// Asks a connection to stop, while another thread uses it.
#[derive(Default)]
struct Stop {
    /// Whether the current reply is the last one.
    is_requested: AtomicBool,
    /// Whether the connection waits for a request, of which nothing has arrived.
    is_idle: AtomicBool,
}

struct Inner {
    /// `None` once the connection has ended.
    engine: Option<Engine<OpenFile, Relay>>,
    transport: Transport,
    settings: Arc<Shared>,
    progress: Arc<Mutex<Progress>>,
    stop: Arc<Stop>,
    /// The answer to the want that is pending.
    got: Got<OpenFile>,
    deadline: Option<Duration>,
    start: Instant,
    /// Whether the relay waits for a command.
    is_waiting: bool,
    /// Whether Python has a request that it has not ended.
    has_request: bool,
    /// Whether the engine has ended the reply to it already.
    is_ended: bool,
    /// Whether the connection can be closed as soon as the output is sent, because the peer sends nothing more.
    closes_when_drained: bool,
    log: String,
    received: Vec<u8>,
}

impl Inner {
    fn new(settings: Arc<Shared>, client_address: &str, transport: Transport) -> Inner {
        let progress = Arc::new(Mutex::new(Progress::default()));
        let relay = Relay::new(Arc::clone(&settings), Arc::clone(&progress));
        let mut engine = Engine::new(Arc::clone(&settings.config), client_address, relay);
        engine.allow_upgrade();
        Inner {
            engine: Some(engine),
            transport,
            settings,
            progress,
            stop: Arc::default(),
            got: Got::Nothing,
            deadline: None,
            start: Instant::now(),
            is_waiting: false,
            has_request: false,
            is_ended: false,
            closes_when_drained: false,
            log: String::new(),
            received: Vec::new(),
        }
    }

    /// Does something, and runs the engine if there is something to do.
    fn begin(&mut self, begin: impl FnOnce(&mut Inner) -> bool) -> Event {
        match begin(self) {
            true => self.advance(),
            false if self.engine.is_some() && self.is_ended => Event::Ready,
            false => Event::Closed,
        }
    }

    /// Runs the engine until Python has to do something.
    fn advance(&mut self) -> Event {
        let Some(mut engine) = self.engine.take() else {
            return Event::Closed;
        };
        let event = self.drive(&mut engine);
        match event {
            Event::Closed => {}
            Event::Upgraded => self.received = engine.into_upgraded().received,
            _ => self.engine = Some(engine),
        }
        event
    }

    fn drive(&mut self, engine: &mut Engine<OpenFile, Relay>) -> Event {
        let settings = Arc::clone(&self.settings);
        let disk = settings.disk.as_ref();
        if self.closes_when_drained && self.transport.is_drained() {
            return Event::Closed;
        }
        let mut got = std::mem::replace(&mut self.got, Got::Nothing);
        self.is_waiting = false;
        loop {
            if self.stop.is_requested.load(Ordering::Relaxed) && !self.is_sending_last_reply() {
                engine.finish();
            }
            let now = self.now();
            self.transport.report_delivery(engine, now);
            let step = engine.step(now, got);
            let is_idle = step.phase == Phase::Idle;
            self.stop.is_idle.store(is_idle, Ordering::Relaxed);
            self.deadline = step.deadline;
            let left = step
                .deadline
                .map(|deadline| deadline.saturating_sub(now.tick));
            let is_output = matches!(step.want, Want::Write(_) | Want::Log(_));
            if !is_output && self.completes() {
                return match self.mistake() {
                    Some(_) => Event::Refused,
                    None => Event::Ready,
                };
            }
            let moved = match step.want {
                Want::Read(into) => self.transport.read(into, left),
                Want::Write(from) => self.transport.write(from, left),
                Want::Wait => match self.wait() {
                    Some(event) => return event,
                    None => Moved::Answer(Got::Woken),
                },
                Want::Log(lines) => match self.log(lines) {
                    Some(event) => return event,
                    None => Moved::Answer(Got::Nothing),
                },
                Want::Shutdown => {
                    self.closes_when_drained = !step.peer_may_send;
                    match self.transport.shutdown() {
                        Some(event) => Moved::Pause(event),
                        None if self.closes_when_drained => return Event::Closed,
                        None => Moved::Answer(Got::Nothing),
                    }
                }
                Want::Upgrade => return Event::Upgraded,
                Want::Close => return Event::Closed,
                want => Moved::Answer(answer(disk, want)),
            };
            got = match moved {
                Moved::Answer(got) => got,
                Moved::Pause(event) => return event,
            };
        }
    }

    /// Returns whether the engine has written a whole reply whose output has not left this process.
    fn is_sending_last_reply(&self) -> bool {
        self.stop.is_idle.load(Ordering::Relaxed) && !self.transport.is_drained()
    }

    /// Returns whether the reply has become complete although Python has not ended it.
    fn completes(&mut self) -> bool {
        let completes = std::mem::take(&mut lock(&self.progress).is_complete);
        self.is_ended |= completes;
        completes
    }

    fn mistake(&self) -> Option<&'static str> {
        lock(&self.progress).mistake
    }

    /// Decides what to do while the relay waits: return to Python, or run its next command.
    fn wait(&mut self) -> Option<Event> {
        let progress = lock(&self.progress);
        if !progress.commands.is_empty() {
            return None;
        }
        self.is_waiting = true;
        let is_new = progress.request.is_some() && !self.has_request;
        drop(progress);
        if is_new {
            (self.has_request, self.is_ended) = (true, false);
        }
        Some(if is_new { Event::Request } else { Event::Ready })
    }

    /// Writes log lines, or keeps them for Python.
    fn log(&mut self, lines: &str) -> Option<Event> {
        match self.settings.write_log {
            Some(write) => {
                write(lines);
                None
            }
            None => {
                self.log.push_str(lines);
                Some(Event::Log)
            }
        }
    }

    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        Now {
            tick: self.start.elapsed(),
            unix: unix.map(|unix| unix.as_secs() as i64),
        }
    }

    /// Gives a command to the relay, which runs it when it waits for one. Returns false if there is nothing to do, since
    /// the reply is complete already or there is no request.
    fn command(&mut self, command: Command) -> bool {
        if self.is_ended || !self.has_request {
            return false;
        }
        self.push(command);
        true
    }

    fn push(&mut self, command: Command) {
        if self.is_waiting {
            self.got = Got::Woken;
        }
        lock(&self.progress).commands.push_back(command);
    }

    /// Ends the current request, if there is one.
    fn finish(&mut self, close: bool) {
        let had_request = std::mem::take(&mut self.has_request);
        match &mut self.engine {
            Some(engine) if close && (self.is_ended || !had_request) => engine.finish(),
            _ if had_request && !self.is_ended => self.push(Command::Finish(close)),
            _ => {}
        }
    }
}

/// Answers a want about files.
fn answer(disk: Option<&sanserve_server::Disk>, want: Want<'_, OpenFile>) -> Got<OpenFile> {
    let Some(disk) = disk else {
        return Got::Refused(FsError::Unsupported);
    };
    match want {
        Want::Ask(ask) => disk.answer(ask).unsendable(),
        Want::ReadFile { file, at, into } => disk.fill(file, at, into),
        Want::WriteFile { file, from } => disk.answer_write(file, from),
        Want::Commit { file } => Got::Committed(disk.commit(file)),
        _ => Got::Nothing,
    }
}

impl Connection {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something without the GIL, and continues when Python has handled signals.
    fn run(&self, py: Python<'_>, begin: impl FnOnce(&mut Inner) -> bool + Send) -> PyResult<u8> {
        let mut event = py.detach(|| {
            let mut inner = self.inner();
            inner.begin(begin)
        });
        while event == Event::Interrupted {
            py.check_signals()?;
            event = py.detach(|| self.inner().advance());
        }
        Ok(event as u8)
    }
}

#[pymethods]
impl Connection {
    /// `descriptor` is that of a connected socket, which must stay open as long as the connection is used. Without it,
    /// Python moves the bytes; `watched` is then the descriptor of the TCP socket on which it does, so that the system
    /// can be asked what the client has received.
    #[new]
    #[pyo3(signature = (settings, client_address, descriptor=None, *, watched=None))]
    fn new(
        settings: &Settings,
        client_address: &str,
        descriptor: Option<i32>,
        #[cfg_attr(not(unix), allow(unused_variables, reason = "only Unix can be asked"))] watched: Option<i32>,
    ) -> Connection {
        let transport = match descriptor {
            #[cfg(unix)]
            Some(descriptor) => Transport::Socket(Socket::new(descriptor)),
            #[cfg(unix)]
            None => Transport::Memory(Memory::new(watched.map(Socket::new))),
            #[cfg(not(unix))]
            _ => Transport::Memory(Memory::default()),
        };
        let inner = Inner::new(Arc::clone(&settings.0), client_address, transport);
        let stop = Arc::clone(&inner.stop);
        Connection {
            inner: Mutex::new(inner),
            stop,
        }
    }

    /// Continues after an event that Python has handled. Returns the next event.
    fn advance(&self, py: Python<'_>) -> PyResult<u8> {
        self.run(py, |_| true)
    }

    /// Ends the reply to the current request, if there is one, and waits for the next request. With `close` the
    /// connection is closed instead.
    #[pyo3(signature = (close=false))]
    fn next_request(&self, py: Python<'_>, close: bool) -> PyResult<u8> {
        self.run(py, |inner| {
            inner.finish(close);
            true
        })
    }

    /// Returns the request that has arrived, once.
    fn request(&self) -> Option<Request> {
        lock(&self.inner().progress).request.take()
    }

    /// Writes bytes of the reply, head or content.
    fn write(&self, py: Python<'_>, data: PyBackedBytes) -> PyResult<u8> {
        self.run(py, |inner| inner.command(Command::Write(data.to_vec())))
    }

    /// Reads content of the request. After `READY`, `content` returns it.
    fn read_content(&self, py: Python<'_>) -> PyResult<u8> {
        self.run(py, |inner| inner.command(Command::Content))
    }

    /// Returns the content that was read, which is empty at its end.
    fn content<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let content = lock(&self.inner().progress).content.take();
        PyBytes::new(py, &content.unwrap_or_default())
    }

    /// Lets the service answer the current request.
    fn serve(&self, py: Python<'_>) -> PyResult<u8> {
        self.run(py, |inner| inner.command(Command::Serve))
    }

    /// Lets the service run the script of the current request. The reply is 501 if its path is not that of a script.
    fn run_script(&self, py: Python<'_>) -> PyResult<u8> {
        self.run(py, |inner| inner.command(Command::RunScript))
    }

    /// Returns the mistake in the bytes of the reply, if there was one.
    #[getter]
    fn mistake(&self) -> Option<&'static str> {
        self.inner().mistake()
    }

    /// Returns the log events: their kind, the request line, the status and a text.
    fn log_events(&self) -> Vec<log::Event> {
        log::parse(&std::mem::take(&mut self.inner().log)).collect()
    }

    /// Makes the current reply the last one. It may be called while another thread uses the connection. Returns whether
    /// the connection is idle: then a thread that waits for its socket has to be woken.
    fn shutdown(&self) -> bool {
        self.stop.is_requested.store(true, Ordering::SeqCst);
        self.stop.is_idle.load(Ordering::SeqCst)
    }

    /// Returns the seconds until the deadline of the current wait, or None.
    #[getter]
    fn timeout(&self) -> Option<f64> {
        let inner = self.inner();
        let deadline = inner.deadline?;
        Some(deadline.saturating_sub(inner.start.elapsed()).as_secs_f64())
    }

    /// Gives the engine bytes that the peer has sent.
    fn receive_data(&self, data: &[u8]) {
        if let Some(memory) = self.inner().transport.memory() {
            memory.receive(data);
        }
    }

    /// Sets the number of bytes that `data_to_send` has returned, and that the system has not accepted.
    #[setter]
    fn set_unsent(&self, unsent: usize) {
        if let Some(memory) = self.inner().transport.memory() {
            memory.unsent = unsent;
        }
    }

    /// Tells the engine that the peer has closed its side.
    fn receive_eof(&self) {
        if let Some(memory) = self.inner().transport.memory() {
            memory.is_eof = true;
        }
    }

    /// Tells the engine that the peer has closed its side while a handler works. If nothing is written for two seconds,
    /// the connection closes. `advance` has to follow.
    fn peer_closed(&self) {
        if let Some(engine) = &mut self.inner().engine {
            engine.peer_closed();
        }
    }

    /// Tells the engine that the connection is lost.
    fn connection_lost(&self) {
        if let Some(memory) = self.inner().transport.memory() {
            memory.is_broken = true;
        }
    }

    /// Returns the bytes to be sent, which the caller now has to send.
    fn data_to_send<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut inner = self.inner();
        let Some(memory) = inner.transport.memory() else {
            return PyBytes::new(py, b"");
        };
        let output = PyBytes::new(py, &memory.output);
        memory.output.clear();
        output
    }

    /// Returns the bytes that the peer has sent after its last request, for the protocol that follows.
    fn trailing_data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut inner = self.inner();
        let mut bytes = std::mem::take(&mut inner.received);
        if let Some(memory) = inner.transport.memory() {
            bytes.extend_from_slice(memory.rest());
        }
        PyBytes::new(py, &bytes)
    }
}
