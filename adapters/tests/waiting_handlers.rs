//! Tests handlers that wait for another thread, a timer or a future, on every server.

mod client;
mod servers;
mod waiting_handler;

use std::future::Future;
use std::io::{ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use client::{TIMEOUT, connect, get_hello, read_head, send_get};
use sanserve_core::{Event, Exchange, Handler, Next, Timeouts};
use servers::{SERVERS, Setup, TestServer};
use socket2::SockRef;
use tokio::sync::oneshot;
use waiting_handler::{FOREVER, MessageHandler, WaitingRequest};

fn start(name: &str, timeouts: Timeouts) -> (TestServer, mpsc::Receiver<WaitingRequest>) {
    let (handler, requests) = MessageHandler::new();
    let setup = Setup {
        timeouts,
        ..Setup::default()
    };
    (TestServer::with_handler(name, setup, handler), requests)
}

/// Sends a request that waits for messages.
fn begin(
    server: &TestServer,
    requests: &mpsc::Receiver<WaitingRequest>,
) -> (TcpStream, WaitingRequest) {
    let socket = connect(server.address);
    send_get(&socket, "/wait");
    (socket, requests.recv_timeout(TIMEOUT).unwrap())
}

/// Reads the next chunk of a reply.
fn read_chunk(mut socket: &TcpStream) -> String {
    let mut read_line = || {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            line.extend(byte);
        }
        String::from_utf8(line).unwrap()
    };
    let len = usize::from_str_radix(read_line().trim_end(), 16).unwrap();
    let chunk = read_line();
    assert_eq!(chunk.trim_end().len(), len);
    chunk.trim_end().into()
}

#[test]
fn another_thread_wakes_a_handler_and_each_message_is_sent_immediately() {
    for name in SERVERS {
        let (server, requests) = start(name, Timeouts::default());
        let (socket, request) = begin(&server, &requests);
        assert!(
            read_head(&socket).starts_with("HTTP/1.1 200 OK\r\n"),
            "{name}"
        );
        let (received, is_received) = mpsc::channel();
        let other = thread::spawn(move || {
            for message in ["one", "two", "three"] {
                request.send(message);
                is_received.recv_timeout(TIMEOUT).unwrap();
            }
            request.end();
            // The waker may outlive the connection.
            request
        });
        for message in ["one", "two", "three"] {
            assert_eq!(read_chunk(&socket), message, "{name}");
            received.send(()).unwrap();
        }
        assert_eq!(read_chunk(&socket), "", "{name}");
        // The connection stays open.
        get_hello(&socket);
        let request = other.join().unwrap();
        request.waker.wake_by_ref();
        get_hello(&socket);
        server.shutdown(TIMEOUT);
        request.waker.wake_by_ref();
    }
}

/// Is woken before it begins to wait.
struct WokenEarly;

impl Handler for WokenEarly {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let waker = ex.waker().clone();
        thread::spawn(move || waker.wake()).join().unwrap();
        // The reply begins between the wake and the wait.
        ex.send_response(200);
        ex.end_headers();
        ex.write(b"woken");
        match ex.path() {
            "/flush" => Next::Flush,
            _ => Next::Wait(FOREVER),
        }
    }

    fn resume(&mut self, _: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::End => Next::Wait(FOREVER),
            Event::Woken => Next::Done,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_wake_before_the_wait_is_not_lost() {
    for name in SERVERS {
        let server = TestServer::with_handler(name, Setup::default(), || WokenEarly);
        let socket = connect(server.address);
        for target in ["/", "/flush", "/", "/flush"] {
            send_get(&socket, target);
            assert!(read_head(&socket).starts_with("HTTP/1.1 200 "), "{name}");
            assert_eq!(read_chunk(&socket), "woken", "{name}");
            assert_eq!(read_chunk(&socket), "", "{name}");
        }
    }
}

/// Waits until this time has passed.
struct Timer(Duration);

impl Handler for Timer {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        Next::Wait(self.0)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        assert!(matches!(event, Event::TimedOut), "{event:?}");
        ex.send_error(404, "in the end")
    }
}

