//! [`Server`]: serves with send buffers of a given size, on any runtime. [`read_slowly`]: reads at a given rate.
#![allow(dead_code, reason = "each test uses only some of these")]

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

use crate::client::TIMEOUT;

/// The runtimes that serve sockets.
pub(crate) const RUNTIMES: [&str; 3] = ["blocking", "event loop", "tokio"];

/// A server, which ends when this is dropped, or before that after [`Setup::connections`] connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
    stop: Option<Box<dyn FnOnce()>>,
    thread: Option<JoinHandle<()>>,
}

/// The setup of a [`Server`].
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) runtime: &'static str,
    pub(crate) tls: Option<Tls>,
    /// The size of the socket's send buffer, in bytes; 0 leaves it to the system.
    pub(crate) send_buffer: usize,
    pub(crate) connections: usize,
    pub(crate) config: Config,
    pub(crate) handler: fn() -> Files,
}

impl Server {
    pub(crate) fn start(setup: Setup, site: &Path) -> Server {
        Server::with_disk(setup, Arc::new(Disk::open(site).unwrap()))
    }

    /// Starts a server of a disk that may be shared with other servers.
    pub(crate) fn with_disk(setup: Setup, disk: Arc<Disk>) -> Server {
        let log = Arc::<Mutex<String>>::default();
        let lines = {
            let log = Arc::clone(&log);
            move |lines: &str| log.lock().unwrap().push_str(lines)
        };
        let (address, stop, serve) = match setup.runtime {
            "event loop" => event_loop(setup, disk, lines),
            _ => accept_and_serve(setup, disk, lines),
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

/// The address of a server, the function that stops it, and the function that runs it.
type Parts = (SocketAddr, Box<dyn FnOnce()>, Box<dyn FnOnce() + Send>);

fn event_loop(setup: Setup, disk: Arc<Disk>, log: impl Fn(&str) + Send + Sync + 'static) -> Parts {
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

/// Serves connections accepted here, whose sockets inherit the buffer size of the listening socket.
fn accept_and_serve(
    setup: Setup,
    disk: Arc<Disk>,
    log: impl Fn(&str) + Send + Sync + 'static,
) -> Parts {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    set_send_buffer(&listener, setup.send_buffer);
    let address = listener.local_addr().unwrap();
    let stopping = Arc::new(AtomicBool::new(false));
    let stop = {
        let stopping = Arc::clone(&stopping);
        move || {
            stopping.store(true, Ordering::Relaxed);
            // This wakes the server from `accept`, unless it has already ended.
            let _ = TcpStream::connect(address);
        }
    };
    let serve: Box<dyn FnOnce() + Send> = match setup.runtime {
        "blocking" | "stdio" => {
            Box::new(move || blocking(&setup, &listener, &disk, &log, &stopping))
        }
        _ => Box::new(move || tokio(setup, listener, disk, log, &stopping)),
    };
    (address, Box::new(stop), serve)
}

fn blocking(
    setup: &Setup,
    listener: &TcpListener,
    disk: &Disk,
    log: &(dyn Fn(&str) + Sync),
    stopping: &AtomicBool,
) {
    thread::scope(|scope| {
        for _ in 0..setup.connections {
            let (socket, _) = listener.accept().unwrap();
            if stopping.load(Ordering::Relaxed) {
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
    stopping: &AtomicBool,
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
            if stopping.load(Ordering::Relaxed) {
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

/// Sets the size of the send buffer, or the largest allowed size if the test may not exceed the system's limit.
fn set_send_buffer(socket: &impl AsFd, bytes: usize) {
    if bytes > 0 {
        // The system doubles this value.
        sockopt::set_socket_send_buffer_size_force(socket, bytes / 2)
            .or_else(|_| sockopt::set_socket_send_buffer_size(socket, bytes / 2))
            .unwrap();
    }
}

/// Connects with a small receive buffer.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket.set_write_timeout(Some(TIMEOUT)).unwrap();
    socket.into()
}

/// Reads at this rate in bytes per second for this time, and calls `meanwhile` between two reads. Returns the number of
/// bytes, and whether the stream has ended.
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
        // This keeps the client at its rate.
        thread::sleep(Duration::from_millis(20));
    }
    Ok((read, false))
}

/// Sends a GET request and does not wait for the reply.
pub(crate) fn send_get(stream: &mut impl Write, target: &str) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream.flush().unwrap();
}

/// A stream that records the bytes read from it.
pub(crate) struct Recorder<'a, S> {
    pub(crate) stream: &'a mut S,
    pub(crate) read: Vec<u8>,
}

impl<'a, S> Recorder<'a, S> {
    pub(crate) fn new(stream: &'a mut S) -> Recorder<'a, S> {
        let read = Vec::new();
        Recorder { stream, read }
    }
}

impl<S: Read> Read for Recorder<'_, S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(into)?;
        self.read.extend_from_slice(&into[..n]);
        Ok(n)
    }
}
