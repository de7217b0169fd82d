//! [`Page`]: a file system whose files are in a page of the browser, which the worker asks for them.

use std::sync::Arc;

use js_sys::{Array, Promise};
use sanserve_core::{Ask, Entries, Entry, FileVersion, FsError, Got, Meta, Opened};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, DomException};

use crate::blob;
use crate::file_system::AsyncFileSystem;

#[wasm_bindgen]
extern "C" {
    /// The files that a page offers. Paths have no `/` at either end; the empty path is the root.
    pub type Page;

    /// The path at which the page offers them.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn root(this: &Page) -> String;

    /// Promises a [`Found`], or `undefined` if the path is missing.
    #[wasm_bindgen(method)]
    fn open(this: &Page, path: &str) -> Promise;

    /// Promises the entries of a directory, a [`Listed`] each.
    #[wasm_bindgen(method)]
    fn list(this: &Page, path: &str) -> Promise;

    type Listed;

    /// The name, with a final `/` if it is a directory.
    #[wasm_bindgen(method, getter)]
    fn name(this: &Listed) -> String;

    /// The length of a file.
    #[wasm_bindgen(method, getter)]
    fn size(this: &Listed) -> Option<f64>;

    /// The modification time in milliseconds since 1970, if known.
    #[wasm_bindgen(method, getter, js_name = modified)]
    fn changed(this: &Listed) -> Option<f64>;

    type Found;

    /// The file; `undefined` for a directory.
    #[wasm_bindgen(method, getter)]
    fn blob(this: &Found) -> Option<Blob>;

    /// The modification time in milliseconds since 1970.
    #[wasm_bindgen(method, getter)]
    fn modified(this: &Found) -> f64;

    /// The checksum, if the source has one.
    #[wasm_bindgen(method, getter)]
    fn checksum(this: &Found) -> Option<f64>;
}

impl Found {
    fn meta(&self, blob: &Blob) -> Meta {
        let milliseconds = self.modified() as i64;
        let modified = milliseconds.div_euclid(1000);
        let nanos = milliseconds.rem_euclid(1000) as u32 * 1_000_000;
        let checksum = self.checksum();
        let checksum = checksum.map(|checksum| FileVersion::new(checksum as u64));
        Meta::new(blob.size() as u64)
            .with_modified(Some(modified))
            .with_version(checksum.or(Meta::version_at((modified, nanos))))
    }
}

impl Page {
    async fn opened(&self, path: &str) -> Result<Opened<Blob>, FsError> {
        let found = JsFuture::from(self.open(path)).await.map_err(error)?;
        if found.is_undefined() {
            return Err(FsError::NotFound);
        }
        let found: Found = found.unchecked_into();
        Ok(match found.blob() {
            None => Opened::Directory,
            Some(blob) => Opened::File {
                meta: found.meta(&blob),
                file: blob,
                sendable: true,
            },
        })
    }

    async fn listed(&self, path: &str) -> Result<Arc<Entries>, FsError> {
        let found = JsFuture::from(self.list(path)).await.map_err(error)?;
        let found: Array = found.dyn_into().map_err(|_| FsError::NotFound)?;
        let mut entries = Entries::new();
        for listed in found.iter() {
            let listed: Listed = listed.unchecked_into();
            let name = listed.name();
            entries.push(Entry {
                name: name.trim_end_matches('/').as_bytes(),
                directory: name.ends_with('/'),
                link: false,
                unavailable: false,
                len: listed.size().map(|size| size as u64),
                modified: listed.changed().map(|at| (at as i64).div_euclid(1000)),
            });
        }
        Ok(Arc::new(entries))
    }
}

impl AsyncFileSystem for Page {
    type File = Blob;

    async fn answer(&self, ask: &Ask) -> Got<Blob> {
        match ask {
            Ask::Open(path) => Got::Opened(match str::from_utf8(path.as_bytes()) {
                Ok(path) => self.opened(path).await,
                Err(_) => Err(FsError::NotFound),
            }),
            Ask::List(path) => Got::Listed(match str::from_utf8(path.as_bytes()) {
                Ok(path) => self.listed(path).await,
                Err(_) => Err(FsError::NotFound),
            }),
            Ask::Verify(_) => Got::Verified(Err(FsError::Unsupported)),
            _ => Got::Opened(Err(FsError::Unsupported)),
        }
    }

    async fn fill(&self, file: &mut Blob, at: u64, into: &mut [u8]) -> Got<Blob> {
        blob::read(file, at, into)
            .await
            .map_or(Got::Refused(FsError::Io), Got::Bytes)
    }

    fn slice(&self, file: &Blob, at: u64, len: u64) -> Option<Blob> {
        blob::slice(file, at, len).ok()
    }
}

/// Converts an exception of the browser.
fn error(error: JsValue) -> FsError {
    let name = error.dyn_ref::<DomException>().map(DomException::name);
    match name.as_deref() {
        Some("NotFoundError") => FsError::NotFound,
        Some("TypeMismatchError") => FsError::NotRegularFile,
        Some("NotAllowedError" | "NotReadableError" | "SecurityError") => FsError::Forbidden,
        _ => FsError::Io,
    }
}
