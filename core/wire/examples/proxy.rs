//! A reverse proxy: `proxy 127.0.0.1:8080 127.0.0.1:8000` forwards requests on the first address to the second.

mod blocking;

use std::net::{TcpListener, TcpStream};
use std::{env, io::Write, thread};

use blocking::{Peer, Result};
use sanserve_wire::Version::Http11;
use sanserve_wire::{Body, Fields, HeadEncoder, Limits, ParseError, RequestHead, ResponseHead};

fn main() -> Result<()> {
    let addresses = env::args().nth(1).zip(env::args().nth(2));
    let (listen, upstream) = addresses.ok_or("expected the proxy's address and the server's")?;
    for stream in TcpListener::bind(listen)?.incoming() {
        let (stream, upstream) = (stream?, upstream.clone());
        thread::spawn(move || serve(stream, &upstream).map_err(|error| eprintln!("{error}")));
    }
    Ok(())
}

/// Answers the requests on one connection.
pub fn serve(stream: TcpStream, upstream: &str) -> Result<()> {
    let (mut client, mut request) = (Peer::new(stream), RequestHead::new());
    loop {
        let (mut server, response, mut body, all_sent) =
            match ask(&mut client, &mut request, upstream) {
                Ok(Some(asked)) => asked,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let bad: Option<&ParseError> = error.downcast_ref();
                    let status = bad.map_or(502, |bad| bad.status());
                    write!(client.stream, "HTTP/1.1 {status} \r\n\r\n")?;
                    return Err(error);
                }
            };
        let is_new = request.version() == Http11;
        let chunked = is_new && body.remaining().is_none();
        let close = !(request.keep_alive() && is_new && all_sent);
        reply(&mut client, &response, chunked, close)?;
        server.content(&mut client, &mut body, chunked)?;
        if close {
            return Ok(());
        }
    }
}

type Asked = (Peer, ResponseHead, Body, bool);

/// Forwards a request over a connection of its own, and interim responses back. Returns the final response, and whether
/// all of the content was sent, which it was not if this response arrived instead of a 100.
fn ask(client: &mut Peer, request: &mut RequestHead, upstream: &str) -> Result<Option<Asked>> {
    if !client.head(|input| request.parse(input, &Limits::new()))? {
        return Ok(None);
    }
    let (mut body, mut waits) = (Body::of_request(request)?, request.expects_100()?);
    let (mut server, mut out) = (Peer::new(TcpStream::connect(upstream)?), Vec::new());
    let chunked = body.remaining().is_none();
    let mut head = HeadEncoder::request(&mut out, request.method(), request.path(), Http11)?;
    head.field("Host", request.authority().unwrap_or(upstream))?;
    finish(&mut head, request.fields(), chunked, true)?;
    server.stream.write_all(head.end())?;
    let mut response = ResponseHead::new();
    loop {
        waits = waits && server.is_soon_readable()?;
        if !waits && body.remaining() != Some(0) {
            client.content(&mut server, &mut body, chunked)?;
        }
        let found = server.head(|input| response.parse(input, &Limits::new()));
        if !found.unwrap_or(false) || response.ends_http(request.method()) {
            return Err("no response that can be passed on".into());
        }
        if !response.is_interim() {
            let content = Body::of_response(&response, request.method());
            let content = content.map_err(|_| "no clear end")?;
            return Ok(Some((
                server,
                response,
                content,
                body.remaining() == Some(0),
            )));
        }
        waits &= response.status() != 100;
        if request.version() == Http11 {
            reply(client, &response, false, false)?;
        }
    }
}

fn reply(client: &mut Peer, from: &ResponseHead, chunked: bool, close: bool) -> Result<()> {
    let (mut out, reason) = (Vec::new(), from.reason_bytes());
    let mut head = HeadEncoder::response(&mut out, Http11, from.status(), reason)?;
    finish(&mut head, from.fields(), chunked, close)?;
    Ok(client.stream.write_all(head.end())?)
}

/// Writes the fields that are forwarded, and those about the connection.
fn finish(to: &mut HeadEncoder, from: &Fields, chunked: bool, close: bool) -> Result<()> {
    let is_host = |name: &str| name.eq_ignore_ascii_case("Host");
    to.fields(from.end_to_end().filter(|(name, _)| !is_host(name)))?;
    to.fields(chunked.then_some(("Transfer-Encoding", "chunked")))?;
    to.fields(close.then_some(("Connection", "close")))?;
    Ok(to.field("Via", "1.1 proxy")?)
}
