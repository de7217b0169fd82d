//! [`Content`]: what a request brings, as it comes.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, ReadableStreamDefaultReader};

/// The content of a request: a stream, and the read that is under way; or nothing.
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

    /// The next piece; `None` at the end. If this is let go of nothing is lost.
    ///
    /// # Errors
    /// If it breaks off.
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
