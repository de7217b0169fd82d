//! Serves a directory below `/files` of an axum application, beside another route. Redirects and listings use the whole
//! path, and the log shows the client's address.
//!
//! `cargo run -p sanserve-examples --example axum -- DIR`, then open the address it prints.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, OriginalUri};
use axum::routing::get;
use sanserve_core::{Config, Files, listing};
use sanserve_server::Disk;
use sanserve_server::tower_host::{Service, mounted};
use tokio::net::TcpListener;

/// Builds the application.
fn app(disk: Disk, log: impl Fn(&str) + Send + Sync + 'static) -> Router {
    let handler = || {
        let mut files = mounted::<1>(Files::new()); // one segment: /files
        files.settings_mut().list_directory = Arc::new(listing::page);
        files
    };
    let service = Service::new(disk, Config::default(), handler)
        .with_log(log)
        .with_client_address(|extensions| extensions.get().map(|ConnectInfo(address)| *address))
        .with_original_uri(|extensions| extensions.get().map(|OriginalUri(uri)| uri.clone()));
    Router::new()
        .route("/hello", get(|| async { "Hello\n" }))
        .nest_service("/files", service)
}

/// Serves the application until the process ends.
async fn serve(app: Router, listener: TcpListener) -> io::Result<()> {
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let directory = env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/files/", listener.local_addr()?);
    let app = app(Disk::open(directory)?, sanserve_server::blocking::stderr);
    serve(app, listener).await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_directory_is_served_below_a_path_beside_a_route() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("sub/a.txt"), "hello").unwrap();
        let lines = Arc::new(Mutex::new(String::new()));
        let log = Arc::clone(&lines);
        let disk = Disk::open(folder.path()).unwrap();
        let app = app(disk, move |text| log.lock().unwrap().push_str(text));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(app, listener));
        for (target, wanted) in [
            ("/hello", "\r\n\r\nHello\n"),
            ("/files", "location: ./files/\r\n"),
            ("/files/sub", "location: ./sub/\r\n"),
            ("/files/sub/", "<h1>Directory listing for /files/sub/</h1>"),
            ("/files/sub/a.txt", "\r\n\r\nhello"),
        ] {
            let mut socket = TcpStream::connect(address).await.unwrap();
            let request = format!("GET {target} HTTP/1.0\r\n\r\n");
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut reply = String::new();
            socket.read_to_string(&mut reply).await.unwrap();
            assert!(reply.contains(wanted), "{target}: {reply}");
        }
        let log = lines.lock().unwrap();
        assert_eq!(log.lines().count(), 4, "{log}");
        assert!(
            log.lines().all(|line| line.starts_with("127.0.0.1 - - ")),
            "{log}"
        );
        assert!(log.contains("\"GET /files/sub/a.txt HTTP/1."), "{log}");
    }
}
