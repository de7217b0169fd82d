//! A server with a WebSocket echo at `/echo`, on the same port as the files of the current directory.
//!
//! `cargo run -p sanserve-examples --bin websocket -- threads` (or `event-loop`, or `tokio`), then open the address it
//! prints.

use std::{io, net::Ipv4Addr, sync::Arc};

use futures_util::{SinkExt, StreamExt};
use sanserve_core::{Config, Event, Exchange, Files, Handler, Next, Protocol};
use sanserve_server::{Disk, ThreadingHTTPServer, UpgradedStream, event_loop, tokio_rt};
use tokio_tungstenite::WebSocketStream;
use tungstenite::handshake::derive_accept_key;
use tungstenite::{Message, WebSocket, protocol::Role};

/// Serves files, and answers WebSocket handshakes at `/echo` (RFC 6455 §4.2).
struct Site(Files);

impl Handler for Site {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        if ex.path() != "/echo" {
            return self.0.begin(ex);
        }
        let is_websocket = ex.header("Sec-WebSocket-Version") == Some("13")
            && ex
                .header("Upgrade")
                .is_some_and(|it| it.eq_ignore_ascii_case("websocket"));
        let key = match ex.header("Sec-WebSocket-Key") {
            Some(key) if ex.command() == "GET" && is_websocket => derive_accept_key(key.as_bytes()),
            _ => {
                ex.send_response(426);
                ex.send_header("Upgrade", "websocket");
                ex.send_header("Sec-WebSocket-Version", 13);
                ex.send_header("Content-Length", 0);
                ex.end_headers();
                return Next::Done;
            }
        };
        ex.send_response(101);
        ex.send_header("Connection", "Upgrade");
        ex.send_header("Upgrade", "websocket");
        ex.send_header("Sec-WebSocket-Accept", key);
        ex.end_headers();
        Next::Upgrade
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        self.0.resume(ex, event)
    }
}

/// Sends each message back, until an error. The crate answers pings and the closing handshake.
fn echo(_: Site, stream: UpgradedStream) {
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    while let Ok(message) = socket.read() {
        if let Message::Text(_) | Message::Binary(_) = message
            && socket.send(message).is_err()
        {
            break;
        }
    }
}

async fn echo_in_task(_: Site, stream: tokio_rt::UpgradedStream) {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(_) | Message::Binary(_) = message
            && socket.send(message).await.is_err()
        {
            break;
        }
    }
}

fn main() -> io::Result<()> {
    let (address, disk) = ((Ipv4Addr::LOCALHOST, 0), Disk::open(".")?);
    let site = || Site(Files::new());
    let config = Config::default().with_protocol(Protocol::Http11);
    match std::env::args().nth(1).as_deref() {
        Some("event-loop") => {
            let server = event_loop::HTTPServer::bind(address)?;
            println!("http://{}/", server.server_address());
            server.serve_with_upgrades(&disk, config, site, echo)
        }
        Some("tokio") => tokio::runtime::Runtime::new()?.block_on(async {
            let server = tokio_rt::HTTPServer::bind(address)?;
            println!("http://{}/", server.server_address());
            server
                .serve_with_upgrades(Arc::new(disk), config, site, echo_in_task)
                .await
        }),
        _ => {
            let server = ThreadingHTTPServer::bind(address)?;
            println!("http://{}/", server.server_address());
            server.serve_with_upgrades(&disk, config, site, echo)
        }
    }
}
