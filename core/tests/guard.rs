//! Tests of passwords: a `Guard` whose credentials the file system verifies, the user that scripts get, and
//! which credentials are valid.

mod drive;

use drive::{Outcome, drive, http11};
use sanserve_core::{
    Ask, Cgi, Credentials, FileSystem, Files, FsError, Got, Guard, Handler, Hosts, Meta, Opened,
    Path, Right, Rights, Upload, Who,
};

/// `mary:secret`.
const MARY: &[u8] = b"Authorization: Basic bWFyeTpzZWNyZXQ=\r\n";

fn get(path: &str, field: &[u8]) -> Vec<u8> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: h\r\n");
    [head.as_bytes(), field, b"\r\n"].concat()
}

/// Runs a guard that asks a file system, which gives this answer.
fn ask(verified: impl Fn(&Credentials) -> Result<(), FsError>) -> Outcome {
    let guard = Guard::new(Files::new(), |_| None);
    drive(http11(), guard, &get("/", MARY), |ask| match ask {
        Ask::Verify(given) => Got::Verified(verified(given)),
        Ask::Open(_) => Got::Opened(Err(FsError::NotFound)),
        _ => Got::Listed(Ok(std::sync::Arc::default())),
    })
}

#[test]
fn the_file_system_verifies_credentials() {
    let said = ask(|given| {
        assert_eq!((given.user(), given.password()), ("mary", "secret"));
        assert_eq!(format!("{given:?}"), "Credentials(\"mary\")");
        Ok(())
    });
    assert!(
        said.text.starts_with("HTTP/1.1 200 OK\r\n"),
        "{}",
        said.text
    );
    let said = ask(|_| Err(FsError::Forbidden));
    assert!(said.text.starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    assert!(said.log.contains("wrong user or password ('mary')\n") && !said.log.contains("secret"));
    let said = ask(|_| Err(FsError::NoResources));
    assert!(said.text.starts_with("HTTP/1.1 503 "), "{}", said.text);
}

#[test]
fn a_file_system_without_users_admits_nobody() {
    struct Nothing;
    impl FileSystem for Nothing {
        type File = ();
        fn open(&self, _: &Path) -> Result<Opened<()>, FsError> {
            panic!("the handler was called without a valid password")
        }
        fn list(&self, _: &Path) -> Result<std::sync::Arc<sanserve_core::Entries>, FsError> {
            panic!("the handler was called without a valid password")
        }
        fn read(&self, _: &mut (), _: u64, _: &mut [u8]) -> Result<usize, FsError> {
            panic!("the handler was called without a valid password")
        }
    }
    let guard = Guard::new(Files::new(), |_| None);
    let said = drive(http11(), guard, &get("/", MARY), |ask| Nothing.answer(ask));
    assert!(said.text.starts_with("HTTP/1.1 401 "), "{}", said.text);
}

#[test]
fn scripts_get_the_user_only_behind_a_guard() {
    for guarded in [true, false] {
        let mut cgi = Cgi::new("h", 80);
        cgi.settings_mut().behind_guard = guarded;
        let guard = Guard::new(cgi, |_| Some(true));
        let ran = std::cell::Cell::new(false);
        drive(http11(), guard, &get("/cgi-bin/a", MARY), |ask| match ask {
            Ask::Run(program) => {
                ran.set(true);
                let value = |name| program.env.iter().find(|(key, _)| *key == name);
                let user = value("REMOTE_USER").map(|(_, value)| &value[..]);
                let kind = value("AUTH_TYPE").map(|(_, value)| &value[..]);
                let wanted = guarded.then_some((&b"mary"[..], &b"Basic"[..]));
                assert_eq!(user.zip(kind), wanted);
                Got::Opened(Err(FsError::Io))
            }
            _ => Got::Opened(Ok(Opened::File {
                file: (),
                meta: Meta::new(0).with_executable(true),
                sendable: false,
            })),
        });
        assert!(ran.get());
    }
}

#[test]
fn credentials_that_cannot_be_sent_are_rejected() {
    for (user, password) in [("a:b", "c"), ("a\n", "c"), ("a", "c\u{7f}")] {
        assert_eq!(Credentials::new(user, password), None);
    }
    assert_eq!(Credentials::new("a", &"x".repeat(1023)), None);
    assert!(Credentials::new("a", &"x".repeat(1022)).is_some());
    assert!(Credentials::new("", "").is_some());
}

#[test]
#[should_panic = "was answered by a wrong kind of Got"]
fn a_verdict_answers_no_other_question() {
    let request = get("/", b"");
    drive(http11(), Files::new(), &request, |_| Got::Verified(Ok(())));
}

/// Runs a guard that gives everybody these rights and users all, on a tree without files. Returns the status.
fn status_for_everybody(
    handler: impl Handler,
    rights: Rights,
    request: &[u8],
    asked: &std::cell::Cell<bool>,
) -> String {
    let mut guard = Guard::new(handler, |_| Some(true));
    guard.rights = Some(std::sync::Arc::new(move |who| match who {
        Who::Everybody => rights,
        _ => Rights::ALL,
    }));
    let said = drive(http11(), guard, request, |ask| {
        asked.set(true);
        match ask {
            Ask::List(_) => Got::Listed(Err(FsError::NotFound)),
            Ask::Change(_) => Got::Committed(Err(FsError::NotFound)),
            _ => Got::Opened(Err(FsError::NotFound)),
        }
    });
    said.text["HTTP/1.1 ".len()..][..3].to_owned()
}

/// RFC 9110 §9.2.1: the safe methods. Any other method may change something.
#[test]
fn each_method_needs_its_right() {
    let rights = [Right::Read, Right::Write, Right::Delete];
    for (method, needed) in [
        ("GET", Right::Read),
        ("HEAD", Right::Read),
        ("OPTIONS", Right::Read),
        ("TRACE", Right::Read),
        ("PUT", Right::Write),
        ("POST", Right::Write),
        ("PATCH", Right::Write),
        ("MOVE", Right::Write),
        ("get", Right::Write),
        ("DELETE", Right::Delete),
    ] {
        let request = format!("{method} /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        for right in rights {
            let asked = std::cell::Cell::new(false);
            let mut upload = Upload::new();
            upload.delete = true;
            let hosts = Hosts::new(Box::new(upload) as Box<dyn Handler>, ["h"]);
            let all_but = Rights::ALL.without(Rights::NONE.with(right));
            let status = status_for_everybody(hosts, all_but, request.as_bytes(), &asked);
            let is_needed = right == needed;
            assert_eq!(
                status == "401",
                is_needed,
                "{method} without {right:?}: {status}"
            );
            assert!(!is_needed || !asked.get(), "{method} without {right:?}");
        }
    }
}

#[test]
fn a_script_needs_the_right_to_read_only() {
    let post = b"POST /cgi-bin/a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    for (rights, wanted) in [("read", "404"), ("write,delete", "401")] {
        let handler = Hosts::new(Box::new(Cgi::new("h", 80)) as Box<dyn Handler>, ["h"]);
        let rights = Rights::parse(rights).unwrap();
        let asked = std::cell::Cell::new(false);
        assert_eq!(status_for_everybody(handler, rights, post, &asked), wanted);
    }
}

#[test]
fn rights_are_parsed_and_written() {
    for names in [
        "",
        "read",
        "write",
        "delete",
        "read,write",
        "read,write,delete",
    ] {
        assert_eq!(Rights::parse(names).unwrap().to_string(), names);
    }
    assert_eq!(
        Rights::parse("delete, read ,read"),
        Rights::parse("read,delete")
    );
    assert_eq!(Rights::parse("read,write,delete"), Some(Rights::ALL));
    for wrong in ["Read", "raed", "read,", ",", "read;write", "all"] {
        assert_eq!(Rights::parse(wrong), None, "{wrong}");
    }
}
