//! A server of server-sent events: a message posted to `/` goes to every client of `/events`. Waiting clients take no
//! thread.
//!
//! `cargo run -p sanserve-examples --bin server_sent_events`, then `curl -N ADDRESS/events`, and in another terminal
//! `curl -d hello ADDRESS`.

use std::{io, net::Ipv4Addr, time::Duration};

use sanserve_core::{AsyncExchange, Config, HttpError, Protocol, from_async_fn};
use sanserve_server::{NoFiles, event_loop::HTTPServer};
use tokio::sync::broadcast::{Sender, channel};

async fn serve(ex: AsyncExchange, topic: &Sender<String>) -> Result<(), HttpError> {
    match (ex.command(), ex.path()) {
        ("GET", "/events") => {
            let mut messages = topic.subscribe();
            ex.send_response(200);
            ex.send_header("Content-Type", "text/event-stream");
            ex.end_headers();
            loop {
                // Comments reveal a client that has disconnected; the future is dropped then.
                let message = ex.timeout(Duration::from_secs(15), messages.recv()).await;
                let event = message.map_or(Ok(":\n\n".into()), |message| message.map(format))?;
                ex.write(event.as_bytes()).await;
            }
        }
        ("POST", _) => {
            let message = ex.read_all(16 * 1024).await?;
            let _ = topic.send(String::from_utf8_lossy(&message).into()); // perhaps to nobody
            ex.send_response(204);
            ex.end_headers();
            Ok(())
        }
        _ => Err(HttpError::new(404, "events are at /events")),
    }
}

fn format(message: String) -> String {
    let lines = message.lines().map(|line| format!("data: {line}\n"));
    lines.chain(["\n".into()]).collect()
}

fn main() -> io::Result<()> {
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", server.server_address());
    let config = Config::default().with_protocol(Protocol::Http11);
    let (topic, _) = channel(100);
    server.serve_forever(NoFiles, config, || from_async_fn(|ex| serve(ex, &topic)))
}
