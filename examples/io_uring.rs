//! Serves a folder on Linux's io_uring, with the runtime compio: a port of sanserve to a runtime whose operations own
//! their buffers until they complete. On other systems, compio uses another interface.
//!
//! `cargo run -p sanserve-examples --example io_uring -- DIR`, then open the address it prints. It needs Rust 1.95, for
//! compio.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Wake;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWrite};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::{Runtime, spawn, spawn_blocking};
use compio::time::{sleep, timeout};
use futures_util::FutureExt;
use sanserve_core::{Ask, Config, Connection, FileSystem, Files, Got, Handler, Now, Step, Want};
use sanserve_server::fs_call::{FsCompletion, FsRequest, OpenSlot};
use sanserve_server::{Disk, OpenFile, blocking::stderr};
use tokio::sync::Notify;

type Slot = OpenSlot<OpenFile>;

/// A read or write in flight, with the buffer that it owns.
type Operation = Pin<Box<dyn Future<Output = BufResult<usize, Vec<u8>>>>>;

/// A socket and its operations. An operation stays in flight when its deadline passes, and the next want of the same kind
/// gets the result: if it were cancelled, bytes that the kernel has already moved could be lost.
struct Transport {
    socket: TcpStream,
    reading: Option<Operation>,
    writing: Option<Operation>,
    /// Bytes that no want has taken yet.
    received: Vec<u8>,
}

impl Transport {
    async fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.received.is_empty() {
            self.receive(into.len()).await?;
        }
        let n = self.received.len().min(into.len());
        into[..n].copy_from_slice(&self.received[..n]);
        self.received.drain(..n);
        Ok(n)
    }

    /// Appends to `received`. Returns 0 at the end of the peer's input.
    async fn receive(&mut self, len: usize) -> io::Result<usize> {
        let (mut socket, bytes) = (self.socket.clone(), Vec::with_capacity(len));
        let start = || Box::pin(async move { socket.read(bytes).await }) as Operation;
        let BufResult(read, bytes) = self.reading.get_or_insert_with(start).await;
        self.reading = None;
        self.received.extend(bytes);
        read
    }

    async fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let (mut socket, bytes) = (self.socket.clone(), from.to_vec());
        let start = || Box::pin(async move { socket.write(bytes).await }) as Operation;
        let BufResult(written, _) = self.writing.get_or_insert_with(start).await;
        self.writing = None;
        written
    }
}

/// Wakes a connection. `Notify` keeps a wake-up until it is awaited.
struct ConnectionWaker(Notify);

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// Makes a call that may block, on a thread of the runtime.
async fn call(disk: &Arc<Disk>, request: FsRequest<OpenFile>) -> FsCompletion<OpenFile> {
    let disk = Arc::clone(disk);
    let called = spawn_blocking(move || request.run(&*disk)).await;
    called.expect("the call does not panic")
}

/// Makes a call with an open file. There is no request if the thread of an earlier call, which took too long, still has
/// the file.
async fn call_with(
    disk: &Arc<Disk>,
    request: Option<FsRequest<OpenFile>>,
    slot: &mut Slot,
    into: &mut [u8],
) -> Got<Slot> {
    match request {
        Some(request) => slot.complete(call(disk, request).await, into),
        None => Got::Failed,
    }
}

async fn read_file(disk: &Arc<Disk>, slot: &mut Slot, at: u64, into: &mut [u8]) -> Got<Slot> {
    match slot.get_mut().map(|file| disk.try_fill(file, at, into)) {
        Some(Got::Nothing) | None => call_with(disk, slot.fill(at, into.len()), slot, into).await,
        Some(got) => OpenSlot::hold(got),
    }
}

async fn answer(disk: &Arc<Disk>, ask: &Ask) -> Got<Slot> {
    let mut got = disk.try_answer(ask);
    if let Got::Nothing = got {
        let completion = call(disk, FsRequest::Ask(ask.clone())).await;
        got = completion.into_answer().expect("the answer to an `Ask`");
        if let Got::Nothing = got {
            sleep(RETRY_INTERVAL).await;
        }
    }
    OpenSlot::hold(got).unsendable()
}

