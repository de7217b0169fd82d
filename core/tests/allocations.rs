//! Tests how often a request on a kept-alive connection allocates, and how much memory a connection holds between
//! requests.

mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{
    AsyncExchange, Cgi, Config, Connection, FileSystem, Files, Got, Handler, Next, Now, Protocol,
    Upload, Want, from_async_fn,
};
use world::{File, Tree};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    /// The number of allocated bytes.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: forwards every call to the system's allocator; the counter allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        HELD.set(HELD.get() + layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size() as isize);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        HELD.set(HELD.get() + size as isize - layout.size() as isize);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Sends the same request repeatedly on one connection, and returns the allocations of each of the last ones.
fn count(handler: impl Handler, request: &[u8]) -> Vec<usize> {
    let config = Config::default()
        .with_protocol(Protocol::Http11)
        .with_keep_alive(true);
    let mut conn: Connection<File, _> = Connection::new(config, "192.0.2.1", handler);
    let mut counts = Vec::with_capacity(20);
    let (mut got, mut before) = (Got::Nothing, 0);
    while counts.len() < 20 {
        got = match conn
            .step(
                Now {
                    unix: Some(1_767_225_600),
                    ..Now::default()
                },
                got,
            )
            .want
        {
            Want::Read(into) => {
                counts.push(COUNT.get() - before);
                before = COUNT.get();
                into[..request.len()].copy_from_slice(request);
                Got::Bytes(request.len())
            }
            Want::Write(from) => Got::Bytes(from.len()),
            Want::ReadFile { file, at, into } => Tree.fill(file, at, into),
            Want::Ask(ask) => Tree.answer(ask),
            Want::Log(_) => Got::Nothing,
            other => panic!("{other:?}"),
        };
    }
    counts.split_off(3)
}

const REQUEST: &[u8] =
    b"GET /hello.txt HTTP/1.1\r\nHost: h\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n";

#[test]
fn the_engine_allocates_nothing_for_a_further_request() {
    let hello = sanserve_core::from_fn(|ex| {
        ex.send_response(200);
        ex.send_header("Content-Length", 6);
        ex.end_headers();
        ex.write(b"hello\n");
        Next::Done
    });
    let counts = count(hello, REQUEST);
    assert!(counts.iter().all(|&count| count == 0), "{counts:?}");
}

#[test]
fn an_asynchronous_handler_allocates_only_what_it_reads() {
    let hello = from_async_fn(async |ex| {
        ex.send_response(200);
        ex.send_header("Content-Length", 6);
        ex.end_headers();
        ex.write(b"hello\n").await;
        Ok(())
    });
    let counts = count(hello, REQUEST);
    assert!(counts.iter().all(|&count| count == 0), "{counts:?}");
    let echo = from_async_fn(async |ex| {
        let content = ex.read_all(100).await?;
        ex.reply(200, "text/plain", content).await;
        Ok(())
    });
    let post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nhello\n";
    let counts = count(echo, post);
    assert!(counts.iter().all(|&count| count == 1), "{counts:?}");
}

#[test]
fn the_file_service_allocates_only_the_path() {
    let counts = count(Files::new(), REQUEST);
    assert!(counts.iter().all(|&count| count == 1), "{counts:?}");
    for field in [
        "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT",
        "If-None-Match: \"a\", \"b\"",
        "Range: bytes=1-3",
        "Range: bytes=-1\r\nIf-Range: \"x\"",
    ] {
        let request = format!("GET /hello.txt HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n");
        let counts = count(Files::new(), request.as_bytes());
        assert!(
            counts.iter().all(|&count| count == 1),
            "{field}: {counts:?}"
        );
    }
}

#[test]
fn owned_settings_allocate_nothing_per_request() {
    let mut files = Files::new();
    let settings = files.settings_mut();
    let owned = |text: &str| Some(text.to_owned().into());
    settings.default_type = "text/x-none".to_owned().into();
    settings.charset = owned("utf-8");
    settings.cache_control = owned("no-cache");
    settings.cors = owned("*");
    settings.extra_headers = vec![("X-A".to_owned().into(), "1".to_owned().into())];
    let counts = count(files, REQUEST);
    assert!(counts.iter().all(|&count| count == 1), "{counts:?}");
}

#[test]
fn connections_share_the_settings_of_their_server() {
    let (config, files) = (Arc::new(Config::default()), Files::new());
    let before = HELD.get();
    let conn: Connection<File, _> =
        Connection::new(Arc::clone(&config), "192.0.2.1", files.clone());
    // The peer's address is the only allocation.
    assert_eq!(HELD.get() - before, "192.0.2.1".len() as isize);
    drop(conn);
}

#[test] // Each segment of a target used to cost a copy of the path up to it.
fn path_segments_allocate_nothing_with_cgi() {
    let most = |segments, end| {
        let path = "/a".repeat(segments);
        let request = format!("GET {path}{end} HTTP/1.1\r\nHost: h\r\n\r\n");
        let counts = count(Cgi::new("h", 80), request.as_bytes());
        counts.into_iter().max()
    };
    for end in ["", "/", "/?zip", "/cgi-bin/a"] {
        assert!(most(200, end) <= most(2, end), "{end}");
    }
}

/// Returns the number of bytes that a connection holds while it waits for another request, without those that it frees
/// when idle. `make_handler` is called once, and what it then allocates counts.
fn held_bytes<H: Handler>(make_handler: impl Fn() -> H, request: &str) -> isize {
    let config = Config::default()
        .with_protocol(Protocol::Http11)
        .with_keep_alive(true);
    // Shared by all connections, as in a server.
    let config = Arc::new(config);
    let before = HELD.get();
    let mut conn: Connection<File, _> =
        Connection::new(Arc::clone(&config), "192.0.2.1", make_handler());
    let (mut rest, mut got, mut replied) = (request.as_bytes(), Got::Nothing, false);
    let mut now = Now::default();
    loop {
        got = match conn.step(now, got).want {
            Want::Read(_) if replied && rest.is_empty() => {
                now.tick += Duration::from_secs(2);
                Got::Nothing
            }
            Want::Read(into) => {
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                replied = true;
                Got::Bytes(from.len())
            }
            Want::Ask(ask) => Tree.answer(ask),
            Want::Log(_) => Got::Nothing,
            other => panic!("{other:?}"),
        };
        assert!(
            now.tick < Duration::from_secs(60),
            "the connection never becomes idle"
        );
        if replied && conn.can_park() {
            let parked = conn.park();
            let held = HELD.get() - before;
            drop(parked);
            return held;
        }
    }
}

#[test]
fn a_refused_form_holds_no_memory() {
    let named = "--b\r\nContent-Disposition: form-data; filename=-x\r\n\r\n";
    let form = [named, &"x".repeat(10_000), "\r\n--b--"].concat();
    let fields = "Host: h\r\nContent-Type: multipart/form-data; boundary=b";
    let len = form.len();
    let request = format!("POST / HTTP/1.1\r\n{fields}\r\nContent-Length: {len}\r\n\r\n{form}");
    let upload = Upload::new(); // its settings are shared
    assert_eq!(held_bytes(|| upload.clone(), &request), 0);
}

#[test]
fn an_idle_asynchronous_handler_holds_no_memory() {
    let hello = async |ex: AsyncExchange| {
        ex.reply(200, "text/plain", "hello\n").await;
        Ok(())
    };
    let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(held_bytes(|| from_async_fn(hello), request), 0);
}