#[test]
fn a_wait_ends_at_its_timeout() {
    for name in SERVERS {
        let handler = || Timer(Duration::from_millis(10));
        let server = TestServer::with_handler(name, Setup::default(), handler);
        let socket = connect(server.address);
        send_get(&socket, "/");
        assert!(
            read_head(&socket).starts_with("HTTP/1.1 404 in the end"),
            "{name}"
        );
    }
}

#[test]
fn a_client_that_disconnects_ends_the_wait() {
    let timeouts = Timeouts::default().with_half_closed(Duration::from_millis(10));
    let closes = |socket: TcpStream| drop(socket);
    let resets = |socket: TcpStream| {
        let zero = Some(Duration::ZERO);
        SockRef::from(&socket).set_linger(zero).unwrap();
    };
    for name in SERVERS {
        let (server, requests) = start(name, timeouts);
        for leave in [closes, resets] {
            let (socket, request) = begin(&server, &requests);
            leave(socket);
            request.wait_for_end();
        }
        // A client that has closed only its sending side keeps the wait alive for the half-closed timeout.
        let (mut socket, request) = begin(&server, &requests);
        read_head(&socket);
        socket.shutdown(Shutdown::Write).unwrap();
        request.wait_for_end();
        match socket.read_to_end(&mut Vec::new()) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
    }
}

#[test]
fn a_server_stops_after_the_grace_period_while_handlers_wait() {
    for name in SERVERS {
        let (server, requests) = start(name, Timeouts::default());
        let waiting: Vec<_> = (0..10).map(|_| begin(&server, &requests)).collect();
        server.shutdown(Duration::ZERO);
        waiting
            .iter()
            .for_each(|(_, request)| request.wait_for_end());

        let (server, requests) = start(name, Timeouts::default());
        let (socket, request) = begin(&server, &requests);
        let idle = connect(server.address);
        get_hello(&idle);
        let stopping = thread::spawn(move || server.shutdown(TIMEOUT * 1000));
        // Once the idle connection is closed, the shutdown has begun.
        assert_eq!({ &idle }.read(&mut [0]).unwrap(), 0, "{name}");
        read_head(&socket);
        request.send("finished");
        assert_eq!(read_chunk(&socket), "finished", "{name}");
        request.end();
        drop(socket);
        stopping.join().unwrap();
    }
}

/// Makes a blocking call on another thread, which wakes the handler when the call has returned.
struct BlockingCall {
    call: Arc<Mutex<mpsc::Receiver<u32>>>,
    begun: mpsc::Sender<()>,
    result: Option<mpsc::Receiver<u32>>,
}

impl Handler for BlockingCall {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        if ex.path() == "/fast" {
            return ex.send_error(404, "fast");
        }
        let ((done, result), waker) = (mpsc::channel(), ex.waker().clone());
        let call = Arc::clone(&self.call);
        thread::spawn(move || {
            let _ = done.send(call.lock().unwrap().recv_timeout(TIMEOUT).unwrap());
            waker.wake();
        });
        self.result = Some(result);
        self.begun.send(()).unwrap();
        Next::Wait(FOREVER)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, _: Event<'_>) -> Next {
        match self
            .result
            .as_ref()
            .and_then(|result| result.try_recv().ok())
        {
            None => Next::Wait(FOREVER),
            Some(number) => ex.send_error(404, format_args!("number {number}")),
        }
    }
}

#[test]
fn blocking_calls_do_not_delay_other_requests() {
    for name in SERVERS {
        let (numbers, call) = mpsc::channel();
        let (begun, has_begun) = mpsc::channel();
        let call = Arc::new(Mutex::new(call));
        let handler = move || BlockingCall {
            call: Arc::clone(&call),
            begun: begun.clone(),
            result: None,
        };
        let server = TestServer::with_handler(name, Setup::default(), handler);
        let clients: Vec<_> = (0..16)
            .map(|_| {
                let socket = connect(server.address);
                send_get(&socket, "/");
                has_begun.recv_timeout(TIMEOUT).unwrap();
                socket
            })
            .collect();
        // All 16 calls have begun, and none can return yet.
        for _ in 0..10 {
            let socket = connect(server.address);
            send_get(&socket, "/fast");
            assert!(
                read_head(&socket).starts_with("HTTP/1.1 404 fast"),
                "{name}"
            );
        }
        (0..16).for_each(|number| numbers.send(number).unwrap());
        let mut replies: Vec<_> = clients
            .iter()
            .map(|socket| read_head(socket).lines().next().unwrap().to_owned())
            .collect();
        replies.sort_unstable();
        let mut expected: Vec<_> = (0..16)
            .map(|n| format!("HTTP/1.1 404 number {n}"))
            .collect();
        expected.sort_unstable();
        assert_eq!(replies, expected, "{name}");
    }
}

