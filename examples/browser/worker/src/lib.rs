//! Runs the engine in a Service Worker: answers the browser's requests with the files of a page.
//!
//! The browser parses requests and frames replies itself, so the engine runs behind [`sanserve_server::host`];
//! [`exchange`] is the loop. The page has the files, and the worker asks it for them one by one ([`page`]): the worker
//! keeps no state, so nothing is lost when the browser stops it. Content that does not fit into the engine's outbox is
//! not read here: the reply refers to it, and the browser sends it as fast as the client reads.

mod blob;
mod clock;
#[cfg(feature = "conformance")]
mod conformance;
mod content;
mod exchange;
mod file_system;
mod page;
mod web;
mod zip;

use js_sys::Function;
use sanserve_core::{Config, Files, error_page, listing};
use std::sync::Arc;
use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};

use self::exchange::exchange;
use self::page::Page;

/// Answers a request with the files of the page. `log` takes whole lines.
///
/// # Errors
/// If the reply is incomplete. The client sees a network error.
#[wasm_bindgen]
pub async fn answer(request: Request, page: Page, log: Function) -> Result<Response, JsError> {
    let config = Config::default()
        .with_local_offset(clock::offset)
        .with_error_page(error_page::page);
    let log = |lines: &str| {
        let _ = log.call1(&JsValue::NULL, &lines.into());
    };
    let request = web::request(&request)?;
    let mut files = Files::new();
    let settings = files.settings_mut();
    settings.list_directory = Arc::new(listing::page);
    settings.mount_depth = page.root().split('/').count();
    let reply = exchange(request, &page, config, files, log, |n| n).await?;
    web::response(reply)
}
