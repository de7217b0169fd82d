//! Tests handlers that are asynchronous functions: on every server, with upgrades, with futures of tokio, and with files
//! that they create.

mod client;
mod servers;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use client::{TIMEOUT, connect, read_head};
use embassy_futures::block_on;
use sanserve_core::{
    AsyncExchange, Config, Connection, Create, HttpError, Path, Protocol, from_async_fn,
};
use sanserve_server::UpgradedStream;
use sanserve_server::memory::{PeerScript, Tree, WritableTree, run};
use sanserve_server::tokio_rt::UpgradedStream as AsyncStream;
use servers::{Callbacks, SERVERS, Setup, TestServer, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Result = std::result::Result<(), HttpError>;

/// Sends the head of an upgrade.
fn switch(ex: &AsyncExchange) {
    assert!(ex.can_upgrade());
    ex.send_response(101);
    ex.send_header("Connection", "Upgrade");
    ex.send_header("Upgrade", ex.header("Upgrade").unwrap_or_default());
    ex.end_headers();
}

/// Returns everything in upper case, after the upgrade that the client asked for.
async fn shout(ex: AsyncExchange) -> Result {
    switch(&ex);
    let mut piece = [0; 100];
    if ex.header("Upgrade") == Some("shout-in-task") {
        let mut stream: AsyncStream = ex.upgrade().await;
        while let n @ 1.. = stream.read(&mut piece).await? {
            stream.write_all(&piece[..n].to_ascii_uppercase()).await?;
        }
        return Ok(());
    }
    let mut stream: UpgradedStream = ex.upgrade().await;
    while let n @ 1.. = stream.read(&mut piece)? {
        stream.write_all(&piece[..n].to_ascii_uppercase())?;
    }
    Ok(())
}

#[test]
fn an_upgraded_connection_continues_in_the_same_function() {
    for name in SERVERS {
        let callbacks = Callbacks {
            handler: Arc::new(|| from_async_fn(shout)),
            upgrade: Some(Upgrade {
                on_thread: |handler, stream| block_on(handler.into_upgraded(stream)).unwrap(),
                in_task: |handler, stream| {
                    Box::pin(async { handler.into_upgraded(stream).await.unwrap() })
                },
            }),
        };
        let server = TestServer::with_callbacks(name, Setup::default(), callbacks);
        let socket = connect(server.address);
        let protocol = match *name {
            "tokio" => "shout-in-task",
            _ => "shout",
        };
        // The first word arrives together with the head.
        write!(
            &socket,
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\none"
        )
        .unwrap();
        assert!(read_head(&socket).starts_with("HTTP/1.1 101 "), "{name}");
        for (word, loud) in [("", "ONE"), ("two", "TWO"), ("three", "THREE")] {
            (&socket).write_all(word.as_bytes()).unwrap();
            let mut read = vec![0; loud.len()];
            (&socket).read_exact(&mut read).unwrap();
            assert_eq!(read, loud.as_bytes(), "{name}");
        }
    }
}

#[test]
fn futures_of_tokio_are_awaited_on_every_server() {
    for name in SERVERS {
        let (sender, _) = tokio::sync::broadcast::channel::<String>(16);
        let topic = sender.clone();
        let (waiting, is_waiting) = std::sync::mpsc::channel();
        let handler = move || {
            let (topic, waiting) = (topic.clone(), waiting.clone());
            from_async_fn(move |ex| {
                let (mut messages, waiting) = (topic.subscribe(), waiting.clone());
                async move {
                    ex.send_response(200);
                    ex.end_headers();
                    waiting.send(()).unwrap();
                    while let Some(Ok(message)) = ex.timeout(TIMEOUT, messages.recv()).await {
                        ex.write(message.as_bytes()).await;
                        if message == "end" {
                            return Ok(());
                        }
                        ex.flush().await;
                        waiting.send(()).unwrap();
                    }
                    Err(HttpError::status(504))
                }
            })
        };
        let server = TestServer::with_handler(name, Setup::default(), handler);
        let socket = connect(server.address);
        client::send_get(&socket, "/");
        is_waiting.recv_timeout(TIMEOUT).unwrap();
        for message in ["one", "end"] {
            sender.send(message.to_owned()).unwrap();
            if message == "one" {
                is_waiting.recv_timeout(TIMEOUT).unwrap();
            }
        }
        assert!(read_head(&socket).contains("chunked"), "{name}");
        let mut chunks = [0; 21];
        (&socket).read_exact(&mut chunks).unwrap();
        assert_eq!(&chunks, b"3\r\none\r\n3\r\nend\r\n0\r\n\r\n", "{name}");
    }
}

/// Stores the content of a PUT, and sends it back from the file.
async fn store(ex: AsyncExchange) -> Result {
    let path = Path::parse(ex.path()).ok_or(HttpError::status(400))?;
    ex.create(Create::new(path.clone())).await?;
    while let Some(piece) = ex.read().await {
        ex.write_file(piece).await?;
    }
    if ex.header("X-Discard").is_none() {
        ex.commit().await?;
    }
    let meta = ex.open(path).await?;
    ex.send_response(201);
    ex.send_header("Content-Length", meta.len);
    ex.end_headers();
    ex.send_file(0..meta.len).await;
    Ok(())
}

#[test]
fn files_are_created_written_and_committed() {
    let tree = WritableTree::new(Tree::new());
    let put = |field: &str| {
        let config = Config::default().with_protocol(Protocol::Http11);
        let mut conn = Connection::new(config, "192.0.2.1", from_async_fn(store));
        let input =
            format!("PUT /a.txt HTTP/1.1\r\nHost: h\r\n{field}Content-Length: 5\r\n\r\nhello");
        let script = PeerScript {
            input: input.as_bytes(),
            half_close: true,
        };
        String::from_utf8(run(&mut conn, &tree, script, |n| n).bytes).unwrap()
    };
    let reply = put("X-Discard: 1\r\n");
    assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");
    let reply = put("");
    assert!(
        reply.starts_with("HTTP/1.1 201 ") && reply.ends_with("\r\n\r\nhello"),
        "{reply}"
    );
}

#[test]
fn a_future_is_dropped_when_the_client_disconnects() {
    struct Notify(std::sync::mpsc::Sender<()>);
    impl Drop for Notify {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    for name in SERVERS {
        let (sender, dropped) = std::sync::mpsc::channel();
        let handler = move || {
            let sender = sender.clone();
            from_async_fn(move |ex| {
                let notify = Notify(sender.clone());
                async move {
                    let _notify = notify;
                    ex.send_response(200);
                    ex.end_headers();
                    ex.sleep(Duration::from_secs(3600)).await;
                    Ok(())
                }
            })
        };
        let server = TestServer::with_handler(name, Setup::default(), handler);
        let socket = connect(server.address);
        client::send_get(&socket, "/");
        read_head(&socket);
        assert!(dropped.try_recv().is_err(), "{name}");
        drop(socket);
        dropped.recv_timeout(TIMEOUT).unwrap();
    }
}
