//! Handlers that wait for something else than the peer and the files, on every server.

mod peer;
mod serving;
mod waits;

use std::future::Future;
use std::io::{ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use peer::{LONG, ask, connect, head, hello};
use sanserve_core::{Event, Exchange, Handler, Next, Timeouts};
use serving::{SERVERS, Serving, Setup};
use socket2::SockRef;
use tokio::sync::oneshot;
use waits::{FOREVER, Messages, Waiting};

fn start(name: &str, timeouts: Timeouts) -> (Serving, mpsc::Receiver<Waiting>) {
    let (handler, waiting) = Messages::new();
    let setup = Setup {
        timeouts,
        ..Setup::default()
    };
    (Serving::with_handler(name, setup, handler), waiting)
}

/// Begins a request that waits.
fn begin(server: &Serving, waiting: &mpsc::Receiver<Waiting>) -> (TcpStream, Waiting) {
    let socket = connect(server.address);
    ask(&socket, "/wait");
    (socket, waiting.recv_timeout(LONG).unwrap())
}

/// Reads the next chunk.
fn chunk(mut socket: &TcpStream) -> String {
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
fn another_thread_wakes_a_handler_and_each_message_is_sent_at_once() {
    for name in SERVERS {
        let (server, waiting) = start(name, Timeouts::default());
        let (socket, events) = begin(&server, &waiting);
        assert!(head(&socket).starts_with("HTTP/1.1 200 OK\r\n"), "{name}");
        let (received, go_on) = mpsc::channel();
        let other = thread::spawn(move || {
            for message in ["one", "two", "three"] {
                events.send(message);
                go_on.recv_timeout(LONG).unwrap();
            }
            events.end();
            // The waker may outlive the connection.
            events
        });
        for message in ["one", "two", "three"] {
            assert_eq!(chunk(&socket), message, "{name}");
            received.send(()).unwrap();
        }
        assert_eq!(chunk(&socket), "", "{name}");
        // The connection goes on.
        hello(&socket);
        let events = other.join().unwrap();
        events.waker.wake_by_ref();
        hello(&socket);
        server.shutdown(LONG);
        events.waker.wake_by_ref();
    }
}

/// Is woken before it begins to wait, and again and again.
struct Early;

impl Handler for Early {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let waker = ex.waker().clone();
        thread::spawn(move || waker.wake()).join().unwrap();
        // Something happens between.
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
        let server = Serving::with_handler(name, Setup::default(), || Early);
        let socket = connect(server.address);
        for target in ["/", "/flush", "/", "/flush"] {
            ask(&socket, target);
            assert!(head(&socket).starts_with("HTTP/1.1 200 "), "{name}");
            assert_eq!(chunk(&socket), "woken", "{name}");
            assert_eq!(chunk(&socket), "", "{name}");
        }
    }
}

/// Waits for no more than this.
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
fn a_wait_ends_with_its_time() {
    for name in SERVERS {
        let handler = || Timer(Duration::from_millis(10));
        let server = Serving::with_handler(name, Setup::default(), handler);
        let socket = connect(server.address);
        ask(&socket, "/");
        assert!(
            head(&socket).starts_with("HTTP/1.1 404 in the end"),
            "{name}"
        );
    }
}

#[test]
fn a_client_that_leaves_ends_the_wait() {
    let timeouts = Timeouts::default().with_half_closed(Duration::from_millis(10));
    let closes = |socket: TcpStream| drop(socket);
    let resets = |socket: TcpStream| {
        let zero = Some(Duration::ZERO);
        SockRef::from(&socket).set_linger(zero).unwrap();
    };
    for name in SERVERS {
        let (server, waiting) = start(name, timeouts);
        for leave in [closes, resets] {
            let (socket, events) = begin(&server, &waiting);
            leave(socket);
            events.has_ended();
        }
        // One that only closes its side is waited for a little, and gets what is sent meanwhile.
        let (mut socket, events) = begin(&server, &waiting);
        head(&socket);
        socket.shutdown(Shutdown::Write).unwrap();
        events.has_ended();
        match socket.read_to_end(&mut Vec::new()) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
    }
}

#[test]
fn a_server_stops_with_the_grace_although_handlers_wait() {
    for name in SERVERS {
        let (server, waiting) = start(name, Timeouts::default());
        let waits: Vec<_> = (0..10).map(|_| begin(&server, &waiting)).collect();
        server.shutdown(Duration::ZERO);
        waits.iter().for_each(|(_, events)| events.has_ended());

        let (server, waiting) = start(name, Timeouts::default());
        let (socket, events) = begin(&server, &waiting);
        let idle = connect(server.address);
        hello(&idle);
        let stopping = thread::spawn(move || server.shutdown(LONG * 1000));
        // It is about to stop when it has closed the idle connection.
        assert_eq!({ &idle }.read(&mut [0]).unwrap(), 0, "{name}");
        head(&socket);
        events.send("finished");
        assert_eq!(chunk(&socket), "finished", "{name}");
        events.end();
        drop(socket);
        stopping.join().unwrap();
    }
}

/// Does what blocks on a thread of its own, and has that wake it.
struct Slow {
    call: Arc<Mutex<mpsc::Receiver<u32>>>,
    begun: mpsc::Sender<()>,
    result: Option<mpsc::Receiver<u32>>,
}

impl Handler for Slow {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        if ex.path() == "/fast" {
            return ex.send_error(404, "fast");
        }
        let ((done, result), waker) = (mpsc::channel(), ex.waker().clone());
        let call = Arc::clone(&self.call);
        thread::spawn(move || {
            let _ = done.send(call.lock().unwrap().recv_timeout(LONG).unwrap());
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
fn calls_that_block_keep_no_other_request_waiting() {
    for name in SERVERS {
        let (numbers, call) = mpsc::channel();
        let (begun, has_begun) = mpsc::channel();
        let call = Arc::new(Mutex::new(call));
        let handler = move || Slow {
            call: Arc::clone(&call),
            begun: begun.clone(),
            result: None,
        };
        let server = Serving::with_handler(name, Setup::default(), handler);
        let clients: Vec<_> = (0..16)
            .map(|_| {
                let socket = connect(server.address);
                ask(&socket, "/");
                has_begun.recv_timeout(LONG).unwrap();
                socket
            })
            .collect();
        // All of them are in the call, and none can return.
        for _ in 0..10 {
            let socket = connect(server.address);
            ask(&socket, "/fast");
            assert!(head(&socket).starts_with("HTTP/1.1 404 fast"), "{name}");
        }
        (0..16).for_each(|number| numbers.send(number).unwrap());
        let mut replies: Vec<_> = clients
            .iter()
            .map(|socket| head(socket).lines().next().unwrap().to_owned())
            .collect();
        replies.sort_unstable();
        let mut expected: Vec<_> = (0..16)
            .map(|n| format!("HTTP/1.1 404 number {n}"))
            .collect();
        expected.sort_unstable();
        assert_eq!(replies, expected, "{name}");
    }
}

/// Polls a future, as any runtime would.
struct Asynchronous {
    news: Arc<Mutex<Option<oneshot::Receiver<&'static str>>>>,
    begun: mpsc::Sender<()>,
    work: Pin<Box<dyn Future<Output = String> + Send>>,
}

impl Asynchronous {
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

impl Handler for Asynchronous {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let news = self.news.lock().unwrap().take().unwrap();
        self.work = Box::pin(async move {
            let first = news.await.unwrap();
            // On tokio a handler may use all of it.
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
        let ((tell, news), (begun, has_begun)) = (oneshot::channel(), mpsc::channel());
        let news = Arc::new(Mutex::new(Some(news)));
        let handler = move || Asynchronous {
            news: Arc::clone(&news),
            begun: begun.clone(),
            work: Box::pin(async { String::new() }),
        };
        let server = Serving::with_handler(name, Setup::default(), handler);
        let socket = connect(server.address);
        ask(&socket, "/");
        has_begun.recv_timeout(LONG).unwrap();
        tell.send("awaited").unwrap();
        let expected = match *name {
            "tokio" => "HTTP/1.1 404 awaited and joined\r\n",
            _ => "HTTP/1.1 404 awaited\r\n",
        };
        assert!(head(&socket).starts_with(expected), "{name}");
    }
}

/// Keeps the waker of its first request, and waits in the second one.
struct Keeps {
    first: Option<Waker>,
    begun: mpsc::Sender<Waker>,
}

impl Handler for Keeps {
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

/// Between them the connection is idle, and holds nothing on the event loop.
#[test]
fn a_waker_of_an_earlier_request_wakes_a_later_one() {
    for name in SERVERS {
        let (begun, waiting) = mpsc::channel();
        let setup = Setup {
            timeouts: Timeouts::default().with_park(Duration::ZERO),
            ..Setup::default()
        };
        let handler = move || Keeps {
            first: None,
            begun: begun.clone(),
        };
        let server = Serving::with_handler(name, setup, handler);
        let socket = connect(server.address);
        ask(&socket, "/first");
        assert!(head(&socket).starts_with("HTTP/1.1 204 "), "{name}");
        ask(&socket, "/second");
        waiting.recv_timeout(LONG).unwrap().wake();
        assert!(head(&socket).starts_with("HTTP/1.1 204 "), "{name}");
    }
}
