//! An object store as a file system, on tokio: Amazon S3, Google Cloud Storage, a folder, or memory, by the crate
//! `object_store`. Each question is a request to the store, which no thread waits for.
//!
//! `cargo run -p sanserve-examples --example object_store -- DIR`, then open the address that it prints.

use std::io::{self, Write};
use std::sync::Arc;

use object_store::path::Path as Location;
use object_store::{Error, ObjectStore, ObjectStoreExt, local::LocalFileSystem};
use sanserve_core::{Config, Entries, Entry, Files, FsError, Meta, Opened, Path};
use sanserve_server::tokio::{AsyncFileSystem, HTTPServer};

/// The objects of a store. What lies between two slashes of their names is a directory.
struct Store<S>(S);

impl<S: ObjectStore> AsyncFileSystem for Store<S> {
    /// Where the object is, and how long it was.
    type File = (Location, u64);

    async fn open(&self, path: &Path) -> Result<Opened<Self::File>, FsError> {
        let at = location(path)?;
        match self.0.head(&at).await {
            Ok(found) => Ok(Opened::File {
                file: (at, found.size),
                meta: Meta::new(found.size).with_modified(Some(found.last_modified.timestamp())),
                sendable: false,
            }),
            Err(Error::NotFound { .. }) => self.list(path).await.map(|_| Opened::Directory),
            Err(_) => Err(FsError::Io),
        }
    }

    async fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let at = location(path)?;
        let listed = self.0.list_with_delimiter(Some(&at)).await;
        let listed = listed.map_err(|_| FsError::Io)?;
        let directories = listed.common_prefixes.iter().map(|at| (at, None));
        let objects = listed.objects.iter();
        let objects =
            objects.map(|it| (&it.location, Some((it.size, it.last_modified.timestamp()))));
        let entries = directories.chain(objects).map(|(at, object)| Entry {
            name: at.filename().unwrap_or_default().as_bytes(),
            directory: object.is_none(),
            link: false,
            unavailable: false,
            len: object.map(|(len, _)| len),
            modified: object.map(|(_, modified)| modified),
        });
        let entries: Entries = entries.collect();
        // A directory without an object does not exist, but for the root.
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
        let (location, len) = file;
        let range = at..(at + into.len() as u64).min(*len);
        if range.is_empty() {
            return Ok(0);
        }
        let bytes = self.0.get_range(location, range).await;
        let bytes = bytes.map_err(|_| FsError::Io)?;
        into.write(&bytes).map_err(|_| FsError::Io)
    }
}

/// The name of the object that a path means.
fn location(path: &Path) -> Result<Location, FsError> {
    let name = str::from_utf8(path.as_bytes()).map_err(|_| FsError::NotFound)?;
    Location::parse(name.trim_end_matches('/')).map_err(|_| FsError::InvalidName)
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
