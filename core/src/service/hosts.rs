//! [`Hosts`]: a handler that forwards only requests for known host names to another handler (RFC 9110 §7.4).
//!
//! It prevents DNS rebinding, in which the owner of a site points the name of the site at this machine. To a browser
//! the server is then part of that site, so that the page may read from it and send to it. But the browser still sends
//! the site's name as `Host`, which no page can change. If the target is absolute, as for proxies, its host counts (RFC
//! 9112 §3.2.2).

use alloc::borrow::Cow;
use core::net::IpAddr;

use crate::engine::{Event, Exchange, Handler, Next};
use crate::fs::Right;
use crate::sync::Arc;
use crate::text::status;

/// Wraps another handler, and forwards the requests for known hosts. All others get 421 (RFC 9110 §15.5.20), including
/// HTTP/1.0 requests without a host.
///
/// The names of this machine are always known: `localhost`, names that end with `.localhost`, 127.0.0.0/8 and `[::1]`.
/// Browsers do not ask a name server for these. Other addresses of the machine have to be listed. Ports are not
/// compared.
///
/// ```
/// use sanserve_core::{Files, Hosts};
///
/// let handler = Hosts::new(Files::new(), ["files.example", "192.0.2.7"]);
/// ```
#[derive(Clone, Debug)]
pub struct Hosts<H> {
    names: HostNames,
    handler: H,
}

/// Names and addresses of hosts, for [`Hosts`]. Clones share them.
///
/// ```
/// use sanserve_core::{Files, HostNames, Hosts};
///
/// let names: HostNames = "files.example,192.0.2.7".split(',').map(String::from).collect();
/// let handler = || Hosts::new(Files::new(), names.clone());
/// ```
#[derive(Clone, Debug, Default)]
pub struct HostNames(Arc<[Cow<'static, str>]>);

impl HostNames {
    /// Returns whether there are no names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: Into<Cow<'static, str>>> FromIterator<S> for HostNames {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        HostNames(names.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<Cow<'static, str>>, const N: usize> From<[S; N]> for HostNames {
    fn from(names: [S; N]) -> Self {
        names.into_iter().collect()
    }
}

impl<H: Handler> Hosts<H> {
    /// Wraps a handler for these names and addresses. If there are none, all requests are forwarded.
    pub fn new(handler: H, names: impl Into<HostNames>) -> Hosts<H> {
        let names = names.into();
        Hosts { names, handler }
    }

    fn knows_host_of(&self, ex: &Exchange<'_>) -> bool {
        self.names.is_empty() || ex.head.host().is_some_and(|host| self.knows(host))
    }

    fn knows(&self, host: &str) -> bool {
        is_loopback(host) || self.names.0.iter().any(|name| is_same(name, host))
    }
}

impl<H: Handler> Handler for Hosts<H> {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        match self.knows_host_of(ex) {
            true => self.handler.begin(ex),
            false => refuse(ex),
        }
    }

    fn begin_without_tls(&mut self, ex: &mut Exchange<'_>) -> Next {
        match self.knows_host_of(ex) {
            true => self.handler.begin_without_tls(ex),
            false => refuse(ex),
        }
    }

    fn release(&mut self) {
        self.handler.release();
    }

    fn required_right(&self, ex: &Exchange<'_>) -> Right {
        self.handler.required_right(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        self.handler.resume(ex, event)
    }
}

fn refuse(ex: &mut Exchange<'_>) -> Next {
    let (message, explanation) = (status::phrase(421), status::explanation(421));
    ex.error(421, &message, explanation, &mut |_| ())
}

/// Returns whether a host is this machine, regardless of any name server (RFC 6761 §6.3).
pub(crate) fn is_loopback(host: &str) -> bool {
    if let Some(address) = address(host) {
        return address.to_canonical().is_loopback();
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let label = host.rsplit('.').next().unwrap_or(host);
    label.eq_ignore_ascii_case("localhost")
}

/// Returns whether both are the same name or address. A name may end with the dot of the DNS root.
fn is_same(one: &str, other: &str) -> bool {
    if let (Some(one), Some(other)) = (address(one), address(other)) {
        return one == other;
    }
    let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).len();
    one[..bare(one)].eq_ignore_ascii_case(&other[..bare(other)])
}

/// Parses an address, in brackets or not.
fn address(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}
