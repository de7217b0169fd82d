//! Tests the errors of the library: their variants, their texts of one line, and the system's error as their source.

mod certificate;
mod client;

use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use certificate::TestCertificate;
use sanserve_server::{
    BindError, Disk, HTTPServer, ListenAddr, OpenError, PasswordError, Passwords, Tls, TlsError,
};
use tempfile::TempDir;

/// Asserts that the text of an error is one line, begins in lower case, ends without a full stop, and does not repeat
/// the text of its source.
fn assert_style(error: &dyn Error) {
    let text = error.to_string();
    let first = text.chars().next().unwrap();
    assert!(!first.is_uppercase(), "{text}");
    assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
    if let Some(source) = error.source() {
        assert!(!text.contains(&source.to_string()), "{text}");
    }
}

#[test]
fn open_errors_name_the_directory() {
    let folder = TempDir::new().unwrap();
    let (missing, file) = (folder.path().join("nope"), folder.path().join("file"));
    fs::write(&file, "").unwrap();
    let error = Disk::open(&missing).unwrap_err();
    assert_style(&error);
    assert!(matches!(&error, OpenError::NotFound { path } if *path == missing));
    assert_eq!(error.path(), missing);
    assert_eq!(io::Error::from(error).kind(), ErrorKind::NotFound);
    let error = Disk::open(&file).unwrap_err();
    assert_style(&error);
    assert!(matches!(&error, OpenError::NotADirectory { path } if *path == file));
    assert_eq!(io::Error::from(error).kind(), ErrorKind::NotADirectory);
    // Longer than a name may be.
    let long = folder.path().join("a".repeat(300));
    let error = Disk::open(&long).unwrap_err();
    assert_style(&error);
    let OpenError::Io { path, source } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (path, source.kind()),
        (&long, ErrorKind::InvalidFilename),
        "{error:?}"
    );
    assert!(error.source().is_some());
}

#[test]
fn bind_errors_name_the_address() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = taken.local_addr().unwrap();
    let error = HTTPServer::bind(at).unwrap_err();
    assert_style(&error);
    assert!(
        matches!(&error, BindError::InUse { at: ListenAddr::Ip(named), source }
            if *named == at && source.kind() == ErrorKind::AddrInUse),
        "{error:?}"
    );
    assert!(error.to_string().starts_with(&at.to_string()), "{error}");
    assert!(error.source().is_some());
    assert_eq!(io::Error::from(error).kind(), ErrorKind::AddrInUse);
    // RFC 5737: addresses for examples belong to no machine.
    let error = HTTPServer::bind("192.0.2.1:0").unwrap_err();
    assert_style(&error);
    assert!(matches!(error, BindError::NotLocal { .. }), "{error:?}");
    let error = HTTPServer::bind(&[] as &[SocketAddr]).unwrap_err();
    assert_style(&error);
    assert!(matches!(error, BindError::Unresolved(_)), "{error:?}");
}

#[cfg(unix)]
#[test]
fn bind_errors_name_the_socket_path() {
    use sanserve_server::Listener;

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Listener::unix(&file).unwrap_err();
    assert_style(&error);
    assert!(
        matches!(&error, BindError::InUse { at: ListenAddr::Path(path), .. } if *path == file),
        "{error:?}"
    );
    for path in ["", &"a".repeat(300)] {
        let error = Listener::unix(path).unwrap_err();
        assert_style(&error);
        assert!(matches!(error, BindError::InvalidPath { .. }), "{error:?}");
    }
    let error = Listener::unix(folder.path().join("nope/socket")).unwrap_err();
    assert_style(&error);
    assert!(matches!(error, BindError::Io { .. }), "{error:?}");
}

#[test]
fn tls_errors_name_the_file() {
    let (certificate, other) = (TestCertificate::new(), TestCertificate::new());
    fs::copy(other.file("key.pem"), certificate.file("other.pem")).unwrap();
    let (certfile, nope) = (certificate.file("cert.pem"), certificate.file("nope.pem"));
    let error = Tls::load(&nope, None, None).unwrap_err();
    assert_style(&error);
    assert!(matches!(&error, TlsError::NotFound { path } if *path == nope));
    assert_eq!(io::Error::from(error).kind(), ErrorKind::NotFound);
    let folder = certificate.folder.path().to_owned();
    let error = Tls::load(&folder, None, None).unwrap_err();
    assert_style(&error);
    assert!(matches!(&error, TlsError::Read { path, .. } if *path == folder));
    assert!(error.source().is_some());
    let error = Tls::load(&certfile, None, None).unwrap_err();
    assert_style(&error);
    assert!(matches!(&error, TlsError::Unusable { path, .. } if *path == certfile));
    assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidData);
    let error = Tls::load(&certfile, Some(&certificate.file("other.pem")), None).unwrap_err();
    assert_style(&error);
    assert!(matches!(error, TlsError::KeyMismatch { .. }), "{error:?}");
    let error = Tls::self_signed(["\u{e4}"]).unwrap_err();
    assert_style(&error);
    assert!(matches!(error, TlsError::SelfSigned(_)), "{error:?}");
    assert!(error.source().is_some());
}

#[test]
fn password_errors_name_the_problem() {
    let mut passwords = Passwords::new().unwrap();
    passwords.add("mary", "a secret").unwrap();
    let mut add = |user, password| {
        let error = passwords.add(user, password).unwrap_err();
        assert_style(&error);
        error
    };
    assert!(matches!(add("", "a"), PasswordError::EmptyName));
    assert!(matches!(add("john", ""), PasswordError::EmptyPassword));
    assert!(matches!(add("jo:hn", "a"), PasswordError::Unsendable));
    assert!(matches!(add("mary", "a"), PasswordError::Duplicate));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("users");
    let mut read = |text: &[u8]| {
        fs::write(&file, text).unwrap();
        let error = passwords.read(&file).unwrap_err();
        assert_style(&error);
        error
    };
    assert!(matches!(read(b"\xe4"), PasswordError::NotUtf8 { .. }));
    for (text, is_expected) in [
        (
            "john",
            (|it| matches!(it, PasswordError::NoColon)) as fn(&_) -> _,
        ),
        ("john:$1$a$b", |it| matches!(it, PasswordError::UnknownHash)),
        ("john:$6$a$b", |it| matches!(it, PasswordError::DamagedHash)),
    ] {
        let error = read(format!("# users\n{text}\n").as_bytes());
        assert!(
            matches!(&error, PasswordError::Line { number: 2, problem, .. } if is_expected(problem)),
            "{error:?}"
        );
    }
}
