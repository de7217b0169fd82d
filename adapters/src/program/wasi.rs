//! The program as a WASI component. How it ends is left to the host.

use sanserve::Place;
use sanserve::wasi::HTTPServer;

use super::{Options, config, disk, files, hint, listen, sink};

/// Serves for ever. The error is a line for the user.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let disk = disk(options)?;
    let server = HTTPServer::new(listen::doors(options)?).log(sink(options));
    for address in server.addresses() {
        listen::announce("http", &Place::Address(address));
    }
    hint(options);
    let (config, files) = (config(options), files(options));
    server.serve_forever(&disk, config, || files.clone())
}
