//! [`Served`]: what the services of a world have served, as their checks see it.

use super::exchange::Exchange;
use crate::sim::conversation::Conversation;
use crate::sim::model_tree::{History, ModelTree};

/// The requests and replies of a world, and the tree that was served.
pub(super) struct Served<'a> {
    pub(super) tree: &'a ModelTree,
    /// All changes of the tree.
    pub(super) history: History,
    /// The requests of each connection, in order.
    pub(super) connections: Vec<(&'a Conversation, Vec<Exchange<'a>>)>,
}

impl<'a> Served<'a> {
    /// Parses the conversations of a world.
    pub(super) fn new(
        tree: &'a ModelTree,
        conversations: &'a [Conversation],
    ) -> Result<Self, String> {
        let parse = |conversation| Ok((conversation, Exchange::all(conversation)?));
        let connections = conversations
            .iter()
            .map(parse)
            .collect::<Result<_, String>>()?;
        Ok(Self {
            tree,
            history: tree.history(),
            connections,
        })
    }

    /// Checks each request with its reply. A message names the request.
    pub(super) fn each(
        &self,
        mut check: impl FnMut(&Exchange<'a>) -> Result<(), String>,
    ) -> Result<(), String> {
        for (conversation, exchanges) in &self.connections {
            for exchange in exchanges {
                check(exchange).map_err(|message| {
                    let (method, target) = (exchange.method, exchange.target);
                    let number = conversation.number;
                    format!("{method} {target} on connection {number}: {message}")
                })?;
            }
        }
        Ok(())
    }
}
