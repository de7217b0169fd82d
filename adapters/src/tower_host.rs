//! [`Service`]: a tower service for hosts that speak HTTP themselves, such as axum. Requests and replies are
//! the types of the crate `http`. [`mounted`] makes a file service work below a path of the host, such as `/files`.
//!
//! Each request is served by a connection of `tokio_rt` over a pipe in memory; at its other end, [`host`]
//! converts request and reply.

mod body;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Extensions, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use sanserve_core::{Config, FileSystem, Files, Handler, Path};
use tokio::io::{AsyncReadExt, DuplexStream, ReadHalf, duplex, split};
use tokio::sync::watch;

pub use self::body::Body;
use crate::host::{self, Piece};
use crate::tokio_rt::{Transport, serve};

/// Answers requests with a handler, and with files from a [`Disk`](crate::Disk) or any other [`FileSystem`].
/// Cloning is cheap.
///
/// With axum it can serve a directory as the fallback of all routes:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use sanserve_server::{Disk, tower_host::Service};
/// use sanserve_core::{Config, Files};
///
/// let files = Service::new(Disk::open(".")?, Config::default(), Files::new);
/// // let app = axum::Router::new().route("/api", get(api)).fallback_service(files);
/// # Ok(())
/// # }
/// ```
///
/// or below a path, see [`mounted`]. It has to be called in a tokio runtime. `Limits::content` and all
/// deadlines apply here, too.
///
/// A tower service returns one reply, so interim replies do not reach the client. Without the 104 of
/// [`ResumableUploads`](sanserve_core::ResumableUploads), a client cannot resume an upload that it began with
/// `Upload-Complete: ?1`; it has to begin with `?0`, whose final reply has the target.
pub struct Service<FS, M> {
    files: Arc<FS>,
    config: Arc<Config>,
    handler: Arc<M>,
    log: Arc<dyn Fn(&str) + Send + Sync>,
    client_address: Arc<FindAddress>,
    original_uri: Arc<FindUri>,
}

/// Finds the address of the client in the extensions of a request.
type FindAddress = dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync;

/// Finds the URI that the client sent in the extensions of a request.
type FindUri = dyn Fn(&Extensions) -> Option<Uri> + Send + Sync;

impl<FS, M> Service<FS, M> {
    /// Creates a service; `handler` makes the handler of a request.
    pub fn new(files: FS, config: Config, handler: M) -> Service<FS, M> {
        Service {
            files: Arc::new(files),
            config: Arc::new(host::config(config)),
            handler: Arc::new(handler),
            log: Arc::new(crate::blocking::stderr),
            client_address: Arc::new(|extensions| extensions.get().copied()),
            original_uri: Arc::new(|_| None),
        }
    }

    /// Sets where log lines go, each ended by a newline; by default [standard error](crate::blocking::stderr).
    /// The function is called for many requests at the same time, and must not block.
    #[must_use]
    pub fn with_log(self, log: impl Fn(&str) + Send + Sync + 'static) -> Service<FS, M> {
        let log = Arc::new(log);
        Service { log, ..self }
    }

    /// Sets how to find the address of the client in the extensions of a request, for the log and for
    /// [`Exchange::client_address`](sanserve_core::Exchange::client_address). By default it is an extension of
    /// type [`SocketAddr`]; without one, the address is `-`. With axum: `|extensions|
    /// extensions.get().map(|ConnectInfo(address)| *address)`.
    #[must_use]
    pub fn with_client_address(
        self,
        find: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Service<FS, M> {
        let client_address = Arc::new(find);
        Service {
            client_address,
            ..self
        }
    }

    /// Sets how to find the URI that the client sent in the extensions of a request, for hosts that remove a
    /// prefix from it when they route. By default, and if none is found, the handler gets the URI of the
    /// request. With axum: `|extensions| extensions.get().map(|OriginalUri(uri)| uri.clone())`. The handler
    /// then has to know where it is mounted, see [`mounted`].
    #[must_use]
    pub fn with_original_uri(
        self,
        find: impl Fn(&Extensions) -> Option<Uri> + Send + Sync + 'static,
    ) -> Service<FS, M> {
        let original_uri = Arc::new(find);
        Service {
            original_uri,
            ..self
        }
    }
}

/// Makes a file service serve its tree below a path of `SEGMENTS` segments, such as 1 for `/files`. They are
/// removed from the target of a request to get the path of a file; redirects, listings and the log show the
/// whole target. It is for a service that gets the [original URI](Service::with_original_uri).
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use sanserve_core::{Config, Files};
/// use sanserve_server::tower_host::{Service, mounted};
/// use sanserve_server::Disk;
///
/// let files = Service::new(Disk::open(".")?, Config::default(), || mounted::<1>(Files::new()));
/// // let files = files.with_original_uri(|it| it.get().map(|OriginalUri(uri)| uri.clone()));
/// // let app = axum::Router::new().nest_service("/files", files);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn mounted<const SEGMENTS: usize>(mut files: Files) -> Files {
    files.settings_mut().mount_depth = SEGMENTS;
    files.settings_mut().translate_path =
        Arc::new(|target| Path::parse(strip_segments(target, SEGMENTS)?));
    files
}

