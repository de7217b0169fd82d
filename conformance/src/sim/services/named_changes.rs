//! Checks directories that requests create, and files and directories that they delete: everything that a reply says
//! happened, and nothing else did.

use std::collections::BTreeMap;

use sanserve_core::Path;

use super::exchange::Exchange;
use super::served::Served;
use super::settings::Service;
use crate::sim::model_tree::{Cause, ModelTree, Node};

/// The replies that say that something happened to a path.
#[derive(Debug, Default)]
struct Claims {
    /// The number of replies that say so.
    made: usize,
    /// The number of requests without a reply, for which it may have happened.
    unknown: usize,
}

/// Compares the replies with the changes.
pub(super) fn check(served: &Served<'_>) -> Result<(), String> {
    served.each(check_allowed)?;
    check_removed(served)?;
    for cause in [Cause::NewDirectory, Cause::Removal] {
        check_cause(served, cause)?;
    }
    Ok(())
}

/// Nothing is deleted that the settings do not allow, or whose name is hidden.
fn check_allowed(exchange: &Exchange<'_>) -> Result<(), String> {
    let Some((path, Cause::Removal)) = claimed(exchange) else {
        return Ok(());
    };
    let settings = exchange.settings;
    let is_visible = settings.hidden || !path.is_hidden();
    match exchange.status() {
        204 if !settings.delete || !is_visible => Err("it was deleted".into()),
        _ => Ok(()),
    }
}

/// Only files and empty directories are deleted.
fn check_removed(served: &Served<'_>) -> Result<(), String> {
    for (path, node, below) in served.history.removals() {
        let shown = path.escape_ascii();
        if below > 0 {
            return Err(format!("{shown} was deleted with {below} names in it"));
        }
        if !matches!(node, Some(Node::File(_) | Node::Directory)) {
            return Err(format!("{shown} was deleted, and was {node:?}"));
        }
    }
    Ok(())
}

fn check_cause(served: &Served<'_>, cause: Cause) -> Result<(), String> {
    let mut claims: BTreeMap<Vec<u8>, Claims> = BTreeMap::new();
    let exchanges = served.connections.iter().flat_map(|(_, all)| all);
    for exchange in exchanges {
        let Some((path, _)) = claimed(exchange).filter(|(_, claimed)| *claimed == cause) else {
            continue;
        };
        let claim = claims.entry(named(served.tree, &path)).or_default();
        claim.made += usize::from(matches!(exchange.status(), 201 | 204));
        claim.unknown += usize::from(exchange.status() == 0);
    }
    let mut changes: BTreeMap<&[u8], usize> = BTreeMap::new();
    for change in served.history.caused_by(cause) {
        *changes.entry(&change.path).or_default() += 1;
    }
    let shown = |path: &[u8]| path.escape_ascii().to_string();
    for (path, claims) in &claims {
        let made = changes.get(&path[..]).copied().unwrap_or_default();
        if made < claims.made {
            return Err(format!("{cause:?} of {} did not happen", shown(path)));
        }
    }
    // Requests of such a connection are not known.
    let mut conversations = served
        .connections
        .iter()
        .map(|(conversation, _)| conversation);
    if conversations.any(|conversation| conversation.sent_lines.is_none()) {
        return Ok(());
    }
    for (path, made) in changes {
        let explained = claims
            .get(path)
            .map_or(0, |claims| claims.made + claims.unknown);
        if made > explained {
            return Err(format!("no request explains {cause:?} of {}", shown(path)));
        }
    }
    Ok(())
}

/// Returns the path that a request may create or delete, and which of the two.
fn claimed(exchange: &Exchange<'_>) -> Option<(Path, Cause)> {
    let path = exchange.path()?;
    if exchange.settings.service != Service::Upload || exchange.upload().is_some() {
        return None;
    }
    match exchange.method {
        "PUT" if path.ends_with_slash() => Some((path, Cause::NewDirectory)),
        "DELETE" => Some((path, Cause::Removal)),
        _ => None,
    }
}

/// Returns the path, with the links to directories above it followed.
fn named(tree: &ModelTree, path: &Path) -> Vec<u8> {
    let mut above = path.clone();
    above.pop();
    match &tree.resolve(above.as_bytes())[..] {
        b"" => path.file_name().to_vec(),
        above => [above, b"/", path.file_name()].concat(),
    }
}
