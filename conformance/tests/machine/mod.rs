//! [`Machine`]: an image of `examples/firmware` in QEMU, and what it says on its control line.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sanserve_conformance::{Case, Setup, Suite};
use tempfile::TempDir;

use crate::tools::{self, inner_build};

/// A machine that runs; it ends when this is dropped.
pub(crate) struct Machine {
    _qemu: Running,
    _folder: TempDir,
    setups: Vec<Setup>,
    wires: Arc<Wires>,
}

/// The lines that lead to it.
struct Wires {
    link: UnixStream,
    control: Mutex<UnixStream>,
    state: Mutex<State>,
    changed: Condvar,
    /// It hears what is said.
    ready: AtomicBool,
    /// Nothing more is to be expected of it.
    dead: AtomicBool,
}

/// What came of one connection.
#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// How many of them were read, and how many will be.
    read: usize,
    end: Option<usize>,
    log: String,
    /// It knows what to be.
    begun: bool,
    /// It is over, and so much of the machine's heap is in use.
    closed: Option<usize>,
}

/// Builds the images and answers where this one is, or none, which is said, if there is nothing to run it on.
pub(crate) fn build(image: &str) -> Option<PathBuf> {
    tools::find("qemu-system-arm")?;
    let arguments = ["build", "--quiet", "--release", "--features", "conformance"];
    let built = cargo(&arguments).status().expect("cargo runs");
    assert!(built.success(), "the firmware is built");
    let images = inner_build::target().join("thumbv7m-none-eabi/release");
    Some(images.join(image))
}

/// Cargo with these arguments, where the firmware is.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = inner_build::cargo("examples/firmware");
    // The images fill the flash nearly, and the paths of sources are in them: their size must not depend on where this
    // clone is.
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let root = root.canonicalize().expect("the root is there");
    let remap = format!("--remap-path-prefix={}/=", root.display());
    let flags = format!("target.thumbv7m-none-eabi.rustflags=[{remap:?}]");
    cargo
        .arg("--config")
        .arg(flags)
        .arg("--locked")
        .args(arguments);
    cargo
}

/// A process that ends when this is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Machine {
    /// Starts the machine with these further arguments.
    pub(crate) fn start(image: &Path, arguments: &[&str]) -> io::Result<Machine> {
        let folder = TempDir::new()?;
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args([
            "-machine",
            "lm3s6965evb",
            "-display",
            "none",
            "-monitor",
            "none",
        ]);
        let mut listeners = Vec::new();
        for line in ["link", "control"] {
            let path = folder.path().join(line);
            listeners.push(UnixListener::bind(&path)?);
            qemu.arg("-serial").arg(format!("unix:{}", path.display()));
        }
        let qemu = qemu.arg("-kernel").arg(image).args(arguments);
        let mut qemu = Running(qemu.stdin(Stdio::null()).spawn()?);
        let mut accepted = Vec::new();
        for listener in listeners {
            accepted.push(accept(&listener, &mut qemu.0)?);
        }
        let [link, control] = accepted.try_into().expect("two were accepted");
        let wires = Arc::new(Wires {
            link: link.try_clone()?,
            control: Mutex::new(control.try_clone()?),
            state: Mutex::default(),
            changed: Condvar::new(),
            ready: AtomicBool::new(false),
            dead: AtomicBool::new(false),
        });
        let (one, other) = (Arc::clone(&wires), Arc::clone(&wires));
        thread::spawn(move || one.hear_link(link));
        thread::spawn(move || other.hear_control(control));
        Ok(Machine {
            _qemu: qemu,
            _folder: folder,
            setups: Suite::standard().setups(),
            wires,
        })
    }

    /// Starts the machine with a network, in which its port 80 is that address.
    pub(crate) fn start_with_network(image: &Path) -> io::Result<(Machine, SocketAddr)> {
        // Nothing tells which port QEMU has found free. So one is found for it, and another if somebody
        // was faster.
        for _ in 0..10 {
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let network = format!("user,restrict=on,hostfwd=tcp:{address}-:80");
            if let Ok(machine) = Machine::start(image, &["-nic", &network]) {
                return Ok((machine, address));
            }
        }
        Err(ErrorKind::AddrInUse.into())
    }

    /// Says that a connection to such a server begins, and waits until it knows.
    pub(crate) fn begin(&self, case: &Case) -> io::Result<()> {
        let setup = case.setup();
        let setup = self.setups.iter().position(|known| *known == setup);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix = unix.expect("it is later than 1970").as_secs();
        let is_ready = |_: &State| self.wires.ready.load(Ordering::Relaxed);
        *self.wires.wait(is_ready) = State::default();
        let setup = setup.expect("all setups are known");
        self.wires.say(&format!("begin {setup} {unix}\n"))?;
        drop(self.wires.wait(|state| state.begun));
        Ok(())
    }

    /// Both directions of the connection on the serial line.
    pub(crate) fn wire(&self) -> (Input, Output) {
        let (one, other) = (Arc::clone(&self.wires), Arc::clone(&self.wires));
        (Input(one), Output(other, 0))
    }

    /// Waits until the connection is over, and answers the log, and how much of the heap is in use.
    pub(crate) fn end(&self) -> (String, usize) {
        let mut state = self.wires.wait(|state| state.closed.is_some());
        let used = state.closed.expect("the machine ends each connection");
        (mem::take(&mut state.log), used)
    }
}

