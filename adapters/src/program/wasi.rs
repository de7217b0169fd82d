//! The program as a WASI component. How it ends is left to the host.

use sanserve::Place;
use sanserve::wasi::HTTPServer;
use sanserve_core::Hosts;

use super::{Options, config, disk, files, hosts, listen, sink, start};

/// Serves for ever. The error is a line for the user.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let disk = disk(options)?;
    let server = HTTPServer::new(listen::doors(options)?).log(sink(options));
    let places: Vec<_> = server.addresses().map(Place::Address).collect();
    start::announce(options, "http", &places, None);
    let (config, files) = (config(options), files(options));
    let names = hosts(options);
    server.serve_forever(&disk, config, || Hosts::new(files.clone(), names))
}
