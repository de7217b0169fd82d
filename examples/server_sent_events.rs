//! A server of server-sent events: a message posted to `/` goes to every client of `/events`. Waiting clients take no
//! thread.
//!
//! `cargo run -p sanserve-examples --bin server_sent_events`, then `curl -N ADDRESS/events`, and in another terminal
//! `curl -d hello ADDRESS`.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::{io, net::Ipv4Addr, task::Waker, time::Duration};

use sanserve_core::{Config, Event, Exchange, Handler, Next, Protocol};
use sanserve_server::{NoFiles, event_loop};

/// The subscribed clients: each has a channel for its messages and a waker that tells its handler to look there.
type Topic = Mutex<Vec<(Sender<Arc<str>>, Waker)>>;

/// Sends a message to every client, and forgets clients that have disconnected.
fn publish(topic: &Topic, message: &str) {
    let message: Arc<str> = message.into();
    let mut clients = topic.lock().expect("not poisoned");
    clients.retain(|(sender, waker)| {
        let is_connected = sender.send(Arc::clone(&message)).is_ok();
        waker.wake_by_ref();
        is_connected
    });
}

struct Events {
    topic: Arc<Topic>,
    messages: Option<Receiver<Arc<str>>>,
    posted: Vec<u8>,
}

/// The interval between comments, which reveal a client that has disconnected.
const PING_INTERVAL: Duration = Duration::from_secs(15);

impl Handler for Events {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        (self.messages, self.posted) = (None, Vec::new());
        match (ex.command(), ex.path()) {
            ("GET", "/events") => {
                let ((sender, messages), waker) = (channel(), ex.waker().clone());
                self.messages = Some(messages);
                let mut clients = self.topic.lock().expect("not poisoned");
                clients.push((sender, waker));
                ex.send_response(200);
                ex.send_header("Content-Type", "text/event-stream");
                ex.end_headers();
                Next::Wait(PING_INTERVAL)
            }
            ("POST", _) => Next::Body,
            _ => ex.send_error(404, "events are at /events"),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match (event, &self.messages) {
            (Event::TimedOut, Some(_)) => {
                ex.write(b":\n\n");
                Next::Wait(PING_INTERVAL)
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
                Next::Wait(PING_INTERVAL)
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
    let server = event_loop::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", server.server_address());
    let mut config = Config::default().with_protocol(Protocol::Http11);
    config.limits.content = 16 * 1024;
    let topic = Arc::new(Topic::default());
    let handler = || Events {
        topic: Arc::clone(&topic),
        messages: None,
        posted: Vec::new(),
    };
    server.serve_forever(NoFiles, config, handler)
}
