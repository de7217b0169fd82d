//! [`Upgrade`]: runs the function that takes over upgraded connections, on a thread for each.

use std::net::TcpStream;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{Builder, Scope};

use super::shared::Shared;
use super::system::Socket;
use crate::UpgradedStream;

/// Takes over connections from the workers of a server.
pub(super) trait Upgrade<H>: Sync {
    /// Starts a thread for a connection, which counts as one of the server until the thread ends. If none can
    /// be started, the connection is closed.
    fn begin<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        upgraded: Upgraded<'scope, TcpStream, H>,
    ) where
        H: 'scope;
}

/// A connection that has left its worker.
pub(super) struct Upgraded<'a, S: Socket, H> {
    pub(super) handler: H,
    // Dropped before the slot is released, so it comes first.
    pub(super) stream: S::Stream,
    pub(super) slot: UpgradedSlot<'a, S>,
}

impl<H, U> Upgrade<H> for U
where
    H: Send,
    U: Fn(H, UpgradedStream) + Sync,
{
    fn begin<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        upgraded: Upgraded<'scope, TcpStream, H>,
    ) where
        H: 'scope,
    {
        let work = move || {
            let Upgraded {
                handler,
                stream,
                slot,
            } = upgraded;
            // A panic has already been reported by the panic hook.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| self(handler, stream)));
            drop(slot);
        };
        let thread = Builder::new().name("upgraded".into());
        let _ = thread.spawn_scoped(scope, work);
    }
}

/// An upgraded connection's place among the connections of its server; released on drop.
pub(super) struct UpgradedSlot<'a, S: Socket> {
    shared: &'a Shared<S>,
    number: usize,
}

impl<'a, S: Socket> UpgradedSlot<'a, S> {
    /// Keeps a connection that leaves its worker counted. Its socket is shut down when the server ends.
    pub(super) fn new(shared: &'a Shared<S>, socket: Arc<S>) -> UpgradedSlot<'a, S> {
        let number = shared.add_upgraded(socket);
        UpgradedSlot { shared, number }
    }
}

impl<S: Socket> Drop for UpgradedSlot<'_, S> {
    fn drop(&mut self) {
        self.shared.remove_upgraded(self.number);
        self.shared.release();
    }
}
