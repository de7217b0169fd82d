//! The program on standard input and output: one connection, and nothing else is said there.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use sanserve_core::Files;
use sanserve_server::{WithPasswords, stdio};
use socket2::SockRef;

use super::failure::Failure;
use super::options::Options;
use super::settings::{config, disk, files, sink};
use super::{handlers, signals};

/// Serves one connection.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let (input, output) = stdio::take().map_err(Failure::service)?;
    let passwords = handlers::passwords(options)?;
    let disk = disk(options)?;
    let obeyed = if options.runs_scripts() {
        let scripts = disk.scripts();
        let ended = scripts.clone();
        let end = move |_| {
            scripts.end_all();
            signals::end();
        };
        signals::obey(end, move || ended.end_all(), None)
    } else {
        signals::end_at_once()
    };
    obeyed.map_err(Failure::service)?;
    let disk = WithPasswords::new(disk, passwords.clone());
    let (config, files) = (config(options), Files::from(files(options)));
    let reached = handlers::Reached {
        address: address(&input),
        https: false,
        loopback_only: false,
    };
    let handlers = handlers::handlers(options, &files, &reached, passwords.as_ref());
    let served = match handlers {
        Some(handlers) => stdio::serve(input, output, &disk, config, handlers(), &sink(options)),
        None => stdio::serve(input, output, &disk, config, files, &sink(options)),
    };
    gone(served)
}

/// A peer that goes away is no error.
fn gone(served: io::Result<()>) -> Result<(), Failure> {
    served.or_else(|error| match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Ok(()),
        _ => Err(Failure::Service(format!(
            "cannot serve on standard input and output: {error}"
        ))),
    })
}

/// Where scripts are told that this is.
fn address(input: &OwnedFd) -> SocketAddr {
    let local = SockRef::from(input).local_addr().ok();
    let local = local.and_then(|local| local.as_socket());
    local.unwrap_or((Ipv4Addr::LOCALHOST, 80).into())
}
