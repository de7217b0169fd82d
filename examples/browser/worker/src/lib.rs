//! The engine in a Service Worker.
//!
//! The browser has parsed the request and will frame the reply, so the engine is entered behind its
//! framing, by the seam in [`sanserve_server::host`]; [`exchange`] is the loop. Files belong to the page, which
//! is asked for them one by one ([`page`]): the worker keeps nothing, and so loses nothing when the
//! browser stops it. What of a reply is too long for the engine's outbox is not read here. The reply
//! refers to it, and the browser sends it, as fast as it is taken.

mod blob;
mod clock;
#[cfg(feature = "conformance")]
mod conformance;
mod content;
mod exchange;
mod page;
mod tree;
mod web;
mod zip;

use js_sys::Function;
use sanserve_core::{Config, Files, error_page, listing};
use std::sync::Arc;
use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};

use self::exchange::exchange;
use self::page::Page;

/// Answers a request with what the page holds. `log` is given finished lines.
///
/// # Errors
/// If there is no whole reply to give: to its client the network has failed.
#[wasm_bindgen]
pub async fn answer(request: Request, page: Page, log: Function) -> Result<Response, JsError> {
    let config = Config::default()
        .with_local_offset(clock::offset)
        .with_error_page(error_page::page);
    let log = |lines: &str| {
        let _ = log.call1(&JsValue::NULL, &lines.into());
    };
    let asked = web::request(&request)?;
    let mut files = Files::new();
    let settings = files.settings_mut();
    settings.list_directory = Arc::new(listing::page);
    settings.mount_depth = page.root().split('/').count();
    let reply = exchange(asked, &page, config, files, log, |n| n).await?;
    web::response(reply)
}
