//! The program as a WASI component. How it ends is left to the host.

use sanserve_core::{Files, Hosts};
use sanserve_server::ListenAddr;
use sanserve_server::wasi_sockets::HTTPServer;

use super::failure::Failure;
use super::options::Options;
use super::settings::{config, disk, files, hosts, sink};
use super::{banner, listen};

/// Serves for ever.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let disk = disk(options)?;
    let server = HTTPServer::new(listen::doors(options)?).with_log(sink(options));
    banner::warn_about_missing(options, &disk);
    let places: Vec<_> = server.addresses().map(ListenAddr::Ip).collect();
    banner::Announcement::new(options, "http", &places, None).say();
    let (config, files) = (config(options), Files::from(files(options)));
    let names = hosts(options);
    server.serve_forever(disk, config, || Hosts::new(files.clone(), names.clone()))
}
