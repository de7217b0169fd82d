//! A server whose content streams in both directions: it returns the content of a request as it arrives, followed by as
//! many bytes as the path says. Neither is ever held in memory as a whole.
//!
//! `cargo run -p sanserve-examples --bin echo`, then `curl --data-binary @FILE ADDRESS`, or
//! `curl ADDRESS/1000000`.

use std::{io, net::Ipv4Addr};

use sanserve_core::{AsyncExchange, Config, HttpError, Protocol, from_async_fn};
use sanserve_server::{NoFiles, ThreadingHTTPServer};

async fn echo(ex: AsyncExchange) -> Result<(), HttpError> {
    ex.send_response(200);
    ex.end_headers(); // without a Content-Length: chunked, or until the connection closes
    while let Some(piece) = ex.read().await {
        ex.write(&piece).await; // waits until the client has read enough
    }
    let len: usize = ex.path()[1..].parse().unwrap_or(0);
    for at in (0..len).step_by(8192) {
        ex.write(&[b'x'; 8192][..8192.min(len - at)]).await;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let server = ThreadingHTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", server.server_address());
    let config = Config::default().with_protocol(Protocol::Http11);
    server.serve_forever(NoFiles, config, || from_async_fn(echo))
}
