//! Answers requests of hosts of `wasi:http`, such as `wasmtime serve`, Spin and wasmCloud.
//!
//! Each request is served by its own connection, behind [`host`]. The host owns the socket; the connection
//! waits for the host's streams and its deadline in one `wasi:io/poll`. A component exports
//! `wasi:http/incoming-handler` and calls [`handle`] there.

use std::time::Duration;

use sanserve_core::{Config, Connection, FileSystem, Got, Handler, Now, Step, Want};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse,
    ResponseOutparam,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::host::{self, Head, Piece, Reply, Request};

/// Answers a request.
///
/// `log` receives finished lines, each ended by a newline, such as [`stderr`](crate::wasi_sockets::stderr). The
/// address of the peer is `-`, because the host does not provide it. All deadlines hold.
pub fn handle<FS: FileSystem>(
    request: IncomingRequest,
    reply: ResponseOutparam,
    files: &FS,
    config: Config,
    handler: impl Handler,
    log: impl Fn(&str),
) {
    let mut incoming = Incoming::new(request);
    let mut outgoing = Outgoing::new(&incoming.method, reply);
    let mut conn = Connection::new(host::config(config), "-", handler);
    let mut got = Got::Nothing;
    loop {
        let now = now();
        let Step { want, deadline, .. } = conn.step(now, got);
        let left = deadline.map_or(Duration::MAX, |at| at.saturating_sub(now.tick));
        got = match want {
            Want::Read(into) => incoming.read(into, left),
            Want::Write(from) => outgoing.write(from, left),
            Want::ReadFile { file, at, into } => files.fill(file, at, into),
            Want::Copy { .. } => unreachable!("no file here is sendable"),
            Want::WriteFile { file, from } => files.answer_write(file, from),
            Want::Commit { file } => Got::Committed(files.commit(file)),
            Want::Ask(ask) => files.answer(ask).unsendable(),
            Want::Wait => {
                monotonic_clock::subscribe_duration(left.min(WAIT_TIME).as_nanos() as u64).block();
                Got::Woken
            }
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Log(lines) => {
                log(lines);
                Got::Nothing
            }
            // The host closes the connection to the client.
            Want::Shutdown | Want::Close => return outgoing.end(),
        };
    }
}

/// The request, streamed.
struct Incoming {
    method: String,
    head: Request,
    /// The content. The stream is dropped before the body it belongs to.
    stream: InputStream,
    _body: IncomingBody,
}

impl Incoming {
    fn new(request: IncomingRequest) -> Incoming {
        let method = name(request.method());
        let target = request.path_with_query();
        let fields = request.headers().entries();
        let fields = fields.iter().map(|(name, value)| (&name[..], &value[..]));
        let authority = request.authority();
        let target = target.as_deref().unwrap_or("*");
        let head = Request::new(&method, target, authority.as_deref(), fields, true);
        let body = request.consume().expect("taken only once");
        Incoming {
            method,
            head,
            stream: body.stream().expect("taken only once"),
            _body: body,
        }
    }

    fn read<F>(&mut self, into: &mut [u8], left: Duration) -> Got<F> {
        if self.head.is_empty() {
            match self.stream.read(into.len() as u64) {
                Ok(bytes) if bytes.is_empty() => {
                    wait(&self.stream.subscribe(), left);
                    return Got::Nothing;
                }
                Ok(bytes) => self.head.content(&bytes),
                Err(StreamError::Closed) => self.head.end(),
                Err(StreamError::LastOperationFailed(_)) => return Got::Failed,
            }
        }
        Got::Bytes(self.head.read(into))
    }
}

/// The reply, streamed.
struct Outgoing {
    reply: Reply,
    /// Receives the head, once.
    begin: Option<ResponseOutparam>,
    /// The content. The stream is dropped before the body it belongs to.
    content: Option<(OutputStream, OutgoingBody)>,
}

impl Outgoing {
    fn new(method: &str, begin: ResponseOutparam) -> Outgoing {
        Outgoing {
            reply: Reply::new(method),
            begin: Some(begin),
            content: None,
        }
    }

    fn write<F>(&mut self, from: &[u8], left: Duration) -> Got<F> {
        let room = match &self.content {
            None => from.len(),
            Some((stream, _)) => match stream.check_write() {
                Ok(0) => {
                    wait(&stream.subscribe(), left);
                    return Got::Nothing;
                }
                Ok(room) => from.len().min(usize::try_from(room).unwrap_or(usize::MAX)),
                Err(_) => return Got::Failed,
            },
        };
        match (self.reply.take(&from[..room]), &self.content) {
            (Ok(Piece::Skip(n)), _) => Got::Bytes(n),
            (Ok(Piece::Head(n, head)), _) => {
                self.begin(&head);
                Got::Bytes(n)
            }
            (Ok(Piece::Content(bytes)), Some((stream, _))) if stream.write(bytes).is_ok() => {
                Got::Bytes(bytes.len())
            }
            _ => Got::Failed,
        }
    }

    fn begin(&mut self, head: &Head) {
        let fields = Fields::new();
        for (name, value) in &head.fields {
            // The host rejects fields that it sets itself.
            let _ = fields.append(name, value);
        }
        let reply = OutgoingResponse::new(fields);
        let _ = reply.set_status_code(head.status);
        // Some hosts require it even without content.
        let body = reply.body().expect("taken only once");
        let stream = body.write().expect("taken only once");
        self.content = Some((stream, body));
        if let Some(begin) = self.begin.take() {
            ResponseOutparam::set(begin, Ok(reply));
        }
    }

    /// Ends the reply; an incomplete one is not finished, so that the client notices.
    fn end(self) {
        if let Some(begin) = self.begin {
            ResponseOutparam::set(begin, Err(ErrorCode::InternalError(None)));
        }
        if let Some((stream, body)) = self.content {
            drop(stream);
            if self.reply.end().is_ok() {
                let _ = OutgoingBody::finish(body, None);
            }
        }
    }
}

fn name(method: Method) -> String {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return name,
    }
    .to_owned()
}

fn now() -> Now {
    Now {
        tick: Duration::from_nanos(monotonic_clock::now()),
        unix: i64::try_from(wall_clock::now().seconds).ok(),
    }
}

/// Waits for a stream, for at most `left`.
fn wait(stream: &Pollable, left: Duration) {
    let left = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
    poll(&[stream, &monotonic_clock::subscribe_duration(left)]);
}

/// How often a waiting handler is asked again, because nothing can wake it.
const WAIT_TIME: Duration = Duration::from_millis(10);
