//! Serves an object store as a file system, on tokio. The program opens a folder as its store; any other store of the
//! crate `object_store`, such as Amazon S3, works in the same way. Each call is a request to the store, and no thread
//! blocks on it.
//!
//! `cargo run -p sanserve-examples --example object_store -- DIR`, then open the address it prints.

use std::io::{self, Write};
use std::sync::Arc;

use object_store::path::Path as Key;
use object_store::{Error, ObjectStore, ObjectStoreExt, local::LocalFileSystem};
use sanserve_core::{Config, Entries, Entry, Files, FsError, Meta, Opened, Path};
use sanserve_server::tokio_rt::{AsyncFileSystem, HTTPServer};

/// A store. The part of an object's key before a slash is a directory.
struct Store<S>(S);

impl<S: ObjectStore> AsyncFileSystem for Store<S> {
    /// The object's key, and its length when it was opened.
    type File = (Key, u64);

    async fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
        let key = to_key(path)?;
        match self.0.head(&key).await {
            Ok(object) => Ok(Opened::File {
                file: (key, object.size),
                meta: Meta::new(object.size).with_modified(Some(object.last_modified.timestamp())),
                sendable: false,
            }),
            Err(Error::NotFound { .. }) => self.list(path).await.map(|_| Opened::Directory),
            Err(_) => Err(FsError::Io),
        }
    }

    async fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let result = self.0.list_with_delimiter(Some(&to_key(path)?)).await;
        let listing = result.map_err(|_| FsError::Io)?;
        let directories = listing.common_prefixes.iter().map(|key| (key, None));
        let objects = listing.objects.iter().map(|it| (&it.location, Some(it)));
        let entries = directories.chain(objects).map(|(key, object)| Entry {
            name: key.filename().unwrap_or_default().as_bytes(),
            directory: object.is_none(),
            link: false,
            unavailable: false,
            len: object.map(|object| object.size),
            modified: object.map(|object| object.last_modified.timestamp()),
        });
        let entries: Entries = entries.collect();
        // No directory but the root exists without an object in it.
        match entries.is_empty() && !path.as_bytes().is_empty() {
            true => Err(FsError::NotFound),
            false => Ok(Arc::new(entries)),
        }
    }

    async fn read(
        &self,
        file: &mut Self::File,
        at: u64,
        mut into: &mut [u8],
    ) -> Result<usize, FsError> {
        let (key, len) = file;
        let range = at..(at + into.len() as u64).min(*len);
        if range.is_empty() {
            return Ok(0);
        }
        let result = self.0.get_range(key, range).await;
        let bytes = result.map_err(|_| FsError::Io)?;
        into.write(&bytes).map_err(|_| FsError::Io)
    }
}

/// Returns the key of the object at a path.
fn to_key(path: &Path) -> Result<Key, FsError> {
    let name = str::from_utf8(path.as_bytes()).map_err(|_| FsError::NotFound)?;
    Key::parse(name.trim_end_matches('/')).map_err(|_| FsError::InvalidName)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let store = Store(LocalFileSystem::new_with_prefix(directory)?);
    let server = HTTPServer::bind("127.0.0.1:0")?;
    println!("http://{}/", server.server_address());
    server
        .serve_forever_async(store, Config::default(), Files::new)
        .await
}

#[cfg(test)]
#[path = "tests/object_store/mod.rs"]
mod tests;
