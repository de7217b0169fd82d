//! The command as a WASI component. It runs until the host stops it.

use sanserve_core::{Files, Hosts};
use sanserve_server::ListenAddr;
use sanserve_server::wasi_sockets::HTTPServer;

use super::banner::{self, Granted};
use super::failure::Failure;
use super::listen;
use super::options::Options;
use super::settings::{config, disk, files, hosts, log_sink};

/// Serves forever.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let disk = disk(options)?;
    let server = HTTPServer::new(listen::listeners(options)?).with_log(log_sink(options));
    banner::warn_about_missing(options, &disk);
    let addresses: Vec<_> = server.addresses().map(ListenAddr::Ip).collect();
    banner::Banner::new(options, "http", &addresses, "", Granted::default()).print();
    let (config, files) = (config(options), Files::from(files(options)));
    let names = hosts(options);
    server.serve_forever(disk, config, || Hosts::new(files.clone(), names.clone()))
}
