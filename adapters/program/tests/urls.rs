//! Tests the options that determine at which URLs the program serves what, and with which types.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use client::{get, site};
use process::{PROGRAM, Program};
use tempfile::TempDir;

/// Returns the last field of this name in a reply.
fn field<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = reply.split_once("\r\n\r\n").unwrap();
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn status(reply: &str) -> &str {
    &reply[9..12]
}

/// The banner of a server at 127.0.0.1 that serves at this path.
fn banner(program: &Program, path: &str) -> String {
    let port = program.address().port();
    format!("Serving HTTP on 127.0.0.1 port {port} (http://127.0.0.1:{port}{path}) ...\n")
}

/// Serves this file on a free port.
fn serve_file(file: &std::path::Path, options: &[&str]) -> Program {
    let mut command = Command::new(PROGRAM);
    command.env_remove("FORCE_COLOR").env_remove("NO_COLOR");
    command.arg(file).args(["0", "-b", "127.0.0.1"]);
    Program::start(command.args(options))
}

/// The file is a link out of its directory, and its name begins with a dot and has to be encoded in a URL.
#[test]
fn a_file_is_served_alone() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let target = elsewhere.path().join("target");
    fs::write(&target, "one").unwrap();
    fs::write(folder.path().join("other.txt"), "other").unwrap();
    let file = folder.path().join(".a b?.txt");
    symlink(&target, &file).unwrap();
    let program = serve_file(&file, &[]);
    assert_eq!(program.banner, banner(&program, "/.a%20b%3F.txt"));
    let address = program.address();
    let reply = get(address, "/");
    assert_eq!(field(&reply, "Location"), Some("./.a%20b%3F.txt"));
    let reply = get(address, "/.a%20b%3F.txt");
    assert!(reply.ends_with("\r\n\r\none"), "{reply}");
    assert_eq!(
        field(&reply, "Content-type"),
        Some("text/plain; charset=utf-8")
    );
    for path in ["/other.txt", "/target", "/.a%20b%3F.txt/"] {
        assert_eq!(status(&get(address, path)), "404", "{path}");
    }
    program.stop();
}

/// People who can write into the directory cannot choose what is served from elsewhere.
#[test]
fn a_link_that_takes_the_place_of_the_file_is_not_followed() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let secret = elsewhere.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let file = folder.path().join("a.txt");
    fs::write(&file, "one").unwrap();
    let program = serve_file(&file, &[]);
    assert_eq!(status(&get(program.address(), "/a.txt")), "200");
    fs::remove_file(&file).unwrap();
    symlink(&secret, &file).unwrap();
    assert_eq!(status(&get(program.address(), "/a.txt")), "404");
    program.stop();
}

/// Clients cannot request the password file, since only the other file is served.
#[test]
fn a_password_file_may_be_beside_the_file_but_not_be_it() {
    let folder = TempDir::new().unwrap();
    let [file, passwords] = ["a.txt", "passwords"].map(|name| folder.path().join(name));
    fs::write(&file, "one").unwrap();
    fs::write(&passwords, "mary:secret\n").unwrap();
    let program = serve_file(&file, &["--auth-file", passwords.to_str().unwrap()]);
    assert_eq!(status(&get(program.address(), "/a.txt")), "401");
    program.stop();
    let program = serve_file(&passwords, &["--auth-file", passwords.to_str().unwrap()]);
    assert_eq!(program.banner, "");
    let ended = program.ends();
    assert_eq!(ended.status.code(), Some(2));
    let error = ended.stderr;
    assert!(error.contains("is in the served directory"), "{error}");
}

#[test]
fn everything_is_below_the_prefix() {
    let site = site();
    let program = Program::serve(site.path(), &["-b", "127.0.0.1", "--prefix", "/x/files/"]);
    assert_eq!(program.banner, banner(&program, "/x/files/"));
    let address = program.address();
    assert_eq!(status(&get(address, "/x/files/a.txt")), "200");
    assert_eq!(status(&get(address, "/a.txt")), "404");
    assert_eq!(status(&get(address, "/x/")), "404");
    let reply = get(address, "/x/files");
    assert_eq!(field(&reply, "Location"), Some("./files/"));
    let listing = get(address, "/x/files/");
    assert!(listing.contains("<a href=\"a.txt\">"), "{listing}");
    // No link leads above the root.
    assert!(!listing.contains("href=\"../"), "{listing}");
    program.stop();
}

#[test]
fn pages_are_served_without_their_extension() {
    let site = site();
    fs::write(site.path().join("page.html"), "page").unwrap();
    let program = Program::serve(site.path(), &["--clean-urls"]);
    assert!(get(program.address(), "/page").ends_with("\r\n\r\npage"));
    assert_eq!(status(&get(program.address(), "/nope")), "404");
    program.stop();
}

#[test]
fn media_types_of_a_file_come_first() {
    let (site, folder) = (site(), TempDir::new().unwrap());
    let types = folder.path().join("types");
    fs::write(&types, "# own\ntext/x-own txt\napplication/x-new new\n").unwrap();
    fs::write(site.path().join("a.NEW"), "new").unwrap();
    fs::write(site.path().join("a.css"), "css").unwrap();
    for (plain, charset) in [(false, "; charset=utf-8"), (true, "")] {
        let mut options = vec!["--mime-types", types.to_str().unwrap()];
        options.extend(plain.then_some("--plain"));
        let program = Program::serve(site.path(), &options);
        for (path, wanted) in [
            ("/a.txt", format!("text/x-own{charset}")),
            ("/a.NEW", "application/x-new".into()),
            ("/a.css", format!("text/css{charset}")),
        ] {
            let reply = get(program.address(), path);
            assert_eq!(field(&reply, "Content-type"), Some(&*wanted), "{path}");
        }
        program.stop();
    }
}

#[test]
fn isolated_pages_and_errors_have_both_fields() {
    let site = site();
    let options = [
        "--isolate",
        "-H",
        "cross-origin-embedder-policy: credentialless",
    ];
    let program = Program::serve(site.path(), &options);
    for path in ["/a.txt", "/", "/nope"] {
        let reply = get(program.address(), path);
        let opener = field(&reply, "Cross-Origin-Opener-Policy");
        assert_eq!(opener, Some("same-origin"), "{reply}");
        let embedder = field(&reply, "cross-origin-embedder-policy");
        assert_eq!(embedder, Some("credentialless"), "{reply}");
        assert!(!reply.contains("require-corp"), "{reply}");
    }
    program.stop();
    for options in [&["--isolate"][..], &["--isolate", "--not-found", "a.txt"]] {
        let program = Program::serve(site.path(), options);
        let reply = get(program.address(), "/nope");
        assert_eq!(status(&reply), "404");
        assert_eq!(
            field(&reply, "Cross-Origin-Embedder-Policy"),
            Some("require-corp")
        );
        program.stop();
    }
}

#[test]
fn error_pages_link_to_the_mount_point() {
    let site = site();
    let program = Program::serve(site.path(), &["-b", "127.0.0.1", "--prefix", "/files"]);
    let page = |path| get(program.address(), path);
    assert!(page("/files/none").contains("<a href=\"./\">Home</a>"));
    assert!(page("/files/d/none").contains("<a href=\"../\">Home</a>"));
    for outside in ["/none", "/d/none", "/filesystem/none"] {
        let page = page(outside);
        assert_eq!(status(&page), "404");
        assert!(!page.contains("<a href"), "{page}");
    }
}
