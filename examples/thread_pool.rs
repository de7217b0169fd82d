//! A server whose handler has slow work: it passes the work to a pool of threads and waits until one of them wakes it.
//! Meanwhile the event loop serves all other connections.
//!
//! `cargo run -p sanserve-examples --bin thread_pool`, then open the address it prints, followed by a number.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::{io, net::Ipv4Addr, thread, time::Duration};

use sanserve_core::{Config, Event, Exchange, Handler, Next, Protocol};
use sanserve_server::{NoFiles, event_loop};

type Job = Box<dyn FnOnce() + Send>;

/// Starts a pool of threads, and returns the queue of its jobs.
fn start_pool(threads: usize) -> Sender<Job> {
    let (sender, receiver) = channel::<Job>();
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..threads {
        let receiver = Arc::clone(&receiver);
        thread::spawn(move || {
            let next = || receiver.lock().expect("not poisoned").recv();
            while let Ok(job) = next() {
                job();
            }
        });
    }
    sender
}

/// Replies with the number of primes below the number in the path.
struct Primes {
    pool: Sender<Job>,
    result: Option<Receiver<usize>>,
}

fn count_primes(limit: u32) -> usize {
    let is_prime = |n: &u32| {
        (2..)
            .take_while(|d| d * d <= *n)
            .all(|d| !n.is_multiple_of(d))
    };
    (2..limit).filter(is_prime).count()
}

impl Handler for Primes {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        let Some(limit) = ex.path()[1..]
            .parse()
            .ok()
            .filter(|limit| *limit <= 10_000_000)
        else {
            return ex.send_error(404, "expected a number up to 10000000, such as /1000");
        };
        let ((sender, result), waker) = (channel(), ex.waker().clone());
        self.result = Some(result);
        let job = Box::new(move || {
            // Sending fails if the client has disconnected.
            let _ = sender.send(count_primes(limit));
            waker.wake();
        });
        match self.pool.send(job) {
            Ok(()) => Next::Wait(Duration::from_secs(30)),
            Err(_) => ex.send_error(503, "the thread pool has stopped"),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        let result = self
            .result
            .as_ref()
            .and_then(|result| result.try_recv().ok());
        match (event, result) {
            (_, Some(primes)) => {
                let text = format!("{primes}\n");
                ex.send_response(200);
                ex.send_header("Content-Length", text.len());
                ex.end_headers();
                ex.write(text.as_bytes());
                Next::Done
            }
            (Event::TimedOut, None) => ex.send_error(503, "this takes too long"),
            // An earlier request of this connection may have woken the handler.
            (_, None) => Next::Wait(Duration::from_secs(30)),
        }
    }
}

fn main() -> io::Result<()> {
    let server = event_loop::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", server.server_address());
    let config = Config::default().with_protocol(Protocol::Http11);
    let pool = start_pool(4);
    server.serve_forever(NoFiles, config, || Primes {
        pool: pool.clone(),
        result: None,
    })
}
