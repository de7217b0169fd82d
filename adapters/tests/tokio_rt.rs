//! The server of tasks: what keeps it from serving, and what must not.

mod peer;
mod slow;
mod task;

use std::fs;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use peer::{BIG, LONG, ask, connect, get, head, hello, rest, site};
use sanserve_core::{Event, Exchange, Files, Handler, Next, Timeouts, from_fn};
use sanserve_server::{Disk, NoFiles, tokio_rt::Transport, tokio_rt::serve};
use slow::Slow;
use task::{Running, config};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::Builder;
use tokio::sync::watch;

#[test]
fn files_are_served_on_kept_and_on_new_connections() {
    let running = Running::files(config());
    let socket = connect(running.address);
    (0..3).for_each(|_| hello(&socket));
    assert!(get(running.address, "/a.txt").ends_with("\r\n\r\nhello\n"));
    ask(&socket, "/big");
    assert!(head(&socket).contains(&format!("Content-Length: {BIG}\r\n")));
    let address = running.address;
    let reader = thread::spawn(move || rest(&socket).unwrap());
    assert!(get(address, "/nope").starts_with("HTTP/1.1 404 "));
    running.stop(LONG);
    assert_eq!(reader.join().unwrap(), BIG);
}

#[test]
#[cfg(target_os = "linux")]
fn what_the_system_has_in_memory_needs_no_thread() {
    let running = Running::files(config());
    let large = "x".repeat(10 << 20);
    fs::write(running.site.path().join("large"), &large).unwrap();
    let ask_for_all = || {
        assert!(get(running.address, "/a.txt").ends_with("\r\n\r\nhello\n"));
        assert!(get(running.address, "/large").ends_with(&large));
        assert!(get(running.address, "/nope").starts_with("HTTP/1.1 404 "));
    };
    // Whatever was not in memory is so now.
    ask_for_all();
    let before = running.threads();
    (0..10).for_each(|_| ask_for_all());
    assert_eq!(running.threads(), before);
    // A listing is nothing that the system can be asked for in this way.
    get(running.address, "/");
    assert!(running.threads() > before);
    running.stop(LONG);
}

fn slow(timeouts: Timeouts) -> (Running, Slow) {
    let site = site();
    let slow = Slow::new(&site);
    let config = config().with_timeouts(timeouts);
    let running = Running::start(site, |server| server, slow.clone(), config, Files::new);
    (running, slow)
}

#[test]
fn a_slow_disk_keeps_nobody_waiting_but_who_asked_for_it() {
    let (running, slow) = slow(Timeouts::default());
    let sockets = ["/slow", "/read"].map(|name| {
        let socket = connect(running.address);
        ask(&socket, name);
        socket
    });
    let other = connect(running.address);
    (0..100).for_each(|_| hello(&other));
    slow.go();
    for (socket, len) in sockets.iter().zip(["2", "12"]) {
        assert!(head(socket).contains(&format!("\r\nContent-Length: {len}\r\n")));
    }
    running.stop(LONG);
}

#[test]
fn a_disk_that_is_too_slow_is_given_up() {
    let (running, slow) = slow(Timeouts::default().with_ask(Duration::from_millis(200)));
    for name in ["/slow", "/read"] {
        let reply = get(running.address, name);
        assert!(reply.starts_with("HTTP/1.1 504 "), "{reply}");
    }
    hello(&connect(running.address));
    slow.go();
    hello(&connect(running.address));
    running.stop(LONG);
}

/// Files, by a handler that counts how many there are of it.
struct Counted {
    files: Files,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    fn new(alive: &Arc<AtomicUsize>, most: &AtomicUsize) -> Counted {
        let now = alive.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(now, Ordering::SeqCst);
        let (files, alive) = (Files::new(), Arc::clone(alive));
        Counted { files, alive }
    }
}

