//! [`EvictionOrder`]: decides which connection is closed when the maximum is reached and another client connects.
//!
//! Idle connections come first, beginning with the one that has been idle longest, then those in [`Phase::Head`]
//! (an incomplete request head or TLS handshake, unread content after a reply, or a last reply that is
//! acknowledged slowly), beginning with the one that has been in it longest. Connections in [`Phase::Busy`] are
//! not in the order. Each operation takes constant time.

use sanserve_core::Phase;

/// Connections in the order in which they may be closed, by their numbers in the server's table.
#[derive(Debug, Default)]
pub(crate) struct EvictionOrder {
    /// Two circular lists. The first two nodes are their anchors, followed by one for each number.
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Node {
    older: u32,
    newer: u32,
}

impl EvictionOrder {
    /// Sets the phase of a connection, and makes it the newest in that phase.
    pub(crate) fn set_phase(&mut self, number: usize, phase: Phase) {
        let node = node(number);
        while self.nodes.len() <= node as usize {
            let alone = self.nodes.len() as u32;
            self.nodes.push(Node {
                older: alone,
                newer: alone,
            });
        }
        self.unlink(node);
        match phase {
            Phase::Idle => self.push(node, IDLE),
            Phase::Head => self.push(node, HEAD),
            Phase::Busy => {}
        }
    }

    /// Removes a closed connection.
    pub(crate) fn remove(&mut self, number: usize) {
        if self.nodes.len() > node(number) as usize {
            self.unlink(node(number));
        }
    }

    /// Returns whether a connection may be closed: whether it is not busy.
    pub(crate) fn contains(&self, number: usize) -> bool {
        let node = node(number);
        let linked = self.nodes.get(node as usize);
        linked.is_some_and(|it| it.older != node)
    }

    /// Returns the connection to close first, with its phase.
    pub(crate) fn first(&self) -> Option<(usize, Phase)> {
        let oldest = |anchor: u32| {
            let oldest = self.nodes.get(anchor as usize)?.newer;
            (oldest != anchor).then(|| oldest as usize - ANCHORS)
        };
        let idle = oldest(IDLE).map(|number| (number, Phase::Idle));
        idle.or_else(|| oldest(HEAD).map(|number| (number, Phase::Head)))
    }

    /// Frees the memory of numbers that are no longer in use.
    #[cfg(all(unix, feature = "mio"))]
    pub(crate) fn shrink(&mut self, numbers: usize) {
        self.nodes.truncate(numbers + ANCHORS);
        self.nodes.shrink_to_fit();
    }

    /// Appends a node, which must be in no list, to the newest end of a list.
    fn push(&mut self, node: u32, anchor: u32) {
        let newest = self.nodes[anchor as usize].older;
        self.nodes[node as usize] = Node {
            older: newest,
            newer: anchor,
        };
        self.nodes[newest as usize].newer = node;
        self.nodes[anchor as usize].older = node;
    }

    fn unlink(&mut self, node: u32) {
        let Node { older, newer } = self.nodes[node as usize];
        self.nodes[older as usize].newer = newer;
        self.nodes[newer as usize].older = older;
        self.nodes[node as usize] = Node {
            older: node,
            newer: node,
        };
    }
}

fn node(number: usize) -> u32 {
    u32::try_from(number + ANCHORS).expect("the number of connections fits in 32 bits")
}

/// The anchors: their `newer` is the oldest connection of the list, their `older` the newest.
const IDLE: u32 = 0;
const HEAD: u32 = 1;
const ANCHORS: usize = 2;

#[cfg(test)]
mod tests {
    use super::EvictionOrder;
    use sanserve_core::Phase::{Busy, Head, Idle};

    #[test]
    fn the_longest_idle_is_evicted_first_then_the_oldest_head_and_no_busy_one() {
        let mut order = EvictionOrder::default();
        assert_eq!(order.first(), None);
        for (number, phase) in [
            (4, Head),
            (0, Idle),
            (3, Idle),
            (1, Busy),
            (2, Head),
            (5, Idle),
        ] {
            order.set_phase(number, phase);
        }
        assert!(order.contains(2) && !order.contains(1) && !order.contains(77));
        // Another request of this connection makes it the newest.
        order.set_phase(0, Busy);
        order.set_phase(0, Idle);
        let mut evicted = Vec::new();
        while let Some((number, phase)) = order.first() {
            evicted.push((number, phase));
            order.remove(number);
        }
        assert_eq!(
            evicted,
            [(3, Idle), (5, Idle), (0, Idle), (4, Head), (2, Head)]
        );
        order.remove(1);
        order.remove(77);
        assert_eq!(order.first(), None);
    }
}
