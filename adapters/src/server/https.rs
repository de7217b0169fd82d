//! [`HTTPSServer`] and [`ThreadingHTTPSServer`]: Python's names for servers over TLS. They create the other
//! servers, with TLS.

use std::net::ToSocketAddrs;

use super::{HTTPServer, ThreadingHTTPServer};
use crate::{BindError, Tls};

/// Creates an [`HTTPServer`] with HTTPS, as in the example of [`Tls`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HTTPSServer;

impl HTTPSServer {
    /// Same as [`HTTPServer::bind`] followed by [`HTTPServer::with_tls`].
    ///
    /// # Errors
    /// The errors of [`HTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs, tls: Tls) -> Result<HTTPServer, BindError> {
        Ok(HTTPServer::bind(address)?.with_tls(tls))
    }
}

/// Creates a [`ThreadingHTTPServer`] with HTTPS.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ThreadingHTTPSServer;

impl ThreadingHTTPSServer {
    /// Same as [`ThreadingHTTPServer::bind`] followed by [`ThreadingHTTPServer::with_tls`].
    ///
    /// # Errors
    /// The errors of [`ThreadingHTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs, tls: Tls) -> Result<ThreadingHTTPServer, BindError> {
        Ok(ThreadingHTTPServer::bind(address)?.with_tls(tls))
    }
}