/// Polls a future with the waker of the handler.
struct FuturePoller {
    message: Arc<Mutex<Option<oneshot::Receiver<&'static str>>>>,
    begun: mpsc::Sender<()>,
    work: Pin<Box<dyn Future<Output = String> + Send>>,
}

impl FuturePoller {
    fn poll(&mut self, ex: &mut Exchange<'_>) -> Next {
        match self
            .work
            .as_mut()
            .poll(&mut Context::from_waker(ex.waker()))
        {
            Poll::Pending => Next::Wait(FOREVER),
            Poll::Ready(text) => ex.send_error(404, text),
        }
    }
}

impl Handler for FuturePoller {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let message = self.message.lock().unwrap().take().unwrap();
        self.work = Box::pin(async move {
            let first = message.await.unwrap();
            // On tokio a handler may use timers and tasks.
            if tokio::runtime::Handle::try_current().is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let joined = tokio::spawn(async { "and joined" }).await.unwrap();
                return format!("{first} {joined}");
            }
            first.into()
        });
        let next = self.poll(ex);
        self.begun.send(()).unwrap();
        next
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        assert!(matches!(event, Event::Woken), "{event:?}");
        self.poll(ex)
    }
}

#[test]
fn a_handler_can_poll_a_future() {
    for name in SERVERS {
        let ((sender, message), (begun, has_begun)) = (oneshot::channel(), mpsc::channel());
        let message = Arc::new(Mutex::new(Some(message)));
        let handler = move || FuturePoller {
            message: Arc::clone(&message),
            begun: begun.clone(),
            work: Box::pin(async { String::new() }),
        };
        let server = TestServer::with_handler(name, Setup::default(), handler);
        let socket = connect(server.address);
        send_get(&socket, "/");
        has_begun.recv_timeout(TIMEOUT).unwrap();
        sender.send("awaited").unwrap();
        let expected = match *name {
            "tokio" => "HTTP/1.1 404 awaited and joined\r\n",
            _ => "HTTP/1.1 404 awaited\r\n",
        };
        assert!(read_head(&socket).starts_with(expected), "{name}");
    }
}

/// Keeps the waker of its first request, and waits in the second one.
struct WakerKeeper {
    first: Option<Waker>,
    begun: mpsc::Sender<Waker>,
}

impl Handler for WakerKeeper {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        match self.first.take() {
            None => {
                self.first = Some(ex.waker().clone());
                no_content(ex)
            }
            Some(first) => {
                self.begun.send(first).unwrap();
                Next::Wait(FOREVER)
            }
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, _: Event<'_>) -> Next {
        no_content(ex)
    }
}

fn no_content(ex: &mut Exchange<'_>) -> Next {
    ex.send_response(204);
    ex.end_headers();
    Next::Done
}

/// Between the two requests the connection is idle, and on the event loop it is parked without buffers.
#[test]
fn the_waker_of_an_earlier_request_wakes_a_later_one() {
    for name in SERVERS {
        let (begun, requests) = mpsc::channel();
        let setup = Setup {
            timeouts: Timeouts::default().with_park(Duration::ZERO),
            ..Setup::default()
        };
        let handler = move || WakerKeeper {
            first: None,
            begun: begun.clone(),
        };
        let server = TestServer::with_handler(name, setup, handler);
        let socket = connect(server.address);
        send_get(&socket, "/first");
        assert!(read_head(&socket).starts_with("HTTP/1.1 204 "), "{name}");
        send_get(&socket, "/second");
        requests.recv_timeout(TIMEOUT).unwrap().wake();
        assert!(read_head(&socket).starts_with("HTTP/1.1 204 "), "{name}");
    }
}
