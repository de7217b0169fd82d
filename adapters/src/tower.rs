//! [`Service`]: the engine for a host that speaks HTTP itself, such as axum: requests come in and
//! replies go out as the types of the crate `http`.
//!
//! The host has parsed the request, so this is the engine's other seam: the request is written down
//! again, as the head that it was, for a connection of its own that lives in memory; what that
//! replies is read back. It is told to speak HTTP/1.0, so that a reply is framed by its length or its
//! end, and the host frames it as it likes. Status, fields and content are those of every adapter.

mod body;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use sanserve_core::{Config, FileSystem, Handler, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::sync::watch;

pub use self::body::Body;
use crate::Open;
use crate::tokio::{Link, serve};

/// Answers requests with a handler, its files from a [`Disk`](crate::Disk). To clone it is cheap.
///
/// With axum it mounts a directory, wherever nothing else answers:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use sanserve::{Disk, tower::Service};
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
                config: Config {
                    protocol: Protocol::Http10,
                    ..config
                },
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
        let (mut reader, mut writer) = split(ours);
        let chunked = !parts.headers.contains_key(http::header::CONTENT_LENGTH);
        let head = head(&parts, chunked && !content.is_end_stream());
        writer.write_all(&head).await?;
        // Whoever does not want the content says so in the reply.
        tokio::spawn(body::send(content, writer, chunked));
        let (reply, rest) = read_head(&mut reader).await?;
        // RFC 9110 §8.6: here a length is said of what is not sent.
        let empty = parts.method == Method::HEAD || reply.status() == StatusCode::NOT_MODIFIED;
        Ok(reply.map(|length| Body::new(reader, rest, length.filter(|_| !empty))))
    }
}

/// The head of a request, as a client would have sent it.
fn head(parts: &Parts, chunked: bool) -> Vec<u8> {
    let target = parts
        .uri
        .path_and_query()
        .map_or("*", |target| target.as_str());
    let mut head = format!("{} {target} HTTP/1.1\r\n", parts.method).into_bytes();
    let mut field = |name: &[u8], value: &[u8]| {
        head.extend([name, b": ", value, b"\r\n"].concat());
    };
    if !parts.headers.contains_key(http::header::HOST) {
        let host = parts
            .uri
            .authority()
            .map_or("localhost", |host| host.as_str());
        field(b"Host", host.as_bytes());
    }
    for (name, value) in &parts.headers {
        if !OURS.contains(&name.as_str()) {
            field(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    if chunked {
        field(b"Transfer-Encoding", b"chunked");
    }
    head.extend(b"\r\n");
    head
}

/// Reads the head of the reply; with it comes the length that it gives, and what was read behind it.
async fn read_head(
    reader: &mut (impl AsyncReadExt + Unpin),
) -> io::Result<(Response<Option<u64>>, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if reader.read_buf(&mut bytes).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut slots = [httparse::EMPTY_HEADER; 128];
        let mut reply = httparse::Response::new(&mut slots);
        let parsed = reply.parse(&bytes).map_err(io::Error::other)?;
        let httparse::Status::Complete(end) = parsed else {
            continue;
        };
        let code = StatusCode::from_u16(reply.code.unwrap_or_default());
        let code = code.map_err(io::Error::other)?;
        if code.is_informational() {
            bytes.drain(..end);
            continue;
        }
        let mut response = Response::new(None);
        *response.status_mut() = code;
        for field in reply.headers {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(io::Error::other)?;
            let value = HeaderValue::from_bytes(field.value).map_err(io::Error::other)?;
            if name == http::header::CONTENT_LENGTH {
                *response.body_mut() = value.to_str().ok().and_then(|text| text.parse().ok());
            }
            if !OURS.contains(&name.as_str()) {
                response.headers_mut().append(name, value);
            }
        }
        return Ok((response, bytes.split_off(end)));
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

/// Fields that speak of one connection, which is the host's.
const OURS: [&str; 6] = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "te",
    "expect",
];

/// In memory at a time, of a request and of its reply.
const PIECE: usize = 64 * 1024;
