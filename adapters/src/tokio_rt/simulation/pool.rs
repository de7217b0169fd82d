//! [`SimulatedPool`]: makes the calls that may block after a while, as tasks, and so also after their connection has
//! gone.

use tokio::task::JoinHandle;

use super::network::{Network, pause};
use crate::tokio_rt::system::Pool;

pub(super) struct SimulatedPool(pub(super) Network);

impl Pool for SimulatedPool {
    fn spawn<T: Send + 'static>(&self, call: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let mut state = self.0.lock();
        let max = state.faults.call;
        let time = state.time(max);
        state.note(|| format!("a call takes {time:?}"));
        drop(state);
        let network = self.0.clone();
        tokio::spawn(async move {
            pause(time).await;
            network.lock().note(|| "a call is made".into());
            call()
        })
    }
}
