//! Servers whose sockets have send buffers of a given size, and clients that read at a given rate.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use sanserve_core::{Config, Files};
use sanserve_server::{Disk, Listener, Tls};
use socket2::{Domain, Socket, Type};

use crate::peer::LONG;

/// What carries connections over sockets.
pub(crate) const RUNTIMES: [&str; 3] = ["std", "mio", "tokio"];

/// A server that ends with this, or before that with the last of so many connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
    stop: Option<Box<dyn FnOnce()>>,
    thread: Option<JoinHandle<()>>,
}

/// How it is set up.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) runtime: &'static str,
    pub(crate) tls: Option<Tls>,
    /// The size of the system's send buffer, in bytes; what the system chooses if it is 0.
    pub(crate) send_buffer: usize,
    pub(crate) connections: usize,
    pub(crate) config: Config,
    pub(crate) handler: fn() -> Files,
}

impl Server {
    pub(crate) fn start(setup: Setup, site: &Path) -> Server {
        Server::with(setup, Arc::new(Disk::open(site).unwrap()))
    }

    /// The same with a disk that others may have, too.
    pub(crate) fn with(setup: Setup, disk: Arc<Disk>) -> Server {
        let log = Arc::<Mutex<String>>::default();
        let lines = {
            let log = Arc::clone(&log);
            move |lines: &str| log.lock().unwrap().push_str(lines)
        };
        let (address, stop, serve) = match setup.runtime {
            "mio" => mio(setup, disk, lines),
            _ => accepting(setup, disk, lines),
        };
        Server {
            address,
            log,
            stop: Some(stop),
            thread: Some(thread::spawn(serve)),
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.take().into_iter().for_each(|stop| stop());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(
            thread::panicking() || matches!(ended, Some(Ok(()))),
            "the server panicked"
        );
    }
}

type Parts = (SocketAddr, Box<dyn FnOnce()>, Box<dyn FnOnce() + Send>);

fn mio(setup: Setup, disk: Arc<Disk>, log: impl Fn(&str) + Send + Sync + 'static) -> Parts {
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    set_send_buffer(&listener, setup.send_buffer);
    let mut server = sanserve_server::event_loop::HTTPServer::new(vec![listener])
        .with_threads(1)
        .with_log(log);
    if let Some(tls) = setup.tls {
        server = server.with_tls(tls);
    }
    let (address, stopper) = (server.server_address(), server.stopper());
    let serve = move || {
        server
            .serve_forever(&*disk, setup.config, setup.handler)
            .unwrap();
    };
    (
        address,
        Box::new(move || stopper.shutdown(Duration::ZERO)),
        Box::new(serve),
    )
}

/// The others serve sockets that the test accepts. What is accepted has the buffer of the listening socket.
fn accepting(setup: Setup, disk: Arc<Disk>, log: impl Fn(&str) + Send + Sync + 'static) -> Parts {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    set_send_buffer(&listener, setup.send_buffer);
    let address = listener.local_addr().unwrap();
    let ends = Arc::new(AtomicBool::new(false));
    let stop = {
        let ends = Arc::clone(&ends);
        move || {
            ends.store(true, Ordering::Relaxed);
            // It may wait for a connection, or have ended.
            let _ = TcpStream::connect(address);
        }
    };
    let serve: Box<dyn FnOnce() + Send> = match setup.runtime {
        "std" | "stdio" => Box::new(move || std(&setup, &listener, &disk, &log, &ends)),
        _ => Box::new(move || tokio(setup, listener, disk, log, &ends)),
    };
    (address, Box::new(stop), serve)
}

fn std(
    setup: &Setup,
    listener: &TcpListener,
    disk: &Disk,
    log: &(dyn Fn(&str) + Sync),
    ends: &AtomicBool,
) {
    thread::scope(|scope| {
        for _ in 0..setup.connections {
            let (socket, _) = listener.accept().unwrap();
            if ends.load(Ordering::Relaxed) {
                return;
            }
            scope.spawn(move || {
                let (config, handler, stop) = (
                    setup.config.clone(),
                    (setup.handler)(),
                    AtomicBool::new(false),
                );
                let _ = match &setup.tls {
                    None if setup.runtime == "stdio" => {
                        let input = socket.try_clone().unwrap().into();
                        sanserve_server::stdio::serve(
                            input,
                            socket.into(),
                            disk,
                            config,
                            handler,
                            log,
                        )
                    }
                    Some(tls) => {
                        let transport =
                            sanserve_server::blocking::Transport::tls(&socket, tls).unwrap();
                        sanserve_server::blocking::serve(
                            transport, disk, config, handler, log, &stop,
                        )
                    }
                    None => {
                        sanserve_server::blocking::serve(&socket, disk, config, handler, log, &stop)
                    }
                };
            });
        }
    });
}

fn tokio(
    setup: Setup,
    listener: TcpListener,
    disk: Arc<Disk>,
    log: impl Fn(&str) + Send + Sync + 'static,
    ends: &AtomicBool,
) {
    use tokio::runtime::Builder;
    use tokio::task::JoinSet;

    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let log = Arc::new(log);
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    runtime.block_on(async move {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut running = JoinSet::new();
        for _ in 0..setup.connections {
            let (socket, _) = listener.accept().await.unwrap();
            if ends.load(Ordering::Relaxed) {
                return;
            }
            let transport = match &setup.tls {
                Some(tls) => sanserve_server::tokio_rt::Transport::tls(socket, tls).unwrap(),
                None => sanserve_server::tokio_rt::Transport::from(socket),
            };
            let (disk, log, stop) = (Arc::clone(&disk), Arc::clone(&log), stopped.clone());
            let (config, handler) = (setup.config.clone(), (setup.handler)());
            running.spawn(async move {
                let _ = sanserve_server::tokio_rt::serve(
                    transport, &disk, config, handler, &*log, stop,
                )
                .await;
            });
        }
        while let Some(ended) = running.join_next().await {
            ended.unwrap();
        }
    });
}

/// Where the test may not go beyond the system's limit, the buffer is as large as it may be.
fn set_send_buffer(socket: &impl AsFd, bytes: usize) {
    if bytes > 0 {
        // The system doubles what it is told.
        sockopt::set_socket_send_buffer_size_force(socket, bytes / 2)
            .or_else(|_| sockopt::set_socket_send_buffer_size(socket, bytes / 2))
            .unwrap();
    }
}

/// A connection whose system takes little before its program reads.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket.set_write_timeout(Some(LONG)).unwrap();
    socket.into()
}

