//! [`Body`]: the content of a reply, and that of a request on its way in.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf};

/// The content of a reply, as it comes.
#[derive(Default)]
pub struct Body {
    reader: Option<ReadHalf<DuplexStream>>,
    /// What was read already.
    rest: Bytes,
    /// How much is left, if that is known: less is an error.
    left: Option<u64>,
}

impl Body {
    pub(super) fn new(reader: ReadHalf<DuplexStream>, rest: Vec<u8>, left: Option<u64>) -> Body {
        Body {
            reader: Some(reader),
            rest: rest.into(),
            left,
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
        let mut piece = std::mem::take(&mut self.rest);
        if piece.is_empty() {
            let Some(reader) = &mut self.reader else {
                return Poll::Ready(None);
            };
            let mut room = vec![0; 16 * 1024];
            let mut buffer = ReadBuf::new(&mut room);
            ready!(Pin::new(reader).poll_read(cx, &mut buffer))?;
            let n = buffer.filled().len();
            room.truncate(n);
            piece = room.into();
        }
        if piece.is_empty() {
            self.reader = None;
            let short = self.left.is_some_and(|left| left > 0);
            return Poll::Ready(short.then(|| Err(ErrorKind::UnexpectedEof.into())));
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Body")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// Passes the content of a request on, in chunks if nobody knows its length.
pub(super) async fn send<B: http_body::Body>(
    content: B,
    mut writer: WriteHalf<DuplexStream>,
    chunked: bool,
) -> io::Result<()> {
    let mut content = std::pin::pin!(content);
    let chunked = chunked && !content.is_end_stream();
    while let Some(frame) = std::future::poll_fn(|cx| content.as_mut().poll_frame(cx)).await {
        // What breaks off is left unended, and so is not taken for whole.
        let frame = frame.map_err(|_| io::Error::from(ErrorKind::UnexpectedEof))?;
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        let n = data.remaining();
        if n == 0 {
            continue;
        }
        if chunked {
            writer.write_all(format!("{n:x}\r\n").as_bytes()).await?;
        }
        writer.write_all_buf(&mut data).await?;
        if chunked {
            writer.write_all(b"\r\n").await?;
        }
    }
    if chunked {
        writer.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}