/// Removes this number of segments from the front of a target: `/files/sub/a.txt?q` becomes `/sub/a.txt?q`, and
/// `/files` becomes empty.
fn strip_segments(target: &str, segments: usize) -> Option<&str> {
    let (path, _) = target.split_once('?').unwrap_or((target, ""));
    let mut rest = path;
    for _ in 0..segments {
        let name = rest.strip_prefix('/')?;
        let end = name.find('/').unwrap_or(name.len());
        rest = (end > 0).then(|| &name[end..])?;
    }
    Some(&target[path.len() - rest.len()..])
}

impl<FS, M, H, B> tower_service::Service<Request<B>> for Service<FS, M>
where
    FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
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
        let service = self.clone();
        Box::pin(async move {
            let reply = service.answer(request).await;
            Ok(reply.unwrap_or_else(|_| {
                let mut reply = Response::new(Body::default());
                *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                reply
            }))
        })
    }
}

impl<FS, M, H> Service<FS, M>
where
    FS: FileSystem<File: Send + 'static> + Send + Sync + 'static,
    M: Fn() -> H + Send + Sync + 'static,
    H: Handler + Send + 'static,
{
    async fn answer<B>(self, request: Request<B>) -> io::Result<Response<Body>>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Send,
    {
        let (parts, content) = request.into_parts();
        let (ours, theirs) = duplex(PIPE_CAPACITY);
        let peer = (self.client_address)(&parts.extensions);
        let peer = peer.map_or_else(|| "-".into(), |peer| peer.ip().to_string());
        let original = (self.original_uri)(&parts.extensions);
        let uri = original.as_ref().unwrap_or(&parts.uri);
        let request = serialize(&parts, uri, !content.is_end_stream());
        tokio::spawn(async move {
            let (_stop, stopped) = watch::channel(false);
            let (transport, handler) = (Transport::new(theirs, peer), (self.handler)());
            let (files, config, log) = (&self.files, Arc::clone(&self.config), &*self.log);
            let _ = serve(transport, files, config, handler, log, stopped).await;
        });
        let (reader, writer) = split(ours);
        // A handler that does not want the content replies without reading it.
        tokio::spawn(body::send(request, content, writer));
        reply(reader, host::Reply::new(parts.method.as_str())).await
    }
}

/// Serializes the request as a connection reads it.
fn serialize(parts: &Parts, uri: &Uri, content: bool) -> host::Request {
    let target = uri.path_and_query().map_or("*", |target| target.as_str());
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let fields = parts.headers.iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    host::Request::new(parts.method.as_str(), target, authority, fields, content)
}

/// Reads the head of the reply; the rest is its body.
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
            files: Arc::clone(&self.files),
            config: Arc::clone(&self.config),
            handler: Arc::clone(&self.handler),
            log: Arc::clone(&self.log),
            client_address: Arc::clone(&self.client_address),
            original_uri: Arc::clone(&self.original_uri),
        }
    }
}

impl<FS, M> fmt::Debug for Service<FS, M> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Service").finish_non_exhaustive()
    }
}

/// Capacity of the pipe in each direction.
const PIPE_CAPACITY: usize = 64 * 1024;
