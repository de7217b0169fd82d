//! [`TrustedProxies`]: the proxies that are believed when they report the client of a request, in `X-Forwarded-For`,
//! `X-Forwarded-Proto` or `Forwarded` (RFC 7239).
//!
//! Each proxy appends the address from which it received the request, so only the end of such a list is trustworthy:
//! a client can send the beginning itself. The client is therefore the last address that is not a trusted proxy's.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;

use ipnet::IpNet;

use crate::engine::Client;
use crate::wire::RequestHead;
use crate::wire::syntax::is_token;

/// The addresses of trusted proxies. [`find_client`](Self::find_client) is for
/// [`Config::with_find_client`](crate::Config::with_find_client).
///
/// ```
/// use sanserve_core::{Config, TrustedProxies};
///
/// let mut proxies = TrustedProxies::default();
/// proxies.trust("10.0.0.0/8")?;
/// proxies.trust("unix")?;
/// let config = Config::default()
///     .with_find_client(move |head, peer, client| proxies.find_client(head, peer, client));
/// # Ok::<(), sanserve_core::ProxyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
}

/// The error of [`TrustedProxies::trust`]: the text is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyError {
    /// The text.
    pub text: String,
}

impl core::fmt::Display for ProxyError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let text = &self.text;
        write!(
            out,
            "'{text}' is not an address: expected one, such as 10.0.0.1, a network, such as 10.0.0.0/8, or unix"
        )
    }
}

impl core::error::Error for ProxyError {}

impl TrustedProxies {
    /// Trusts a proxy at this address, the proxies of a network, such as `10.0.0.0/8`, or with `unix` everyone who may
    /// connect to a Unix socket.
    ///
    /// # Errors
    /// If the text is none of these.
    pub fn trust(&mut self, text: &str) -> Result<(), ProxyError> {
        if text == "unix" {
            self.unix = true;
            return Ok(());
        }
        let address = text
            .parse()
            .map(|address: IpAddr| address.to_canonical().into());
        let network = address.or_else(|_| IpNet::from_str(text));
        self.networks.push(network.map_err(|_| ProxyError {
            text: text.to_string(),
        })?);
        Ok(())
    }

    /// Returns whether a peer is trusted. Its address is that of an adapter: an IP address, or `unix:`.
    #[must_use]
    pub fn trusts(&self, peer: &str) -> bool {
        match peer.parse() {
            Ok(address) => self.trusts_address(address),
            Err(_) => self.unix && peer.starts_with("unix:"),
        }
    }

    fn trusts_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Sets the client of a request that `peer` has sent, as far as the peer is trusted and reports it.
    ///
    /// The client is the last address in the list that is not trusted, or the first one if all are. An entry that is not
    /// an address, such as `unknown`, ends the search. If `X-Forwarded-For` and `Forwarded` name different clients,
    /// neither counts: most proxies set only one of the fields, and pass the other as the client sent it. The same holds
    /// for the scheme, which is that of one `X-Forwarded-Proto` and of the client's entry in `Forwarded`.
    pub fn find_client(&self, head: &RequestHead, peer: &str, client: &mut Client) {
        if !self.trusts(peer) {
            return;
        }
        let mut listed = Found::default();
        for value in head.get_all("X-Forwarded-For") {
            for entry in value.split(',') {
                self.follow(&mut listed, address(entry.trim_matches(SPACE)), None);
            }
        }
        let mut forwarded = Found::default();
        for value in head.get_all("Forwarded") {
            self.follow_forwarded(&mut forwarded, value);
        }
        let has = |name: &str| head.field(name).is_some();
        let address = agreed(
            has("X-Forwarded-For").then_some(listed.address),
            has("Forwarded").then_some(forwarded.address),
        );
        if let Some(address) = address {
            client.set_address(address);
        }
        client.https = agreed(
            has("X-Forwarded-Proto").then(|| single_scheme(head)),
            has("Forwarded")
                .then_some(forwarded.https)
                .filter(Option::is_some),
        );
    }

    /// Takes the next entry of a list into account.
    fn follow(&self, found: &mut Found, address: Option<IpAddr>, https: Option<bool>) {
        let Some(address) = address else {
            *found = Found::default();
            return;
        };
        if found.address.is_none() || !self.trusts_address(address) {
            let address = Some(address.to_canonical());
            *found = Found { address, https };
        }
    }

