//! A server that answers every request with a greeting: one closure, no files.
//!
//! `cargo run -p sanserve-examples --bin hello`, then open the address it prints.

use std::io;

use sanserve_core::{Config, Next, from_fn};
use sanserve_server::{NoFiles, ThreadingHTTPServer};

fn main() -> io::Result<()> {
    let server = ThreadingHTTPServer::bind("127.0.0.1:0")?;
    println!("http://{}/", server.server_address());
    server.serve_forever(NoFiles, Config::default(), || {
        from_fn(|ex| {
            let greeting = format!("Hello, you asked for {}\n", ex.path());
            ex.send_response(200);
            ex.send_header("Content-Type", "text/plain; charset=utf-8");
            ex.send_header("Content-Length", greeting.len());
            ex.end_headers();
            ex.write(greeting.as_bytes());
            Next::Done
        })
    })
}