/// Reads so many bytes a second for so long, and calls `meanwhile` between two reads. Returns what was read, and whether
/// that was the end.
pub(crate) fn read_slowly<S: Read>(
    stream: &mut S,
    rate: usize,
    time: Duration,
    mut meanwhile: impl FnMut(&mut S),
) -> io::Result<(usize, bool)> {
    let start = Instant::now();
    let mut read = 0;
    while start.elapsed() < time {
        let due = (start.elapsed().as_secs_f64() * rate as f64) as usize;
        let mut piece = vec![0; due.saturating_sub(read).min(64 * 1024)];
        if !piece.is_empty() {
            match stream.read(&mut piece)? {
                0 => return Ok((read, true)),
                n => read += n,
            }
        }
        meanwhile(stream);
        // The reader is slow: this is its pace.
        thread::sleep(Duration::from_millis(20));
    }
    Ok((read, false))
}

/// Sends a request and does not wait for the reply.
pub(crate) fn ask(stream: &mut impl Write, target: &str) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream.flush().unwrap();
}

/// A stream that keeps what is read from it.
pub(crate) struct Keeping<'a, S> {
    pub(crate) stream: &'a mut S,
    pub(crate) read: Vec<u8>,
}

impl<'a, S> Keeping<'a, S> {
    pub(crate) fn new(stream: &'a mut S) -> Keeping<'a, S> {
        let read = Vec::new();
        Keeping { stream, read }
    }
}

impl<S: Read> Read for Keeping<'_, S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(into)?;
        self.read.extend_from_slice(&into[..n]);
        Ok(n)
    }
}
