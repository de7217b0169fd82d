//! The loop: one request, one reply, and all that the engine wants in between.

use sanserve_server::host::{self, Broken, Head, Piece};
use std::future;
use std::time::Duration;

use sanserve_core::{Config, Connection, FsError, Got, Handler, Step, Want};
use web_sys::Blob;

use crate::clock::{now, within};
use crate::content::Content;
use crate::tree::Tree;

/// A request: what was read of it, and where more comes from.
pub(crate) struct Request {
    pub(crate) read: host::Request,
    pub(crate) content: Content,
    pub(crate) method: String,
}

/// A whole reply.
pub(crate) struct Reply {
    pub(crate) head: Head,
    pub(crate) content: Vec<Part>,
}

/// Some of a reply's content.
pub(crate) enum Part {
    Bytes(Vec<u8>),
    /// Some of a file, which nobody has read.
    File(Blob),
}

/// Has a handler answer a request. `log` is given finished lines; `cut` says how many bytes are moved
/// at a time, of those that could be.
///
/// # Errors
/// If there is no whole reply.
pub(crate) async fn exchange<T: Tree>(
    mut request: Request,
    tree: &T,
    config: Config,
    handler: impl Handler,
    log: impl Fn(&str),
    mut cut: impl FnMut(usize) -> usize,
) -> Result<Reply, Broken> {
    let mut conn = Connection::new(host::config(config), "-", handler);
    let mut reply = host::Reply::new(&request.method);
    let (mut head, mut content) = (None, Vec::new());
    let mut got = Got::Nothing;
    loop {
        let Step {
            want, deadline: by, ..
        } = conn.step(now(), got);
        got = match want {
            Want::Read(into) => {
                let n = cut(into.len());
                let read = within(by, request.read(&mut into[..n])).await;
                read.unwrap_or(Got::Nothing)
            }
            Want::Write(from) => match reply.take(&from[..cut(from.len())])? {
                Piece::Skip(n) => Got::Bytes(n),
                Piece::Head(n, whole) => {
                    head = Some(whole);
                    Got::Bytes(n)
                }
                Piece::Content(bytes) => {
                    append(&mut content, bytes);
                    Got::Bytes(bytes.len())
                }
            },
            Want::ReadFile { file, at, into } => {
                let n = cut(into.len());
                let filled = within(by, tree.fill(file, at, &mut into[..n])).await;
                filled.unwrap_or(Got::Nothing)
            }
            Want::Copy { file, at, len } => {
                let n = cut(usize::try_from(len).unwrap_or(MOST).min(MOST));
                reply.sent(n as u64);
                content.extend(tree.part(file, at, n as u64).map(Part::File));
                Got::Bytes(n)
            }
            Want::WriteFile { file, from } => tree.answer_write(file, &from[..cut(from.len())]),
            Want::Commit { .. } => Got::Committed(Err(FsError::Unsupported)),
            Want::Wait => woken(by).await,
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Ask(ask) => within(by, tree.answer(ask)).await.unwrap_or(Got::Nothing),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown | Want::Close => break,
        };
    }
    reply.end()?;
    let head = head.ok_or(Broken)?;
    Ok(Reply { head, content })
}

impl Request {
    /// Reads some of it. If this is let go of nothing is lost.
    async fn read<F>(&mut self, into: &mut [u8]) -> Got<F> {
        if self.read.is_empty() {
            match self.content.next().await {
                Ok(Some(piece)) => self.read.content(&piece),
                Ok(None) => self.read.end(),
                Err(_) => return Got::Failed,
            }
        }
        Got::Bytes(self.read.read(into))
    }
}

fn append(content: &mut Vec<Part>, bytes: &[u8]) {
    match content.last_mut() {
        Some(Part::Bytes(last)) => last.extend(bytes),
        _ => content.push(Part::Bytes(bytes.into())),
    }
}

/// More than a number can hold here goes in several parts.
const MOST: usize = 1 << 30;

/// Nothing can wake a handler that waits, so it is asked again when a moment is over.
async fn woken<F>(by: Option<Duration>) -> Got<F> {
    let moment = now().tick + Duration::from_millis(10);
    let moment = by.map_or(moment, |by| by.min(moment));
    within(Some(moment), future::pending::<()>()).await;
    Got::Woken
}
