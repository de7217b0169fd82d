//! [`Machine`]: builds an image of `examples/firmware`, runs it in QEMU, and controls its connections. One serial line
//! carries the bytes of a connection, unless a network does; on the control line, the test sends commands and the machine
//! reports events.

use std::env;
use std::fs;
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

use crate::tools::{self, KillOnDrop, inner_build};

/// A kind of machine that QEMU emulates.
pub(crate) struct Board {
    pub(crate) target: &'static str,
    qemu: &'static str,
    arguments: &'static [&'static str],
    /// The arguments that connect the network device to the network.
    network: [&'static str; 2],
    /// Whether there is a serial line for data before the control line.
    has_data_line: bool,
    /// Whether some cases are too large for its memory.
    pub(crate) is_small: bool,
}

/// The board with a Cortex-M3.
pub(crate) const LM3S6965: Board = Board {
    target: "thumbv7m-none-eabi",
    qemu: "qemu-system-arm",
    arguments: &["-machine", "lm3s6965evb"],
    network: ["-net", "nic,netdev=network"],
    has_data_line: true,
    is_small: true,
};

/// The machine with a RISC-V processor and a virtio network.
pub(crate) const VIRT: Board = Board {
    target: "riscv64gc-unknown-none-elf",
    qemu: "qemu-system-riscv64",
    arguments: &["-machine", "virt", "-bios", "none"],
    network: ["-device", "virtio-net-device,netdev=network"],
    has_data_line: false,
    is_small: false,
};

/// A running machine. It stops when this is dropped.
pub(crate) struct Machine {
    _qemu: KillOnDrop,
    _folder: TempDir,
    setups: Vec<Setup>,
    lines: Arc<SerialLines>,
}

/// The serial lines of a machine.
struct SerialLines {
    data: Option<UnixStream>,
    control: Mutex<UnixStream>,
    state: Mutex<State>,
    changed: Condvar,
    /// Whether the machine accepts orders.
    ready: AtomicBool,
    /// Whether the machine has failed.
    dead: AtomicBool,
}

/// The state of a connection.
#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// The number of bytes that were read, and the final number of bytes.
    read: usize,
    end: Option<usize>,
    log: String,
    /// Whether the machine has set up the connection.
    begun: bool,
    /// It has ended; the number of heap bytes in use.
    closed: Option<usize>,
}

impl Board {
    /// Returns whether QEMU is installed, and prints a message if not.
    pub(crate) fn has_qemu(&self) -> bool {
        tools::find(self.qemu).is_some()
    }

    /// Builds the images and returns the path of one. Returns none, and prints a message, if QEMU is missing.
    pub(crate) fn build(&self, image: &str) -> Option<PathBuf> {
        tools::find(self.qemu)?;
        let arguments = ["build", "--quiet", "--release", "--features", "conformance"];
        let built = self.cargo(&arguments).status().expect("cargo runs");
        assert!(built.success(), "the firmware is built");
        let images = inner_build::target().join(self.target).join("release");
        Some(images.join(image))
    }

    /// Returns a cargo command in the folder of the firmware.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = inner_build::cargo("examples/firmware");
        // The images nearly fill the flash and contain the paths of sources, so their size must not depend on the path of
        // the repository and of the crates.
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let root = root.canonicalize().expect("the root exists");
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
        let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
        let registries = registries.into_iter().flatten().flatten();
        let folders = [root]
            .into_iter()
            .chain(registries.map(|entry| entry.path()));
        let remaps = folders.map(|folder| format!("--remap-path-prefix={}/=", folder.display()));
        let remaps: Vec<_> = remaps.collect();
        let flags = format!("target.{}.rustflags={remaps:?}", self.target);
        cargo.args(arguments);
        cargo.args(["--locked", "--target", self.target, "--config", &flags]);
        cargo
    }
}

impl Machine {
    /// Starts a machine with additional arguments.
    pub(crate) fn start(board: &Board, image: &Path, arguments: &[&str]) -> io::Result<Machine> {
        let folder = TempDir::new()?;
        let mut qemu = Command::new(board.qemu);
        qemu.args(board.arguments);
        qemu.args(["-display", "none", "-monitor", "none"]);
        let mut listeners = Vec::new();
        for line in &["data", "control"][usize::from(!board.has_data_line)..] {
            let path = folder.path().join(line);
            listeners.push(UnixListener::bind(&path)?);
            qemu.arg("-serial").arg(format!("unix:{}", path.display()));
        }
        let qemu = qemu.arg("-kernel").arg(image).args(arguments);
        let mut qemu = KillOnDrop(qemu.stdin(Stdio::null()).spawn()?);
        let mut accepted = Vec::new();
        for listener in listeners {
            accepted.push(accept(&listener, &mut qemu.0)?);
        }
        let control = accepted.pop().expect("the control line is the last");
        let data = accepted.pop();
        let lines = Arc::new(SerialLines {
            data: data.as_ref().map(UnixStream::try_clone).transpose()?,
            control: Mutex::new(control.try_clone()?),
            state: Mutex::default(),
            changed: Condvar::new(),
            ready: AtomicBool::new(false),
            dead: AtomicBool::new(false),
        });
        let (data_lines, control_lines) = (Arc::clone(&lines), Arc::clone(&lines));
        if let Some(data) = data {
            thread::spawn(move || data_lines.receive_data(data));
        }
        thread::spawn(move || control_lines.receive_control(control));
        Ok(Machine {
            _qemu: qemu,
            _folder: folder,
            setups: Suite::standard().setups(),
            lines,
        })
    }

