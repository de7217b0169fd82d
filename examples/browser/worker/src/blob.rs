//! Reads and slices a `Blob`: bytes that the browser keeps, usually on disk.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

/// Returns a part of a blob, without reading it.
pub(crate) fn slice(blob: &Blob, at: u64, len: u64) -> Result<Blob, JsValue> {
    blob.slice_with_f64_and_f64(at as f64, (at + len) as f64)
}

/// Reads at an offset. Returns 0 at the end of the blob.
pub(crate) async fn read(blob: &Blob, at: u64, into: &mut [u8]) -> Result<usize, JsValue> {
    let piece = JsFuture::from(slice(blob, at, into.len() as u64)?.array_buffer()).await?;
    let piece = Uint8Array::new(&piece);
    let n = piece.length() as usize;
    piece.copy_to(&mut into[..n]);
    Ok(n)
}
