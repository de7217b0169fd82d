//! Under which addresses a server can be reached, as one types them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// An address that can be typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) url: String,
    /// From where.
    pub(super) from: From,
}

/// From where something can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// From this machine alone.
    Here,
    /// From a network too, by the interface of this name.
    Network(String),
}

/// An address of this machine and its interface.
pub(super) type Own = (IpAddr, String);

/// The addresses of this machine. Those by which it reaches other networks come first.
pub(super) fn own() -> Vec<Own> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = found.into_iter().map(|one| (one.ip(), one.name));
    // Nobody types an address with the number of an interface behind it.
    let mut own: Vec<Own> = addresses
        .filter(|(ip, _)| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .collect();
    let ways = [way_to(DOCUMENTATION_4), way_to(DOCUMENTATION_6)];
    own.sort_by_key(|(ip, _)| (!ways.contains(&Some(*ip)), ip.is_ipv6()));
    own
}

/// How a server that listens there can be reached, this machine first.
pub(super) fn reach(scheme: &str, listens: SocketAddr, own: &[Own]) -> Vec<Reach> {
    let (ip, port) = (listens.ip(), listens.port());
    let at = |ip: IpAddr, from| Reach {
        url: format!("{scheme}://{}/", SocketAddr::new(ip, port)),
        from,
    };
    if ip.is_loopback() {
        return vec![at(ip, From::Here)];
    }
    let mut reached = Vec::new();
    if ip.is_unspecified() {
        let here = if ip.is_ipv4() || own.iter().any(|(own, _)| own.is_ipv4()) {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        };
        reached.push(at(here, From::Here));
    }
    let others = own.iter().filter(|(own, _)| {
        let meant = ip == *own || (ip.is_unspecified() && (ip.is_ipv6() || own.is_ipv4()));
        meant && !own.is_loopback()
    });
    reached.extend(others.map(|(ip, name)| at(*ip, From::Network(name.clone()))));
    reached
}

/// Which address of this machine would be used for that one. Nothing is sent.
fn way_to(other: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match other {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((other, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Addresses that nobody has (RFC 5737, RFC 3849).
const DOCUMENTATION_4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const DOCUMENTATION_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

#[cfg(test)]
mod tests {
    use super::{From, reach};

    #[test]
    fn addresses_depend_on_the_listen_address() {
        let own = [
            ("192.168.1.7", "wlan0"),
            ("127.0.0.1", "lo"),
            ("2001:db8::7", "wlan0"),
            ("::1", "lo"),
        ];
        let own = own.map(|(ip, name)| (ip.parse().unwrap(), name.to_owned()));
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
        for (listens, wanted) in cases {
            let found = reach("http", listens.parse().unwrap(), &own);
            let found = found.into_iter().map(|one| match one.from {
                From::Here => one.url,
                From::Network(name) => format!("{} {name}", one.url),
            });
            assert!(
                found.eq(wanted.iter().map(|text| (*text).to_owned())),
                "{listens}"
            );
        }
    }
}
