//! Derives the URLs of a server from the address that it listens on: which work on this machine only, and which on the
//! network of an interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// A URL of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerUrl {
    pub(super) url: String,
    pub(super) scope: Scope,
}

/// Where a URL works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// On this machine only.
    Local,
    /// Also on the network of the interface with this name.
    Network(String),
}

/// An address of this machine, and the name of its interface.
pub(super) type LocalAddr = (IpAddr, String);

/// Returns the addresses of this machine, first those with a route to other networks.
pub(super) fn local_addrs() -> Vec<LocalAddr> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = found
        .into_iter()
        .map(|interface| (interface.ip(), interface.name));
    // A link-local address needs the number of an interface, which no browser accepts.
    let mut local: Vec<LocalAddr> = addresses
        .filter(|(ip, _)| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .collect();
    let routed = [
        source_addr_for(DOCUMENTATION_4),
        source_addr_for(DOCUMENTATION_6),
    ];
    local.sort_by_key(|(ip, _)| (!routed.contains(&Some(*ip)), ip.is_ipv6()));
    local
}

/// Returns the URLs of a server that listens on this address, first the one for this machine. If it answers only for a
/// name, those on a network have this name.
pub(super) fn urls(
    scheme: &str,
    listen_addr: SocketAddr,
    name: Option<&str>,
    local: &[LocalAddr],
) -> Vec<ServerUrl> {
    let (ip, port) = (listen_addr.ip(), listen_addr.port());
    let url = |ip: IpAddr, scope| {
        let url = match (&scope, name) {
            (Scope::Network(_), Some(name)) => format!("{scheme}://{name}:{port}/"),
            _ => format!("{scheme}://{}/", SocketAddr::new(ip, port)),
        };
        ServerUrl { url, scope }
    };
    if ip.is_loopback() {
        return vec![url(ip, Scope::Local)];
    }
    let mut urls = Vec::new();
    if ip.is_unspecified() {
        let loopback = if ip.is_ipv4() || local.iter().any(|(ip, _)| ip.is_ipv4()) {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        };
        urls.push(url(loopback, Scope::Local));
    }
    let others = local.iter().filter(|(local, _)| {
        let listens = ip == *local || (ip.is_unspecified() && (ip.is_ipv6() || local.is_ipv4()));
        listens && !local.is_loopback()
    });
    urls.extend(others.map(|(ip, name)| url(*ip, Scope::Network(name.clone()))));
    urls
}

/// Returns the address of this machine from which packets to `remote` would be sent. Nothing is sent.
fn source_addr_for(remote: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match remote {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((remote, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Addresses that are reserved for documentation (RFC 5737, RFC 3849).
const DOCUMENTATION_4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const DOCUMENTATION_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

#[cfg(test)]
mod tests {
    use super::{Scope, urls};

    #[test]
    fn addresses_depend_on_the_listen_address() {
        let local = [
            ("192.168.1.7", "wlan0"),
            ("127.0.0.1", "lo"),
            ("2001:db8::7", "wlan0"),
            ("::1", "lo"),
        ];
        let local = local.map(|(ip, name)| (ip.parse().unwrap(), name.to_owned()));
        let cases: [(&str, &[&str]); 5] = [
            ("127.0.0.1:80", &["http://127.0.0.1:80/"]),
            ("192.168.1.7:80", &["http://192.168.1.7:80/ wlan0"]),
            (
                "0.0.0.0:8000",
                &["http://127.0.0.1:8000/", "http://192.168.1.7:8000/ wlan0"],
            ),
            (
                "[::]:8000",
                &[
                    "http://127.0.0.1:8000/",
                    "http://192.168.1.7:8000/ wlan0",
                    "http://[2001:db8::7]:8000/ wlan0",
                ],
            ),
            ("[::1]:8000", &["http://[::1]:8000/"]),
        ];
        for (listen_addr, wanted) in cases {
            let found = urls("http", listen_addr.parse().unwrap(), None, &local);
            let found = found.into_iter().map(|found| match found.scope {
                Scope::Local => found.url,
                Scope::Network(name) => format!("{} {name}", found.url),
            });
            assert!(
                found.eq(wanted.iter().map(|text| (*text).to_owned())),
                "{listen_addr}"
            );
        }
    }
}
