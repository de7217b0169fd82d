//! Tests that all servers have the same functions, so that one can replace another.

mod client;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;

use client::{TIMEOUT, get, site};
use sanserve_core::{Config, Files};
use sanserve_server::{BindError, Disk, ThreadingHTTPServer};

/// Starts a server, requests a file from it, and stops it. `$wait` waits for the result of a call.
macro_rules! check {
    ($server:ty, $wait:expr) => {{
        let site = site();
        let disk = Arc::new(Disk::open(site.path()).unwrap());
        let bound: Result<$server, BindError> = <$server>::bind((Ipv4Addr::LOCALHOST, 0));
        let server = bound.unwrap().with_log(|_| ()).with_max_connections(3);
        let (address, stopper) = (server.server_address(), server.stopper());
        assert_eq!(server.server_port(), address.port());
        thread::scope(|scope| {
            let serving = scope.spawn(|| -> io::Result<()> {
                $wait(server.serve_forever(disk, Config::default(), Files::new))
            });
            assert!(get(address, "/a.txt").contains(" 200 "));
            $wait(stopper.shutdown(TIMEOUT));
            serving.join().unwrap().unwrap();
        });
    }};
}

#[test]
fn all_servers_have_the_same_interface() {
    check!(ThreadingHTTPServer, |result| result);
    #[cfg(unix)]
    check!(sanserve_server::event_loop::HTTPServer, |result| result);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    check!(sanserve_server::tokio_rt::HTTPServer, |future| runtime
        .handle()
        .block_on(future));
}
