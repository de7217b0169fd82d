//! Tests of passwords: a `Guard` whose credentials the file system verifies, the user that scripts get, and
//! which credentials are valid.

mod drive;

use drive::{Outcome, drive, http11};
use sanserve_core::{
    Ask, Cgi, Credentials, FileSystem, Files, FsError, Got, Guard, Meta, Opened, Path,
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
