//! Converts parsed heads to those of the `http` crate, and writes heads of that crate with [`HeadEncoder`] (feature
//! `http`).

use alloc::string::ToString;
use alloc::vec::Vec;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{request, response};

use super::{EncodeError, Fields, HeadEncoder, RequestHead, ResponseHead, Version};

impl From<Version> for http::Version {
    fn from(version: Version) -> Self {
        match version {
            Version::Http09 => http::Version::HTTP_09,
            Version::Http10 => http::Version::HTTP_10,
            Version::Http11 => http::Version::HTTP_11,
        }
    }
}

impl TryFrom<http::Version> for Version {
    type Error = EncodeError;

    /// Converts HTTP/0.9, 1.0 and 1.1.
    ///
    /// # Errors
    /// [`EncodeError::Version`] for other versions.
    fn try_from(version: http::Version) -> Result<Self, EncodeError> {
        match version {
            http::Version::HTTP_09 => Ok(Version::Http09),
            http::Version::HTTP_10 => Ok(Version::Http10),
            http::Version::HTTP_11 => Ok(Version::Http11),
            _ => Err(EncodeError::Version),
        }
    }
}

impl RequestHead {
    /// Converts the head to that of an [`http::Request`] (feature `http`). The URI is the target as it was sent; it
    /// contains the host only if the target is in absolute form, see [`authority`](Self::authority). Names are
    /// converted to lower case.
    ///
    /// ```
    /// use sanserve_wire::{Limits, RequestHead};
    ///
    /// let mut head = RequestHead::new();
    /// head.parse(b"GET /a?b HTTP/1.1\r\nHost: h\r\nAccept: x\r\naccept: y\r\n\r\n", &Limits::new())?;
    /// let parts = head.to_http()?;
    /// assert_eq!((parts.method, parts.uri.query()), (http::Method::GET, Some("b")));
    /// assert!(parts.headers.get_all("accept").iter().eq(["x", "y"]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`http::Error`] if that crate does not accept the URI, as it accepts fewer targets than RFC 9112 requires and at
    /// most 65,534 bytes, or if there are more fields than a [`HeaderMap`] can hold.
    pub fn to_http(&self) -> Result<request::Parts, http::Error> {
        let builder = http::Request::builder()
            .method(self.method())
            .uri(&*self.target_bytes())
            .version(self.version().into());
        let (mut parts, ()) = builder.body(())?.into_parts();
        parts.headers = self.fields().to_http()?;
        Ok(parts)
    }
}

impl ResponseHead {
    /// Converts the head to that of an [`http::Response`] (feature `http`). The reason phrase is lost.
    ///
    /// # Errors
    /// [`http::Error`] before a status line was parsed, or if there are more fields than a [`HeaderMap`] can hold.
    pub fn to_http(&self) -> Result<response::Parts, http::Error> {
        let builder = http::Response::builder()
            .status(self.status())
            .version(self.version().into());
        let (mut parts, ()) = builder.body(())?.into_parts();
        parts.headers = self.fields().to_http()?;
        Ok(parts)
    }
}

impl Fields {
    /// Converts the fields of a head or trailers to a [`HeaderMap`] (feature `http`). The fields of each name keep
    /// their order.
    ///
    /// # Errors
    /// [`http::Error`] if there are more fields than it can hold, 24,576.
    pub fn to_http(&self) -> Result<HeaderMap, http::Error> {
        let mut map = HeaderMap::try_with_capacity(self.len())?;
        for (name, value) in self.iter_bytes() {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            map.try_append(name, HeaderValue::from_bytes(&value)?)?;
        }
        Ok(map)
    }
}

impl<'a> HeadEncoder<'a> {
    /// Writes the head of an [`http::Request`] (feature `http`), without its end. The target is the URI: in absolute
    /// form if it has a scheme; the authority alone with `CONNECT`.
    ///
    /// ```
    /// use sanserve_wire::HeadEncoder;
    ///
    /// let request = http::Request::get("/a?b").header("Host", "h").body(())?;
    /// let mut out = Vec::new();
    /// HeadEncoder::from_http_request(&mut out, &request.into_parts().0)?.end();
    /// assert_eq!(out, b"GET /a?b HTTP/1.1\r\nhost: h\r\n\r\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EncodeError::Target`] if the URI has no form that is allowed with the method, [`EncodeError::Version`], or
    /// [`EncodeError::Value`].
    pub fn from_http_request(
        out: &'a mut Vec<u8>,
        parts: &request::Parts,
    ) -> Result<Self, EncodeError> {
        let target = parts.uri.to_string();
        let version = Version::try_from(parts.version)?;
        let mut head = HeadEncoder::request(out, parts.method.as_str(), target, version)?;
        head.http_fields(&parts.headers)?;
        Ok(head)
    }

    /// Writes the head of an [`http::Response`] (feature `http`), with the standard reason phrase, without its end.
    ///
    /// # Errors
    /// [`EncodeError::Version`] or [`EncodeError::Value`].
    pub fn from_http_response(
        out: &'a mut Vec<u8>,
        parts: &response::Parts,
    ) -> Result<Self, EncodeError> {
        let version = Version::try_from(parts.version)?;
        let reason = parts.status.canonical_reason().unwrap_or_default();
        let mut head = HeadEncoder::response(out, version, parts.status.as_u16(), reason)?;
        head.http_fields(&parts.headers)?;
        Ok(head)
    }

    fn http_fields(&mut self, fields: &HeaderMap) -> Result<(), EncodeError> {
        self.fields(fields.iter().map(|(name, value)| (name.as_str(), value)))
    }
}
