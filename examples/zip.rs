//! A server for the files in a zip archive: a file system that works on every server, without unpacking to
//! disk.
//!
//! `cargo run -p sanserve-examples --example zip -- ARCHIVE`, then open the address it prints.

use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex};

use sanserve_core::{Config, Entries, Entry, FileSystem, FileVersion, Files, FsError, Meta};
use sanserve_core::{Opened, Path};
use sanserve_server::ThreadingHTTPServer;
use zip::{ZipArchive, result::ZipError};

/// An archive in memory. A file is unpacked when it is opened, and dropped after it was sent.
struct Zip(Mutex<ZipArchive<Cursor<Vec<u8>>>>);

impl Zip {
    fn new(archive: Vec<u8>) -> io::Result<Zip> {
        Ok(Zip(Mutex::new(ZipArchive::new(Cursor::new(archive))?)))
    }
}

impl FileSystem for Zip {
    type File = Vec<u8>;

    fn open(&self, path: &Path) -> Result<Opened<Vec<u8>>, FsError> {
        let name = str::from_utf8(path.as_bytes()).map_err(|_| FsError::NotFound)?;
        let mut archive = self.0.lock().map_err(|_| FsError::Io)?;
        let prefix = format!("{name}/");
        if name.is_empty() || archive.file_names().any(|it| it.starts_with(&prefix)) {
            return Ok(Opened::Directory);
        }
        let mut entry = archive.by_name(name).map_err(|error| match error {
            ZipError::FileNotFound => FsError::NotFound,
            _ => FsError::Io,
        })?;
        let (mut file, version) = (Vec::new(), u64::from(entry.crc32()));
        entry.read_to_end(&mut file).map_err(|_| FsError::Io)?;
        let meta = Meta::new(file.len() as u64).with_version(Some(FileVersion::new(version)));
        let sendable = false; // it has no file descriptor for sendfile
        Ok(Opened::File {
            file,
            meta,
            sendable,
        })
    }

    fn list(&self, path: &Path) -> Result<Arc<Entries>, FsError> {
        let mut prefix =
            String::from_utf8(path.as_bytes().to_vec()).map_err(|_| FsError::NotFound)?;
        if !prefix.is_empty() {
            prefix.push('/');
        }
        let archive = self.0.lock().map_err(|_| FsError::Io)?;
        let is_there = |prefix: &str| archive.file_names().any(|name| name.starts_with(prefix));
        if !prefix.is_empty() && !is_there(&prefix) {
            return Err(FsError::NotFound);
        }
        let mut names: Vec<_> = archive
            .file_names()
            .filter_map(|name| name.strip_prefix(&prefix)?.split_inclusive('/').next())
            .collect();
        names.sort_unstable();
        names.dedup();
        let entries = names.iter().map(|name| Entry {
            name: name.trim_end_matches('/').as_bytes(),
            directory: name.ends_with('/'),
            link: false,
            unavailable: false,
            len: None,
            modified: None,
        });
        Ok(Arc::new(entries.collect()))
    }

    fn read(&self, file: &mut Vec<u8>, at: u64, mut into: &mut [u8]) -> Result<usize, FsError> {
        let rest = &file[file.len().min(at as usize)..];
        io::Write::write(&mut into, rest).map_err(|_| FsError::Io)
    }
}

fn main() -> io::Result<()> {
    let archive = std::env::args_os()
        .nth(1)
        .expect("the name of a zip archive");
    let server = ThreadingHTTPServer::bind("127.0.0.1:0")?;
    println!("http://{}/", server.server_address());
    server.serve_forever(
        Zip::new(std::fs::read(archive)?)?,
        Config::default(),
        Files::new,
    )
}

#[cfg(test)]
#[path = "tests/zip/mod.rs"]
mod tests;
