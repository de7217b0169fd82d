//! What the simulations of the event loop and of the tokio server have in common: the names and the content of their
//! files, and how their handlers store, reply and upgrade.

use std::time::Duration;

use sanserve_core::{Create, Exchange, Next, Path};

/// Returns the byte of any file at this offset.
pub(crate) fn byte_at(at: u64) -> u8 {
    b'a' + (at % 23) as u8 + (at / 4096 % 3) as u8
}

/// Returns the connection and the length in a path such as `/files/3/10000`.
pub(crate) fn parse(path: &Path) -> Option<(usize, u64)> {
    let text = str::from_utf8(path.as_bytes()).ok()?;
    let (_, numbers) = text.split_once("files/")?;
    let (conn, len) = numbers.split_once('/')?;
    Some((conn.parse().ok()?, len.parse().ok()?))
}

/// Begins to create a file.
pub(crate) fn create() -> Next {
    let path = Path::parse("/files/0/0").expect("a valid path");
    Next::Create(Box::new(Create::new(path)))
}

pub(crate) fn reply(ex: &mut Exchange<'_>, status: u16, content: &[u8]) -> Next {
    ex.send_response(status);
    ex.send_header("Content-Length", content.len());
    ex.end_headers();
    ex.write(content);
    Next::Done
}

/// Hands the connection over to another protocol.
pub(crate) fn upgrade(ex: &mut Exchange<'_>) -> Next {
    ex.send_response(101);
    ex.send_header("Connection", "Upgrade");
    ex.send_header("Upgrade", "simulation");
    ex.end_headers();
    Next::Upgrade
}

/// A handler that is not woken for so long gives up, and its client gets an error.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(5);
