//! [`VerifyQueue`]: decides the order in which credentials are verified. One hash is calculated at a time, and the
//! addresses of clients take turns, so that an address from which passwords are guessed delays each request of another
//! by at most one hash, besides the one being calculated.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use sanserve_core::{Credentials, Waiter};

/// Credentials to be verified, by the address of the client.
#[derive(Default)]
pub(super) struct VerifyQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Whether a hash is being calculated.
    busy: bool,
    /// The waiting thread whose turn it is.
    current: Option<u64>,
    threads: u64,
    /// The addresses with waiting credentials, each once, in the order of their turns.
    order: VecDeque<Option<IpAddr>>,
    waiting: HashMap<Option<IpAddr>, VecDeque<Waiting>>,
}

enum Waiting {
    /// The thread with this number waits.
    Thread(u64),
    Later(Job),
}

/// Credentials to verify for a connection that does not block a thread.
pub(super) struct Job {
    pub(super) given: Credentials,
    pub(super) waiter: Box<dyn Waiter>,
}

impl VerifyQueue {
    /// Waits for this client's turn. [`next`](Self::next) has to be called afterwards.
    pub(super) fn wait(&self, client: &str) {
        let mut state = self.state();
        if !mem::replace(&mut state.busy, true) {
            return;
        }
        state.threads += 1;
        let number = state.threads;
        state.push(client, Waiting::Thread(number));
        let others = |state: &mut State| state.current != Some(number);
        let waited = self.changed.wait_while(state, others);
        waited.unwrap_or_else(PoisonError::into_inner).current = None;
    }

    /// Queues credentials. Returns whether no hash was being calculated: then [`next`](Self::next) has to be called.
    pub(super) fn push(&self, job: Job) -> bool {
        let mut state = self.state();
        let client = job.given.client().to_owned();
        state.push(&client, Waiting::Later(job));
        !mem::replace(&mut state.busy, true)
    }

    /// Ends a turn. Returns the next credentials if this thread has to verify them; otherwise the thread that
    /// waits for its turn is woken.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            match state.pop() {
                Some(Waiting::Later(job)) if job.waiter.is_waiting() => return Some(job),
                // Its client has disconnected. Dropping the job may take other locks, so it must not hold this one.
                Some(Waiting::Later(job)) => {
                    drop(state);
                    drop(job);
                    state = self.state();
                }
                Some(Waiting::Thread(number)) => {
                    state.current = Some(number);
                    self.changed.notify_all();
                    return None;
                }
                None => {
                    state.busy = false;
                    return None;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, client: &str, waiting: Waiting) {
        let address = network(client);
        let all = self.waiting.entry(address).or_default();
        if all.is_empty() {
            self.order.push_back(address);
        }
        all.push_back(waiting);
    }

    fn pop(&mut self) -> Option<Waiting> {
        let address = self.order.pop_front()?;
        let all = self.waiting.get_mut(&address)?;
        let next = all.pop_front();
        if all.is_empty() {
            self.waiting.remove(&address);
        } else {
            self.order.push_back(address);
        }
        next
    }
}

/// Returns the address that counts as one client: for IPv6 the /64 network, because its owner can use all
/// addresses in it. `None` for clients without an address, such as those of a Unix socket.
fn network(client: &str) -> Option<IpAddr> {
    match client.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Some(Ipv6Addr::from_bits(network).into())
        }
        address => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_addresses_of_a_network_are_one_client() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.2"), network("192.0.2.1"));
        assert_eq!(network("unix:"), network("-"));
    }
}
