//! Serves the cases behind a host of `wasi:http`. A field of the request, `Case`, has the place of such a
//! case in the list, which says what handler it wants, and `disk` or `site`, which is where the files
//! come from: what the host hands over as `/`, or memory. `impatient` behind that shortens the deadlines.

use std::sync::OnceLock;
use std::time::Duration;

use sanserve_conformance::{Case, Site, case};
use sanserve_server::wasi_sockets::Disk;
use sanserve_server::wasi_http;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Component;

wasip2::http::proxy::export!(Component);

impl Guest for Component {
    fn handle(request: IncomingRequest, reply: ResponseOutparam) {
        static CASES: OnceLock<(Vec<Case>, Site)> = OnceLock::new();
        let (cases, site) = CASES.get_or_init(|| (case::all(), Site::standard()));
        let field = request.headers().get("case").concat();
        let field = String::from_utf8(field).expect("a field of ours");
        let words: Vec<&str> = field.split(' ').collect();
        let [place, files, others @ ..] = &words[..] else {
            panic!("not two words: {field}");
        };
        let case = &cases[place.parse::<usize>().expect("a number")];
        let (mut config, handler) = (case.config(), case.handler());
        if others == ["impatient"] {
            config.timeouts.grace = Duration::from_secs(1);
            config.timeouts.rate = u32::MAX;
        }
        // Standard error is the host's.
        let log = |lines: &str| print!("{lines}");
        match *files {
            "disk" => {
                let disk = Disk::open("/").expect("a directory");
                wasi_http::handle(request, reply, &disk, config, handler, log);
            }
            "site" => wasi_http::handle(request, reply, site, config, handler, log),
            _ => panic!("no such files: {files}"),
        }
    }
}
