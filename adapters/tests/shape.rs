//! All servers are made, set up, started and stopped by the same words, so that one can take the place of another.

mod peer;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;

use peer::{LONG, get, site};
use sanserve_core::{Config, Files};
use sanserve_server::{BindError, Disk, ThreadingHTTPServer};

/// Starts the server of the type, asks it for a file, and stops it. `$wait` waits for a result.
macro_rules! serves {
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
            $wait(stopper.shutdown(LONG));
            serving.join().unwrap().unwrap();
        });
    }};
}

#[test]
fn one_server_can_take_the_place_of_another() {
    serves!(ThreadingHTTPServer, |done| done);
    #[cfg(unix)]
    serves!(sanserve_server::event_loop::HTTPServer, |done| done);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    serves!(sanserve_server::tokio_rt::HTTPServer, |it| runtime
        .handle()
        .block_on(it));
}
