//! [`Recorder`]: what the library's servers record, and when a recording ends.

mod certificate;
mod client;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::{fs, thread};

use certificate::TestCertificate;
use client::connect;
use sanserve_conformance::recording::{Recording, Replay};
use sanserve_core::{Config, Event, Exchange, Handler, Next};
#[cfg(unix)]
use sanserve_server::event_loop;
use sanserve_server::{
    HTTPServer, NoFiles, Recorder, RecorderSettings, ThreadingHTTPServer, tokio_rt,
};
use tempfile::TempDir;

/// Replies with the content of the request.
#[derive(Default)]
struct Echo(Vec<u8>);

impl Handler for Echo {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        self.0.clear();
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        if let Event::Data(piece) = event {
            self.0.extend_from_slice(piece);
            return Next::Body;
        }
        ex.send_response(200);
        ex.send_header("Content-Length", self.0.len());
        ex.send_header("Set-Cookie", "private");
        ex.end_headers();
        ex.write(&self.0);
        Next::Done
    }
}

const REQUEST: &str = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nprivate";

/// Sends the request in pieces of three bytes.
fn send_request(address: SocketAddr) {
    let mut socket = connect(address);
    send_pieces(&mut socket);
    socket.shutdown(Shutdown::Write).unwrap();
    read_reply(&mut socket);
}

fn send_pieces(socket: &mut impl Write) {
    for piece in REQUEST.as_bytes().chunks(3) {
        socket.write_all(piece).unwrap();
    }
}

fn read_reply(socket: &mut impl Read) {
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    assert!(reply.ends_with("\r\n\r\nprivate"), "{reply}");
}

fn replay(path: &Path) -> Replay {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with("\nend\t0\n"), "{text}");
    assert!(!text.contains("private"), "{text}");
    let recording = Recording::parse(&text).unwrap();
    recording.replay(|config| config, Echo::default)
}

#[track_caller]
fn assert_same(path: &Path) {
    let replay = replay(path);
    assert!(replay.differences.is_empty(), "{replay}");
    assert_eq!((replay.connections, replay.replies), (1, 1));
}

/// Creates a recording.
fn create(folder: &TempDir) -> (Recorder, PathBuf) {
    let path = folder.path().join("traffic.txt");
    let recorder = Recorder::create(&path, RecorderSettings::default()).unwrap();
    (recorder, path)
}

#[test]
fn a_server_on_one_thread_records() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, path) = create(&folder);
    let server = HTTPServer::bind("127.0.0.1:0").unwrap().with_log(|_| ());
    let server = server.with_recorder(&recorder);
    let address = server.server_address();
    thread::scope(|scope| {
        scope.spawn(|| send_request(address));
        server.handle_request(NoFiles, Config::default(), Echo::default);
    });
    recorder.close(client::TIMEOUT);
    assert_same(&path);
}

#[test]
fn a_server_with_threads_records() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, path) = create(&folder);
    let server = ThreadingHTTPServer::bind("127.0.0.1:0").unwrap();
    let server = server.with_log(|_| ()).with_recorder(&recorder);
    let (address, stopper) = (server.server_address(), server.stopper());
    thread::scope(|scope| {
        scope.spawn(move || {
            send_request(address);
            stopper.shutdown(client::TIMEOUT);
        });
        let served = server.serve_forever(NoFiles, Config::default(), Echo::default);
        served.unwrap();
    });
    recorder.close(client::TIMEOUT);
    assert_same(&path);
}

#[cfg(unix)]
#[test]
fn an_event_loop_records() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, path) = create(&folder);
    let server = event_loop::HTTPServer::bind("127.0.0.1:0").unwrap();
    let server = server.with_log(|_| ()).with_recorder(&recorder);
    let (address, stopper) = (server.server_address(), server.stopper());
    thread::scope(|scope| {
        scope.spawn(move || {
            send_request(address);
            stopper.shutdown(client::TIMEOUT);
        });
        let served = server.serve_forever(NoFiles, Config::default(), Echo::default);
        served.unwrap();
    });
    recorder.close(client::TIMEOUT);
    assert_same(&path);
}

#[cfg(unix)]
#[test]
fn https_is_recorded_decrypted() {
    let (folder, certificate) = (tempfile::tempdir().unwrap(), TestCertificate::new());
    let (recorder, path) = create(&folder);
    let server = event_loop::HTTPServer::bind("127.0.0.1:0").unwrap();
    let server = server.with_log(|_| ()).with_tls(certificate.tls());
    let server = server.with_recorder(&recorder);
    let (address, stopper) = (server.server_address(), server.stopper());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = certificate.connect(address);
            send_pieces(&mut stream);
            stream.conn.send_close_notify();
            stream.flush().unwrap();
            read_reply(&mut stream);
            stopper.shutdown(client::TIMEOUT);
        });
        let served = server.serve_forever(NoFiles, Config::default(), Echo::default);
        served.unwrap();
    });
    recorder.close(client::TIMEOUT);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\tread\tPOS"), "{text}");
    assert_same(&path);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_tokio_records() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, path) = create(&folder);
    let server = tokio_rt::HTTPServer::bind("127.0.0.1:0").unwrap();
    let server = server.with_log(|_| ()).with_recorder(&recorder);
    let (address, stopper) = (server.server_address(), server.stopper());
    let serving = tokio::spawn(server.serve_forever(NoFiles, Config::default(), Echo::default));
    tokio::task::spawn_blocking(move || send_request(address))
        .await
        .unwrap();
    stopper.shutdown(client::TIMEOUT).await;
    serving.await.unwrap().unwrap();
    recorder.close(client::TIMEOUT);
    assert_same(&path);
}

#[test]
fn a_recording_ends_with_its_last_user() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, path) = create(&folder);
    recorder.note("header", "Set-Cookie: private");
    recorder.note("cors", "https://mary:private@a/?token=private");
    let server = HTTPServer::bind("127.0.0.1:0")
        .unwrap()
        .with_recorder(&recorder);
    drop(recorder);
    drop(server);
    let text = fs::read_to_string(path).unwrap();
    let expected = "# sanserve recording 1\nnote\theader\tSet-Cookie: xxxxxxx\n\
                    note\tcors\thttps://xxxxxxxxxxxx@a/?token=xxxxxxx\nend\t0\n";
    assert_eq!(text, expected);
}