impl Handler for Counted {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.files.begin(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        self.files.resume(ex, event)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn more_clients_than_places_are_all_served_in_the_end() {
    let (alive, most) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
    let (site, seen) = (site(), Arc::clone(&most));
    let disk = Disk::open(site.path()).unwrap();
    let handler = move || Counted::new(&alive, &seen);
    let running = Running::start(
        site,
        |server| server.with_max_connections(3),
        disk,
        config(),
        handler,
    );
    // These have all places, each with a running reply.
    let first: Vec<_> = (0..3).map(|_| connect(running.address)).collect();
    for socket in &first {
        ask(socket, "/big");
        assert!(head(socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    // These wait in the queue, their request already sent.
    let late: Vec<_> = (0..20).map(|_| connect(running.address)).collect();
    late.iter().for_each(|socket| ask(socket, "/a.txt"));
    drop(first);
    for socket in late {
        assert!(head(&socket).starts_with("HTTP/1.1 200 OK\r\n"));
    }
    running.stop(LONG);
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[test]
fn stopping_lets_idle_connections_go_at_once_and_a_running_reply_finish() {
    let timeouts = Timeouts::default().with_idle(3 * LONG).with_park(3 * LONG);
    let running = Running::files(config().with_timeouts(timeouts));
    let kept: Vec<_> = (0..5).map(|_| connect(running.address)).collect();
    kept.iter().for_each(hello);
    let busy = connect(running.address);
    ask(&busy, "/big");
    ask(&busy, "/a.txt");
    head(&busy);
    drop(running.stopper.shutdown(LONG));
    for socket in &kept {
        assert_eq!(rest(socket).unwrap(), 0);
    }
    // The listening socket went before them.
    assert!(std::net::TcpStream::connect(running.address).is_err());
    assert_eq!(rest(&busy).unwrap(), BIG);
    running.returns();
}

#[test]
fn a_reply_that_lasts_longer_than_the_grace_is_cut_off() {
    let running = Running::files(config());
    let socket = connect(running.address);
    ask(&socket, "/big");
    head(&socket);
    drop(running.stopper.shutdown(3 * LONG));
    running.stop(Duration::from_millis(10));
    assert!(!matches!(rest(&socket), Ok(BIG)));
}

#[test]
fn shutdown_is_ready_when_no_connection_is_left_or_the_grace_is_over() {
    let running = Running::files(config());
    let busy = connect(running.address);
    ask(&busy, "/big");
    head(&busy);
    let mut shutdown = pin!(running.stopper.shutdown(LONG));
    let mut context = Context::from_waker(Waker::noop());
    // The reply is not read yet, so it runs.
    assert!(shutdown.as_mut().poll(&mut context).is_pending());
    assert_eq!(rest(&busy).unwrap(), BIG);
    let blocking = Builder::new_current_thread().build().unwrap();
    blocking.block_on(shutdown);
    running.returns();

    let running = Running::files(config());
    let busy = connect(running.address);
    ask(&busy, "/big");
    head(&busy);
    blocking.block_on(running.stopper.shutdown(Duration::ZERO));
    assert!(!matches!(rest(&busy), Ok(BIG)));
    running.returns();
}

#[test]
fn a_server_that_does_not_serve_is_not_waited_for() {
    let set_up = |server: sanserve_server::tokio_rt::HTTPServer| {
        let mut shutdown = pin!(server.stopper().shutdown(LONG));
        let mut context = Context::from_waker(Waker::noop());
        assert!(shutdown.as_mut().poll(&mut context).is_ready());
        server
    };
    Running::with(set_up, config()).returns();
}

#[test]
fn a_server_that_is_stopped_before_it_serves_returns_at_once() {
    let set_up = |server: sanserve_server::tokio_rt::HTTPServer| {
        drop(server.stopper().shutdown(LONG));
        server
    };
    Running::with(set_up, config()).returns();
}

#[test]
fn who_sends_nothing_or_reads_nothing_gives_his_place_up() {
    let timeouts = Timeouts::default()
        .with_idle(Duration::from_millis(300))
        .with_park(Duration::from_millis(100))
        .with_grace(Duration::from_millis(300))
        .with_rate(u32::MAX);
    let config = config().with_timeouts(timeouts);
    let running = Running::with(|server| server.with_max_connections(1), config);
    let silent = connect(running.address);
    assert_eq!(rest(&silent).unwrap(), 0);
    let deaf = connect(running.address);
    ask(&deaf, "/big");
    hello(&connect(running.address));
    assert!(!matches!(rest(&deaf), Ok(BIG)));
    running.stop(LONG);
}

#[test]
fn a_handler_that_panics_loses_its_own_connection_only() {
    let answer = |ex: &mut Exchange<'_>| {
        assert!(ex.path() != "/panic", "as was asked for");
        ex.send_error(410, "Gone")
    };
    let one = |server: sanserve_server::tokio_rt::HTTPServer| server.with_max_connections(1);
    let running = Running::start(site(), one, NoFiles, config(), move || from_fn(answer));
    let socket = connect(running.address);
    ask(&socket, "/panic");
    assert!(matches!(rest(&socket), Ok(0) | Err(_)));
    assert!(get(running.address, "/a.txt").starts_with("HTTP/1.1 410 Gone\r\n"));
    running.stop(LONG);
}

#[tokio::test]
async fn any_stream_will_do_and_its_future_is_small() {
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
    // It is Send, or this would not compile.
    let serving = tokio::spawn(serving);
    let (mut reader, mut writer) = tokio::io::split(near);
    writer
        .write_all(b"GET /big HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut reply = Vec::new();
    reader.read_to_end(&mut reply).await.unwrap();
    assert!(reply.starts_with(b"HTTP/1.1 200 OK\r\n") && reply.len() > BIG);
    drop((reader, writer));
    serving.await.unwrap().unwrap();
    assert!(log.lock().unwrap().starts_with("somewhere - - ["));
}

#[test]
fn a_connection_that_is_dropped_is_broken_off() {
    let running = Running::files(config());
    let start = Instant::now();
    let socket = connect(running.address);
    ask(&socket, "/big");
    head(&socket);
    drop(running);
    let read: io::Result<usize> = rest(&socket);
    assert!(!matches!(read, Ok(BIG)) && start.elapsed() < LONG / 2);
}
