//! [`HTTPSServer`] and [`ThreadingHTTPSServer`]: Python's names for servers over TLS.

use std::net::ToSocketAddrs;

use super::{HTTPServer, ThreadingHTTPServer};
use crate::{BindError, Tls};

/// Makes an [`HTTPServer`] that speaks HTTPS, as the example of [`Tls`] does.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HTTPSServer;

impl HTTPSServer {
    /// The same as [`HTTPServer::bind`] with [`HTTPServer::with_tls`].
    ///
    /// # Errors
    /// Those of [`HTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs, tls: Tls) -> Result<HTTPServer, BindError> {
        Ok(HTTPServer::bind(address)?.with_tls(tls))
    }
}

/// Makes a [`ThreadingHTTPServer`] that speaks HTTPS, as [`HTTPSServer`] makes the other.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ThreadingHTTPSServer;

impl ThreadingHTTPSServer {
    /// The same as [`ThreadingHTTPServer::bind`] with [`ThreadingHTTPServer::with_tls`].
    ///
    /// # Errors
    /// Those of [`ThreadingHTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs, tls: Tls) -> Result<ThreadingHTTPServer, BindError> {
        Ok(ThreadingHTTPServer::bind(address)?.with_tls(tls))
    }
}
