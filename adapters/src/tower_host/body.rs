//! [`Body`]: streams the content of a reply to the host. `send` streams a request and its content to the
//! connection.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf};

use crate::host::{IncompleteReply, Piece, Reply, Request};

/// The content of a reply, streamed.
#[derive(Default)]
pub struct Body {
    /// The source of the content, until it has ended.
    open: Option<(ReadHalf<DuplexStream>, Reply)>,
    /// Bytes that were read already.
    buffered: Bytes,
}

impl Body {
    pub(super) fn new(reader: ReadHalf<DuplexStream>, buffered: Vec<u8>, reply: Reply) -> Body {
        Body {
            open: Some((reader, reply)),
            buffered: buffered.into(),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Body { open, buffered } = &mut *self;
        let Some((reader, reply)) = open else {
            return Poll::Ready(None);
        };
        loop {
            if buffered.is_empty() {
                let mut room = vec![0; 16 * 1024];
                let mut buffer = ReadBuf::new(&mut room);
                ready!(Pin::new(&mut *reader).poll_read(cx, &mut buffer))?;
                let n = buffer.filled().len();
                room.truncate(n);
                *buffered = room.into();
            }
            if buffered.is_empty() {
                let end = reply.end().map_err(unexpected_end);
                *open = None;
                return Poll::Ready(end.err().map(Err));
            }
            let n = match reply.take(buffered).map_err(unexpected_end)? {
                Piece::Skip(n) | Piece::Head(n, _) => {
                    buffered.advance(n);
                    continue;
                }
                Piece::Content(bytes) => bytes.len(),
            };
            return Poll::Ready(Some(Ok(Frame::data(buffered.split_to(n)))));
        }
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.open.as_ref().and_then(|(_, reply)| reply.remaining());
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reply = self.open.as_ref().map(|(_, reply)| reply);
        out.debug_struct("Body")
            .field("reply", &reply)
            .finish_non_exhaustive()
    }
}

/// Sends the request, and its content as it arrives.
pub(super) async fn send<B: http_body::Body>(
    mut request: Request,
    content: B,
    mut writer: WriteHalf<DuplexStream>,
) -> io::Result<()> {
    let mut content = std::pin::pin!(content);
    let mut chunk = [0; 4096];
    loop {
        while !request.is_empty() {
            let n = request.read(&mut chunk);
            writer.write_all(&chunk[..n]).await?;
        }
        match std::future::poll_fn(|cx| content.as_mut().poll_frame(cx)).await {
            Some(Ok(frame)) => {
                let Ok(mut data) = frame.into_data() else {
                    continue;
                };
                while data.has_remaining() {
                    let bytes = data.chunk();
                    let n = bytes.len();
                    request.content(bytes);
                    data.advance(n);
                }
            }
            None => break,
            // An incomplete request is not terminated, so that it is not taken for a complete one.
            Some(Err(_)) => return Err(ErrorKind::UnexpectedEof.into()),
        }
    }
    request.end();
    let n = request.read(&mut chunk);
    writer.write_all(&chunk[..n]).await
}

pub(super) fn unexpected_end(broken: IncompleteReply) -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, broken)
}
