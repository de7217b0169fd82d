//! Serves the cases behind a host of `wasi:http`. The field `Case` of a request has the index of its case, and `disk`
//! or `site` for the file system: the directory of the host, or memory. A further word `impatient` shortens the
//! timeouts. Every second request is answered by an asynchronous handler.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sanserve_conformance::{Case, Site, case};
use sanserve_server::wasi_http;
use sanserve_server::wasi_sockets::Disk;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Component;

wasip2::http::proxy::export!(Component);

impl Guest for Component {
    fn handle(request: IncomingRequest, reply: ResponseOutparam) {
        static CASES: OnceLock<(Vec<Case>, Site)> = OnceLock::new();
        let (cases, site) = CASES.get_or_init(|| (case::all(), Site::standard()));
        let field = request.headers().get("case").concat();
        let field = String::from_utf8(field).expect("the field is ASCII");
        let words: Vec<&str> = field.split(' ').collect();
        let [index, files, options @ ..] = &words[..] else {
            panic!("expected two words: {field}");
        };
        let case = &cases[index.parse::<usize>().expect("a number")];
        static REQUESTS: AtomicUsize = AtomicUsize::new(0);
        let handler = case.alternating_handler(REQUESTS.fetch_add(1, Ordering::Relaxed));
        let mut config = case.config();
        if options == ["impatient"] {
            config.timeouts.grace = Duration::from_secs(1);
            config.timeouts.rate = u32::MAX;
        }
        // wasmtime itself uses standard error.
        let log = |lines: &str| print!("{lines}");
        match *files {
            "disk" => {
                let disk = Disk::open("/").expect("a directory");
                wasi_http::handle(request, reply, &disk, config, handler, log);
            }
            "site" => wasi_http::handle(request, reply, site, config, handler, log),
            _ => panic!("expected disk or site: {files}"),
        }
    }
}
