//! Tests the program while it serves: its banner, what its options do, its limits, and how signals end it.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
#[cfg(target_os = "linux")]
#[path = "../../tests/posix_acl/mod.rs"]
mod posix_acl;
mod process;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use client::{BIG_LEN, TIMEOUT, connect, drain, get, get_hello, read_head, send_get, site};
use process::{PROGRAM, Program, RUNTIMES};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn the_banner_is_printed_immediately_and_ctrl_c_ends_the_program() {
    let site = site();
    let program = Program::serve(site.path(), &["--bind", "127.0.0.1"]);
    let port = program.address().port();
    let banner = format!("Serving HTTP on 127.0.0.1 port {port} (http://127.0.0.1:{port}/) ...\n");
    assert_eq!(program.banner, banner);
    let reply = get(program.address(), "/a.txt");
    assert!(
        reply.starts_with("HTTP/1.1 200 OK\r\nServer: sanserve/"),
        "{reply}"
    );
    assert!(reply.ends_with("\r\n\r\nhello\n"), "{reply}");

    let ended = program.interrupt_after("a.txt");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.stdout, "\nKeyboard interrupt received, exiting.\n");
    assert!(
        ended.stderr.starts_with("127.0.0.1 - - ["),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.ends_with("] \"GET /a.txt HTTP/1.0\" 200 -\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stderr.lines().count(), 1);
}

#[test]
fn it_speaks_http_1_1_by_default() {
    let site = site();
    let cases: [(&[&str], &str); 4] = [
        (&[], "HTTP/1.1 200 OK\r\n"),
        (&["-p", "HTTP/1.0"], "HTTP/1.0 200 OK\r\n"),
        (&["--plain"], "HTTP/1.0 200 OK\r\n"),
        (&["--plain", "-p", "HTTP/1.1"], "HTTP/1.1 200 OK\r\n"),
    ];
    for (options, line) in cases {
        let program = Program::serve(site.path(), options);
        let reply = get(program.address(), "/a.txt");
        assert!(reply.starts_with(line), "{options:?}: {reply}");
        program.signal(Signal::INT);
        program.ends();
    }
}

#[test]
fn keep_alive_replies_have_a_timeout() {
    let site = site();
    for (options, has_timeout) in [(&[][..], true), (&["--plain", "-p", "HTTP/1.1"], false)] {
        let program = Program::serve(site.path(), options);
        let socket = connect(program.address());
        send_get(&socket, "/a.txt");
        let head = read_head(&socket);
        let fields = "\r\nConnection: keep-alive\r\nKeep-Alive: timeout=54\r\n\r\n";
        assert_eq!(head.ends_with(fields), has_timeout, "{options:?}: {head}");
        assert_eq!(
            head.contains("Keep-Alive"),
            has_timeout,
            "{options:?}: {head}"
        );
        program.signal(Signal::INT);
        program.ends();
    }
}

#[test]
fn it_listens_on_all_addresses_and_quiet_logs_nothing() {
    let site = site();
    let program = Program::serve(site.path(), &["--quiet"]);
    assert!(
        program.banner.starts_with("Serving HTTP on 0.0.0.0 port "),
        "{}",
        program.banner
    );
    get(program.address(), "/");
    program.signal(Signal::INT);
    assert_eq!(program.ends().stderr, "");
}

#[test]
fn log_format_sets_the_format() {
    let site = site();
    for (format, start, end) in [
        (
            "combined",
            "127.0.0.1 - - [",
            "] \"GET /a.txt HTTP/1.0\" 200 6 \"-\" \"-\"\n",
        ),
        (
            "json",
            "{\"time\":\"",
            ",\"client\":\"127.0.0.1\",\"request\":",
        ),
    ] {
        let program = Program::serve(site.path(), &["--log-format", format]);
        get(program.address(), "/a.txt");
        program.signal(Signal::TERM);
        let log = program.ends().stderr;
        assert!(log.starts_with(start) && log.contains(end), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}

#[test]
fn ipv6_has_brackets_in_the_url_only() {
    let site = site();
    for (bind, url) in [("::1", "[::1]"), ("::", "[::]")] {
        let program = Program::serve(site.path(), &["--bind", bind]);
        if program.banner.is_empty() {
            eprintln!("skipped: no IPv6 here: {}", program.ends().stderr);
            return;
        }
        let address = format!("Serving HTTP on {bind} port ");
        assert!(program.banner.starts_with(&address), "{}", program.banner);
        assert!(
            program.banner.contains(&format!(" (http://{url}:")),
            "{}",
            program.banner
        );
        program.signal(Signal::INT);
        assert_eq!(program.ends().status.code(), Some(0));
    }
}

#[test]
fn it_listens_on_a_host_name_and_speaks_http_1_1() {
    let site = site();
    let program = Program::serve(site.path(), &["-b", "localhost", "-p", "HTTP/1.1"]);
    let socket = connect(program.address());
    get_hello(&socket);
    get_hello(&socket);
    program.signal(Signal::TERM);
    assert_eq!(program.ends().status.code(), Some(0));
}

#[test]
fn sigterm_waits_for_a_running_download() {
    for runtime in RUNTIMES {
        let site = site();
        let program = Program::serve(site.path(), &["-p", "HTTP/1.1", "--runtime", runtime]);
        let (idle, busy) = (connect(program.address()), connect(program.address()));
        get_hello(&idle);
        send_get(&busy, "/big");
        read_head(&busy);
        program.signal(Signal::TERM);
        // The idle connection is closed first, which shows that the signal was handled.
        assert_eq!(drain(&idle).unwrap(), 0);
        assert_eq!(drain(&busy).unwrap(), BIG_LEN);
        let ended = program.ends();
        assert_eq!(ended.status.code(), Some(0));
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn a_second_sigterm_ends_the_program_immediately() {
    let both = [Signal::INT, Signal::TERM];
    for (runtime, second) in RUNTIMES
        .iter()
        .flat_map(|name| both.map(|signal| (name, signal)))
    {
        let site = site();
        let program = Program::serve(site.path(), &["-p", "HTTP/1.1", "--runtime", runtime]);
        let (idle, busy) = (connect(program.address()), connect(program.address()));
        get_hello(&idle);
        send_get(&busy, "/big");
        read_head(&busy);
        program.signal(Signal::TERM);
        assert_eq!(drain(&idle).unwrap(), 0);
        program.signal(second);
        let ended = program.ends();
        assert_eq!(ended.status.code(), Some(0), "{runtime}: {second:?}");
        assert!(!matches!(drain(&busy), Ok(BIG_LEN)));
    }
}

/// As non-interactive shells do for commands with `&`, and nohup(1) does for SIGHUP.
#[test]
fn a_signal_that_is_ignored_at_the_start_stays_ignored() {
    let site = site();
    for (name, signal) in [("INT", Signal::INT), ("TERM", Signal::TERM)] {
        for runtime in RUNTIMES {
            let mut shell = Command::new("sh");
            let line = format!("trap '' {name}; exec \"$@\"");
            shell.args(["-c", &line, "sh", PROGRAM, "0", "--runtime", runtime, "-d"]);
            let program = Program::start(shell.arg(site.path()));
            program.signal(signal);
            // A program that had handled the signal would end before it answered all of these.
            for _ in 0..20 {
                assert!(get(program.address(), "/a.txt").ends_with("hello\n"));
            }
            let other = [Signal::INT, Signal::TERM]
                .into_iter()
                .find(|it| *it != signal);
            program.signal(other.unwrap());
            let ended = program.ends();
            assert_eq!(ended.status.code(), Some(0), "{name}: {}", ended.stderr);
            assert_eq!(ended.stdout.contains("Keyboard interrupt"), name == "TERM");
        }
    }
}

#[test]
fn symbolic_links_out_of_the_directory_need_the_option() {
    let site = site();
    let served = site.path().join("served");
    fs::create_dir(&served).unwrap();
    std::os::unix::fs::symlink("../a.txt", served.join("link")).unwrap();
    for (options, status) in [(&[][..], "404"), (&["--follow-symlinks"], "200")] {
        let program = Program::serve(&served, options);
        let reply = get(program.address(), "/link");
        assert_eq!(&reply[9..12], status);
        program.signal(Signal::INT);
        program.ends();
    }
}

#[test]
fn it_keeps_serving_when_its_output_is_closed() {
    let site = site();
    let mut program = Program::serve(site.path(), &[]);
    drop(program.child.stderr.take());
    for _ in 0..3 {
        assert!(get(program.address(), "/a.txt").starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let Program {
        mut child, stdout, ..
    } = program;
    drop(stdout);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn types_that_python_does_not_know_are_guessed() {
    let site = site();
    fs::write(site.path().join("font.woff2"), "").unwrap();
    let program = Program::serve(site.path(), &[]);
    let reply = get(program.address(), "/font.woff2");
    assert!(reply.contains("Content-type: font/woff2\r\n"), "{reply}");
    program.stop();
}

#[test]
fn log_lines_have_local_time() {
    let site = site();
    let mut command = Command::new(PROGRAM);
    command
        .env("TZ", "TEST-5:45")
        .arg("0")
        .arg("-d")
        .arg(site.path());
    let program = Program::start(&mut command);
    let minute = || {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let minutes = (unix + (5 * 60 + 45) * 60) / 60 % (24 * 60);
        format!("{:02}:{:02}:", minutes / 60, minutes % 60)
    };
    let before = minute();
    get(program.address(), "/");
    let after = minute();
    let log = program.stop().stderr;
    assert!(
        log.contains(&before) || log.contains(&after),
        "{log} not at {before} to {after}"
    );
}

#[test]
fn it_recovers_from_running_out_of_descriptors() {
    for runtime in RUNTIMES {
        let site = site();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "ulimit -n 24; exec \"$0\" 0 -p HTTP/1.1 --runtime $2 -d \"$1\"",
            PROGRAM,
        ]);
        let program = Program::start(command.arg(site.path()).arg(runtime));
        let clients = || -> Vec<_> { (0..60).map(|_| connect(program.address())).collect() };
        drop(clients());
        // Until the waiting connections are closed, requests for files may fail.
        let start = Instant::now();
        while !get(program.address(), "/a.txt").contains(" 200 OK") {
            assert!(start.elapsed() < TIMEOUT, "it does not recover");
        }
        let _clients = clients();
        program.signal(Signal::TERM);
        assert_eq!(program.ends().status.code(), Some(0));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_soft_limit_of_descriptors_is_raised_for_connections_and_not_for_scripts() {
    let site = site();
    let write = r"mkdir cgi-bin
        printf '#!/bin/sh\necho\nulimit -S -n\nulimit -H -n\n' >cgi-bin/limits.sh
        chmod +x cgi-bin/limits.sh";
    let mut shell = Command::new("sh");
    let shell = shell.args(["-ec", write]).current_dir(site.path());
    assert!(shell.status().unwrap().success());
    for runtime in RUNTIMES {
        let mut command = Command::new("sh");
        let line = "ulimit -S -n 40; ulimit -H -n 1000; exec \"$0\" 0 -q -p HTTP/1.1 --cgi --runtime $2 -d \"$1\"";
        command.args(["-c", line, PROGRAM]).arg(site.path());
        let program = Program::start(command.arg(runtime));
        // All are served, and none is closed to make room for another.
        let many: Vec<_> = (0..200).map(|_| connect(program.address())).collect();
        many.iter().for_each(get_hello);
        many.iter().for_each(get_hello);
        let reply = get(program.address(), "/cgi-bin/limits.sh");
        assert!(reply.ends_with("\n40\n1000\n"), "{runtime}: {reply}");
        program.signal(Signal::INT);
        program.ends();
    }
}

#[test]
fn scripts_run_in_the_directories_of_the_options() {
    let site = site();
    // Written by another process: a file that this process has open for writing may also be open in a child of another
    // test, and cannot be executed then.
    let write = r"for dir in cgi-bin own/bin; do
            mkdir -p $dir
            printf '#!/bin/sh\necho\necho $SERVER_PORT\n' >$dir/a.sh
            chmod +x $dir/a.sh
        done";
    let mut shell = Command::new("sh");
    let shell = shell.args(["-ec", write]).current_dir(site.path());
    assert!(shell.status().unwrap().success());
    let runtimes = RUNTIMES.iter().map(|it| ["--cgi", "--runtime", it]);
    let runtimes: Vec<_> = runtimes.collect();
    let runtimes = runtimes.iter().map(|it| (&it[..], [true, false]));
    for (options, runs) in runtimes.chain([
        (&[][..], [false, false]),
        (&["--cgi"], [true, false]),
        (&["--cgi-dir", "/own/bin/"], [false, true]),
        (
            &["--cgi-dir", "cgi-bin", "--cgi-dir", "own/bin"],
            [true, true],
        ),
    ]) {
        let program = Program::serve(site.path(), options);
        for (directory, runs) in ["cgi-bin", "own/bin"].into_iter().zip(runs) {
            let reply = get(program.address(), &format!("/{directory}/a.sh"));
            let port = format!("\n{}\n", program.address().port());
            assert_eq!(reply.ends_with(&port), runs, "{options:?}: {reply}");
        }
        program.signal(Signal::INT);
        program.ends();
    }
}

#[test]
fn tls_cert_serves_https() {
    let site = site();
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let keys = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = keys.path().join(name);
        fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let cert = file("cert.pem", made.cert.pem());
    let key = file("key.pem", made.signing_key.serialize_pem());
    let password = file("password", " none is needed\n".into());
    let options = ["-b", "127.0.0.1", "--tls-cert", &cert, "--tls-key", &key];
    let more = [
        "--tls-password-file",
        &password,
        "--runtime",
        RUNTIMES[RUNTIMES.len() - 1],
    ];
    let program = Program::serve(site.path(), &[&options[..], &more].concat());
    let port = program.address().port();
    let banner =
        format!("Serving HTTPS on 127.0.0.1 port {port} (https://127.0.0.1:{port}/) ...\n");
    assert_eq!(program.banner, banner);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots);
    let (config, name) = (Arc::new(config.with_no_client_auth()), "localhost");
    let client = rustls::ClientConnection::new(config, name.try_into().unwrap()).unwrap();
    let mut stream = rustls::StreamOwned::new(client, connect(program.address()));
    stream.write_all(b"GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.ends_with("\r\n\r\nhello\n"), "{reply}");
    program.signal(Signal::INT);
    assert_eq!(program.ends().status.code(), Some(0));
}

/// DNS rebinding: the name evil.example resolves to this server.
#[test]
fn it_answers_only_for_the_named_hosts() {
    let local: &[&str] = &["--bind", "127.0.0.1"];
    let everywhere: &[&str] = &["--bind", "0.0.0.0"];
    let named: &[&str] = &[
        "--bind",
        "127.0.0.1",
        "--host",
        "evil.example",
        "--host",
        "::2",
    ];
    let cases = [
        (local, "localhost", "200", "201"),
        (local, "127.0.0.1", "200", "201"),
        (local, "evil.example", "200", "403"),
        (everywhere, "evil.example", "200", "201"),
        (named, "evil.example", "200", "201"),
        (named, "localhost", "200", "201"),
        (named, "[::2]", "200", "201"),
        (named, "worse.example", "421", "421"),
    ];
    for runtime in RUNTIMES {
        for (options, host, read, stored) in cases {
            let site = site();
            let mut command = Program::command(site.path());
            command
                .args(["--upload", "--runtime", runtime])
                .args(options);
            let program = Program::start(&mut command);
            let port = program.address().port();
            let ask = |request: &str, content: &str| {
                let mut socket = connect(program.address());
                let origin = format!("{host}:{port}");
                let head = format!("Host: {origin}\r\nOrigin: http://{origin}\r\n");
                let request = format!("{request} HTTP/1.1\r\n{head}{content}");
                socket.write_all(request.as_bytes()).unwrap();
                read_head(&socket)
            };
            let reply = ask("GET /a.txt", "\r\n");
            assert_eq!(&reply[9..12], read, "{options:?} {host}");
            let reply = ask("PUT /new", "Content-Length: 1\r\n\r\nx");
            assert_eq!(&reply[9..12], stored, "{options:?} {host}");
            assert_eq!(stored == "403", reply.contains("--host NAME"), "{reply}");
            assert_eq!(site.path().join("new").exists(), stored == "201");
            program.signal(Signal::INT);
            program.ends();
        }
    }
}

/// Files are stored with one option and deleted with another one.
#[test]
fn clients_store_and_delete_only_what_the_options_allow() {
    let cases: [(&[&str], &str, &str); 4] = [
        (&["--upload"], "201", "405"),
        (&["--delete"], "405", "204"),
        (&["--upload", "--delete"], "201", "204"),
        (&[], "405", "405"),
    ];
    for (options, stored, deleted) in cases {
        let site = site();
        let mut command = Program::command(site.path());
        let program = Program::start(command.args(["-b", "127.0.0.1"]).args(options));
        let ask = |request: &str| {
            let mut socket = connect(program.address());
            let head = "Host: localhost\r\nContent-Length: 0\r\n\r\n";
            socket
                .write_all(format!("{request} HTTP/1.1\r\n{head}").as_bytes())
                .unwrap();
            read_head(&socket)[9..12].to_owned()
        };
        assert_eq!(ask("PUT /new/"), stored, "{options:?}");
        assert_eq!(site.path().join("new").is_dir(), stored == "201");
        assert_eq!(ask("DELETE /a.txt"), deleted, "{options:?}");
        assert_eq!(site.path().join("a.txt").exists(), deleted != "204");
        program.signal(Signal::INT);
        program.ends();
    }
}

/// The new file cannot get the owner, the group and the access control list of the old one.
#[test]
fn an_overwritten_file_is_not_more_readable_than_before() {
    if !rustix::process::getuid().is_root() {
        println!("SKIPPED: only root may start the program as another user");
        return;
    }
    // (group, mode, new mode): other users may be in the new group, and members of the old group become others.
    let cases = [
        (0, 0o664, 0o644),
        (0, 0o604, 0o600),
        (NOBODY, 0o640, 0o640),
        (NOBODY, 0o466, 0o444),
    ];
    for (group, mode, expected) in cases {
        let site = site();
        let place = site.path().join("a.txt");
        chown(&place, Some(0), Some(group)).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
        overwrite_as_nobody(site.path());
        let mode_now = fs::metadata(&place).unwrap().mode() & 0o7777;
        assert_eq!(mode_now, expected, "{mode:o}");
    }
    #[cfg(target_os = "linux")]
    {
        let site = site();
        let place = site.path().join("a.txt");
        let list = posix_acl::list(6, 1234, 0, 6, 6, 4);
        if !posix_acl::set(&place, posix_acl::ACCESS, &list) {
            println!("SKIPPED: this file system has no access control lists");
            return;
        }
        overwrite_as_nobody(site.path());
        assert_eq!(posix_acl::get(&place, posix_acl::ACCESS), None);
        assert_eq!(fs::metadata(&place).unwrap().mode() & 0o7777, 0o600);
    }
}

/// Overwrites `a.txt` through a program that runs as another user, the owner of the directory.
fn overwrite_as_nobody(directory: &Path) {
    chown(directory, Some(NOBODY), Some(NOBODY)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Program::command_for_others(folder.path(), directory);
    command.args(["--bind", "127.0.0.1", "--upload", "--overwrite"]);
    let program = Program::start(command.uid(NOBODY).gid(NOBODY));
    let mut socket = connect(program.address());
    socket
        .write_all(b"PUT /a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nnew")
        .unwrap();
    let reply = read_head(&socket);
    assert!(reply.contains(" 204 "), "{reply}");
    let found = fs::metadata(directory.join("a.txt")).unwrap();
    assert_eq!((found.uid(), found.gid()), (NOBODY, NOBODY));
    program.stop();
}

const NOBODY: u32 = 65534;
