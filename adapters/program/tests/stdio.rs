//! Tests `--stdio`: the program passes the conformance cases, and differs from a server in its log, options, signals
//! and deadlines.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use client::{BIG_LEN, TIMEOUT, site};
use rustix::process::{Pid, Signal, kill_process};
use sanserve_conformance::{
    Case, Client, Fragmentation, HangUp, Log, Site, Suite, clients, run_except,
};
use sanserve_core::{Config, Files, Timeouts};
use sanserve_server::{Disk, stdio};

/// The program, with these options.
fn program(directory: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(process::PROGRAM);
    command.env_remove("FORCE_COLOR").env_remove("NO_COLOR");
    command.arg("--stdio").arg("--directory").arg(directory);
    command.args(options);
    command.stderr(Stdio::piped());
    command
}

/// Starts a process for a case.
fn process(case: &Case, site: &Path) -> io::Result<(Client, impl FnOnce() -> String + use<>)> {
    let mut command = program(site, &["--portable-tags"]);
    match case.option("protocol") {
        // Python's default version.
        None if case.option("plain").is_some() => &mut command,
        protocol => command.args(["--protocol", protocol.unwrap_or("HTTP/1.0")]),
    };
    command.args(case.option("plain").map(|_| "--plain"));
    command.args(case.option("hidden").map(|_| "--hidden"));
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let peer = Client::new(
        output.expect("the stream is piped"),
        input.expect("the stream is piped"),
    );
    // Read in another thread, since the log may be longer than a pipe holds.
    let mut stderr = child.stderr.take().expect("the stream is piped");
    let lines = thread::spawn(move || io::read_to_string(&mut stderr).expect("text"));
    let log = move || {
        let status = child.wait().expect("the process exits");
        assert!(status.success(), "{status}");
        let lines = lines.join().expect("reading does not panic");
        // The program also logs the rule that refused a request, which `hidden_names.rs` tests.
        let lines = lines.split_inclusive('\n');
        lines.filter(|line| !line.contains("] refused: ")).collect()
    };
    Ok((peer, log))
}

/// Runs the same loop in this process.
fn in_process(case: &Case, site: &Path) -> io::Result<(Client, impl FnOnce() -> String + use<>)> {
    let ((input, write), (read, output)) = (io::pipe()?, io::pipe()?);
    let disk = Disk::open(site)?
        .with_portable_names(case.portable_names())
        .with_portable_tags(true)
        .with_upload_tokens(sanserve_conformance::upload_token);
    let (case, log) = (case.clone(), Log::default());
    let lines = log.clone();
    let served = thread::spawn(move || {
        let (config, handler) = (case.config(), case.handler());
        let log = |lines: &str| log.push(lines);
        stdio::serve(input.into(), output.into(), &disk, config, handler, &log)
    });
    let log = move || {
        served
            .join()
            .expect("the thread does not panic")
            .expect("the pipe is open");
        lines.take()
    };
    Ok((Client::new(read, write), log))
}

/// Starting processes is slow, so the program runs only the cases whose options its command line has, with two
/// fragmentations. The others run in this process.
#[test]
fn the_program_conforms() {
    let site = Site::standard().in_temp_dir().unwrap();
    let mut by_program = clients(|case| process(case, &site.root_for(case)?));
    let mut by_loop = clients(|case| in_process(case, &site.root_for(case)?));
    let excludes = |case: &Case| match case.pace.hangs_up {
        // The end of a pipe that is written to counts as a reset.
        Some((_, HangUp::Closes)) => Some("clients that close"),
        _ if case.upgrades => Some("upgrades"),
        // A process on standard input and output ends with its connection.
        _ => case.stops().then_some("stopping"),
    };
    run_except("sanserve --stdio", excludes, |case, fragmentation| {
        let mut keys = case.options.iter().map(|(key, _)| key.as_str());
        let sayable =
            keys.all(|key| matches!(key, "protocol" | "hidden" | "pages" | "compress-listings"));
        let ours = case.option("pages").is_some() && case.handler == "files";
        let often = matches!(fragmentation, Fragmentation::Seeded(_));
        if ours && sayable && !often {
            let mut outcome = by_program(case, fragmentation);
            outcome.bytes = without(&outcome.bytes, KEEP_ALIVE);
            // The program compresses listings for clients that accept it.
            if !case.setup().compresses() {
                outcome.bytes = without(&outcome.bytes, b"Vary: Accept-Encoding\r\n");
            }
            outcome
        } else {
            by_loop(case, fragmentation)
        }
    });
}

