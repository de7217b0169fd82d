//! Tests an [`AsyncFileSystem`] on a runtime with one thread: files, errors and uploads come from its futures, and none
//! of these delays another connection or the shutdown.
#![cfg(feature = "tokio")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sanserve_core::{Config, Create, Entries, FsError, Meta, Opened, Path, Protocol, Upload};
use sanserve_server::tokio_rt::{AsyncFileSystem, HTTPServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(60);
const LARGE: usize = 3_000_000;

/// Some fixed files, of which `slow` blocks until the test releases it, and the content of the last upload.
#[derive(Default)]
struct Store {
    slow_requested: Notify,
    released: Notify,
    stored: Mutex<Vec<u8>>,
}

impl AsyncFileSystem for Store {
    type File = Vec<u8>;

    async fn open(&self, path: &Path) -> Result<Opened<Vec<u8>>, FsError> {
        let file = match path.as_bytes() {
            b"" => return Ok(Opened::Directory),
            b"large" => vec![b'y'; LARGE],
            b"unreadable" => b"x".into(),
            b"secret" => return Err(FsError::Forbidden),
            b"busy" => return Err(FsError::NoResources),
            b"slow" => {
                self.slow_requested.notify_one();
                self.released.notified().await;
                b"at last".into()
            }
            _ => return Err(FsError::NotFound),
        };
        let meta = Meta::new(file.len() as u64);
        // The server has no descriptor to send, so it reads the file all the same.
        let sendable = true;
        Ok(Opened::File {
            file,
            meta,
            sendable,
        })
    }

    async fn list(&self, _: &Path) -> Result<Arc<Entries>, FsError> {
        Ok(Arc::default())
    }

    async fn read(&self, file: &mut Vec<u8>, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        tokio::task::yield_now().await;
        let rest = match file.as_slice() {
            b"x" => return Err(FsError::Io),
            file => &file[file.len().min(at as usize)..],
        };
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    async fn create(&self, _: &Create) -> Result<Opened<Vec<u8>>, FsError> {
        Ok(Opened::Writer(Vec::new()))
    }

    async fn write(&self, file: &mut Vec<u8>, bytes: &[u8]) -> Result<usize, FsError> {
        file.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn commit(&self, file: &mut Vec<u8>) -> Result<(), FsError> {
        *self.stored.lock().await = std::mem::take(file);
        Ok(())
    }
}

async fn send(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    let read = socket.read_to_string(&mut reply);
    timeout(TIMEOUT, read).await.unwrap().unwrap();
    reply
}

async fn get(address: SocketAddr, target: &str) -> String {
    send(address, &format!("GET {target} HTTP/1.0\r\n\r\n")).await
}

/// Runs a test with a server on a runtime with one thread, and asserts that no other thread was started.
fn with_server<T: Future<Output = ()>>(test: impl FnOnce(SocketAddr, Arc<Store>) -> T) {
    let threads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&threads);
    let runtime = Builder::new_current_thread()
        .on_thread_start(move || _ = count.fetch_add(1, Ordering::SeqCst))
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let store = Arc::new(Store::default());
        let server = HTTPServer::bind("127.0.0.1:0").unwrap().with_log(|_| ());
        let (address, stopper) = (server.server_address(), server.stopper());
        let config = Config::default().with_protocol(Protocol::Http11);

        let serving = server.serve_forever_async(Arc::clone(&store), config, Upload::new);
        let serving = tokio::spawn(serving);
        test(address, store).await;
        stopper.shutdown(Duration::ZERO).await;
        serving.await.unwrap().unwrap();
    });
    assert_eq!(threads.load(Ordering::SeqCst), 0);
}

#[test]
fn files_and_errors_come_from_the_futures() {
    with_server(|address, _| async move {
        let reply = get(address, "/large").await;
        let content = reply.split_once("\r\n\r\n").unwrap().1;
        assert!(content.len() == LARGE && content.bytes().all(|it| it == b'y'));
        for (target, status) in [
            ("/secret", "404"),
            ("/none", "404"),
            ("/busy", "503"),
            ("/unreadable", "500"),
            ("/", "200"),
        ] {
            let reply = get(address, target).await;
            let line = format!("HTTP/1.1 {status} ");
            assert!(reply.starts_with(&line), "{target}: {reply}");
        }
    });
}

#[test]
fn a_slow_answer_does_not_delay_other_connections() {
    with_server(|address, store| async move {
        let slow = tokio::spawn(async move { get(address, "/slow").await });
        store.slow_requested.notified().await;
        assert!(get(address, "/none").await.starts_with("HTTP/1.1 404 "));
        store.released.notify_one();
        assert!(slow.await.unwrap().ends_with("\r\n\r\nat last"));
    });
}

#[test]
fn a_pending_answer_does_not_delay_shutdown() {
    with_server(|address, store| async move {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = b"GET /slow HTTP/1.0\r\n\r\n";
        socket.write_all(request).await.unwrap();
        store.slow_requested.notified().await;
    });
}

#[test]
fn an_upload_is_written_and_committed() {
    with_server(|address, store| async move {
        let request = "PUT /new HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
        let reply = send(address, request).await;
        assert!(reply.starts_with("HTTP/1.1 201 "), "{reply}");
        assert_eq!(*store.stored.lock().await, b"hello");
    });
}
