//! [`Content`]: reads the content of a request from a stream of the browser, piece by piece.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, ReadableStreamDefaultReader};

/// The content of a request, if any: a stream and its pending read.
#[derive(Default)]
pub(crate) struct Content {
    reader: Option<ReadableStreamDefaultReader>,
    read: Option<JsFuture>,
}

impl Content {
    pub(crate) fn new(stream: Option<&ReadableStream>) -> Content {
        Content {
            reader: stream.map(|stream| stream.get_reader().unchecked_into()),
            read: None,
        }
    }

    /// Returns the next piece, or `None` at the end. Cancel safe.
    ///
    /// # Errors
    /// If the stream breaks off.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, JsValue> {
        let Some(reader) = &self.reader else {
            return Ok(None);
        };
        let result = self.read.get_or_insert_with(|| reader.read().into()).await;
        self.read = None;
        let result = result?;
        if Reflect::get(&result, &"done".into())?.is_truthy() {
            return Ok(None);
        }
        let piece = Reflect::get(&result, &"value".into())?;
        Ok(Some(Uint8Array::new(&piece).to_vec()))
    }
}
