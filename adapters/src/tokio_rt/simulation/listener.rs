//! [`SimulatedListener`]: accepts the connections of a network.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use super::network::{Network, address};
use super::socket::SimulatedSocket;
use crate::tokio_rt::system::Listener;

/// The listener of a network. When it is dropped, the connections that were not accepted are reset.
pub(super) struct SimulatedListener(pub(super) Network);

impl Listener for SimulatedListener {
    type Socket = SimulatedSocket;

    async fn accept(&self) -> io::Result<(SimulatedSocket, SocketAddr)> {
        let link = poll_fn(|cx| self.0.lock().poll_accept(cx)).await?;
        Ok((SimulatedSocket::new(self.0.clone(), link), address(link)))
    }
}

impl Drop for SimulatedListener {
    fn drop(&mut self) {
        self.0.lock().stop_listening();
    }
}
