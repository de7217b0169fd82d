//! A server that stores the content of a PUT as a file of the current directory, and sends files.
//!
//! `cargo run -p sanserve-examples --bin upload`, then `curl -T FILE ADDRESS`, and `curl ADDRESS/FILE`.

use std::{io, net::Ipv4Addr};

use sanserve_core::{
    AsyncExchange, Config, Create, Files, HttpError, Path, Protocol, from_async_fn,
};
use sanserve_server::{Disk, event_loop::HTTPServer};

async fn serve(ex: AsyncExchange, files: Files) -> Result<(), HttpError> {
    if ex.command() != "PUT" {
        ex.delegate(files).await;
        return Ok(());
    }
    let path = Path::parse(ex.path()).ok_or(HttpError::status(404))?;
    ex.create(Create::new(path)).await?; // 409 if the name exists
    while let Some(piece) = ex.read().await {
        ex.write_file(piece).await?;
    }
    ex.commit().await?; // until here the file is invisible, and vanishes if the client disconnects
    ex.reply(201, "text/plain", "stored\n").await;
    Ok(())
}

fn main() -> io::Result<()> {
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", server.server_address());
    let config = Config::default().with_protocol(Protocol::Http11);
    let files = Files::new();
    let handler = || from_async_fn(|ex| serve(ex, files.clone()));
    server.serve_forever(&Disk::open(".")?, config, handler)
}
