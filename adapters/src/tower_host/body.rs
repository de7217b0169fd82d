//! [`Body`]: the content of a reply, and that of a request on its way in.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf};

use crate::host::{Broken, Piece, Reply, Request};

/// The content of a reply, as it comes.
#[derive(Default)]
pub struct Body {
    /// Where it comes from, until it has ended.
    open: Option<(ReadHalf<DuplexStream>, Reply)>,
    /// What was read already.
    rest: Bytes,
}

impl Body {
    pub(super) fn new(reader: ReadHalf<DuplexStream>, rest: Vec<u8>, reply: Reply) -> Body {
        Body {
            open: Some((reader, reply)),
            rest: rest.into(),
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
        let Body { open, rest } = &mut *self;
        let Some((reader, reply)) = open else {
            return Poll::Ready(None);
        };
        loop {
            if rest.is_empty() {
                let mut room = vec![0; 16 * 1024];
                let mut buffer = ReadBuf::new(&mut room);
                ready!(Pin::new(&mut *reader).poll_read(cx, &mut buffer))?;
                let n = buffer.filled().len();
                room.truncate(n);
                *rest = room.into();
            }
            if rest.is_empty() {
                let end = reply.end().map_err(unexpected_end);
                *open = None;
                return Poll::Ready(end.err().map(Err));
            }
            let n = match reply.take(rest).map_err(unexpected_end)? {
                Piece::Skip(n) | Piece::Head(n, _) => {
                    rest.advance(n);
                    continue;
                }
                Piece::Content(bytes) => bytes.len(),
            };
            return Poll::Ready(Some(Ok(Frame::data(rest.split_to(n)))));
        }
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.open.as_ref().and_then(|(_, reply)| reply.left());
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

/// Passes the request on, and its content as it comes.
pub(super) async fn send<B: http_body::Body>(
    mut request: Request,
    content: B,
    mut writer: WriteHalf<DuplexStream>,
) -> io::Result<()> {
    let mut content = std::pin::pin!(content);
    let mut piece = [0; 4096];
    loop {
        while !request.is_empty() {
            let n = request.read(&mut piece);
            writer.write_all(&piece[..n]).await?;
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
            // What breaks off is left unended, and so is not taken for whole.
            Some(Err(_)) => return Err(ErrorKind::UnexpectedEof.into()),
        }
    }
    request.end();
    let n = request.read(&mut piece);
    writer.write_all(&piece[..n]).await
}

pub(super) fn unexpected_end(broken: Broken) -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, broken)
}
