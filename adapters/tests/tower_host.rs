//! Tests the `tower::Service`: requests, replies, mounted paths and client addresses.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Full};
use sanserve_core::{Config, Event, Exchange, Files, Handler, Next, from_fn, listing};
use sanserve_server::tower_host::{Body, Service, mounted};
use sanserve_server::{Disk, NoFiles};
use tower_service::Service as _;

/// Sends a request to a service of a directory with `a.txt` and the folder `sub`.
async fn send(request: http::request::Builder) -> Response<Body> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "hello, world\n").unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    let mut service = Service::new(disk, Config::default(), Files::new).with_log(|_| ());
    let request = request.body(Empty::<&[u8]>::new()).unwrap();
    service.call(request).await.unwrap()
}

async fn text(reply: Response<Body>) -> String {
    let bytes = reply.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn files_are_served_as_by_every_adapter() {
    let reply = send(Request::get("http://host/a.txt")).await;
    assert_eq!(reply.status(), StatusCode::OK);
    assert_eq!(reply.headers()["content-type"], "text/plain");
    assert_eq!(reply.headers()["content-length"], "13");
    assert!(!reply.headers().contains_key("connection"));
    assert_eq!(text(reply).await, "hello, world\n");

    let reply = send(Request::get("/a.txt").header("Range", "bytes=7-")).await;
    assert_eq!(reply.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(reply.headers()["content-range"], "bytes 7-12/13");
    assert_eq!(text(reply).await, "world\n");

    let reply = send(Request::head("/a.txt")).await;
    assert_eq!(reply.headers()["content-length"], "13");
    assert_eq!(text(reply).await, "");

    let reply = send(Request::get("/sub?x")).await;
    assert_eq!(reply.status(), StatusCode::MOVED_PERMANENTLY);
    assert_eq!(reply.headers()["location"], "./sub/?x");

    assert_eq!(
        send(Request::get("/nope")).await.status(),
        StatusCode::NOT_FOUND
    );
    assert!(text(send(Request::get("/")).await).await.contains("a.txt"));
}

/// Returns the request's content as it arrives.
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
async fn content_is_echoed_with_and_without_a_length() {
    let mut service = Service::new(NoFiles, Config::default(), || Echo).with_log(|_| ());
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

/// Sends five bytes of an incomplete reply, with a `Content-Length` of ten or in chunks.
struct Incomplete {
    has_length: bool,
}

impl Handler for Incomplete {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        ex.send_response(200);
        if self.has_length {
            ex.send_header("Content-Length", 10);
        }
        ex.end_headers();
        ex.write(b"hello");
        Next::Flush
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, _: Event<'_>) -> Next {
        // A second head is a mistake, after which the reply is cut off.
        ex.send_response(200);
        Next::Done
    }
}

#[tokio::test]
async fn an_incomplete_reply_is_an_error() {
    for has_length in [true, false] {
        let handler = move || Incomplete { has_length };
        let mut service = Service::new(NoFiles, Config::default(), handler).with_log(|_| ());
        let request = Request::get("/").body(Empty::<&[u8]>::new()).unwrap();
        let reply = service.call(request).await.unwrap();
        let error = reply.into_body().collect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}

/// The extension in which a host that strips a prefix from the URI keeps the original one.
#[derive(Clone)]
struct Original(Uri);

/// Sends a request to a service that is mounted below two segments. Returns the status, `Location` and content.
async fn send_mounted(original: &str) -> (StatusCode, String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("sub/a.txt"), "hello").unwrap();
    let handler = || {
        let mut files = mounted::<2>(Files::new());
        files.settings_mut().list_directory = Arc::new(listing::page);
        files
    };
    let disk = Disk::open(folder.path()).unwrap();
    let mut service = Service::new(disk, Config::default(), handler)
        .with_log(|_| ())
        .with_original_uri(|extensions| extensions.get().map(|Original(uri)| uri.clone()));
    let original: Uri = original.parse().unwrap();
    let request = Request::get("/").extension(Original(original));
    let request = request.body(Empty::<&[u8]>::new()).unwrap();
    let reply = service.call(request).await.unwrap();
    let field = reply.headers().get("location");
    let location = field.map_or("", |value| value.to_str().unwrap()).to_owned();
    (reply.status(), location, text(reply).await)
}

#[tokio::test]
async fn a_mounted_service_uses_the_whole_path() {
    for (target, expected) in [
        ("/my/files", "./files/"),
        ("/my/files?x", "./files/?x"),
        ("/my/files/sub", "./sub/"),
    ] {
        let (status, location, _) = send_mounted(target).await;
        assert_eq!(status, StatusCode::MOVED_PERMANENTLY, "{target}");
        assert_eq!(location, expected);
    }
    assert_eq!(send_mounted("/my/files/sub/a.txt?x").await.2, "hello");
    assert_eq!(send_mounted("/my/files/../sub/a.txt").await.2, "hello");
    let (status, _, page) = send_mounted("/my/files/sub/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains("<h1>Directory listing for /my/files/sub/</h1>"),
        "{page}"
    );
    // The breadcrumbs begin at the mount point.
    assert!(
        page.contains("<a href=\"../\"><bdi>Home</bdi></a>"),
        "{page}"
    );
    assert!(
        !page.contains("<bdi>my<") && !page.contains("<bdi>files<"),
        "{page}"
    );
    for target in ["/", "/my", "/my/", "//files/sub/a.txt", "/my/files/nope"] {
        assert_eq!(
            send_mounted(target).await.0,
            StatusCode::NOT_FOUND,
            "{target}"
        );
    }
}

/// Replies with the address of the client.
fn reply_with_address(ex: &mut Exchange<'_>) -> Next {
    let address = ex.client_address().to_owned();
    ex.send_response(200);
    ex.send_header("Content-Length", address.len());
    ex.end_headers();
    ex.write(address.as_bytes());
    Next::Done
}

#[tokio::test]
async fn the_client_address_comes_from_the_extensions() {
    #[derive(Clone)]
    struct Info(SocketAddr);

    let lines = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&lines);
    let mut service = Service::new(NoFiles, Config::default(), || from_fn(reply_with_address))
        .with_log(move |text| log.lock().unwrap().push_str(text))
        .with_client_address(|extensions| extensions.get().map(|Info(address)| *address));
    let address = SocketAddr::from(([192, 0, 2, 7], 4711));
    for (request, expected) in [
        (Request::get("/").extension(Info(address)), "192.0.2.7"),
        (Request::get("/"), "-"),
    ] {
        let request = request.body(Empty::<&[u8]>::new()).unwrap();
        let reply = service.call(request).await.unwrap();
        assert_eq!(text(reply).await, expected);
        assert!(
            lines
                .lock()
                .unwrap()
                .lines()
                .last()
                .unwrap()
                .starts_with(&format!("{expected} - "))
        );
    }
}
