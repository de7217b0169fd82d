//! Checks servers that accept only some hosts: a request for another host gets a 421, and the file system is asked
//! for nothing.

use super::exchange::Exchange;
use super::served::Served;

/// The names and addresses of the servers that accept only some hosts.
pub(super) const NAMES: [&str; 3] = ["files.example", "192.0.2.7", "2001:db8::1"];

/// Hosts that these servers accept: their names and addresses in any spelling, and those of the machine (RFC 6761 §6.3).
pub(super) const ACCEPTED: &[&str] = &[
    "files.example",
    "FILES.Example:8000",
    "files.example.",
    "files.example.:80",
    "192.0.2.7",
    "192.0.2.7:8000",
    "[2001:db8::1]",
    "[2001:DB8:0:0::1]:8000",
    "localhost",
    "LocalHost:8000",
    "a.localhost.",
    "127.8.9.10:1",
    "[::1]:8000",
];

/// Hosts that they do not accept.
pub(super) const OTHERS: &[&str] = &[
    "evil.example",
    "files.example.evil.example",
    "evil-files.example",
    "files.example.com:8000",
    "files",
    "192.0.2.70",
    "192.0.2.8:8000",
    "[2001:db8::2]",
    "localhost.evil.example",
    "notlocalhost",
    "128.0.0.1",
    "[::2]",
];

/// Compares the hosts of requests with the replies, and with the calls of the file system.
pub(super) fn check(served: &Served<'_>) -> Result<(), String> {
    served.each(|exchange| match exchange.settings.checks_host {
        true => check_exchange(exchange),
        false => Ok(()),
    })
}

fn check_exchange(exchange: &Exchange<'_>) -> Result<(), String> {
    let hosts = exchange.fields("Host");
    let is_accepted = matches!(hosts[..], [host] if ACCEPTED.contains(&host));
    let status = exchange.status();
    match (is_accepted, status, exchange.calls.first()) {
        (true, 421, _) => Err(format!("the host {hosts:?} is refused")),
        (false, 200..400 | 101, _) => Err(format!("the host {hosts:?} gets a {status}")),
        (false, _, Some(call)) => Err(format!(
            "the file system is asked to {:?} for the host {hosts:?}",
            call.ask
        )),
        _ => Ok(()),
    }
}