    /// Starts a machine with a network. Its port 80 is available at the returned address.
    pub(crate) fn start_with_network(
        board: &Board,
        image: &Path,
    ) -> io::Result<(Machine, SocketAddr)> {
        // QEMU does not report a port that it has chosen. So a free one is found first, and another if it was taken
        // meanwhile.
        for _ in 0..10 {
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let network = format!("user,id=network,restrict=on,hostfwd=tcp:{address}-:80");
            let [device, options] = board.network;
            let arguments = ["-netdev", &network, device, options];
            if let Ok(machine) = Machine::start(board, image, &arguments) {
                return Ok((machine, address));
            }
        }
        Err(ErrorKind::AddrInUse.into())
    }

    /// Orders a connection with the setup of a case, and waits until the machine is ready for it.
    pub(crate) fn begin(&self, case: &Case) -> io::Result<()> {
        self.order_connection("begin", case)
    }

    /// Like [`begin`](Self::begin), but the connection is not logged: QEMU needs more time for the bytes of a log than the
    /// machine needs for the requests.
    pub(crate) fn begin_quietly(&self, case: &Case) -> io::Result<()> {
        self.order_connection("quiet", case)
    }

    fn order_connection(&self, order: &str, case: &Case) -> io::Result<()> {
        let setup = case.setup();
        let setup = self.setups.iter().position(|known| *known == setup);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix = unix.expect("it is later than 1970").as_secs();
        let is_ready = |_: &State| self.lines.ready.load(Ordering::Relaxed);
        *self.lines.wait(is_ready) = State::default();
        let setup = setup.expect("the suite has this setup");
        self.lines
            .send_order(&format!("{order} {setup} {unix}\n"))?;
        drop(self.lines.wait(|state| state.begun));
        Ok(())
    }

    /// Returns both directions of the connection on the serial line.
    pub(crate) fn wire(&self) -> (Input, Output) {
        let (data_lines, control_lines) = (Arc::clone(&self.lines), Arc::clone(&self.lines));
        (Input(data_lines), Output(control_lines, 0))
    }

    /// Waits until the connection has ended. Returns the log, and the number of heap bytes in use.
    pub(crate) fn end(&self) -> (String, usize) {
        let mut state = self.lines.wait(|state| state.closed.is_some());
        let used = state.closed.expect("the machine ends each connection");
        (mem::take(&mut state.log), used)
    }
}

/// Waits until QEMU connects to a line, or exits.
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

impl SerialLines {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a condition, for at most 20 seconds.
    fn wait(&self, mut condition: impl FnMut(&State) -> bool) -> MutexGuard<'_, State> {
        let timeout = Duration::from_secs(20);
        let waiting = |state: &mut State| !self.dead.load(Ordering::Relaxed) && !condition(state);
        let waited = self
            .changed
            .wait_timeout_while(self.state(), timeout, waiting);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn send_order(&self, order: &str) -> io::Result<()> {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        control.write_all(order.as_bytes())
    }

    fn receive_data(&self, mut data: UnixStream) {
        let mut piece = [0; 4096];
        while let Ok(n @ 1..) = data.read(&mut piece) {
            self.state().bytes.extend(&piece[..n]);
            self.changed.notify_all();
        }
    }

    fn receive_control(&self, control: UnixStream) {
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
                    eprintln!("unexpected message of the machine: {line}");
                    self.dead.store(true, Ordering::Relaxed);
                }
            }
            self.changed.notify_all();
        }
    }
}

/// The bytes that the machine sends on its serial line, up to the end of the connection.
pub(crate) struct Input(Arc<SerialLines>);

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

/// Writes to the machine, and counts the bytes. Dropping it sends the end with the count.
pub(crate) struct Output(Arc<SerialLines>, usize);

impl Write for Output {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let data = self.0.data.as_ref();
        let n = data.expect("the board has this line").write(from)?;
        self.1 += n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let _ = self.0.send_order(&format!("end {}\n", self.1));
    }
}
