//! A reverse proxy on tokio. It forwards requests and responses as they arrive, at the speed of the slower side.
//!
//! `cargo run -p sanserve-examples --bin proxy 127.0.0.1:8000`, then `curl ADDRESS`.

use sanserve_core::wire::{Body, HeadEncoder, Limits, Piece, ResponseHead};
use sanserve_core::{AsyncExchange, Config, HttpError, Protocol, from_async_fn};
use sanserve_server::{NoFiles, tokio_rt::HTTPServer};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};

async fn forward(ex: AsyncExchange, upstream: &str) -> Result<(), HttpError> {
    if ex.header("Transfer-Encoding").is_some() {
        return Err(HttpError::new(411, "Send the length of the content"));
    }
    let server = TcpStream::connect(upstream).await;
    let (mut server, mut out) = (server.map_err(|_| HttpError::status(502))?, Vec::new());
    let mut head = HeadEncoder::request(&mut out, ex.command(), ex.path(), ex.head().version())?;
    let fields = ex.head().fields().end_to_end();
    // The server does not see an expectation, because the engine answers it when the content is read.
    head.fields(fields.filter(|(name, _)| !name.eq_ignore_ascii_case("Expect")))?;
    head.fields([("Connection", "close"), ("Via", "1.1 proxy")])?;
    server.write_all(head.end()).await?;
    while let Some(piece) = ex.read().await {
        server.write_all(&piece).await?;
    }

    let (mut input, mut response) = (Vec::with_capacity(16 * 1024), ResponseHead::new());
    let mut body = loop {
        match response.parse(&input, &Limits::new()) {
            Ok(Some(n)) => input.drain(..n),
            Ok(None) if server.read_buf(&mut input).await? > 0 => continue,
            _ => return Err(HttpError::status(502)),
        };
        ex.send_response_only(response.status(), response.reason());
        for (name, value) in response.fields().end_to_end() {
            let value: String = value.iter().map(|&byte| char::from(byte)).collect();
            ex.send_header(name, value);
        }
        ex.end_headers();
        if !response.is_interim() {
            break Body::of_response(&response, ex.command())?;
        }
    };
    loop {
        let piece = body.next(&input)?;
        match piece {
            Piece::Data(n) => ex.write(&input[..n]).await, // waits until the client has read enough
            Piece::More if server.read_buf(&mut input).await? > 0 => {}
            Piece::More | Piece::End => return Ok(body.end_of_input()?), // an error if it is cut short
            Piece::Skip(_) | Piece::Trailers(_) => {}
        }
        input.drain(..piece.len());
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let upstream: &str = std::env::args().nth(1).expect("an address").leak();
    let server = HTTPServer::bind("127.0.0.1:0")?;
    println!("http://{}/", server.server_address());
    let config = Config::default().with_protocol(Protocol::Http11);
    let handler = move || from_async_fn(move |ex| forward(ex, upstream));
    server.serve_forever(NoFiles, config, handler).await
}
