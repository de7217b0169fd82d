//! A server for the current directory over HTTPS, with a certificate and its private key from files.
//!
//! `cargo run -p sanserve-examples --bin https -- cert.pem key.pem`, then open the address it prints.
//! `openssl req -x509 -newkey rsa -nodes -keyout key.pem -out cert.pem` makes both files.

use std::env;
use std::io;

use sanserve_core::{Config, Files};
use sanserve_server::{Disk, ThreadingHTTPSServer, Tls};

fn main() -> io::Result<()> {
    let mut args = env::args_os().skip(1);
    let Some(certfile) = args.next() else {
        return Err(io::Error::other("usage: https CERTFILE [KEYFILE]"));
    };
    let tls = Tls::load(certfile, args.next(), None)?;
    let server = ThreadingHTTPSServer::bind("127.0.0.1:0", tls)?;
    println!("https://{}/", server.server_address());
    server.serve_forever(Disk::open(".")?, Config::default(), Files::new)
}
