//! A file server as a component for the hosts of `wasi:http`: `wasmtime serve`, Spin, wasmCloud.
//!
//! It serves the directory that the host hands over as `/`, or, where there is none, the files that
//! were built in. What the host puts into the environment changes that a little, see [`files`].

mod root;

use std::env;
use std::sync::Arc;
use std::sync::OnceLock;

use sanserve_core::{Config, FileSettings, Files, error_page, listing};
use sanserve_server::{wasi_sockets, wasi_http};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use self::root::Root;

struct Component;

wasip2::http::proxy::export!(Component);

impl Guest for Component {
    fn handle(request: IncomingRequest, reply: ResponseOutparam) {
        // A host may ask the same component more than once.
        static SERVED: OnceLock<(Root, Files)> = OnceLock::new();
        let (root, files) = SERVED.get_or_init(|| (Root::find(), files()));
        let config = Config::default().with_error_page(error_page::page);
        wasi_http::handle(request, reply, root, config, files.clone(), wasi_sockets::stderr);
    }
}

/// The file service, as the environment has it:
///
/// ```text
/// SANSERVE_HIDDEN=1               names that begin with a dot are served
/// SANSERVE_PRECOMPRESSED=1        FILE.br and the like are sent in place of FILE
/// SANSERVE_CACHE_CONTROL=TEXT     the field of files and listings
/// SANSERVE_CORS=ORIGIN            pages of that site, or of all with *, may read everything
/// SANSERVE_SPA=FILE               sent where a browser goes to a page that is not there
/// SANSERVE_NOT_FOUND=FILE         sent with each 404
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
