//! Tests the tokio server: files and slow disks, limits and deadlines, shutdown, and a panic. Also tests a connection
//! that is served without a server.

mod client;
mod counted;
mod gated_disk;
mod tokio_server;

use std::fs;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use client::{BIG_LEN, TIMEOUT, connect, drain, get, get_hello, read_head, send_get, site};
use counted::Counted;
use gated_disk::GatedDisk;
use sanserve_core::{Exchange, Files, Timeouts, from_fn};
use sanserve_server::{Disk, NoFiles, tokio_rt::Transport, tokio_rt::serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio_server::{TokioServer, config};

#[test]
fn files_are_served_on_persistent_and_new_connections() {
    let server = TokioServer::files(config());
    let socket = connect(server.address);
    (0..3).for_each(|_| get_hello(&socket));
    assert!(get(server.address, "/a.txt").ends_with("\r\n\r\nhello\n"));
    send_get(&socket, "/big");
    assert!(read_head(&socket).contains(&format!("Content-Length: {BIG_LEN}\r\n")));
    let address = server.address;
    let reader = thread::spawn(move || drain(&socket).unwrap());
    assert!(get(address, "/nope").starts_with("HTTP/1.1 404 "));
    server.stop(TIMEOUT);
    assert_eq!(reader.join().unwrap(), BIG_LEN);
}

#[test]
#[cfg(target_os = "linux")]
fn files_in_the_page_cache_need_no_thread() {
    let server = TokioServer::files(config());
    let large = "x".repeat(10 << 20);
    fs::write(server.site.path().join("large"), &large).unwrap();
    let request_all = || {
        assert!(get(server.address, "/a.txt").ends_with("\r\n\r\nhello\n"));
        assert!(get(server.address, "/large").ends_with(&large));
        assert!(get(server.address, "/nope").starts_with("HTTP/1.1 404 "));
    };
    // After this all files are in the page cache.
    request_all();
    let before = server.threads();
    (0..10).for_each(|_| request_all());
    assert_eq!(server.threads(), before);
    // A listing always needs a thread.
    get(server.address, "/");
    assert!(server.threads() > before);
    server.stop(TIMEOUT);
}

/// Starts a server of a disk whose slow files are not released yet.
fn start_with_gated_disk(timeouts: Timeouts) -> (TokioServer, GatedDisk) {
    let site = site();
    let disk = GatedDisk::new(&site);
    let config = config().with_timeouts(timeouts);
    let server = TokioServer::start(site, |server| server, disk.clone(), config, Files::new);
    (server, disk)
}

#[test]
fn a_slow_disk_delays_only_the_requests_that_use_it() {
    let (server, disk) = start_with_gated_disk(Timeouts::default());
    let sockets = ["/slow-open", "/slow-read"].map(|name| {
        let socket = connect(server.address);
        send_get(&socket, name);
        socket
    });
    let other = connect(server.address);
    (0..100).for_each(|_| get_hello(&other));
    disk.release();
    for (socket, len) in sockets.iter().zip(["2", "12"]) {
        assert!(read_head(socket).contains(&format!("\r\nContent-Length: {len}\r\n")));
    }
    server.stop(TIMEOUT);
}

#[test]
fn a_request_to_a_disk_that_is_too_slow_gets_504() {
    let timeouts = Timeouts::default().with_ask(Duration::from_millis(200));
    let (server, disk) = start_with_gated_disk(timeouts);
    for name in ["/slow-open", "/slow-read"] {
        let reply = get(server.address, name);
        assert!(reply.starts_with("HTTP/1.1 504 "), "{reply}");
    }
    get_hello(&connect(server.address));
    disk.release();
    get_hello(&connect(server.address));
    server.stop(TIMEOUT);
}

#[test]
fn clients_over_the_connection_limit_are_served_later() {
    let (alive, max_alive) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
    let (site, max) = (site(), Arc::clone(&max_alive));
    let disk = Disk::open(site.path()).unwrap();
    let handler = move || Counted::new(&alive, &max);
    let server = TokioServer::start(
        site,
        |server| server.with_max_connections(3),
        disk,
        config(),
        handler,
    );
    // These take all connections, each with a running reply.
    let first: Vec<_> = (0..3).map(|_| connect(server.address)).collect();
    for socket in &first {
        send_get(socket, "/big");
        assert!(read_head(socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    // These wait in the queue, their request already sent.
    let late: Vec<_> = (0..20).map(|_| connect(server.address)).collect();
    late.iter().for_each(|socket| send_get(socket, "/a.txt"));
    drop(first);
    for socket in late {
        assert!(read_head(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    server.stop(TIMEOUT);
    assert_eq!(max_alive.load(Ordering::SeqCst), 3);
}

#[test]
fn shutdown_closes_idle_connections_and_lets_a_running_reply_finish() {
    let timeouts = Timeouts::default()
        .with_idle(3 * TIMEOUT)
        .with_park(3 * TIMEOUT);
    let server = TokioServer::files(config().with_timeouts(timeouts));
    let idle: Vec<_> = (0..5).map(|_| connect(server.address)).collect();
    idle.iter().for_each(get_hello);
    let busy = connect(server.address);
    send_get(&busy, "/big");
    send_get(&busy, "/a.txt");
    read_head(&busy);
    drop(server.stopper.shutdown(TIMEOUT));
    for socket in &idle {
        assert_eq!(drain(socket).unwrap(), 0);
    }
    // The listening socket was closed before them.
    assert!(std::net::TcpStream::connect(server.address).is_err());
    assert_eq!(drain(&busy).unwrap(), BIG_LEN);
    server.wait();
}

#[test]
fn a_reply_that_outlasts_the_grace_period_is_cut_off() {
    let server = TokioServer::files(config());
    let socket = connect(server.address);
    send_get(&socket, "/big");
    read_head(&socket);
    drop(server.stopper.shutdown(3 * TIMEOUT));
    server.stop(Duration::from_millis(10));
    assert!(!matches!(drain(&socket), Ok(BIG_LEN)));
}

#[test]
fn shutdown_completes_when_no_connection_is_left_or_the_grace_period_ends() {
    let server = TokioServer::files(config());
    let busy = connect(server.address);
    send_get(&busy, "/big");
    read_head(&busy);
    let mut shutdown = pin!(server.stopper.shutdown(TIMEOUT));
    let mut context = Context::from_waker(Waker::noop());
    // The reply has not been read yet, so it is still running.
    assert!(shutdown.as_mut().poll(&mut context).is_pending());
    assert_eq!(drain(&busy).unwrap(), BIG_LEN);
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(shutdown);
    server.wait();

    let server = TokioServer::files(config());
    let busy = connect(server.address);
    send_get(&busy, "/big");
    read_head(&busy);
    runtime.block_on(server.stopper.shutdown(Duration::ZERO));
    assert!(!matches!(drain(&busy), Ok(BIG_LEN)));
    server.wait();
}

#[test]
fn shutdown_does_not_wait_for_a_server_that_does_not_serve() {
    let set_up = |server: sanserve_server::tokio_rt::HTTPServer| {
        let mut shutdown = pin!(server.stopper().shutdown(TIMEOUT));
        let mut context = Context::from_waker(Waker::noop());
        assert!(shutdown.as_mut().poll(&mut context).is_ready());
        server
    };
    TokioServer::with(set_up, config()).wait();
}

#[test]
fn a_server_stopped_before_it_serves_returns_immediately() {
    let set_up = |server: sanserve_server::tokio_rt::HTTPServer| {
        drop(server.stopper().shutdown(TIMEOUT));
        server
    };
    TokioServer::with(set_up, config()).wait();
}

#[test]
fn a_client_that_sends_or_reads_nothing_is_disconnected() {
    let timeouts = Timeouts::default()
        .with_idle(Duration::from_millis(300))
        .with_park(Duration::from_millis(100))
        .with_grace(Duration::from_millis(300))
        .with_rate(u32::MAX);
    let config = config().with_timeouts(timeouts);
    let server = TokioServer::with(|server| server.with_max_connections(1), config);
    let silent = connect(server.address);
    assert_eq!(drain(&silent).unwrap(), 0);
    let reads_nothing = connect(server.address);
    send_get(&reads_nothing, "/big");
    get_hello(&connect(server.address));
    assert!(!matches!(drain(&reads_nothing), Ok(BIG_LEN)));
    server.stop(TIMEOUT);
}

#[test]
fn a_panicking_handler_loses_only_its_own_connection() {
    let answer = |ex: &mut Exchange<'_>| {
        assert!(ex.path() != "/panic", "panic as requested");
        ex.send_error(410, "Gone")
    };
    let set_up = |server: sanserve_server::tokio_rt::HTTPServer| server.with_max_connections(1);
    let server = TokioServer::start(site(), set_up, NoFiles, config(), move || from_fn(answer));
    let socket = connect(server.address);
    send_get(&socket, "/panic");
    assert!(matches!(drain(&socket), Ok(0) | Err(_)));
    assert!(get(server.address, "/a.txt").starts_with("HTTP/1.1 410 Gone\r\n"));
    server.stop(TIMEOUT);
}

#[tokio::test]
async fn any_stream_can_be_served_by_a_small_future() {
    let site = site();
    let disk = Arc::new(Disk::open(site.path()).unwrap());
    let (near, far) = duplex(64 * 1024);
    let (_stop, stopping) = watch::channel(false);
    let log = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&log);
    let serving = async move {
        let log = |lines: &str| sink.lock().unwrap().push_str(lines);
        let link = Transport::new(far, "somewhere");
        serve(link, &disk, config(), Files::new(), &log, stopping).await
    };
    assert!(
        size_of_val(&serving) < 3 * 1024,
        "{}",
        size_of_val(&serving)
    );
    println!(
        "the future of a connection: {} bytes",
        size_of_val(&serving)
    );
    // This compiles only if the future is `Send`.
    let serving = tokio::spawn(serving);
    let (mut reader, mut writer) = tokio::io::split(near);
    writer
        .write_all(b"GET /big HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut reply = Vec::new();
    reader.read_to_end(&mut reply).await.unwrap();
    assert!(reply.starts_with(b"HTTP/1.1 200 OK\r\n") && reply.len() > BIG_LEN);
    drop((reader, writer));
    serving.await.unwrap().unwrap();
    assert!(log.lock().unwrap().starts_with("somewhere - - ["));
}

#[test]
fn a_connection_whose_future_is_dropped_is_cut_off() {
    let server = TokioServer::files(config());
    let start = Instant::now();
    let socket = connect(server.address);
    send_get(&socket, "/big");
    read_head(&socket);
    drop(server);
    let read: io::Result<usize> = drain(&socket);
    assert!(!matches!(read, Ok(BIG_LEN)) && start.elapsed() < TIMEOUT / 2);
}
