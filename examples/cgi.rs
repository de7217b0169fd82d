//! A server for a directory with CGI scripts: files in `cgi-bin` are run, all others are served.
//!
//! `cargo run -p sanserve-examples --bin cgi -- DIR`, then open the address it prints.

use std::io;
use std::net::Ipv4Addr;

use sanserve_core::{Cgi, Config};
use sanserve_server::{Disk, ThreadingHTTPServer};

fn main() -> io::Result<()> {
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = server.server_address();
    println!("http://{address}/");
    let cgi = Cgi::new("localhost", address.port());
    server.serve_forever(Disk::open(directory)?, Config::default(), || cgi.clone())
}
