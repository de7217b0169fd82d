//! Tests `--tls self-signed`: the generated certificate, its fingerprints in the banner, `--tls-save`, and TLS errors in
//! the log.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::fs;
use std::io::{BufRead, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use client::{connect, site};
use process::Program;
use ring::digest;
use rustix::process::Signal;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tempfile::TempDir;

/// A verifier that accepts any certificate and stores it.
#[derive(Debug)]
struct First(Mutex<Option<CertificateDer<'static>>>, CryptoProvider);

impl ServerCertVerifier for First {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.0.lock().unwrap() = Some(certificate.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.1.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.1.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.1.signature_verification_algorithms.supported_schemes()
    }
}

/// Requests a file over TLS with this server name, and returns the reply.
fn ask(program: &Program, config: ClientConfig, name: &'static str) -> String {
    let name = name.try_into().unwrap();
    let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(client, connect(program.address()));
    stream.write_all(b"GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn the_banner_has_the_fingerprint_and_the_certificate_all_names_of_this_machine() {
    let site = site();
    let options = ["--tls", "self-signed", "-b", "127.0.0.1"];
    let mut program = Program::serve(site.path(), &options);
    let port = program.address().port();
    let banner =
        format!("Serving HTTPS on 127.0.0.1 port {port} (https://127.0.0.1:{port}/) ...\n");
    assert_eq!(program.banner, banner);
    let mut line = String::new();
    program.stdout.read_line(&mut line).unwrap();

    let provider = rustls::crypto::ring::default_provider();
    let first = Arc::new(First(Mutex::default(), provider));
    let builder = || ClientConfig::builder_with_provider(Arc::new(first.1.clone()));
    let client = || builder().with_safe_default_protocol_versions().unwrap();
    let trusting = client()
        .dangerous()
        .with_custom_certificate_verifier(first.clone());
    let reply = ask(&program, trusting.with_no_client_auth(), "example.org");
    assert!(reply.ends_with("\r\n\r\nhello\n"), "{reply}");
    let certificate = first.0.lock().unwrap().take().unwrap();
    let sha256 = digest::digest(&digest::SHA256, &certificate);
    let pairs: Vec<_> = sha256
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let wanted = format!("Certificate: self-signed, SHA-256 {}\n", pairs.join(":"));
    assert_eq!(line, wanted);
    line.clear();
    program.stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("Public key: sha256//"), "{line}");

    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let roots = Arc::new(roots);
    for name in ["localhost", "127.0.0.1", "::1"] {
        let careful = client().with_root_certificates(roots.clone());
        let reply = ask(&program, careful.with_no_client_auth(), name);
        assert!(reply.ends_with("\r\n\r\nhello\n"), "{name}: {reply}");
    }
    assert_eq!(program.stop().status.code(), Some(0));
}

/// Lines about TLS errors have the format of the other lines.
#[test]
fn a_line_about_tls_is_an_object_in_a_json_log() {
    let site = site();
    for runtime in process::RUNTIMES {
        let options = [
            "--tls",
            "self-signed",
            "--log-format",
            "json",
            "--runtime",
            runtime,
        ];
        let program = Program::serve(site.path(), &options);
        let mut client = connect(program.address());
        // A handshake record (RFC 8446 §5.1) without a handshake message.
        client.write_all(b"\x16\x03\x01\x00\x04oops").unwrap();
        let _ = client.read_to_end(&mut Vec::new());
        program.signal(Signal::TERM);
        let log = program.ends().stderr;
        let start = r#"{"time":""#;
        let words = r#","client":"127.0.0.1","message":"TLS: "#;
        assert!(log.starts_with(start) && log.contains(words), "{log}");
        assert!(log.ends_with("\"}\n") && log.lines().count() == 1, "{log}");
    }
}

#[test]
fn the_certificate_of_the_command_line_wins_over_the_environment() {
    let site = site();
    let mut command = Program::command(site.path());
    command
        .env("SANSERVE_TLS_CERT", "/nope")
        .args(["--tls", "self-signed"]);
    let program = Program::start(&mut command);
    assert!(
        program.banner.starts_with("Serving HTTPS on "),
        "{}",
        program.banner
    );
    program.stop();
}

/// Serves with a saved certificate, and returns the program, its fingerprint and its pin.
fn serve_saved(site: &Path, saved: &Path) -> (Program, String, String) {
    let saved = saved.to_str().unwrap();
    let options = [
        "--tls",
        "self-signed",
        "--tls-save",
        saved,
        "-b",
        "127.0.0.1",
    ];
    let mut program = Program::serve(site, &options);
    let mut line = || {
        let mut line = String::new();
        program.stdout.read_line(&mut line).unwrap();
        line
    };
    let (certificate, key) = (line(), line());
    let pin = key.trim().strip_prefix("Public key: ").unwrap().to_owned();
    (program, certificate, pin)
}

fn curl(program: &Program, options: &[&str]) -> (Option<i32>, String) {
    let url = format!("https://localhost:{}/a.txt", program.address().port());
    let mut command = Command::new("curl");
    command
        .args(["-s", "-m", "20", "--ipv4", &url])
        .args(options);
    let output = command.output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn a_saved_certificate_is_used_again_and_curl_accepts_its_pin() {
    let (site, folder) = (site(), TempDir::new().unwrap());
    let saved = folder.path().join("key.pem");
    let (program, certificate, pin) = serve_saved(site.path(), &saved);
    assert_eq!(fs::metadata(&saved).unwrap().mode() & 0o777, 0o600);
    let text = fs::read(&saved).unwrap();
    let hello = (Some(0), "hello\n".to_owned());
    assert_eq!(curl(&program, &["-k", "--pinnedpubkey", &pin]), hello);
    assert_eq!(
        curl(&program, &["--cacert", saved.to_str().unwrap()]),
        hello
    );
    let other = format!("sha256//{}=", "A".repeat(43));
    // CURLE_SSL_PINNEDPUBKEYNOTMATCH.
    assert_eq!(
        curl(&program, &["-k", "--pinnedpubkey", &other]).0,
        Some(90)
    );
    program.stop();

    let (program, again, pin_again) = serve_saved(site.path(), &saved);
    assert_eq!((again, pin_again), (certificate, pin));
    assert_eq!(fs::read(&saved).unwrap(), text);
    program.stop();
}

#[test]
fn an_expired_saved_certificate_is_replaced_and_other_files_are_not() {
    let (site, folder) = (site(), TempDir::new().unwrap());
    let saved = folder.path().join("key.pem");
    let (program, first, _) = serve_saved(site.path(), &saved);
    program.stop();
    let text = fs::read_to_string(&saved).unwrap();
    let mark = text.lines().next().unwrap();
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let expired = params.self_signed(&key).unwrap().pem() + &key.serialize_pem();

    fs::write(&saved, format!("{mark}\n{expired}")).unwrap();
    let (program, renewed, pin) = serve_saved(site.path(), &saved);
    assert_ne!(renewed, first);
    assert_eq!(curl(&program, &["-k", "--pinnedpubkey", &pin]).0, Some(0));
    program.stop();
    assert!(fs::read_to_string(&saved).unwrap().starts_with(mark));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    fs::write(&saved, &expired).unwrap();
    let mut command = Program::command(site.path());
    command
        .args(["--tls", "self-signed", "--tls-save"])
        .arg(&saved);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_to_string(&saved).unwrap(), expired);
}
