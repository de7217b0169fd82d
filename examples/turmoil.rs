//! Tests of a server in a simulated network with simulated time: how to test your own server on a bad network, where
//! minutes pass in milliseconds.
//!
//! `cargo test -p sanserve-examples --test turmoil`

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Config, Exchange, Next, Timeouts, from_fn};
use sanserve_server::NoFiles;
use sanserve_server::tokio_rt::{Transport, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use turmoil::net::{TcpListener, TcpStream};
use turmoil::{Builder, Sim, lookup};

/// The server under test, which answers every request with a greeting.
async fn server() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).await?;
    let (_stop, stop) = watch::channel(false);
    loop {
        let (socket, peer) = listener.accept().await?;
        let (link, stop) = (Transport::new(socket, peer.ip()), stop.clone());
        tokio::spawn(async move {
            let files = Arc::new(NoFiles);
            let log = |lines: &str| print!("{lines}");
            serve(link, &files, Config::default(), from_fn(greet), &log, stop).await
        });
    }
}

fn greet(ex: &mut Exchange<'_>) -> Next {
    let greeting = format!("Hello, you asked for {}\n", ex.path());
    ex.send_response(200);
    ex.send_header("Content-Length", greeting.len());
    ex.end_headers();
    ex.write(greeting.as_bytes());
    Next::Done
}

async fn connect() -> io::Result<TcpStream> {
    TcpStream::connect((lookup("server"), 80)).await
}

/// Returns a simulation of the server and its network. The same seed always gives the same run.
fn simulation(seed: u64) -> Sim<'static> {
    let mut sim = Builder::new()
        .rng_seed(seed)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_secs(5))
        .tick_duration(Duration::from_millis(10))
        .simulation_duration(Duration::from_secs(300))
        .build();
    sim.host("server", server);
    sim
}

#[test]
fn a_slow_network_loses_nothing() {
    for seed in 0..20 {
        let mut sim = simulation(seed);
        sim.client("client", async {
            let mut socket = connect().await?;
            for piece in ["GET /you", " HTTP/1.0\r\n", "\r\n"] {
                socket.write_all(piece.as_bytes()).await?;
                sleep(Duration::from_secs(3)).await;
            }
            let mut reply = String::new();
            socket.read_to_string(&mut reply).await?;
            assert!(reply.ends_with("\r\n\r\nHello, you asked for /you\n"));
            Ok(())
        });
        sim.run().unwrap();
    }
}

#[test]
fn a_silent_client_is_disconnected_at_the_idle_timeout() {
    let mut sim = simulation(1);
    sim.client("client", async {
        let mut socket = connect().await?;
        let start = Instant::now();
        assert_eq!(socket.read(&mut [0]).await?, 0);
        let timeout = Timeouts::default().idle;
        let expected = timeout..timeout + Duration::from_secs(20);
        assert!(expected.contains(&start.elapsed()));
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_client_without_a_network_does_not_affect_another() {
    let mut sim = simulation(2);
    sim.client("lost", async {
        let mut socket = connect().await?;
        socket.write_all(b"GET / HT").await?;
        turmoil::partition("lost", "server");
        Ok(())
    });
    sim.client("client", async {
        sleep(Duration::from_secs(30)).await;
        let mut socket = connect().await?;
        socket.write_all(b"GET /you HTTP/1.0\r\n\r\n").await?;
        let mut reply = String::new();
        socket.read_to_string(&mut reply).await?;
        assert!(reply.starts_with("HTTP/1.0 200 OK\r\n"));
        Ok(())
    });
    sim.run().unwrap();
}
