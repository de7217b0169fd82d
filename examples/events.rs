//! Server-sent events: what is posted to `/` goes to every client at `/events`, which takes no thread while it waits.
//!
//! `cargo run -p sanserve-examples --bin events`, then `curl -N ADDRESS/events`, and `curl -d hello ADDRESS` elsewhere.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::{io, net::Ipv4Addr, task::Waker, time::Duration};

use sanserve_core::{Config, Event, Exchange, Handler, Next, Protocol};
use sanserve_server::{NoFiles, mio};

/// The clients that listen: where to leave a message, and what to wake then.
type Topic = Mutex<Vec<(Sender<Arc<str>>, Waker)>>;

/// Sends a message to all, and forgets those that have gone.
fn publish(topic: &Topic, message: &str) {
    let message: Arc<str> = message.into();
    topic.lock().expect("no panic").retain(|(sender, waker)| {
        let is_there = sender.send(Arc::clone(&message)).is_ok();
        waker.wake_by_ref();
        is_there
    });
}

struct Client {
    topic: Arc<Topic>,
    messages: Option<Receiver<Arc<str>>>,
    posted: Vec<u8>,
}

/// Now and then a comment, so that a client that has gone is noticed.
const PING: Duration = Duration::from_secs(15);

impl Handler for Client {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        (self.messages, self.posted) = (None, Vec::new());
        match (ex.command(), ex.path()) {
            ("GET", "/events") => {
                let ((sender, messages), waker) = (channel(), ex.waker().clone());
                self.messages = Some(messages);
                self.topic.lock().expect("no panic").push((sender, waker));
                ex.send_response(200);
                ex.send_header("Content-Type", "text/event-stream");
                ex.end_headers();
                Next::Wait(PING)
            }
            ("POST", _) => Next::Body,
            _ => ex.send_error(404, "events are at /events"),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match (event, &self.messages) {
            (Event::TimedOut, Some(_)) => {
                ex.write(b":\n\n");
                Next::Wait(PING)
            }
            (_, Some(messages)) => {
                while let Ok(message) = messages.try_recv() {
                    for line in message.lines() {
                        ex.write(format!("data: {line}\n").as_bytes());
                    }
                    ex.write(b"\n");
                    if ex.wants_flush() {
                        return Next::Flush;
                    }
                }
                Next::Wait(PING)
            }
            (Event::Data(bytes), _) => {
                self.posted.extend_from_slice(bytes);
                Next::Body
            }
            _ => {
                publish(&self.topic, &String::from_utf8_lossy(&self.posted));
                ex.send_response(204);
                ex.end_headers();
                Next::Done
            }
        }
    }
}

fn main() -> io::Result<()> {
    let server = mio::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", server.server_address());
    let mut config = Config::default().with_protocol(Protocol::Http11);
    config.limits.content = 16 * 1024;
    let topic = Arc::new(Topic::default());
    let client = || Client {
        topic: Arc::clone(&topic),
        messages: None,
        posted: Vec::new(),
    };
    server.serve_forever(NoFiles, config, client)
}
