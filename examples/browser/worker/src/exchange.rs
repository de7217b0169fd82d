//! [`exchange`]: the adapter's loop, in which a handler answers one request.

use sanserve_server::host::{self, Head, IncompleteReply, Piece};
use std::future;
use std::time::Duration;

use sanserve_core::{Config, Connection, FsError, Got, Handler, Step, Want};
use web_sys::Blob;

use crate::clock::{now, timeout_at};
use crate::content::Content;
use crate::file_system::AsyncFileSystem;

/// A request: the bytes of its head, and a stream of its content.
pub(crate) struct Request {
    pub(crate) read: host::Request,
    pub(crate) content: Content,
    pub(crate) method: String,
}

/// A complete reply.
pub(crate) struct Reply {
    pub(crate) head: Head,
    pub(crate) content: Vec<Part>,
}

/// A part of a reply's content.
pub(crate) enum Part {
    Bytes(Vec<u8>),
    /// A slice of a file, not yet read.
    File(Blob),
}

/// Lets a handler answer a request. `log` takes whole lines; `limit` chooses how many bytes are moved at a time, given
/// how many could be.
///
/// # Errors
/// If the reply is incomplete.
pub(crate) async fn exchange<S: AsyncFileSystem>(
    mut request: Request,
    files: &S,
    config: Config,
    handler: impl Handler,
    log: impl Fn(&str),
    mut limit: impl FnMut(usize) -> usize,
) -> Result<Reply, IncompleteReply> {
    let mut conn = Connection::new(host::config(config), "-", handler);
    let mut reply = host::Reply::new(&request.method);
    let (mut head, mut content) = (None, Vec::new());
    let mut got = Got::Nothing;
    loop {
        let Step { want, deadline, .. } = conn.step(now(), got);
        got = match want {
            Want::Read(into) => {
                let n = limit(into.len());
                let read = timeout_at(deadline, request.read(&mut into[..n])).await;
                read.unwrap_or(Got::Nothing)
            }
            Want::Write(from) => match reply.take(&from[..limit(from.len())])? {
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
                let n = limit(into.len());
                let filled = timeout_at(deadline, files.fill(file, at, &mut into[..n])).await;
                filled.unwrap_or(Got::Nothing)
            }
            Want::Copy { file, at, len } => {
                let n = limit(usize::try_from(len).unwrap_or(SLICE_MAX).min(SLICE_MAX));
                reply.sent(n as u64);
                content.extend(files.slice(file, at, n as u64).map(Part::File));
                Got::Bytes(n)
            }
            Want::WriteFile { file, from } => files.answer_write(file, &from[..limit(from.len())]),
            Want::Commit { .. } => Got::Committed(Err(FsError::Unsupported)),
            Want::Wait => wait_briefly(deadline).await,
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Ask(ask) => timeout_at(deadline, files.answer(ask))
                .await
                .unwrap_or(Got::Nothing),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            Want::Shutdown | Want::Close => break,
        };
    }
    reply.end()?;
    let head = head.ok_or(IncompleteReply)?;
    Ok(Reply { head, content })
}

impl Request {
    /// Reads bytes of the request. Cancel safe.
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

/// The longest slice of a file: `usize` has 32 bits here.
const SLICE_MAX: usize = 1 << 30;

/// Waits 10 ms, or until the deadline. Nothing can wake a waiting handler here, so it is polled.
async fn wait_briefly<F>(deadline: Option<Duration>) -> Got<F> {
    let moment = now().tick + Duration::from_millis(10);
    let until = deadline.map_or(moment, |deadline| deadline.min(moment));
    timeout_at(Some(until), future::pending::<()>()).await;
    Got::Woken
}
