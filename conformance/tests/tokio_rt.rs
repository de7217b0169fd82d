//! Runs the suite on the tokio adapter, over sockets and TLS, with a disk.

#![cfg(any(unix, windows))]

mod https;
mod system;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sanserve_conformance::{
    Case, Client, Log, Shout, Site, SiteFolder, StartedServer, run_except, servers,
};
use sanserve_core::Handler;
use sanserve_server::Disk;
use sanserve_server::tokio_rt::{HTTPServer, UpgradedStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

use self::system::excludes;

/// Returns the handler for a connection of a case.
type MakeHandler = fn(&Case) -> Box<dyn Handler + Send>;

/// Starts a server for a case, with or without TLS.
fn start<'a>(
    site: &'a SiteFolder,
    runtime: &'a Runtime,
    make_handler: MakeHandler,
    over: impl Fn(HTTPServer) -> HTTPServer + 'a,
) -> impl FnMut(&Case, Log) -> io::Result<StartedServer> + 'a {
    move |case, log| {
        let _inside = runtime.enter();
        let server = over(HTTPServer::bind("127.0.0.1:0")?).with_log(move |lines| log.push(lines));
        let (address, case) = (server.server_address(), case.clone());
        let stopper = server.stopper();
        let disk = Disk::open(site.root_for(&case)?)?;
        let disk = disk.with_portable_names(case.portable_names());
        let disk = disk.with_portable_tags(true);
        #[cfg(unix)]
        let disk = disk.with_upload_tokens(sanserve_conformance::upload_token);
        let disk = Arc::new(disk);
        runtime.spawn(async move {
            let config = case.config();
            match case.upgrades {
                true => {
                    let handler = move || make_handler(&case);
                    let upgraded = |_, stream| async {
                        // A client that disconnects ends the protocol.
                        let _ = shout(stream).await;
                    };
                    server
                        .serve_with_upgrades(disk, config, handler, upgraded)
                        .await
                }
                false => {
                    server
                        .serve_forever(disk, config, move || make_handler(&case))
                        .await
                }
            }
        });
        Ok(StartedServer::new(address, move || {
            drop(stopper.shutdown(GRACE));
        }))
    }
}

/// Runs [`Shout`] on an upgraded connection.
async fn shout(mut stream: UpgradedStream) -> io::Result<()> {
    let (mut protocol, mut buffer) = (Shout::default(), [0; 1000]);
    while !protocol.is_ended() {
        let n = stream.read(&mut buffer).await?;
        stream.write_all(&protocol.receive(&buffer[..n])).await?;
        stream.flush().await?;
    }
    stream.shutdown().await
}

#[test]
fn conforms() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let runtime = Runtime::new().expect("a runtime");
    let start = start(&site, &runtime, Case::handler, |server| server);
    run_except("tokio", excludes, servers(start, Client::connect));
}

#[test]
fn conforms_with_asynchronous_handlers() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let runtime = Runtime::new().expect("a runtime");
    let start = start(&site, &runtime, Case::async_handler, |server| server);
    run_except(
        "tokio, async handlers",
        excludes,
        servers(start, Client::connect),
    );
}

#[test]
fn conforms_over_tls() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let runtime = Runtime::new().expect("a runtime");
    let (certificate, tls) = https::certified();
    let start = start(&site, &runtime, Case::handler, move |server| {
        server.with_tls(tls.clone())
    });
    run_except(
        "tokio over TLS",
        excludes,
        servers(start, |to| certificate.connect(to)),
    );
}

/// The time for replies in progress when a server is stopped: longer than any case takes.
const GRACE: Duration = Duration::from_secs(20);