/// Fields that the program adds and the cases do not have.
const KEEP_ALIVE: &[u8] = b"Connection: keep-alive\r\nKeep-Alive: timeout=54\r\n";

/// Removes each occurrence of `this`.
fn without(mut bytes: &[u8], this: &[u8]) -> Vec<u8> {
    let mut left = Vec::new();
    while let Some(at) = bytes.windows(this.len()).position(|part| part == this) {
        left.extend_from_slice(&bytes[..at]);
        bytes = &bytes[at + this.len()..];
    }
    [&left, bytes].concat()
}

#[test]
fn plain_replies_are_pythons_to_the_byte() {
    let site = Site::standard().in_temp_dir().unwrap();
    let mut by_program = clients(|case| process(case, &site.root_for(case)?));
    let mut by_loop = clients(|case| in_process(case, &site.root_for(case)?));
    let report =
        Suite::plain().check(
            "sanserve --stdio --plain",
            |case, fragmentation| match fragmentation {
                Fragmentation::Seeded(_) => by_loop(case, fragmentation),
                _ => by_program(case, fragmentation),
            },
        );
    assert!(report.passed(), "\n{report}");
    println!("{report}");
}

#[test]
fn only_replies_are_written_to_the_socket_as_with_inetd() {
    let site = site();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = client::connect(listener.local_addr().unwrap());
    let (server, _) = listener.accept().unwrap();
    let end = || Stdio::from(OwnedFd::from(server.try_clone().unwrap()));
    let mut command = program(site.path(), &["--protocol", "HTTP/1.1"]);
    let mut child = command
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .unwrap();
    drop((server, command));

    client::get_hello(&client);
    client::send_get(&client, "/nope");
    assert!(client::read_head(&client).starts_with("HTTP/1.1 404 "));
    client.shutdown(Shutdown::Write).unwrap();
    let mut page = String::new();
    client.read_to_string(&mut page).unwrap();
    assert!(page.ends_with("</html>\n"), "{page}");
    drop(client);
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_peer_of_a_socket_is_known_and_a_large_file_is_sent_to_it() {
    let site = site();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = client::connect(listener.local_addr().unwrap());
    let (server, _) = listener.accept().unwrap();
    let end = || Stdio::from(OwnedFd::from(server.try_clone().unwrap()));
    let mut command = program(site.path(), &[]);
    let child = command.stdin(end()).stdout(end()).spawn().unwrap();
    drop((server, command));

    client.write_all(b"GET /big HTTP/1.0\r\n\r\n").unwrap();
    assert!(client::read_head(&client).contains("Content-Length: 67108864\r\n"));
    assert_eq!(client::drain(&client).unwrap(), BIG_LEN);
    drop(client);
    let ended = child.wait_with_output().unwrap();
    let log = String::from_utf8(ended.stderr).unwrap();
    assert!(log.starts_with("127.0.0.1 - - ["), "{log}");
    assert!(log.ends_with("] \"GET /big HTTP/1.0\" 200 -\n"), "{log}");
}

#[test]
fn a_pipe_gets_a_large_file_and_the_log_has_no_address() {
    let site = site();
    let mut command = program(site.path(), &[]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"GET /big HTTP/1.0\r\n\r\n").unwrap();
    let mut output = child.stdout.take().unwrap();
    // With HTTP/1.0 the connection ends after the reply, although the input is still open.
    let len = io::copy(&mut output, &mut io::sink()).unwrap() as usize;
    assert!((BIG_LEN + 100..BIG_LEN + 1000).contains(&len), "{len}");
    drop(input);
    let ended = child.wait_with_output().unwrap();
    let log = String::from_utf8(ended.stderr).unwrap();
    assert!(log.starts_with("- - - ["), "{log}");
    assert!(log.ends_with("] \"GET /big HTTP/1.0\" 200 -\n"), "{log}");
}

#[test]
fn quiet_logs_nothing_and_scripts_run() {
    let site = Site::standard().in_temp_dir().unwrap();
    let mut command = program(site.path(), &["--quiet", "--cgi"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(b"GET /cgi-bin/hello.sh HTTP/1.0\r\n\r\n")
        .unwrap();
    drop(input);
    let ended = child.wait_with_output().unwrap();
    assert!(ended.stdout.ends_with(b"\r\n\r\nHello World\n"));
    assert_eq!(ended.stderr, b"");
}

#[test]
fn a_usage_error_goes_to_the_user_not_to_the_client() {
    let (mut client, server) = UnixStream::pair().unwrap();
    let end = || Stdio::from(OwnedFd::from(server.try_clone().unwrap()));
    let mut command = program(Path::new("/nope"), &[]);
    command.stdin(end()).stdout(end()).stderr(end());
    assert_eq!(command.status().unwrap().code(), Some(2));
    drop((command, server));
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "");

    let mut command = program(Path::new("/nope"), &[]);
    let ended = command.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    let start = "sanserve: error: there is no directory /nope: ";
    assert!(
        stderr.starts_with(start) && stderr.lines().count() == 1,
        "{stderr}"
    );
}

#[test]
fn an_unreadable_standard_input_is_an_error() {
    let directory = File::open(".").unwrap();
    let mut command = program(Path::new("."), &[]);
    let ended = command.stdin(directory).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let stderr = String::from_utf8(ended.stderr).unwrap();
    let line = "sanserve: error: cannot serve on standard input and output: ";
    assert!(stderr.starts_with(line), "{stderr}");
}

#[test]
fn a_terminal_can_be_the_connection() {
    use rustix::fs::{Mode, OFlags, open};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{InputModes, OptionalActions, tcgetattr, tcsetattr};

    let site = site();
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    // Keeps carriage returns.
    let mut modes = tcgetattr(&theirs).unwrap();
    modes.input_modes.remove(InputModes::ICRNL);
    tcsetattr(&theirs, OptionalActions::Now, &modes).unwrap();
    let end = || Stdio::from(theirs.try_clone().unwrap());
    let mut command = program(site.path(), &[]);
    let mut child = command.stdin(end()).stdout(end()).spawn().unwrap();
    drop((command, theirs));
    let mut ours = File::from(ours);
    ours.write_all(b"GET /a.txt HTTP/1.0\r\n\r\n\x04").unwrap();
    let mut received = Vec::new();
    // Reading from a closed terminal ends with an error.
    let _ = ours.read_to_end(&mut received);
    let received = String::from_utf8(received).unwrap();
    assert!(received.contains("HTTP/1.1 200 OK\r"), "{received}");
    assert!(received.ends_with("hello\r\n"), "{received}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn options_for_listening_are_refused() {
    for other in [
        &["8000"][..],
        &["--bind", "::"],
        &["--runtime", "tokio"],
        &["--tls-cert", "cert.pem"],
    ] {
        let ended = program(Path::new("."), other).output().unwrap();
        let line = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{line}");
        assert!(line.contains("'--stdio' cannot be used with '"), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn a_signal_ends_it_with_the_exit_code_of_a_server() {
    let site = site();
    for signal in [Signal::INT, Signal::TERM] {
        let mut command = program(site.path(), &["--protocol", "HTTP/1.1"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let request = b"HEAD /a.txt HTTP/1.1\r\nHost: test\r\n\r\n";
        stdin.write_all(request).unwrap();
        let mut byte = [0];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut byte)
            .unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal:?}");
    }
}

/// Serves with short timeouts, and fails if it takes too long.
fn serve_briefly(input: OwnedFd, output: OwnedFd, directory: &Path) {
    let disk = Disk::open(directory).unwrap();
    let little = Duration::from_millis(50);
    let timeouts = Timeouts::default()
        .with_idle(little)
        .with_grace(little)
        .with_rate(u32::MAX);
    let config = Config::default().with_timeouts(timeouts);
    let (over, ended) = mpsc::channel();
    thread::spawn(move || {
        let _ = stdio::serve(input, output, &disk, config, Files::new(), &|_| ());
        let _ = over.send(());
    });
    ended.recv_timeout(TIMEOUT).expect("the wait times out");
}

#[test]
fn a_silent_client_times_out() {
    let ((input, _write), (mut read, output)) = (io::pipe().unwrap(), io::pipe().unwrap());
    serve_briefly(input.into(), output.into(), Path::new("."));
    assert_eq!(read.read(&mut [0]).unwrap(), 0);
}

#[test]
fn an_unread_pipe_times_out() {
    let site = site();
    let ((input, mut write), (_read, output)) = (io::pipe().unwrap(), io::pipe().unwrap());
    write.write_all(b"GET /big HTTP/1.0\r\n\r\n").unwrap();
    serve_briefly(input.into(), output.into(), site.path());
}

#[test]
fn an_unread_socket_times_out() {
    let site = site();
    let (mut client, server) = UnixStream::pair().unwrap();
    client.write_all(b"GET /big HTTP/1.0\r\n\r\n").unwrap();
    let input = server.try_clone().unwrap();
    serve_briefly(input.into(), server.into(), site.path());
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    assert!(received.len() < BIG_LEN);
}
