//! [`Client`]: what a proxy reports about the client of a request, and [`Peer`]: the remote end of a connection with the
//! client of its current request.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::Write;
use core::net::IpAddr;

use crate::sync::Arc;
use crate::wire::RequestHead;

/// What a proxy reports about the client for which it forwards a request. Nothing by default: then the peer of the
/// connection is the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// Empty if the client is the peer.
    address: String,
    /// Whether the client speaks TLS with the proxy. CGI scripts get it as `HTTPS`.
    pub https: Option<bool>,
}

impl Client {
    /// Returns the address of the client, if it was set.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        Some(&*self.address).filter(|address| !address.is_empty())
    }

    /// Sets the address of the client. It replaces that of the peer in the log, in
    /// [`Exchange::client_address`](crate::Exchange::client_address) and so in `REMOTE_ADDR` of CGI scripts.
    pub fn set_address(&mut self, address: IpAddr) {
        self.address.clear();
        let written = write!(self.address, "{address}");
        written.expect("a string takes everything");
    }
}

/// A function that finds the client of a request from its head and the address of the peer, as the adapter gave it. The
/// client that it gets says nothing yet. It is not returned, so that a further request allocates nothing.
pub type FindClient = Arc<dyn Fn(&RequestHead, &str, &mut Client) + Send + Sync>;

/// The remote end of a connection, and the client of the current request, if that is another machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    /// The address of the remote end, as the adapter gave it.
    address: String,
    /// Only if a function finds clients.
    client: Option<Box<Client>>,
}

impl Peer {
    pub(crate) fn new(address: &str) -> Peer {
        Peer {
            address: address.into(),
            ..Peer::default()
        }
    }

    /// Replaces the address of the remote end.
    pub(crate) fn set_address(&mut self, address: &str) {
        self.address.clear();
        self.address.push_str(address);
    }

    /// Returns the address of the client.
    pub(crate) fn client_address(&self) -> &str {
        let client = self.client.as_ref().and_then(|client| client.address());
        client.unwrap_or(&self.address)
    }

    /// Returns whether the client uses TLS, if a proxy says so.
    pub(crate) fn https(&self) -> Option<bool> {
        self.client.as_ref()?.https
    }

    /// Takes the client of a request from its head.
    #[cold]
    pub(crate) fn find_client(&mut self, head: &RequestHead, find: &FindClient) {
        self.forget_client();
        find(head, &self.address, self.client.get_or_insert_default());
    }

    /// Forgets the client of the last request.
    pub(crate) fn forget_client(&mut self) {
        if let Some(client) = &mut self.client {
            client.address.clear();
            client.https = None;
        }
    }

    /// Copies another one into this one's allocations.
    pub(crate) fn copy(&mut self, other: &Peer) {
        self.address.clone_from(&other.address);
        match (&mut self.client, &other.client) {
            (Some(client), Some(other)) => {
                client.address.clone_from(&other.address);
                client.https = other.https;
            }
            (client, other) => client.clone_from(other),
        }
    }

    /// Returns the number of bytes that it has allocated.
    pub(crate) fn allocated(&self) -> usize {
        let client = self.client.as_ref();
        let client = client.map(|client| size_of::<Client>() + client.address.capacity());
        self.address.capacity() + client.unwrap_or_default()
    }
}
