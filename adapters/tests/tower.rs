//! The engine as a `tower::Service`.

use std::fs;
use std::io::ErrorKind;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use sanserve_core::{Config, Event, Exchange, Files, Handler, Next};
use sanserve_server::tower::{Body, Service};
use sanserve_server::{Disk, NoFiles};
use tower_service::Service as _;

/// Asks for the files of a directory with this in `a.txt`.
async fn ask(request: http::request::Builder) -> Response<Body> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "hello, world\n").unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    let mut service = Service::with_log(disk, Config::default(), Files::new, |_| ());
    let request = request.body(Empty::<&[u8]>::new()).unwrap();
    service.call(request).await.unwrap()
}

async fn text(reply: Response<Body>) -> String {
    let bytes = reply.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn files_come_as_from_every_adapter() {
    let reply = ask(Request::get("http://host/a.txt")).await;
    assert_eq!(reply.status(), StatusCode::OK);
    assert_eq!(reply.headers()["content-type"], "text/plain");
    assert_eq!(reply.headers()["content-length"], "13");
    assert!(!reply.headers().contains_key("connection"));
    assert_eq!(text(reply).await, "hello, world\n");

    let reply = ask(Request::get("/a.txt").header("Range", "bytes=7-")).await;
    assert_eq!(reply.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(reply.headers()["content-range"], "bytes 7-12/13");
    assert_eq!(text(reply).await, "world\n");

    let reply = ask(Request::head("/a.txt")).await;
    assert_eq!(reply.headers()["content-length"], "13");
    assert_eq!(text(reply).await, "");

    let reply = ask(Request::get("/sub?x")).await;
    assert_eq!(reply.status(), StatusCode::MOVED_PERMANENTLY);
    assert_eq!(reply.headers()["location"], "./sub/?x");

    assert_eq!(
        ask(Request::get("/nope")).await.status(),
        StatusCode::NOT_FOUND
    );
    assert!(text(ask(Request::get("/")).await).await.contains("a.txt"));
}

/// Sends content back as it comes.
struct Echo;

impl Handler for Echo {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        ex.end_headers();
        Next::Body
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::Data(bytes) => {
                ex.write(bytes);
                Next::Body
            }
            _ => Next::Done,
        }
    }
}

#[tokio::test]
async fn content_goes_both_ways_with_and_without_a_length() {
    let mut service = Service::with_log(NoFiles, Config::default(), || Echo, |_| ());
    static CONTENT: [u8; 300_000] = [b'x'; 300_000];
    for length in [None, Some(CONTENT.len())] {
        let mut request = Request::post("/");
        if let Some(length) = length {
            request = request.header("Content-Length", length);
        }
        let request = request.body(Full::new(&CONTENT[..])).unwrap();
        let reply = service.call(request).await.unwrap();
        assert!(text(reply).await.as_bytes() == CONTENT);
    }
}

/// Says ten bytes, or nothing of a length, and sends five.
struct Short(bool);

impl Handler for Short {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        if self.0 {
            ex.send_header("Content-Length", 10);
        }
        ex.end_headers();
        ex.write(b"hello");
        Next::Flush
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, _: Event<'_>) -> Next {
        // A mistake, after which no reply goes on.
        ex.send_response(200);
        Next::Done
    }
}

#[tokio::test]
async fn what_breaks_off_is_no_whole_reply() {
    for has_length in [true, false] {
        let mut service = Service::with_log(
            NoFiles,
            Config::default(),
            move || Short(has_length),
            |_| (),
        );
        let request = Request::get("/").body(Empty::<&[u8]>::new()).unwrap();
        let reply = service.call(request).await.unwrap();
        let error = reply.into_body().collect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
