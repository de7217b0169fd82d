//! [`Turns`]: whose credentials are verified next. One hash is calculated at a time, and the addresses
//! of clients take turns, so that a crowd that guesses from one of them delays nobody else by more
//! than one hash.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use sanserve_core::{Credentials, Waiter};

/// Credentials that wait to be verified, by the addresses that they came from.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// A hash is being calculated.
    busy: bool,
    /// The thread that calculates, if it waited for that.
    current: Option<u64>,
    threads: u64,
    /// The addresses for which something waits, each once, in the order of their turns.
    order: VecDeque<Option<IpAddr>>,
    waiting: HashMap<Option<IpAddr>, VecDeque<Waiting>>,
}

enum Waiting {
    /// A thread that has this number.
    Thread(u64),
    Later(Job),
}

/// Credentials to verify for a connection that holds no thread.
pub(super) struct Job {
    pub(super) given: Credentials,
    pub(super) waiter: Box<dyn Waiter>,
}

impl Turns {
    /// Waits until it is this client's turn. Then [`pass_on`](Self::pass_on) has to follow.
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

    /// Queues credentials. Whether nothing was being calculated: then [`pass_on`](Self::pass_on) has
    /// to follow.
    pub(super) fn queue(&self, job: Job) -> bool {
        let mut state = self.state();
        let client = job.given.client().to_owned();
        state.push(&client, Waiting::Later(job));
        !mem::replace(&mut state.busy, true)
    }

    /// Ends a turn. What is next is either returned, and then is to be verified by this thread, or
    /// left to the thread that waits for it.
    pub(super) fn pass_on(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            match state.pop() {
                Some(Waiting::Later(job)) if job.waiter.is_waiting() => return Some(job),
                // Its client has left. It may have locks of its own, which are not for this one.
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

/// The address that a client has for itself: of IPv6 the first half, the network, since whoever has
/// one has all addresses in it. None for clients without an address, such as those of a Unix socket.
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
