//! Converts the browser's requests for the engine, and the engine's replies for the browser.

use js_sys::{Array, JsString, Uint8Array};
use sanserve_server::host;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, Headers, Response, ResponseInit, Url};

use crate::content::Content;
use crate::exchange::{Part, Reply, Request};

/// Converts a request for the engine.
pub(crate) fn request(request: &web_sys::Request) -> Result<Request, JsError> {
    let url = Url::new(&request.url()).map_err(|_| JsError::new("no URL"))?;
    let fields = fields(&request.headers());
    let fields = fields.iter().map(|(name, value)| (&name[..], &value[..]));
    let body = request.body();
    let (method, target) = (request.method(), url.pathname() + &url.search());
    Ok(Request {
        read: host::Request::new(&method, &target, Some(&url.host()), fields, body.is_some()),
        content: Content::new(body.as_ref()),
        method,
    })
}

/// Returns the fields of a request.
fn fields(headers: &Headers) -> Vec<(String, Vec<u8>)> {
    let text = |value: JsValue| String::from(value.unchecked_into::<JsString>());
    let pairs = headers.entries().into_iter().filter_map(Result::ok);
    let pairs = pairs.map(|pair| Array::from(&pair));
    pairs
        .map(|pair| (text(pair.get(0)), bytes(text(pair.get(1)))))
        .collect()
}

/// Returns the bytes of a field value. Fetch makes each byte a character (Latin-1), but Chromium decodes valid UTF-8.
fn bytes(value: String) -> Vec<u8> {
    let plain = value.chars().map(|char| u8::try_from(char).ok());
    plain
        .collect::<Option<_>>()
        .unwrap_or_else(|| value.clone().into_bytes())
}

/// Converts a reply for the browser.
pub(crate) fn response(reply: Reply) -> Result<Response, JsError> {
    let refused = |_| JsError::new("the browser rejects this reply");
    let headers = Headers::new().map_err(refused)?;
    for (name, value) in &reply.head.fields {
        let value: String = value.iter().copied().map(char::from).collect();
        headers.append(name, &value).map_err(refused)?;
    }
    let init = ResponseInit::new();
    init.set_status(reply.head.status);
    init.set_headers(&headers);
    // The browser rejects content with 205, too.
    let has_content = reply.head.content && reply.head.status != 205;
    let content = has_content.then(|| content(reply.content));
    let content = content.transpose().map_err(refused)?;
    Response::new_with_opt_blob_and_init(content.as_ref(), &init).map_err(refused)
}

/// Joins the parts of the content to one Blob, without copying files.
pub(crate) fn content(parts: Vec<Part>) -> Result<Blob, JsValue> {
    let parts: Array = parts
        .into_iter()
        .map(|part| match part {
            Part::Bytes(bytes) => Uint8Array::from(&bytes[..]).into(),
            Part::File(blob) => JsValue::from(blob),
        })
        .collect();
    Blob::new_with_u8_array_sequence(&parts)
}
