//! A server for the conformance tests, as a WASI component. It serves with the settings and the handler of the case
//! that is its first argument, from the directory `/` (`disk`) or from the site of the cases (`site`). It prints its
//! address, and logs to standard error. Every second connection has an asynchronous handler.

use std::cell::Cell;
use std::env;
use std::time::Duration;

use sanserve_conformance::{Site, case};
use sanserve_server::wasi_sockets::{Disk, HTTPServer};

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let [_, name, files, options @ ..] = &arguments[..] else {
        panic!("usage: NAME-OF-A-CASE disk|site [impatient|narrow]");
    };
    let mut cases = case::all().into_iter();
    let case = cases.find(|case| case.name == *name);
    let case = case.expect("there is a case of that name");
    let connections = Cell::new(0);
    let handler = || case.alternating_handler(connections.replace(connections.get() + 1));
    let mut config = case.config();
    let mut server = HTTPServer::bind("127.0.0.1:0").expect("a free port");
    for option in options {
        match option.as_str() {
            "impatient" => {
                config.timeouts.grace = Duration::from_secs(1);
                config.timeouts.rate = u32::MAX;
            }
            "narrow" => server = server.with_max_connections(2),
            _ => panic!("unknown option {option}"),
        }
    }
    println!("{}", server.server_address());
    match files.as_str() {
        "disk" => server.serve_forever(Disk::open("/").expect("a directory"), config, handler),
        "site" => server.serve_forever(Site::standard(), config, handler),
        _ => panic!("expected disk or site: {files}"),
    }
}
