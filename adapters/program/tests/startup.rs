//! Tests the start of the program: banner, warnings, browser and QR code.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;
mod terminal;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use client::site;
use process::Program;
use qrcode::QrCode;
use qrcode::render::svg;
use rustix::process::Signal;

#[test]
fn a_terminal_shows_directory_and_addresses() {
    let site = site();
    let mut command = Program::command(site.path());
    let text = terminal::shown(command.args(["-b", "127.0.0.1"]));
    let port = text.rsplit(':').next().unwrap().split('/').next().unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    let wanted = [
        format!("Serving HTTP on 127.0.0.1 port {port} ({url}) ..."),
        format!("  Directory: {}", site.path().display()),
        format!("  Local:     {url}"),
        "  Names that begin with a dot are hidden; --hidden shows them.".into(),
        "  Ctrl-C stops it.".into(),
        String::new(),
        "Keyboard interrupt received, exiting.".into(),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn plain_prints_only_pythons_banner_on_a_terminal_too() {
    let site = site();
    let mut command = Program::command(site.path());
    let text = terminal::shown(command.args(["-b", "127.0.0.1", "--plain", "--upload"]));
    let port = text.split(' ').nth(5).unwrap();
    let banner = format!("Serving HTTP on 127.0.0.1 port {port} (http://127.0.0.1:{port}/) ...");
    let wanted = [&*banner, "", "Keyboard interrupt received, exiting."];
    assert_eq!(text.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn a_terminal_shows_warnings() {
    let site = site();
    let mut command = Program::command(site.path());
    let text = terminal::shown(command.args(["--follow-symlinks", "--cgi-dir", "own", "--cors"]));
    for words in [
        "Anyone who can reach this machine can read it; -b 127.0.0.1 prevents that.",
        "Symbolic links out of the directory are followed (--follow-symlinks).",
        "Scripts in /own are run (--cgi-dir).",
        "Pages of any site can read it (--cors).",
    ] {
        assert!(text.contains(words), "{text}");
    }
}

/// A small terminal shows the end of the output.
#[test]
fn a_qr_code_is_the_end_of_the_banner() {
    let site = site();
    let text = terminal::shown(Program::command(site.path()).arg("--qr"));
    let hint = text.find("  Ctrl-C stops it.\n").unwrap();
    let code = text.rfind('\u{2588}');
    // This machine may be on no network.
    assert_eq!(code.is_some(), text.contains("  Network:   "), "{text}");
    assert!(code.is_none_or(|code| hint < code), "{text}");
}

/// With too few descriptors the start fails at some point. The banner is printed only if the program serves.
#[test]
fn the_banner_is_not_printed_if_serving_fails() {
    let site = site();
    for runtime in process::RUNTIMES {
        let mut failed = 0;
        for descriptors in 4..60 {
            let mut shell = Command::new("sh");
            let line = format!("ulimit -n {descriptors}; exec \"$@\"");
            shell.args(["-c", &line, "sh", process::PROGRAM, "0", "-b", "127.0.0.1"]);
            shell.args(["--runtime", runtime, "-d"]).arg(site.path());
            let program = Program::start(&mut shell);
            if program.banner.is_empty() {
                let ended = program.ends();
                // With very few descriptors it cannot even load its libraries.
                assert_ne!(ended.status.code(), Some(0), "{}", ended.stderr);
                failed += 1;
            } else {
                program.signal(Signal::TERM);
                let ended = program.ends();
                assert_eq!(
                    ended.status.code(),
                    Some(0),
                    "{descriptors}: {}",
                    ended.stderr
                );
                break;
            }
        }
        assert!(failed > 0, "{runtime}");
    }
}

/// The files may be created later, so the server starts, and sends them then.
#[test]
fn missing_files_at_the_start_give_warnings() {
    let site = site();
    fs::create_dir(site.path().join("pages")).unwrap();
    for (options, warnings) in [
        (
            &["--spa", "app.html"][..],
            &["--spa: there is no file app.html in "][..],
        ),
        (&["--spa", "pages"], &["--spa: there is no file pages in "]),
        (
            &["--not-found", "pages/404.html", "--spa", "a.txt"],
            &["--not-found: there is no file pages/404.html in "],
        ),
        (
            &["--cgi-dir", "a.txt", "--cgi-dir", "pages"],
            &["--cgi-dir: there is no directory a.txt in "],
        ),
        (
            &["--cgi"],
            &["--cgi: there is no directory cgi-bin or htbin in "],
        ),
        (&["--spa", "a.txt", "--not-found", "a.txt"], &[]),
    ] {
        let program = Program::serve(site.path(), options);
        assert!(program.banner.starts_with("Serving HTTP on "));
        program.signal(Signal::TERM);
        let ended = program.ends();
        assert_eq!(ended.status.code(), Some(0));
        let lines: Vec<_> = ended.stderr.lines().collect();
        assert_eq!(lines.len(), warnings.len(), "{options:?}: {lines:?}");
        for (line, words) in lines.iter().zip(warnings) {
            let line = line.strip_prefix("sanserve: warning: ").unwrap();
            assert!(
                line.starts_with(words) && line.contains("check the name"),
                "{line}"
            );
        }
    }
    let program = Program::serve(site.path(), &["--not-found", "404.html"]);
    assert!(client::get(program.address(), "/nope").contains("<!DOCTYPE"));
    fs::write(site.path().join("404.html"), "mine").unwrap();
    assert!(client::get(program.address(), "/nope").ends_with("\r\n\r\nmine"));
    program.stop();
}

#[test]
fn an_expired_or_future_certificate_gives_a_warning() {
    let (site, folder) = (site(), tempfile::tempdir().unwrap());
    let write = |name: &str, from: (i32, u8), until: (i32, u8)| {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from.0, from.1, 1);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        let path = folder.path().join(name);
        fs::write(&path, cert.pem() + &key.serialize_pem()).unwrap();
        path.display().to_string()
    };
    // Years from 2050 on have another encoding (RFC 5280 §4.1.2.5).
    let (expired, early, good) = (
        write("expired.pem", (1994, 11), (2019, 11)),
        write("early.pem", (2070, 11), (2080, 11)),
        write("good.pem", (1994, 11), (2080, 11)),
    );
    for (file, words) in [
        (
            &expired,
            "expired on Fri, 01 Nov 2019 00:00:00 GMT, so clients reject it: renew it",
        ),
        (
            &early,
            "is not valid before Sat, 01 Nov 2070 00:00:00 GMT, so clients reject it: ",
        ),
        (&good, ""),
    ] {
        let program = Program::serve(site.path(), &["--tls-cert", file]);
        assert!(program.banner.starts_with("Serving HTTPS on "));
        program.signal(Signal::TERM);
        let stderr = program.ends().stderr;
        let start = format!("sanserve: warning: the certificate in {file} {words}");
        assert!(stderr.starts_with(&start) || words.is_empty(), "{stderr}");
        assert_eq!(
            stderr.lines().count(),
            usize::from(!words.is_empty()),
            "{stderr}"
        );
    }
}

/// The program with a fake browser that writes its argument to a file in the folder.
fn with_browser(folder: &std::path::Path) -> Command {
    let browser = folder.join("xdg-open");
    // Written by another process, see the test of scripts in `serving`.
    let write = "printf '#!/bin/sh\necho $1 >%s/opened.new\nmv %s/opened.new %s/opened\n' \
                 $1 $1 $1 >$1/xdg-open";
    let mut shell = Command::new("sh");
    let made = shell.args(["-ec", write, "sh"]).arg(folder).status();
    assert!(made.unwrap().success());
    fs::set_permissions(browser, Permissions::from_mode(0o755)).unwrap();
    let mut command = Program::command(folder);
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", folder.display()));
    command
}

#[test]
fn open_gives_the_browser_a_usable_address() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_browser(folder.path());
    let program = Program::start(command.arg("--open"));
    let start = std::time::Instant::now();
    let opened = loop {
        if let Ok(opened) = fs::read_to_string(folder.path().join("opened")) {
            break opened;
        }
        assert!(start.elapsed() < client::TIMEOUT, "nothing is opened");
        std::thread::yield_now();
    };
    let port = program.address().port();
    assert_eq!(opened, format!("http://127.0.0.1:{port}/\n"));
    let ended = program.stop();
    assert_eq!((&*ended.stderr, ended.status.code()), ("", Some(0)));
}

#[test]
fn a_missing_browser_gives_only_a_warning() {
    let site = site();
    let mut command = Program::command(site.path());
    let program = Program::start(command.env("PATH", "/nowhere").arg("--open"));
    assert!(client::get(program.address(), "/a.txt").ends_with("hello\n"));
    let stderr = program.stop().stderr;
    assert!(
        stderr.contains("sanserve: cannot open the browser at http://127"),
        "{stderr}"
    );
}

#[test]
fn a_listing_offers_the_qr_code_of_its_network_address() {
    let site = site();
    fs::create_dir(site.path().join("a folder")).unwrap();
    let program = Program::serve(site.path(), &["--qr"]);
    let address = program.address();
    let listing = client::get(address, "/");
    let code = client::get(address, "/a%20folder/?qr=");
    // Other queries, and requests that store or delete something, are not answered with it.
    for target in ["/?qr=1", "/none/?qr", "/a.txt?qr", "/.git/?qr"] {
        assert!(!client::get(address, target).contains("<svg"), "{target}");
    }
    let ended = program.stop();
    let Some(url) = ended
        .stdout
        .lines()
        .find(|line| line.starts_with("http://"))
    else {
        println!("SKIPPED: this machine is on no network");
        return;
    };
    assert!(listing.contains("<button name=\"qr\">"), "{listing}");
    let expected = QrCode::new(format!("{url}a%20folder/")).unwrap();
    let mut expected = expected.render::<svg::Color<'_>>();
    let expected = expected.min_dimensions(320, 320).build();
    let (head, image) = code.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Type: image/svg+xml\r\n"), "{head}");
    assert!(image == expected, "{image}");
    // The server answers for a name only, so the code has this name.
    let program = Program::serve(site.path(), &["--qr", "--host", "files.example"]);
    let port = program.address().port();
    let mut socket = client::connect(program.address());
    let request = "GET /a%20folder/?qr= HTTP/1.0\r\nHost: files.example\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    let mut code = String::new();
    socket.read_to_string(&mut code).unwrap();
    program.stop();
    let expected = QrCode::new(format!("http://files.example:{port}/a%20folder/")).unwrap();
    let mut expected = expected.render::<svg::Color<'_>>();
    assert!(
        code.ends_with(&expected.min_dimensions(320, 320).build()),
        "{code}"
    );
    // A password protects it, too, and without the option it is a listing.
    let program = Program::serve(site.path(), &["--qr", "--auth", "ann:secret"]);
    assert!(client::get(program.address(), "/?qr=").starts_with("HTTP/1.1 401 "));
    program.stop();
    let program = Program::serve(site.path(), &[]);
    assert!(!client::get(program.address(), "/?qr=").contains("<svg"));
    program.stop();
}

#[test]
fn a_qr_code_has_the_network_address() {
    let site = site();
    let program = Program::serve(site.path(), &["--qr", "-b", "127.0.0.1"]);
    client::get(program.address(), "/a.txt");
    let ended = program.stop();
    let line = "sanserve: no QR code: the server has no address on a network\n";
    assert!(ended.stderr.contains(line), "{}", ended.stderr);
    let program = Program::serve(site.path(), &["--qr"]);
    let port = program.address().port();
    client::get(program.address(), "/a.txt");
    let ended = program.stop();
    if ended.stderr.contains(line) {
        eprintln!("skipped: this machine is on no network");
        return;
    }
    let lines: Vec<_> = ended.stdout.lines().collect();
    let url = lines
        .iter()
        .find(|line| line.starts_with("http://"))
        .unwrap();
    assert!(
        url.ends_with(&format!(":{port}/")) && !url.contains("127.0.0.1"),
        "{url}"
    );
    // The smallest code for this URL has 25 modules, with four light ones on each side.
    let width = lines[0].chars().count();
    assert!(
        lines[0].chars().all(|dot| dot == '\u{2588}') && width >= 25 + 8,
        "{lines:?}"
    );
    assert!(
        lines[2].starts_with(
            "\u{2588}\u{2588}\u{2588}\u{2588} \u{2584}\u{2584}\u{2584}\u{2584}\u{2584} "
        )
    );
}
