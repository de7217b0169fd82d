//! Checks the code blocks on a page: systemd units, an nginx configuration, a Dockerfile, lines for a Cargo.toml, and
//! Python programs.

use std::env;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Instant;

use rustix::process::Signal;

use super::attempt::{serves, stdout_of};
use super::{Block, Page, inner_build, root};
use crate::client::TIMEOUT;
use crate::process::{PROGRAM, Program};
use crate::shell::folder;

impl Page {
    /// Returns the blocks of one kind.
    pub(crate) fn kind(&self, kind: &str) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }
}

/// Checks systemd units, and lines to add to one: the program starts with their command, and systemd accepts them.
pub(crate) fn units(page: &Page) {
    let folder = folder();
    let whole: Vec<_> = page
        .kind("ini")
        .filter(|block| block.text.starts_with('['))
        .collect();
    for block in page.kind("ini") {
        for line in block
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("ExecStart="))
        {
            let command = line.strip_prefix("/usr/local/bin/").expect(line);
            serves(command).unwrap_or_else(|why| panic!("{}: {line}: {why}", block.place));
        }
    }
    let name = |block: &Block| {
        block
            .title
            .rsplit('/')
            .next()
            .unwrap()
            .trim_end_matches("`:")
            .to_owned()
    };
    let written = |text: &str| text.replace("/usr/local/bin/sanserve", PROGRAM);
    for block in &whole {
        fs::write(folder.path().join(name(block)), written(&block.text)).unwrap();
        let packaged = root()
            .join("adapters/program/packages/systemd")
            .join(name(block));
        assert_eq!(
            fs::read_to_string(&packaged).unwrap().trim_end(),
            block
                .text
                .replace("/usr/local/bin/", "/usr/bin/")
                .trim_end(),
            "{} differs from {}",
            block.place,
            packaged.display()
        );
    }
    verify(folder.path(), &name(whole[0]));
    for block in whole
        .iter()
        .filter(|block| block.text.contains("[Service]"))
    {
        is_confined(folder.path(), &name(block));
    }
    for block in page
        .kind("ini")
        .filter(|block| !block.text.starts_with('['))
    {
        let unit = format!("[Service]\n{}\n", written(&block.text));
        fs::write(folder.path().join("lines.service"), unit).unwrap();
        verify(folder.path(), "lines.service");
    }
}

/// Verifies a unit with systemd, if that is installed.
fn verify(folder: &Path, unit: &str) {
    let mut analyze = Command::new("systemd-analyze");
    analyze
        .args(["verify", "--man=no", unit])
        .current_dir(folder);
    match analyze.output() {
        Ok(output) => {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                output.status.success() && stderr.is_empty(),
                "{unit}: {stderr}"
            );
        }
        Err(_) => missing("systemd-analyze"),
    }
}

/// Checks that `systemd-analyze security` rates the exposure of a service as 0.4 or less, of 10.
fn is_confined(folder: &Path, unit: &str) {
    let mut analyze = Command::new("systemd-analyze");
    analyze
        .args(["security", "--offline=true", "--threshold=4", "--no-pager"])
        .arg(folder.join(unit));
    match analyze.output() {
        Ok(output) => {
            let report = String::from_utf8_lossy(&output.stdout).into_owned();
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{unit}: {report}{why}");
        }
        Err(_) => missing("systemd-analyze"),
    }
}

fn missing(program: &str) {
    assert!(env::var_os("CI").is_none(), "{program} is not installed");
    eprintln!("SKIPPED: {program} is not installed");
}

/// Starts nginx with the configuration on the page, and requests a file through it.
pub(crate) fn proxy(page: &Page) {
    let folder = folder();
    let here = folder.path().display();
    let socket = page.kind("ini").find_map(|block| {
        let (_, rest) = block.text.split_once("--bind unix:")?;
        rest.split_whitespace().next()
    });
    let (socket, block) = (socket.unwrap(), page.kind("nginx").next().unwrap());
    assert!(
        block.text.contains(&format!("server unix:{socket};")),
        "{}",
        block.text
    );
    let config = block.text.replace(socket, &format!("{here}/http"));
    let config = config.replace("listen 80;", &format!("listen unix:{here}/front;"));
    let user = if rustix::process::getuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|name| format!("{name}_temp_path {here}/{name};"));
    let (temporary, conf) = (temporary.concat(), folder.path().join("nginx.conf"));
    let whole = format!(
        "{user} daemon off; master_process off; pid {here}/pid; error_log stderr; events {{}}\n\
         http {{ access_log off; {temporary}\n{config}\n}}\n"
    );
    fs::write(&conf, whole).unwrap();
    let bind = format!("unix:{here}/http");
    let site = folder.path().join("site");
    let options = ["-p", "HTTP/1.1", "--upload", "--bind", &bind];
    let program = Program::start(Program::command(&site).args(options));
    let Ok(nginx) = Command::new("nginx")
        .arg("-p")
        .arg(folder.path())
        .arg("-c")
        .arg(&conf)
        .spawn()
    else {
        return missing("nginx");
    };
    let mut nginx = Ends(nginx);
    let (start, front) = (Instant::now(), folder.path().join("front"));
    let stream = loop {
        assert!(
            nginx.0.try_wait().unwrap().is_none() && start.elapsed() < TIMEOUT,
            "nginx does not start"
        );
        match UnixStream::connect(&front) {
            Ok(stream) => break stream,
            Err(_) => std::thread::yield_now(),
        }
    };
    let get = "GET /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let reply = through(stream, get);
    assert!(
        reply.starts_with("HTTP/1.1 200 OK\r\nServer: nginx") && reply.ends_with("\r\n\r\nhello\n"),
        "{reply}"
    );
    // As a browser sends it to a port other than the default.
    let put = "PUT /new.txt HTTP/1.1\r\nHost: h:8443\r\nOrigin: https://h:8443\r\nConnection: close\r\n\
        Content-Length: 3\r\n\r\nnew";
    let reply = through(UnixStream::connect(&front).unwrap(), put);
    assert!(reply.starts_with("HTTP/1.1 201 Created\r\n"), "{reply}");
    drop(nginx);
    program.signal(Signal::TERM);
    assert!(program.ends().stderr.starts_with("unix: - - ["));
}

