//! The cases that apply on this system to a server with a disk.

use sanserve_conformance::Case;

/// Returns why a case does not apply on this system.
#[cfg(unix)]
pub(crate) fn excludes(_: &Case) -> Option<&'static str> {
    None
}

/// Returns why a case does not apply on this system.
#[cfg(windows)]
pub(crate) fn excludes(case: &Case) -> Option<&'static str> {
    match case {
        _ if case.stores => Some("uploads"),
        _ if case.handler == "cgi" => Some("scripts"),
        _ if case.name == CLOSED_CLIENT => Some("a client that closes is not noticed"),
        _ if NAMES.lines().any(|name| name == case.name) => Some("links, or names of files"),
        _ => None,
    }
}

/// The cases that need a symbolic link, or a file that cannot have its name here, one a line.
#[cfg(windows)]
const NAMES: &str = include_str!("windows.txt");

#[cfg(windows)]
const CLOSED_CLIENT: &str = "time/a client that closes the connection while the handler waits";
