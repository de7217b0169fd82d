//! Tests of the object store example, with a store in memory and one in a folder.

use std::time::Duration;

use object_store::memory::InMemory;
use sanserve_conformance::{Entry as SiteEntry, FsCheck, Site, file_systems};
use sanserve_core::FileSystem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::*;

const LARGE: usize = 1_000_000;

/// Serves a store with three objects, and requests them, their directories and names that do not exist.
async fn check(store: impl ObjectStore) {
    for (name, content) in [
        ("a.txt", &b"hello, world"[..]),
        ("sub/b.txt", b"below"),
        ("sub/large", &[b'y'; LARGE]),
    ] {
        let content = content.to_vec().into();
        store.put(&Key::from(name), content).await.unwrap();
    }
    let server = HTTPServer::bind("127.0.0.1:0").unwrap().with_log(|_| ());
    let (address, stopper) = (server.server_address(), server.stopper());
    let serving = server.serve_forever_async(Store(store), Config::default(), Files::new);
    let serving = tokio::spawn(serving);
    for (target, expected) in [
        ("/a.txt", "\r\n\r\nworld"),
        ("/sub/b.txt", " 416 "),
        ("/sub/large", "\r\nContent-Range: bytes 7-11/1000000\r\n"),
        ("/", "href=\"sub/\""),
        ("/sub/", "href=\"b.txt\""),
        ("/sub", "\r\nLocation: ./sub/\r\n"),
        ("/none", " 404 File not found\r\n"),
        ("/none/", " 404 File not found\r\n"),
    ] {
        let request = format!("GET {target} HTTP/1.0\r\nRange: bytes=7-11\r\n\r\n");
        let reply = send(address, &request).await;
        assert!(reply.contains(expected), "{target}: {reply}");
    }
    let whole = send(address, "GET /sub/large HTTP/1.0\r\n\r\n").await;
    let content = whole.split_once("\r\n\r\n").unwrap().1;
    assert!(content.len() == LARGE && content.bytes().all(|it| it == b'y'));
    stopper.shutdown(Duration::ZERO).await;
    serving.await.unwrap().unwrap();
}

async fn send(address: std::net::SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    let read = socket.read_to_string(&mut reply);
    timeout(Duration::from_secs(20), read)
        .await
        .unwrap()
        .unwrap();
    reply
}

#[tokio::test]
async fn a_store_in_memory_is_served() {
    check(InMemory::new()).await;
}

#[tokio::test]
async fn a_store_in_a_folder_is_served() {
    let folder = tempfile::tempdir().unwrap();
    check(LocalFileSystem::new_with_prefix(folder.path()).unwrap()).await;
}

/// A store whose methods block, for the list.
struct Blocking(Runtime, Store<InMemory>);

impl Blocking {
    /// Returns a store with the files of a site.
    fn of(site: &Site) -> Blocking {
        let (runtime, store) = (Runtime::new().unwrap(), InMemory::new());
        for entry in site.entries.iter() {
            if let SiteEntry::File { path, body, .. } = entry {
                let key = Key::parse(str::from_utf8(path).unwrap()).unwrap();
                let put = store.put(&key, body.to_vec().into());
                runtime.block_on(put).unwrap();
            }
        }
        Blocking(runtime, Store(store))
    }
}

impl FileSystem for Blocking {
    type File = (Key, u64);

    fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
        let opened = self.0.block_on(self.1.open(path))?;
        // An object has the time at which it was put.
        Ok(match opened {
            Opened::File { file, meta, .. } => Opened::File {
                file,
                meta: meta.with_modified(None),
                sendable: false,
            },
            opened => opened,
        })
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let listed = self.0.block_on(self.1.list(path))?;
        let undated = listed.iter().map(|entry| Entry {
            modified: None,
            ..entry
        });
        Ok(Arc::new(undated.collect()))
    }

    fn read(&self, file: &mut Self::File, at: u64, into: &mut [u8]) -> Result<usize, FsError> {
        self.0.block_on(self.1.read(file, at, into))
    }
}

#[test]
fn it_passes_the_list_for_file_systems() {
    let excludes = |check: &FsCheck| match check {
        _ if check.stores => Some("files that are stored"),
        _ if check.links => Some("links"),
        _ if check.archives => Some("archives"),
        _ if check.portable_names => Some("names of Windows"),
        _ if check.name == "names/any bytes" => Some("keys are not any bytes"),
        _ if check.name == "reading/an empty directory" => Some("empty directories"),
        _ => None,
    };
    file_systems("object store", excludes, |check| {
        Blocking::of(&check.site())
    });
}
