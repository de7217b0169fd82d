//! A server whose content streams in both directions: POST returns it as it arrives, and GET generates as many bytes as
//! the path says. Neither is ever held in memory as a whole.
//!
//! `cargo run -p sanserve-examples --bin echo`, then `curl --data-binary @FILE ADDRESS`, or
//! `curl ADDRESS/1000000`.

use std::io;
use std::net::Ipv4Addr;

use sanserve_core::{Config, Event, Exchange, Handler, Next, Protocol};
use sanserve_server::{NoFiles, ThreadingHTTPServer};

#[derive(Default)]
struct Echo {
    /// The number of bytes still to be generated.
    remaining: u64,
}

impl Echo {
    /// Writes as much as fits into the buffer, then waits until the client has received it.
    fn generate(&mut self, ex: &mut Exchange<'_>) -> Next {
        while self.remaining > 0 {
            if ex.wants_flush() {
                return Next::Flush;
            }
            let n = self.remaining.min(8192);
            ex.write(&[b'x'; 8192][..n as usize]);
            self.remaining -= n;
        }
        Next::Done
    }
}

impl Handler for Echo {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.remaining = 0;
        match ex.command() {
            "POST" => {
                ex.send_response(200);
                ex.end_headers();
                Next::Body
            }
            "GET" => {
                self.remaining = ex.path().trim_start_matches('/').parse().unwrap_or(0);
                ex.send_response(200);
                ex.send_header("Content-Length", self.remaining);
                ex.end_headers();
                self.generate(ex)
            }
            other => ex.send_error(501, format_args!("Unsupported method ('{other}')")),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            // The engine sends this before it reads more, so nothing piles up in memory.
            Event::Data(bytes) => {
                ex.write(bytes);
                Next::Body
            }
            _ => self.generate(ex),
        }
    }
}

fn main() -> io::Result<()> {
    let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", server.server_address());
    let config = Config::default().with_protocol(Protocol::Http11);
    server.serve_forever(NoFiles, config, Echo::default)
}
