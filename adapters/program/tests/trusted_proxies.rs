//! Tests `--trust-proxy` behind nginx, and with requests that did not pass a proxy; and `--proxy-protocol`.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod nginx;
mod process;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use client::{connect, read_head};
use nginx::Nginx;
use process::{Program, RUNTIMES};
use tempfile::TempDir;

/// Starts nginx, which passes requests to `upstream`, with the address of the client.
fn start_nginx(upstream: &str) -> Nginx {
    Nginx::start(&format!(
        "location / {{ proxy_pass {upstream};\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
         proxy_set_header X-Forwarded-Proto https; }}"
    ))
}

/// A site with a script that prints the client, in a readable folder, since scripts do not run as root.
fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    fs::set_permissions(site.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let script = site.path().join("cgi-bin/client.sh");
    fs::create_dir(script.parent().unwrap()).unwrap();
    let text = "#!/bin/sh\necho\necho \"$REMOTE_ADDR ${HTTPS-off}\"\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    site
}

fn curl(args: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-s", "-m", "20"])
        .args(args)
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// nginx appends the address of its client, here that of this machine, to what the client has sent.
#[test]
fn behind_nginx_the_log_and_scripts_have_the_client() {
    let site = site();
    for runtime in RUNTIMES {
        let options = ["-b", "127.0.0.1", "--cgi", "--runtime", runtime];
        let trusted = ["--trust-proxy", "127.0.0.2", "--trust-proxy", "10.0.0.0/8"];
        let program = Program::serve(site.path(), &[&options[..], &trusted].concat());
        let nginx = start_nginx(&format!("http://{}", program.address()));
        let url = format!("{}/cgi-bin/client.sh", nginx.url);
        // nginx connects from 127.0.0.1, which is not trusted.
        let forged = ["-H", "X-Forwarded-For: 192.0.2.1", &url];
        assert_eq!(curl(&forged), "127.0.0.1 off\n", "{runtime}");
        assert!(program.stop().stderr.starts_with("127.0.0.1 - - "));

        let trusted = ["--trust-proxy", "127.0.0.0/8"];
        let program = Program::serve(site.path(), &[&options[..], &trusted].concat());
        let nginx = start_nginx(&format!("http://{}", program.address()));
        let url = format!("{}/cgi-bin/client.sh", nginx.url);
        assert_eq!(curl(&[&url]), "127.0.0.1 on\n", "{runtime}");
        // All machines on the way are on this one, so the client is the first that is not.
        let far = ["-H", "X-Forwarded-For: 198.51.100.1, 192.0.2.7", &url];
        assert_eq!(curl(&far), "192.0.2.7 on\n", "{runtime}");
        let log = program.stop().stderr;
        assert!(
            log.lines().last().unwrap().starts_with("192.0.2.7 - - "),
            "{log}"
        );
    }
}

#[test]
fn a_proxy_behind_a_unix_socket_is_trusted_if_it_is_named() {
    let site = site();
    let far = ["-H", "X-Forwarded-For: 192.0.2.7"];
    // nginx appends 127.0.0.1, which counts as a further proxy only if it is named, too.
    for (named, client) in [
        (&["unix"][..], "127.0.0.1 on\n"),
        (&["unix", "127.0.0.1"], "192.0.2.7 on\n"),
        (&["127.0.0.1"], "unix: off\n"),
    ] {
        let folder = TempDir::new().unwrap();
        let bind = format!("unix:{}", folder.path().join("http").display());
        let mut args = vec!["-b", &bind, "--cgi"];
        named
            .iter()
            .for_each(|name| args.extend(["--trust-proxy", name]));
        let _program = Program::serve(site.path(), &args);
        let nginx = start_nginx(&format!("http://{bind}"));
        let url = format!("{}/cgi-bin/client.sh", nginx.url);
        assert_eq!(curl(&[&far[..], &[&url]].concat()), client, "{named:?}");
    }
}

/// The address of a request that cannot be parsed is that of the peer, not that of the request before it.
#[test]
fn a_bad_request_is_logged_with_the_address_of_the_proxy() {
    let site = site();
    let options = ["-b", "127.0.0.1", "--trust-proxy", "127.0.0.1"];
    let program = Program::serve(Path::new(site.path()), &options);
    let mut socket = connect(program.address());
    let request =
        "GET /nope HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.7\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    read_head(&socket);
    client::drain(&socket).unwrap();
    let log = program.stop().stderr;
    let addresses: Vec<_> = log
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        addresses,
        ["192.0.2.7", "192.0.2.7", "127.0.0.1", "127.0.0.1"],
        "{log}"
    );
}

/// Serves the site behind a proxy at this address, which sends a header of the PROXY protocol.
fn serve_behind(site: &TempDir, runtime: &str, proxy: &str) -> Program {
    let options = ["-b", "127.0.0.1", "--cgi", "--proxy-protocol"];
    let further = ["--trust-proxy", proxy, "--runtime", runtime];
    Program::serve(site.path(), &[options, further].concat())
}

