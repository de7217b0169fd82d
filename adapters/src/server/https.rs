//! [`HTTPSServer`] and [`ThreadingHTTPSServer`]: Python's names for servers over TLS.

use std::io;
use std::net::ToSocketAddrs;

use super::{HTTPServer, ThreadingHTTPServer};
use crate::Tls;

/// Makes an [`HTTPServer`] that speaks HTTPS, as the example of [`Tls`] does.
#[derive(Clone, Copy, Debug)]
pub struct HTTPSServer;

impl HTTPSServer {
    /// The same as [`HTTPServer::bind`] with [`HTTPServer::tls`].
    ///
    /// # Errors
    /// Those of [`HTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs, tls: Tls) -> io::Result<HTTPServer> {
        Ok(HTTPServer::bind(address)?.tls(tls))
    }
}

/// Makes a [`ThreadingHTTPServer`] that speaks HTTPS, as [`HTTPSServer`] makes the other.
#[derive(Clone, Copy, Debug)]
pub struct ThreadingHTTPSServer;

impl ThreadingHTTPSServer {
    /// The same as [`ThreadingHTTPServer::bind`] with [`ThreadingHTTPServer::tls`].
    ///
    /// # Errors
    /// Those of [`ThreadingHTTPServer::bind`].
    pub fn bind(address: impl ToSocketAddrs, tls: Tls) -> io::Result<ThreadingHTTPServer> {
        Ok(ThreadingHTTPServer::bind(address)?.tls(tls))
    }
}
