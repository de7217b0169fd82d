//! [`Service`]: the engine for a host that speaks HTTP itself, such as axum: requests come in and
//! replies go out as the types of the crate `http`.
//!
//! The connection is the one of `tokio`, over a link in memory; at the other end of that is the seam
//! of [`host`].

mod body;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use sanserve_core::{Config, FileSystem, Handler};
use tokio::io::{AsyncReadExt, DuplexStream, ReadHalf, duplex, split};
use tokio::sync::watch;

pub use self::body::Body;
use crate::Open;
use crate::host::{self, Piece};
use crate::tokio::{Link, serve};

/// Answers requests with a handler, its files from a [`Disk`](crate::Disk). To clone it is cheap.
///
/// With axum it mounts a directory, wherever nothing else answers:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use sanserve_server::{Disk, tower::Service};
/// use sanserve_core::{Config, Files};
///
/// let files = Service::new(Disk::open(".")?, Config::default(), Files::new);
/// // let app = axum::Router::new().route("/api", get(api)).fallback_service(files);
/// # Ok(())
/// # }
/// ```
///
/// It has to be called where tokio runs. A host that puts the address of its peer into the
/// extensions of a request as a `SocketAddr` finds it in the log. `Limits::content` and all deadlines
/// hold here, too.
pub struct Service<FS, M> {
    shared: Arc<Shared<FS, M>>,
}

struct Shared<FS, M> {
    files: Arc<FS>,
    config: Config,
    handler: M,
    log: Box<dyn Fn(&str) + Send + Sync>,
}

impl<FS, M> Service<FS, M> {
    /// A service; `handler` makes the handler of one request. What it logs goes to
    /// [standard error](crate::std::stderr).
    pub fn new(files: FS, config: Config, handler: M) -> Service<FS, M> {
        Service::with_log(files, config, handler, crate::std::stderr)
    }

    /// The same with a log elsewhere, which is given finished lines.
    pub fn with_log(
        files: FS,
        config: Config,
        handler: M,
        log: impl Fn(&str) + Send + Sync + 'static,
    ) -> Service<FS, M> {
        Service {
            shared: Arc::new(Shared {
                files: Arc::new(files),
                config: host::config(config),
                handler,
                log: Box::new(log),
            }),
        }
    }
}

impl<FS, M, H, B> tower_service::Service<Request<B>> for Service<FS, M>
where
    FS: FileSystem<File = Open> + Send + Sync + 'static,
    M: Fn() -> H + Send + Sync + 'static,
    H: Handler + Send + 'static,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let reply = shared.answer(request).await;
            Ok(reply.unwrap_or_else(|_| {
                let mut reply = Response::new(Body::default());
                *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                reply
            }))
        })
    }
}

impl<FS, M, H> Shared<FS, M>
where
    FS: FileSystem<File = Open> + Send + Sync + 'static,
    M: Fn() -> H + Send + Sync + 'static,
    H: Handler + Send + 'static,
{
    async fn answer<B>(self: Arc<Self>, request: Request<B>) -> io::Result<Response<Body>>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Send,
    {
        let (parts, content) = request.into_parts();
        let (ours, theirs) = duplex(PIECE);
        let peer = parts.extensions.get::<std::net::SocketAddr>();
        let peer = peer.map_or_else(|| "-".into(), |peer| peer.ip().to_string());
        tokio::spawn(async move {
            let (_stop, stopped) = watch::channel(false);
            let (link, handler) = (Link::new(theirs, peer), (self.handler)());
            let (files, config, log) = (&self.files, self.config, &*self.log);
            let _ = serve(link, files, config, handler, log, stopped).await;
        });
        let (reader, writer) = split(ours);
        // Whoever does not want the content says so in the reply.
        tokio::spawn(body::send(
            written(&parts, !content.is_end_stream()),
            content,
            writer,
        ));
        reply(reader, host::Reply::new(parts.method.as_str())).await
    }
}

/// The request, as a connection reads it.
fn written(parts: &Parts, content: bool) -> host::Request {
    let target = parts
        .uri
        .path_and_query()
        .map_or("*", |target| target.as_str());
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let fields = parts.headers.iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    host::Request::new(parts.method.as_str(), target, authority, fields, content)
}

/// Reads the head of the reply; what follows is its body.
async fn reply(
    mut reader: ReadHalf<DuplexStream>,
    mut reply: host::Reply,
) -> io::Result<Response<Body>> {
    let mut bytes = Vec::new();
    loop {
        if bytes.is_empty() && reader.read_buf(&mut bytes).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let (n, head) = match reply.take(&bytes).map_err(body::unexpected_end)? {
            Piece::Skip(n) => (n, None),
            Piece::Head(n, head) => (n, Some(head)),
            Piece::Content(_) => unreachable!("the head comes first"),
        };
        bytes.drain(..n);
        if let Some(head) = head {
            let mut response = Response::new(Body::new(reader, bytes, reply));
            *response.status_mut() = StatusCode::from_u16(head.status).map_err(io::Error::other)?;
            for (name, value) in head.fields {
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
                let value = HeaderValue::from_bytes(&value).map_err(io::Error::other)?;
                response.headers_mut().append(name, value);
            }
            return Ok(response);
        }
    }
}

impl<FS, M> Clone for Service<FS, M> {
    fn clone(&self) -> Self {
        Service {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<FS, M> fmt::Debug for Service<FS, M> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Service").finish_non_exhaustive()
    }
}

/// In memory at a time, of a request and of its reply.
const PIECE: usize = 64 * 1024;
