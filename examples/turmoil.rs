//! A server in a simulated network where time is simulated, too: how to test what you build on it,
//! with a network as bad as you like and minutes that pass in no time.
//!
//! `cargo test -p sanserve-examples --test turmoil`

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{Config, Exchange, Next, Timeouts, from_fn};
use sanserve_server::NoFiles;
use sanserve_server::tokio::{Link, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use turmoil::net::{TcpListener, TcpStream};
use turmoil::{Builder, Sim, lookup};

/// What is tested: a server of greetings, on whatever the network is.
async fn server() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).await?;
    let (_stop, stop) = watch::channel(false);
    loop {
        let (socket, peer) = listener.accept().await?;
        let (link, stop) = (Link::new(socket, peer.ip()), stop.clone());
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

/// A world with the server in it. The same seed is the same world, whenever it is run.
fn world(seed: u64) -> Sim<'static> {
    let mut world = Builder::new()
        .rng_seed(seed)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_secs(5))
        .tick_duration(Duration::from_millis(10))
        .simulation_duration(Duration::from_secs(300))
        .build();
    world.host("server", server);
    world
}

#[test]
fn a_slow_network_loses_nothing() {
    for seed in 0..20 {
        let mut world = world(seed);
        world.client("client", async {
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
        world.run().unwrap();
    }
}

#[test]
fn who_says_nothing_is_sent_away_when_his_time_is_over() {
    let mut world = world(1);
    world.client("client", async {
        let mut socket = connect().await?;
        let start = Instant::now();
        assert_eq!(socket.read(&mut [0]).await?, 0);
        let least = Timeouts::default().idle;
        let most = least + Duration::from_secs(20);
        assert!((least..most).contains(&start.elapsed()));
        Ok(())
    });
    world.run().unwrap();
}

#[test]
fn a_client_that_is_cut_off_does_not_harm_another() {
    let mut world = world(2);
    world.client("lost", async {
        let mut socket = connect().await?;
        socket.write_all(b"GET / HT").await?;
        turmoil::partition("lost", "server");
        Ok(())
    });
    world.client("client", async {
        sleep(Duration::from_secs(30)).await;
        let mut socket = connect().await?;
        socket.write_all(b"GET /you HTTP/1.0\r\n\r\n").await?;
        let mut reply = String::new();
        socket.read_to_string(&mut reply).await?;
        assert!(reply.starts_with("HTTP/1.0 200 OK\r\n"));
        Ok(())
    });
    world.run().unwrap();
}
