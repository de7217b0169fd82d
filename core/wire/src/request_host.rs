//! The host that a request is for: [`RequestHead::authority`] and methods derived from it.

use super::RequestHead;
use super::authority::Authority;
use super::target::Absolute;

impl RequestHead {
    /// Returns the host that a request is for, with its port if one is given: that of an absolute target, the target of
    /// `CONNECT` (RFC 9112 §3.3), otherwise `Host`. Use this rather than the field: with an absolute target the value
    /// of `Host` is ignored (RFC 9112 §3.2.2). Returns `None` if an HTTP/1.0 request names no host.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        if self.method() == "CONNECT" {
            return Some(self.target());
        }
        let target = Absolute::parse(self.target()).map(|target| target.authority);
        target.or_else(|| self.field("Host"))
    }

    /// Returns the host of the [authority](Self::authority), without the port.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        Some(self.parsed_authority()?.host)
    }

    /// Returns the host of the [authority](Self::authority), and the port if one is given.
    #[must_use]
    pub fn host_and_port(&self) -> Option<(&str, Option<u16>)> {
        let authority = self.parsed_authority()?;
        Some((authority.host, authority.port))
    }

    /// Returns whether the request is for this host and port, such as `example.org:8000`. A port that is missing on
    /// either side means `default_port`.
    #[must_use]
    pub fn is_for(&self, authority: &str, default_port: u16) -> bool {
        let (here, other) = (self.parsed_authority(), Authority::parse(authority));
        here.is_some_and(|here| other.is_some_and(|other| here.agrees(&other, default_port)))
    }

    fn parsed_authority(&self) -> Option<Authority<'_>> {
        Authority::parse(self.authority()?)
    }
}
