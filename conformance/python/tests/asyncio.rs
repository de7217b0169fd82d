//! Runs the suite on the Python package's server for asyncio, over sockets. The handlers of cases are coroutines. Files,
//! scripts and uploads are served by the engine's services, whose bytes asyncio moves.

#![cfg(unix)]

#[path = "../../tests/tools/mod.rs"]
mod tools;

use std::cell::Cell;
use std::collections::HashMap;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use sanserve_conformance::{Case, Client, Site, clients, run_except};
use serde_json::{Value, json};
use tempfile::TempDir;
use tools::KillOnDrop;

/// Builds the extension module with the settings of the cases, and makes a folder with the package.
fn package() -> TempDir {
    let arguments = ["build", "--features", "conformance"];
    let format = ["--message-format", "json"];
    let module = tools::built_library("adapters/python", &[&arguments[..], &format].concat());
    let source = tools::inner_build::root().join("adapters/python/python/sanserve");
    let folder = tempfile::tempdir().expect("a folder");
    let package = folder.path().join("sanserve");
    fs::create_dir(&package).expect("a folder");
    for entry in fs::read_dir(source).expect("the package") {
        let entry = entry.expect("an entry");
        symlink(entry.path(), package.join(entry.file_name())).expect("a link");
    }
    symlink(module, package.join("_engine.abi3.so")).expect("a link");
    folder
}

/// A process of Python that runs the servers. It stops when this is dropped.
struct Python {
    _process: KillOnDrop,
    commands: Mutex<ChildStdin>,
    ports: Mutex<BufReader<ChildStdout>>,
    /// The standard error of the process. It is a file, so that a line is complete as soon as it is written.
    log: File,
}

impl Python {
    fn start(python: &Path, package: &Path) -> Python {
        let script = tools::inner_build::root().join("conformance/python/tests/asyncio/serve.py");
        let log = tempfile::tempfile().expect("a file for the log");
        let mut command = Command::new(python);
        command.arg(script).env("PYTHONPATH", package);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(log.try_clone().expect("a second handle"));
        let mut process = command.spawn().expect("Python runs");
        Python {
            commands: Mutex::new(process.stdin.take().expect("a pipe")),
            ports: Mutex::new(BufReader::new(process.stdout.take().expect("a pipe"))),
            _process: KillOnDrop(process),
            log,
        }
    }

    fn tell(&self, command: &Value) {
        let mut commands = self.commands.lock().expect("not poisoned");
        writeln!(commands, "{command}").expect("Python reads");
    }

    /// Starts a server for a case. Returns its port.
    fn serve(&self, case: &Case, root: &Path) -> u16 {
        self.tell(&json!(["start", case.handler, case.options, root]));
        let mut line = String::new();
        let mut ports = self.ports.lock().expect("not poisoned");
        ports.read_line(&mut line).expect("Python writes");
        let port = line.trim().parse();
        port.unwrap_or_else(|_| panic!("Python has failed:\n{}", self.log_from(0)))
    }

    /// Returns the log after this many bytes.
    fn log_from(&self, at: u64) -> String {
        let end = self.log.metadata().expect("its length").len();
        let mut bytes = vec![0; (end - at) as usize];
        self.log.read_exact_at(&mut bytes, at).expect("the log");
        String::from_utf8(bytes).expect("the log is UTF-8")
    }

    /// Returns the log after this many bytes, once it has as many lines as the case expects if its client disconnects:
    /// the conversation does not wait for them.
    fn log_of(&self, case: &Case, at: u64) -> String {
        let (lines, within) = match case.hangs_up() {
            true => (case.log.len(), case.pace.within.unwrap_or_default()),
            false => (0, Duration::ZERO),
        };
        let until = Instant::now() + within;
        loop {
            let log = self.log_from(at);
            if log.lines().count() >= lines || Instant::now() >= until {
                return log;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The cases in which a handler makes a mistake. A field with a line break raises an exception in Python, and too little
/// content is noticed after the head has been sent.
const MISTAKES: [&str; 2] = [
    "python/an injected field is not sent",
    "python/less content than announced",
];

#[test]
fn conforms() {
    let python = env::var_os("PYTHON").map(PathBuf::from);
    let Some(python) = python.or_else(|| tools::find("python3")) else {
        return;
    };
    let (package, site) = (package(), Site::standard().in_temp_dir().expect("a site"));
    let python = Arc::new(Python::start(&python, package.path()));
    let (mut started, logged) = (HashMap::new(), Cell::new(0));
    let connect = clients(|case: &Case| {
        let start = || Ok::<_, std::io::Error>(python.serve(case, &site.root_for(case)?));
        let is_own = case.stores || case.stops();
        let port = match is_own {
            true => start()?,
            false => {
                let setup = (case.handler.clone(), case.options.clone());
                *started
                    .entry(setup)
                    .or_insert_with(|| start().expect("a site"))
            }
        };
        let client = Client::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let (stopped, ended, case) = (Arc::clone(&python), Arc::clone(&python), case.clone());
        let client = client.with_stop(move || stopped.tell(&json!(["stop", port])));
        let logged = &logged;
        Ok((client, move || {
            let log = ended.log_of(&case, logged.get());
            logged.set(logged.get() + log.len() as u64);
            if is_own {
                ended.tell(&json!(["drop", port]));
            }
            log
        }))
    });
    let excludes = |case: &Case| match case {
        _ if case.upgrades => Some("upgrades"),
        _ if MISTAKES.contains(&&*case.name) => Some("mistakes of handlers"),
        // Scripts block the loop: they are a service of the engine, which asyncio does not offer.
        _ if case.handler == "cgi" && case.hangs_up() => Some("disconnecting while a script runs"),
        _ => None,
    };
    run_except("asyncio in Python", excludes, connect);
}
