//! [`Upgrade`]: runs the function that takes over upgraded connections, on a thread for each.

use std::net::TcpStream;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{Builder, Scope};

use super::shared::Shared;
use crate::UpgradedStream;

/// Takes over connections from the workers of a server.
pub(super) trait Upgrade<H>: Sync {
    /// Starts a thread for a connection, which counts as one of the server until the thread ends. If none can
    /// be started, the connection is closed.
    fn begin<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        upgraded: Upgraded<'env, H>,
    ) where
        H: 'env;
}

/// A connection that has left its worker.
pub(super) struct Upgraded<'env, H> {
    pub(super) handler: H,
    // Dropped before the slot is released, so it comes first.
    pub(super) stream: UpgradedStream,
    pub(super) slot: UpgradedSlot<'env>,
}

impl<H, U> Upgrade<H> for U
where
    H: Send,
    U: Fn(H, UpgradedStream) + Sync,
{
    fn begin<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        upgraded: Upgraded<'env, H>,
    ) where
        H: 'env,
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
pub(super) struct UpgradedSlot<'env> {
    shared: &'env Shared,
    number: usize,
}

impl<'env> UpgradedSlot<'env> {
    /// Keeps a connection that leaves its worker counted. Its socket is shut down when the server ends.
    pub(super) fn new(shared: &'env Shared, socket: Arc<TcpStream>) -> UpgradedSlot<'env> {
        let number = shared.add_upgraded(socket);
        UpgradedSlot { shared, number }
    }
}

impl Drop for UpgradedSlot<'_> {
    fn drop(&mut self) {
        self.shared.remove_upgraded(self.number);
        self.shared.release();
    }
}