    /// Takes the entries of a `Forwarded` field into account (RFC 7239 §4).
    fn follow_forwarded(&self, found: &mut Found, value: &str) {
        let mut rest = value;
        loop {
            let (entry, after) = split_unquoted(rest, b',');
            let (address, https) = forwarded_entry(entry).unwrap_or_default();
            self.follow(found, address, https);
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
    }
}

/// The client as far as a list has been read.
#[derive(Clone, Copy, Default)]
struct Found {
    address: Option<IpAddr>,
    https: Option<bool>,
}

/// Returns what two fields say. One that is missing says nothing; two that differ say nothing together.
fn agreed<T: PartialEq>(one: Option<Option<T>>, other: Option<Option<T>>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => None,
        (one, other) => one.or(other).flatten(),
    }
}

/// Returns the scheme of `X-Forwarded-Proto`, if there is one only.
fn single_scheme(head: &RequestHead) -> Option<bool> {
    let mut values = head.get_all("X-Forwarded-Proto");
    match (values.next(), values.next()) {
        (Some(value), None) => is_https(value.trim_matches(SPACE)),
        _ => None,
    }
}

/// Returns whether a scheme is `https`, if it is one of HTTP.
fn is_https(scheme: &str) -> Option<bool> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => Some(true),
        _ if scheme.eq_ignore_ascii_case("http") => Some(false),
        _ => None,
    }
}

/// Parses an entry of `Forwarded`: the address of `for` and the scheme of `proto`. Returns `None` if it is malformed.
fn forwarded_entry(entry: &str) -> Option<(Option<IpAddr>, Option<bool>)> {
    let (mut address_of_client, mut https) = (None, None);
    let mut rest = Some(entry);
    while let Some(text) = rest {
        let (pair, after) = split_unquoted(text, b';');
        rest = after;
        let pair = pair.trim_matches(SPACE);
        if pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=')?;
        let value = unquoted(value)?;
        if name.eq_ignore_ascii_case("for") {
            if address_of_client.replace(address(value)).is_some() {
                return None;
            }
        } else if name.eq_ignore_ascii_case("proto") && https.replace(is_https(value)).is_some() {
            return None;
        }
    }
    Some((address_of_client.flatten(), https.flatten()))
}