/// A header of version 2 for the client 198.51.100.9, with an extension (type NOOP).
const VERSION_2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc6\x33\x64\x09\x7f\0\0\x01\x10\0\x1f\x90\x04\0\0";

/// Returns the reply to bytes that are sent in one piece, or one by one.
fn reply_to(program: &Program, bytes: &[u8], one_by_one: bool) -> String {
    let mut socket = connect(program.address());
    socket.set_nodelay(true).unwrap();
    let len = if one_by_one { 1 } else { bytes.len() };
    for piece in bytes.chunks(len) {
        // The server may have closed.
        if socket.write_all(piece).is_err() {
            break;
        }
    }
    let mut reply = Vec::new();
    let _ = socket.read_to_end(&mut reply);
    String::from_utf8(reply).unwrap()
}

#[test]
fn the_client_of_the_proxy_protocol_is_in_the_log_and_in_scripts() {
    let site = site();
    // The field is the client's, since the proxy does not read it.
    let request = b"GET /cgi-bin/client.sh HTTP/1.0\r\nX-Forwarded-For: 192.0.2.77\r\n\r\n";
    for runtime in RUNTIMES {
        let program = serve_behind(&site, runtime, "127.0.0.1");
        let version_1 = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n";
        for (header, client) in [
            (&version_1[..], "2001:db8::7"),
            (VERSION_2, "198.51.100.9"),
            (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        ] {
            for one_by_one in [false, true] {
                let reply = reply_to(&program, &[header, request].concat(), one_by_one);
                assert!(
                    reply.ends_with(&format!("\n{client} off\n")),
                    "{runtime}: {reply}"
                );
            }
        }
        let log = program.stop().stderr;
        let addresses: Vec<_> = log
            .lines()
            .map(|line| line.split(' ').next().unwrap())
            .collect();
        let expected = ["2001:db8::7", "198.51.100.9", "127.0.0.1"].map(|client| [client; 2]);
        assert_eq!(addresses, expected.concat(), "{log}");
    }
}

#[test]
fn a_proxy_without_a_header_is_disconnected_and_another_peer_needs_none() {
    let site = site();
    let request = b"GET /cgi-bin/client.sh HTTP/1.0\r\n\r\n";
    for runtime in RUNTIMES {
        let program = serve_behind(&site, runtime, "127.0.0.1");
        let invalid = b"PROXY TCP4 192.0.2.7 127.0.0.1 +4711 80\r\n";
        for begin in [&[][..], invalid] {
            let bytes = [begin, request].concat();
            assert_eq!(reply_to(&program, &bytes, false), "", "{runtime}");
        }
        let log = program.stop().stderr;
        let words = "PROXY protocol: the proxy did not send a valid header of the PROXY protocol";
        for line in log.lines() {
            let is_right = line.starts_with("127.0.0.1 - - [") && line.ends_with(words);
            assert!(is_right, "{runtime}: {log}");
        }
        assert_eq!(log.lines().count(), 2, "{runtime}: {log}");

        let program = serve_behind(&site, runtime, "192.0.2.1");
        let reply = reply_to(&program, request, false);
        assert!(reply.ends_with("\n127.0.0.1 off\n"), "{runtime}: {reply}");
        let reply = reply_to(&program, b"PROXY UNKNOWN\r\n\r\n", false);
        assert!(reply.contains(" 400 "), "{runtime}: {reply}");
    }
}

/// Passes one connection on to the program, with a header for this client, byte by byte, and returns its own address.
fn forward(program: &Program, client: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (front, back) = (listener.local_addr().unwrap(), program.address());
    let header = format!("PROXY TCP4 {client} 127.0.0.1 4711 443\r\n");
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = connect(back);
        server.set_nodelay(true).unwrap();
        for byte in header.as_bytes() {
            server.write_all(&[*byte]).unwrap();
        }
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut server, &mut client);
    });
    front
}

/// The connection is used for two requests, between which it is parked.
#[test]
fn the_header_precedes_tls_and_holds_for_all_requests() {
    let site = site();
    for runtime in RUNTIMES {
        for (option, scheme, https) in [("", "http", "off"), ("--tls=self-signed", "https", "on")] {
            let options = [
                "-b",
                "127.0.0.1",
                "--cgi",
                "--proxy-protocol",
                "--runtime",
                runtime,
            ];
            let mut trusted = vec!["--trust-proxy", "127.0.0.1"];
            trusted.extend(Some(option).filter(|_| scheme == "https"));
            let program = Program::serve(site.path(), &[&options[..], &trusted].concat());
            let front = forward(&program, "192.0.2.7");
            let url = format!("{scheme}://{front}/cgi-bin/client.sh");
            let expected = format!("192.0.2.7 {https}\n").repeat(2);
            assert_eq!(curl(&["-k", &url, &url]), expected, "{runtime}");
            let log = program.stop().stderr;
            assert!(
                log.lines().all(|line| line.starts_with("192.0.2.7 - - [")),
                "{log}"
            );
        }
    }
}
