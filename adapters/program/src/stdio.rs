//! The option `--stdio`: serves one connection over standard input and output, without listening.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use sanserve_core::Files;
use sanserve_server::{WithPasswords, stdio};
use socket2::SockRef;

use super::failure::Failure;
use super::options::Options;
use super::settings::{config, disk, files, log_sink};
use super::{handlers, signals};

/// Serves one connection.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let (input, output) = stdio::take().map_err(Failure::service)?;
    let passwords = handlers::passwords(options)?;
    let disk = disk(options)?;
    let handled = if options.runs_scripts() {
        let scripts = disk.scripts();
        let scripts_to_end = scripts.clone();
        let end = move |_| {
            scripts.end_all();
            signals::exit();
        };
        signals::handle(end, move || scripts_to_end.end_all(), None)
    } else {
        signals::exit_immediately()
    };
    handled.map_err(Failure::service)?;
    let disk = WithPasswords::new(disk, passwords.clone());
    let (config, files) = (config(options), Files::from(files(options)));
    let info = handlers::ServerInfo {
        address: address(&input),
        https: false,
        loopback_only: false,
    };
    let handlers = handlers::handlers(options, &files, &info, passwords.as_ref());
    let served = match handlers {
        Some(handlers) => {
            stdio::serve(input, output, &disk, config, handlers(), &log_sink(options))
        }
        None => stdio::serve(input, output, &disk, config, files, &log_sink(options)),
    };
    ignore_disconnect(served)
}

/// Ignores the error of a client that has disconnected.
fn ignore_disconnect(served: io::Result<()>) -> Result<(), Failure> {
    served.or_else(|error| match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Ok(()),
        _ => Err(Failure::Service(format!(
            "cannot serve on standard input and output: {error}"
        ))),
    })
}

/// Returns the server address for scripts.
fn address(input: &OwnedFd) -> SocketAddr {
    let local = SockRef::from(input).local_addr().ok();
    let local = local.and_then(|local| local.as_socket());
    local.unwrap_or((Ipv4Addr::LOCALHOST, 80).into())
}
