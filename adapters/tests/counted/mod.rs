//! [`Counted`]: serves files and counts how many of its instances exist, for tests of the limit of connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sanserve_core::{Event, Exchange, Files, Handler, Next};

/// The file service, which counts how many of its instances exist.
pub(crate) struct Counted {
    files: Files,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    pub(crate) fn new(alive: &Arc<AtomicUsize>, max_alive: &AtomicUsize) -> Counted {
        let count = alive.fetch_add(1, Ordering::SeqCst) + 1;
        max_alive.fetch_max(count, Ordering::SeqCst);
        Counted {
            files: Files::new(),
            alive: Arc::clone(alive),
        }
    }
}

impl Handler for Counted {
    fn begin(&mut self, ex: &mut Exchange<'_>) -> Next {
        self.files.begin(ex)
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        self.files.resume(ex, event)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}
