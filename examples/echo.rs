//! Content that streams in both directions: POST sends it back as it comes, GET makes up as much as
//! is asked for. Neither is ever in memory as a whole.
//!
//! `cargo run -p sanserve-examples --bin echo`, then `curl --data-binary @FILE ADDRESS`, or
//! `curl ADDRESS/1000000`.

use std::io;
use std::net::Ipv4Addr;

use sanserve_core::{Config, Event, Exchange, Handler, Next, Protocol};
use sanserve_server::{NoFiles, ThreadingHTTPServer};

#[derive(Default)]
struct Echo {
    /// How many bytes are still to be made up.
    left: u64,
}

impl Echo {
    /// Writes what fits, and waits until the peer has taken it.
    fn make_up(&mut self, ex: &mut Exchange<'_>) -> Next {
        while self.left > 0 {
            if ex.wants_flush() {
                return Next::Flush;
            }
            let n = self.left.min(8192);
            ex.write(&[b'x'; 8192][..n as usize]);
            self.left -= n;
        }
        Next::Done
    }
}

impl Handler for Echo {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.left = 0;
        match ex.command() {
            "POST" => {
                ex.send_response(200);
                ex.end_headers();
                Next::Body
            }
            "GET" => {
                self.left = ex.path().trim_start_matches('/').parse().unwrap_or(0);
                ex.send_response(200);
                ex.send_header("Content-Length", self.left);
                ex.end_headers();
                self.make_up(ex)
            }
            other => ex.send_error(501, format_args!("Unsupported method ('{other}')")),
        }
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            // Before more comes, the engine sees to it that the peer takes what is written.
            Event::Data(bytes) => {
                ex.write(bytes);
                Next::Body
            }
            _ => self.make_up(ex),
        }
    }
}

fn main() -> io::Result<()> {
    let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", server.server_address());
    let config = Config::default().with_protocol(Protocol::Http11);
    server.serve_forever(NoFiles, config, Echo::default)
}
