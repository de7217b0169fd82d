//! Serves the same request with hyper, over a stream in memory, with a reply of the same size.

use std::convert::Infallible;
use std::hint::black_box;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};

/// A client that sends the request again when it has received the reply.
struct Peer<'a> {
    request: &'a str,
    left: usize,
    waits: bool,
}

impl Read for Peer<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.waits {
            return Poll::Pending;
        }
        if self.left > 0 {
            (self.left, self.waits) = (self.left - 1, true);
            into.put_slice(self.request.as_bytes());
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Peer<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.waits = false;
        Poll::Ready(Ok(black_box(from).len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.waits = false;
        Poll::Ready(Ok(black_box(from).iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Returns the reply of the engine, with the same fields; hyper adds `Date`. No file is opened for it.
async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    static FILE: [u8; 1024] = [b'x'; 1024];
    let reply = Response::builder()
        .header("server", "sanserve/0.1.0")
        .header("content-type", "application/octet-stream")
        .header("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT")
        .header("etag", "\"2-400\"")
        .header("accept-ranges", "bytes")
        .body(Full::new(Bytes::from_static(&FILE)));
    Ok(reply.expect("the fields are valid"))
}

pub fn serve(request: &str, times: usize) {
    let peer = Peer {
        request,
        left: times,
        waits: false,
    };
    let conn = http1::Builder::new().serve_connection(peer, service_fn(answer));
    let mut conn = pin!(conn);
    let mut context = Context::from_waker(Waker::noop());
    // hyper yields now and then.
    loop {
        if let Poll::Ready(done) = conn.as_mut().poll(&mut context) {
            return done.expect("the exchange succeeds");
        }
    }
}
