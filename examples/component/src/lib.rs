//! A file server as a component for hosts of `wasi:http`: `wasmtime serve`, Spin, wasmCloud.
//!
//! It serves the directory that the host grants as `/`, or, without one, the files built into the component.
//! Environment variables set some options, see [`files`].

mod root;

use std::env;
use std::sync::Arc;
use std::sync::OnceLock;

use sanserve_core::{Config, FileSettings, Files, error_page, listing};
use sanserve_server::{wasi_http, wasi_sockets};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use self::root::Root;

struct Component;

wasip2::http::proxy::export!(Component);

impl Guest for Component {
    fn handle(request: IncomingRequest, reply: ResponseOutparam) {
        // A host may call the same instance for several requests.
        static SITE: OnceLock<(Root, Files)> = OnceLock::new();
        let (root, files) = SITE.get_or_init(|| (Root::find(), files()));
        let config = Config::default().with_error_page(error_page::page);
        wasi_http::handle(
            request,
            reply,
            root,
            config,
            files.clone(),
            wasi_sockets::stderr,
        );
    }
}

/// Returns the file service with the settings from the environment:
///
/// ```text
/// SANSERVE_HIDDEN=1               serve names that begin with a dot
/// SANSERVE_PRECOMPRESSED=1        send FILE.br and the like in place of FILE
/// SANSERVE_CACHE_CONTROL=TEXT     the Cache-Control field of files and listings
/// SANSERVE_CORS=ORIGIN            allow pages of this origin, or of all with *, to read everything
/// SANSERVE_SPA=FILE               send FILE when a browser opens a page that does not exist
/// SANSERVE_NOT_FOUND=FILE         send FILE with each 404
/// ```
fn files() -> Files {
    let mut settings = FileSettings::default();
    settings.list_directory = Arc::new(listing::page);
    for (name, value) in env::vars() {
        let Some(name) = name.strip_prefix("SANSERVE_") else {
            continue;
        };
        let text = || Some(value.clone().into());
        match name {
            "HIDDEN" => settings.hidden = value == "1",
            "PRECOMPRESSED" => settings.precompressed = value == "1",
            "CACHE_CONTROL" => settings.cache_control = text(),
            "CORS" => settings.cors = text(),
            "SPA" => settings.spa = text(),
            "NOT_FOUND" => settings.not_found_page = text(),
            _ => {}
        }
    }
    settings.into()
}