fn through(mut stream: UnixStream, request: &str) -> String {
    use std::io::{Read, Write};

    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

/// A process that is killed on drop.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Checks a Dockerfile: it copies the file that the command above builds, and its command serves.
pub(crate) fn image(page: &Page) {
    let block = page.kind("dockerfile").next().unwrap();
    let lines: Vec<Vec<&str>> = block
        .text
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    let [from, copy, user, entry] = &lines[..] else {
        panic!("{}: no check for these lines", block.place);
    };
    assert_eq!(
        (&from[..], &user[..]),
        (&["FROM", "scratch"][..], &["USER", "65534"][..])
    );
    let build = page
        .commands
        .iter()
        .find(|command| command.text.contains("cargo build"))
        .unwrap();
    let target = build.text.split("--target ").nth(1).unwrap();
    assert_eq!(
        copy[..],
        [
            "COPY",
            &format!("target/{target}/release/sanserve"),
            "/sanserve"
        ]
    );
    let run = page
        .commands
        .iter()
        .find(|command| command.text.starts_with("docker run"))
        .unwrap();
    let words: Vec<_> = entry[1..]
        .iter()
        .map(|word| word.trim_matches(['[', ']', ',', '"']))
        .collect();
    assert_eq!((entry[0], words[0]), ("ENTRYPOINT", "/sanserve"));
    let directory = words
        .iter()
        .skip_while(|word| **word != "--directory")
        .nth(1)
        .unwrap();
    assert!(
        run.text.contains(&format!(":{directory}:ro ")),
        "{}",
        run.text
    );
    serves(&words.join(" ")[1..]).unwrap();
}

/// Checks lines for a Cargo.toml: the features of packages in this workspace exist.
pub(crate) fn manifest(block: &Block) {
    let folder = folder();
    let mut text = String::from("[package]\nname = \"reader\"\nedition = \"2024\"\n[workspace]\n");
    for line in block.text.lines() {
        let (line, remark) = line.split_once(" # features: ").unwrap_or((line, ""));
        let Some((name, rest)) = line.split_once(" = ") else {
            text += &format!("{line}\n");
            continue;
        };
        let place = root().join(match name {
            "sanserve" => "adapters/program",
            "sanserve-server" => "adapters",
            name => name.strip_prefix("sanserve-").unwrap(),
        });
        let more: Vec<&str> = remark.split('"').skip(1).step_by(2).collect();
        let rest = rest.replace("git = \"…\"", &format!("path = {place:?}"));
        let rest = match rest.strip_prefix('"') {
            Some(version) => {
                format!("{{ path = {place:?}, version = \"{version}, features = {more:?} }}")
            }
            None => rest,
        };
        text += &format!("{name} = {rest}\n");
    }
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/lib.rs"), "").unwrap();
    fs::write(folder.path().join("Cargo.toml"), &text).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let mut tree = inner_build::cargo(folder.path());
    tree.args(["tree", "--offline", "--depth", "1"]);
    stdout_of(&tree.output().unwrap())
        .unwrap_or_else(|why| panic!("{}: {text}\n{why}", block.place));
}

/// Checks that Python accepts a program, without serving. `adapters/python/tests/test_pages.py` runs those that need the
/// Python package.
pub(crate) fn python(block: &Block) {
    if block.text.contains("from sanserve") {
        return;
    }
    let text = block
        .text
        .replace("8000", "0")
        .replace(".serve_forever()", ".server_close()");
    let text = format!("from http.server import *\n{text}\n");
    let mut python = Command::new("python3");
    match python.arg("-c").arg(text).output() {
        Ok(output) => _ = stdout_of(&output).unwrap_or_else(|why| panic!("{}: {why}", block.place)),
        Err(_) => missing("python3"),
    }
}
