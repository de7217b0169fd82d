//! Checks uploads: every file that a reply says was stored is there, whole; and nothing else was stored.

use std::collections::BTreeMap;

use super::exchange::Exchange;
use super::parts::Parts;
use super::requests::BOUNDARY;
use super::served::Served;
use super::settings::Service;
use crate::sim::model_tree::{Cause, Change, ModelTree};

/// The path and content of a file.
pub(super) type File = (Vec<u8>, Vec<u8>);

/// What was said of a file.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// The number of replies that say that it was stored.
    pub(super) stored: usize,
    /// The number of requests for which it may have been stored: those that have no reply, and forms of which only some
    /// files were stored.
    pub(super) unknown: usize,
    /// Whether the replies say that it was new, if it was sent by PUT.
    pub(super) is_new: Option<bool>,
    /// Whether it must not replace another file.
    pub(super) must_be_new: bool,
}

/// Compares the replies to uploads with what was stored.
pub(super) fn check(served: &Served<'_>) -> Result<(), String> {
    let mut files: BTreeMap<File, Claims> = BTreeMap::new();
    for exchange in served
        .connections
        .iter()
        .flat_map(|(_, exchanges)| exchanges)
    {
        claim(served.tree, exchange, &mut files);
    }
    // Such a connection may have sent uploads that are not known.
    let mut conversations = served
        .connections
        .iter()
        .map(|(conversation, _)| conversation);
    let may_have_others = conversations.any(|conversation| conversation.sent_lines.is_none());
    let mut stored: BTreeMap<File, Vec<&Change>> = BTreeMap::new();
    for change in served.history.caused_by(Cause::Upload) {
        let content = change
            .version
            .as_ref()
            .map(|version| version.bytes.to_vec());
        let file = (change.path.clone(), content.unwrap_or_default());
        stored.entry(file).or_default().push(change);
    }
    let parts = Parts::new(served);
    parts.check(stored.keys())?;
    for (file, changes) in &stored {
        let claims = files.entry(file.clone()).or_default();
        parts.claim(file, claims);
        let most = claims.stored + claims.unknown;
        if changes.len() > most && !may_have_others {
            return Err(format!(
                "{} was stored, but no request explains that",
                shown(file)
            ));
        }
    }
    for (file, claims) in &files {
        let changes = stored.get(file).map_or(&[][..], Vec::as_slice);
        if changes.len() < claims.stored {
            return Err(format!(
                "{} was not stored, but a reply says so",
                shown(file)
            ));
        }
        if let ([change], 1, 0) = (changes, claims.stored, claims.unknown) {
            check_replaced(file, change, claims)?;
        }
    }
    Ok(())
}

fn check_replaced(file: &File, change: &Change, claims: &Claims) -> Result<(), String> {
    let is_new = change.replaced.is_none();
    if claims.must_be_new && !is_new {
        return Err(format!("{} has replaced another file", shown(file)));
    }
    match claims.is_new {
        Some(said) if said != is_new => Err(format!(
            "{}: its reply says that it is new: {said}",
            shown(file)
        )),
        _ => Ok(()),
    }
}

fn claim(tree: &ModelTree, exchange: &Exchange<'_>, files: &mut BTreeMap<File, Claims>) {
    let Some(path) = exchange.path() else {
        return;
    };
    let is_part = exchange.creates_upload() || exchange.upload().is_some();
    if exchange.settings.service != Service::Upload || is_part {
        return;
    }
    let must_be_new =
        !exchange.settings.overwrite || exchange.fields("If-None-Match").contains(&"*");
    let status = exchange.status();
    match exchange.method {
        "PUT" if exchange.is_whole && !path.ends_with_slash() => {
            let file = (tree.resolve(path.as_bytes()), exchange.content.to_vec());
            let claims = files.entry(file).or_default();
            claims.unknown += usize::from(status == 0);
            if matches!(status, 201 | 204) {
                claims.stored += 1;
                claims.must_be_new |= must_be_new;
                claims.is_new = Some(status == 201);
            }
        }
        "POST" => {
            // The first files of a form that was cut may be stored, too.
            let directory = tree.resolve(path.as_bytes());
            for (name, content) in form_files(exchange.content) {
                let path = [&directory[..], b"/", name].concat();
                let claims = files.entry((path, content.to_vec())).or_default();
                claims.must_be_new |= must_be_new && status == 303;
                claims.stored += usize::from(status == 303);
                claims.unknown += usize::from(status != 303);
            }
        }
        _ => {}
    }
}

/// Returns the names and contents of the files in a form. All forms of a world have the same shape.
fn form_files(content: &[u8]) -> Vec<(&[u8], &[u8])> {
    let boundary = format!("--{BOUNDARY}");
    let starts: Vec<usize> = content
        .windows(boundary.len())
        .enumerate()
        .filter(|(_, part)| *part == boundary.as_bytes())
        .map(|(at, _)| at)
        .collect();
    let parts = starts.windows(2).map(|pair| &content[pair[0]..pair[1]]);
    parts.filter_map(form_file).collect()
}

fn form_file(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = part.windows(4).position(|four| four == b"\r\n\r\n")?;
    let name = part.windows(10).position(|text| text == b"filename=\"")? + 10;
    let name = part[name..end].strip_suffix(b"\"")?;
    Some((name, part[end + 4..].strip_suffix(b"\r\n")?))
}

pub(super) fn shown((path, content): &File) -> String {
    let start = &content[..content.len().min(20)];
    format!(
        "{:?} with {} bytes ({:?})",
        path.escape_ascii().to_string(),
        content.len(),
        start.escape_ascii().to_string()
    )
}

/// No file that was being created is left, except for uploads that can still be resumed.
pub(super) fn check_temporary(served: &Served<'_>) -> Result<(), String> {
    served.tree.expire_uploads();
    match &served.tree.temporary_paths()[..] {
        [] => Ok(()),
        [path, ..] => Err(format!("{:?} is left", path.escape_ascii().to_string())),
    }
}
