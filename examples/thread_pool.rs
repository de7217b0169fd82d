//! A server whose handler has slow work, on the threads of a pool. Meanwhile the event loop serves all other
//! connections.
//!
//! `cargo run -p sanserve-examples --bin thread_pool`, then open the address it prints, followed by a number.

use std::{io, net::Ipv4Addr};

use sanserve_core::{Config, HttpError, Protocol};
use sanserve_server::{BlockingExchange, NoFiles, ThreadPool, event_loop, from_blocking_fn};

/// Replies with the number of primes below the number in the path.
fn primes(ex: &mut BlockingExchange) -> Result<(), HttpError> {
    let limit = ex.path()[1..].parse().ok().filter(|n| *n <= 10_000_000);
    let expected = "expected a number up to 10000000, such as /1000";
    let limit = limit.ok_or(HttpError::new(404, expected))?;
    ex.reply(200, "text/plain", format!("{}\n", count_primes(limit)))?;
    Ok(())
}

fn count_primes(limit: u32) -> usize {
    let is_prime = |n: &u32| {
        (2..)
            .take_while(|d| d * d <= *n)
            .all(|d| !n.is_multiple_of(d))
    };
    (2..limit).filter(is_prime).count()
}

fn main() -> io::Result<()> {
    let server = event_loop::HTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", server.server_address());
    let config = Config::default().with_protocol(Protocol::Http11);
    let pool = ThreadPool::new(4);
    server.serve_forever(NoFiles, config, || from_blocking_fn(&pool, primes))
}
