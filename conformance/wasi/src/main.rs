//! Serves the cases of one kind, in a component. Its arguments are the name of such a case, `disk` or
//! `site`, which is where the files come from, and what else is to be other than usual. Where it
//! listens is the line that it prints, and what it logs goes to standard error.

use std::env;
use std::time::Duration;

use sanserve_conformance::{Site, case};
use sanserve_server::wasi_sockets::{Disk, HTTPServer};

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let [_, name, files, others @ ..] = &arguments[..] else {
        panic!("it wants the name of a case, and disk or site");
    };
    let mut cases = case::all().into_iter();
    let case = cases.find(|case| case.name == *name);
    let case = case.expect("a case of that name");
    let (mut config, handler) = (case.config(), || case.handler());
    let mut server = HTTPServer::bind("127.0.0.1:0").expect("a free port");
    for other in others {
        match other.as_str() {
            "impatient" => {
                config.timeouts.grace = Duration::from_secs(1);
                config.timeouts.rate = u32::MAX;
            }
            "narrow" => server = server.with_max_connections(2),
            _ => panic!("nothing can be {other}"),
        }
    }
    println!("{}", server.server_address());
    match files.as_str() {
        "disk" => server.serve_forever(Disk::open("/").expect("a directory"), config, handler),
        "site" => server.serve_forever(Site::standard(), config, handler),
        _ => panic!("no such files: {files}"),
    }
}
