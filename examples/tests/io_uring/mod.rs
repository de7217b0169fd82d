//! Runs the conformance list on the io_uring example, over sockets, with a disk.

use std::thread;

use compio::driver::DriverType;
use sanserve_conformance::{Case, Client, Log, Site, run_except, servers, upload_token};

use super::*;

#[test]
fn conforms() {
    match Runtime::new() {
        Ok(runtime) => assert_eq!(runtime.driver_type(), DriverType::IoUring),
        Err(error) => return println!("SKIPPED: io_uring is not available: {error}"),
    }
    let site = Site::standard().in_temp_dir().expect("a site");
    let start = |case: &Case, log: Log| {
        let disk = Disk::open(site.root_for(case)?)?
            .with_portable_names(case.portable_names())
            .with_portable_tags(true)
            .with_upload_tokens(upload_token);
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let (address, case) = (listener.local_addr()?, case.clone());
        thread::spawn(move || {
            let runtime = Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                let (config, log) = (case.config(), move |lines: &str| log.push(lines));
                serve(listener, disk, config, move || case.handler(), log).await
            })
        });
        Ok(address)
    };
    let excludes = |case: &Case| match case {
        _ if case.upgrades => Some("upgrades"),
        _ => case.stops().then_some("stopping the server"),
    };
    run_except("io_uring", excludes, servers(start, Client::connect));
}