async fn serve_connection<H: Handler>(
    mut conn: Connection<Slot, H>,
    socket: TcpStream,
    disk: Arc<Disk>,
    log: impl Fn(&str),
) {
    let mut transport = Transport {
        socket,
        reading: None,
        writing: None,
        received: Vec::new(),
    };
    let waker = Arc::new(ConnectionWaker(Notify::new()));
    conn.set_waker(Arc::clone(&waker).into());
    let (start, mut got) = (Instant::now(), Got::Nothing);
    loop {
        // Only a read finds out whether the peer has disconnected, so it reads ahead.
        if conn.awaits_work() && transport.received.len() < READ_AHEAD_MAX {
            match transport.receive(READ_AHEAD_MAX).now_or_never() {
                Some(Ok(0)) => conn.peer_closed(),
                Some(Err(_)) => {
                    conn.peer_reset();
                    got = Got::Nothing;
                }
                Some(Ok(_)) | None => {}
            }
        }
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let (tick, unix) = (start.elapsed(), unix.map(|unix| unix.as_secs() as i64));
        let now = Now { tick, unix };
        #[cfg(unix)]
        if conn.is_overdue(now)
            && let Some(delivery) = sanserve_server::delivery(&transport.socket)
        {
            conn.delivered(now, delivery);
        }
        let Step { want, deadline, .. } = conn.step(now, got);
        if let Want::Close = want {
            return;
        }
        let work = async {
            match want {
                Want::Read(into) => transport.read(into).await.map_or(Got::Failed, Got::Bytes),
                Want::Write(from) => transport.write(from).await.map_or(Got::Failed, Got::Bytes),
                Want::ReadFile { file, at, into } => read_file(&disk, file, at, into).await,
                Want::Copy { .. } => unreachable!("no file here is sendable"),
                Want::WriteFile { file, from } => {
                    call_with(&disk, file.write(from), file, &mut []).await
                }
                Want::Commit { file } => call_with(&disk, file.commit(), file, &mut []).await,
                Want::Ask(ask) => answer(&disk, ask).await,
                Want::Wait => match timeout(WATCH_INTERVAL, waker.0.notified()).await {
                    Ok(()) => Got::Woken,
                    Err(_) => Got::Nothing,
                },
                Want::Log(lines) => {
                    log(lines);
                    Got::Nothing
                }
                Want::Shutdown => {
                    let _ = transport.socket.shutdown().await;
                    Got::Nothing
                }
                Want::Upgrade | Want::Close => unreachable!("no upgrade is allowed"),
            }
        };
        got = match deadline.map(|deadline| deadline.saturating_sub(tick)) {
            Some(left) => timeout(left, work).await.unwrap_or(Got::Nothing),
            None => work.await,
        };
    }
}

/// The number of bytes to read ahead. A peer that sends more while its connection awaits work is no longer watched.
const READ_AHEAD_MAX: usize = 16 * 1024;

/// How often to check whether a peer is still connected while its handler waits.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// The time after which to retry if the file system is busy, or descriptors have run out.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Serves each connection in a task, forever.
async fn serve<H: Handler + 'static>(
    listener: TcpListener,
    disk: Disk,
    config: Config,
    make_handler: impl Fn() -> H,
    log: impl Fn(&str) + Clone + 'static,
) -> ! {
    let (disk, config) = (Arc::new(disk), Arc::new(config));
    loop {
        let Ok((socket, peer)) = listener.accept().await else {
            sleep(RETRY_INTERVAL).await;
            continue;
        };
        let _ = socket.set_nodelay(true);
        let peer = peer.ip().to_string();
        let conn = Connection::new(Arc::clone(&config), &peer, make_handler());
        let served = serve_connection(conn, socket, Arc::clone(&disk), log.clone());
        spawn(served).detach();
    }
}

fn main() -> io::Result<()> {
    let disk = Disk::open(std::env::args_os().nth(1).unwrap_or_else(|| ".".into()))?;
    Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/", listener.local_addr()?);
        serve(listener, disk, Config::default(), Files::new, stderr).await
    })
}

#[cfg(all(test, target_os = "linux"))]
#[path = "tests/io_uring/mod.rs"]
mod tests;