/// Waits for QEMU to take the line up, unless it ends before.
fn accept(listener: &UnixListener, qemu: &mut Child) -> io::Result<UnixStream> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((line, _)) => {
                line.set_nonblocking(false)?;
                return Ok(line);
            }
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ if qemu.try_wait()?.is_some() => return Err(ErrorKind::AddrInUse.into()),
            _ => thread::yield_now(),
        }
    }
}

impl Wires {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is so, for 20 seconds at most.
    fn wait(&self, mut is_so: impl FnMut(&State) -> bool) -> MutexGuard<'_, State> {
        let timeouts = Duration::from_secs(20);
        let unless = |state: &mut State| !self.dead.load(Ordering::Relaxed) && !is_so(state);
        let waited = self
            .changed
            .wait_timeout_while(self.state(), timeouts, unless);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn say(&self, order: &str) -> io::Result<()> {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        control.write_all(order.as_bytes())
    }

    fn hear_link(&self, mut link: UnixStream) {
        let mut piece = [0; 4096];
        while let Ok(n @ 1..) = link.read(&mut piece) {
            self.state().bytes.extend(&piece[..n]);
            self.changed.notify_all();
        }
    }

    fn hear_control(&self, control: UnixStream) {
        for line in io::BufRead::lines(io::BufReader::new(control)) {
            let Ok(line) = line else { return };
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let mut state = self.state();
            match word {
                "ready" => self.ready.store(true, Ordering::Relaxed),
                "begun" => state.begun = true,
                "log" => state.log += &format!("{rest}\n"),
                "end" => state.end = rest.parse().ok(),
                "closed" => state.closed = rest.parse().ok(),
                _ => {
                    eprintln!("the machine says: {line}");
                    self.dead.store(true, Ordering::Relaxed);
                }
            }
            self.changed.notify_all();
        }
    }
}

/// What the machine sends on its serial line, up to where it says that this ends.
pub(crate) struct Input(Arc<Wires>);

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ready = |state: &State| state.read < state.bytes.len() || state.end == Some(state.read);
        let mut state = self.0.wait(ready);
        if !ready(&state) {
            return Err(ErrorKind::TimedOut.into());
        }
        let mut rest = &state.bytes[state.read..];
        let n = rest.read(into)?;
        state.read += n;
        Ok(n)
    }
}

/// What is sent to it, and how much that was. To drop it says that this is all.
pub(crate) struct Output(Arc<Wires>, usize);

impl Write for Output {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let n = (&self.0.link).write(from)?;
        self.1 += n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let _ = self.0.say(&format!("end {}\n", self.1));
    }
}
