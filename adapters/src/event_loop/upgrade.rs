//! [`Upgrade`]: what takes over a connection whose handler has upgraded it, on a thread of its own.

use std::net::TcpStream;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{Builder, Scope};

use super::shared::Shared;
use crate::UpgradedStream;

/// Takes connections over from the workers of a server.
pub(super) trait Upgrade<H>: Sync {
    /// Goes on with a connection, which stays one of the server for as long as that takes. If no thread can be started for
    /// it, it is closed.
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
    // It is closed before its place is free, so this comes first.
    pub(super) stream: UpgradedStream,
    pub(super) place: Place<'env>,
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
                place,
            } = upgraded;
            // A panic has been reported by its hook.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| self(handler, stream)));
            drop(place);
        };
        let thread = Builder::new().name("upgraded".into());
        let _ = thread.spawn_scoped(scope, work);
    }
}

/// The place of an upgraded connection among those of its server, which is free again when this is dropped.
pub(super) struct Place<'env> {
    shared: &'env Shared,
    number: usize,
}

impl<'env> Place<'env> {
    /// Keeps the place of a connection that leaves its worker. Its socket is shut down when the server ends.
    pub(super) fn keep(shared: &'env Shared, socket: Arc<TcpStream>) -> Place<'env> {
        let number = shared.add_upgraded(socket);
        Place { shared, number }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.remove_upgraded(self.number);
        self.shared.leave();
    }
}
