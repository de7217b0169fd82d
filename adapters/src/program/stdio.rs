//! The program on standard input and output: one connection, and nothing else is said there.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use sanserve::{Guarded, stdio};
use socket2::SockRef;

use super::{Options, config, disk, entry, files, scripts, sink};

/// Serves one connection. That its peer goes away is no error.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let (input, output) = stdio::take().map_err(|error| error.to_string())?;
    let passwords = entry::passwords(options)?;
    let disk = Guarded::new(disk(options)?, passwords.clone());
    let (config, files) = (config(options), files(options));
    let scripts = scripts(options, &files, address(&input));
    let served = match entry::handlers(&files, scripts, passwords.as_ref()) {
        Some(handlers) => stdio::serve(input, output, &disk, config, handlers(), &sink(options)),
        None => stdio::serve(input, output, &disk, config, files, &sink(options)),
    };
    served.or_else(|error| match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Ok(()),
        _ => Err(format!("cannot serve standard input and output: {error}")),
    })
}

/// Where scripts are told that this is.
fn address(input: &OwnedFd) -> SocketAddr {
    let local = SockRef::from(input).local_addr().ok();
    let local = local.and_then(|local| local.as_socket());
    local.unwrap_or((Ipv4Addr::LOCALHOST, 80).into())
}