/// Splits a text at the first separator that is not in a quoted string (RFC 9110 §5.6.4).
fn split_unquoted(text: &str, separator: u8) -> (&str, Option<&str>) {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let at = text.bytes().position(|byte| {
        let ends = !is_quoted && byte == separator;
        (is_quoted, is_escaped) = match byte {
            _ if is_escaped => (is_quoted, false),
            b'\\' if is_quoted => (is_quoted, true),
            b'"' => (!is_quoted, false),
            _ => (is_quoted, false),
        };
        ends
    });
    match at {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Returns the content of a token or a quoted string. Escapes are left in place, as no address has one.
fn unquoted(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => is_token(value.as_bytes()).then_some(value),
    }
}

/// Parses an address, with a port or without. IPv6 may be in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let alone = bracketed.unwrap_or(text).parse().ok();
    alone.or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

const SPACE: [char; 2] = [' ', '\t'];

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::TrustedProxies;
    use crate::engine::Client;
    use crate::wire::{Limits, RequestHead};

    fn client_of(fields: &str, peer: &str) -> Client {
        let mut proxies = TrustedProxies::default();
        for text in ["10.0.0.0/8", "2001:db8::/32", "unix"] {
            proxies.trust(text).expect("a network");
        }
        let mut head = RequestHead::new();
        let text = format!("GET / HTTP/1.0\r\n{fields}\r\n");
        let parsed = head.parse(text.as_bytes(), &Limits::new());
        parsed.expect("a valid head").expect("a complete head");
        let mut client = Client::default();
        proxies.find_client(&head, peer, &mut client);
        client
    }

    fn address(fields: &str, peer: &str) -> Option<alloc::string::String> {
        let client = client_of(fields, peer);
        client.address().map(ToString::to_string)
    }

    #[test]
    fn the_last_address_that_is_not_trusted_is_the_client() {
        for (fields, client) in [
            ("X-Forwarded-For: 192.0.2.1\r\n", Some("192.0.2.1")),
            // A client can send the beginning of the list.
            ("X-Forwarded-For: 1.2.3.4, 192.0.2.1\r\n", Some("192.0.2.1")),
            (
                "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 192.0.2.1\r\n",
                Some("192.0.2.1"),
            ),
            (
                "X-Forwarded-For: 192.0.2.1 ,10.1.1.1,\t10.2.2.2\r\n",
                Some("192.0.2.1"),
            ),
            // All are trusted.
            ("X-Forwarded-For: 10.3.3.3, 10.1.1.1\r\n", Some("10.3.3.3")),
            ("X-Forwarded-For: 192.0.2.1:4711\r\n", Some("192.0.2.1")),
            ("X-Forwarded-For: ::ffff:192.0.2.1\r\n", Some("192.0.2.1")),
            ("X-Forwarded-For: 2001:db9::1\r\n", Some("2001:db9::1")),
            (
                "X-Forwarded-For: [2001:db9::1]:80, 2001:db8::2\r\n",
                Some("2001:db9::1"),
            ),
            // An entry that is not an address: the proxy behind it is all that is known.
            (
                "X-Forwarded-For: 192.0.2.1, unknown, 10.1.1.1\r\n",
                Some("10.1.1.1"),
            ),
            ("X-Forwarded-For: 192.0.2.1, unknown\r\n", None),
            ("X-Forwarded-For: 192.0.2.1,\r\n", None),
            ("X-Forwarded-For: \r\n", None),
            ("", None),
            // RFC 7239 §4, §6, §7.1.
            ("Forwarded: for=192.0.2.1\r\n", Some("192.0.2.1")),
            (
                "forwarded: proto=http;FOR=\"192.0.2.1:80\" ; by=10.0.0.1\r\n",
                Some("192.0.2.1"),
            ),
            (
                "Forwarded: for=\"[2001:db9::17]:4711\"\r\n",
                Some("2001:db9::17"),
            ),
            (
                "Forwarded: for=1.2.3.4, for=192.0.2.1, for=10.1.1.1\r\n",
                Some("192.0.2.1"),
            ),
            (
                "Forwarded: for=192.0.2.1;host=\"a,b\\\"\"\r\nForwarded: for=10.1.1.1\r\n",
                Some("192.0.2.1"),
            ),
            ("Forwarded: for=_hidden, for=10.1.1.1\r\n", Some("10.1.1.1")),
            ("Forwarded: for=192.0.2.1, for=unknown\r\n", None),
            ("Forwarded: for=192.0.2.1;for=192.0.2.2\r\n", None),
            ("Forwarded: for=\"192.0.2.1\r\n", None),
            ("Forwarded: 192.0.2.1\r\n", None),
            // Both fields.
            (
                "Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.1\r\n",
                Some("192.0.2.1"),
            ),
            (
                "Forwarded: for=1.2.3.4\r\nX-Forwarded-For: 192.0.2.1\r\n",
                None,
            ),
            (
                "Forwarded: nonsense\r\nX-Forwarded-For: 192.0.2.1\r\n",
                None,
            ),
        ] {
            for peer in ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "unix:"] {
                assert_eq!(address(fields, peer).as_deref(), client, "{fields}");
            }
        }
    }

    #[test]
    fn other_peers_are_not_believed() {
        let fields = "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1;proto=https\r\nX-Forwarded-Proto: https\r\n";
        for peer in ["192.0.2.9", "2001:db9::1", "11.0.0.1", "-", ""] {
            assert_eq!(client_of(fields, peer), Client::default(), "{peer}");
        }
    }

    #[test]
    fn the_scheme_is_that_of_the_client() {
        for (fields, https) in [
            ("X-Forwarded-Proto: https\r\n", Some(true)),
            ("X-Forwarded-Proto: HTTP\r\n", Some(false)),
            ("X-Forwarded-Proto: https, http\r\n", None),
            (
                "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: https\r\n",
                None,
            ),
            (
                "Forwarded: for=192.0.2.1;proto=https, for=10.1.1.1;proto=http\r\n",
                Some(true),
            ),
            (
                "Forwarded: for=192.0.2.1, for=10.1.1.1;proto=http\r\n",
                None,
            ),
            (
                "Forwarded: for=192.0.2.1;proto=http\r\nX-Forwarded-Proto: https\r\n",
                None,
            ),
            (
                "Forwarded: for=192.0.2.1\r\nX-Forwarded-Proto: https\r\n",
                Some(true),
            ),
            ("", None),
        ] {
            assert_eq!(client_of(fields, "10.0.0.1").https, https, "{fields}");
        }
    }

    #[test]
    fn what_is_neither_an_address_nor_a_network_is_refused() {
        let mut proxies = TrustedProxies::default();
        for text in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0",
            "::1/129",
            "unix:/run/x",
            "10.0.0.1:80",
        ] {
            assert_eq!(proxies.trust(text).expect_err(text).text, text);
        }
    }
}
