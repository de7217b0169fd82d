//! Runs the cases that apply to the tower adapter, with a disk. Every second request is answered by an asynchronous
//! handler.

#![cfg(unix)]

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http_body::Frame;
use http_body_util::BodyExt;
use sanserve_conformance::host::{Reply, Request};
use sanserve_conformance::{Fragmentation, Log, Site, hosts};
use sanserve_server::Disk;
use sanserve_server::tower_host::Service;
use tokio::runtime::Runtime;
use tower_service::Service as _;

/// Content, in pieces.
struct Pieces(VecDeque<Vec<u8>>);

impl http_body::Body for Pieces {
    type Data = VecDeque<u8>;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
        Poll::Ready(
            self.0
                .pop_front()
                .map(|piece| Ok(Frame::data(piece.into()))),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

fn translate(request: &Request, fragmentation: Fragmentation) -> http::Request<Pieces> {
    let mut builder = http::Request::builder()
        .method(&request.method[..])
        .uri(&request.target);
    for (name, value) in &request.fields {
        builder = builder.header(name, &value[..]);
    }
    let (mut rest, mut lengths) = (
        &request.content.clone().unwrap_or_default()[..],
        fragmentation.sizes(),
    );
    let mut pieces = VecDeque::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(lengths.next_size(rest.len()));
        pieces.push_back(piece.to_vec());
        rest = after;
    }
    builder
        .body(Pieces(pieces))
        .expect("a request that hosts pass on")
}

#[test]
fn conforms() {
    let site = Site::standard().in_temp_dir().expect("a site");
    let runtime = Runtime::new().expect("a runtime");
    let mut services = HashMap::new();
    hosts(
        "tower",
        |_, _| None,
        |case, request, fragmentation| {
            let kind = (case.handler.clone(), case.options.clone(), case.stores);
            if case.stores && request.first {
                services.remove(&kind);
            }
            let (service, log) = services.entry(kind).or_insert_with(|| {
                let (disk, log, case) = (
                    Disk::open(site.root_for(case).expect("a site"))
                        .expect("a site")
                        .with_portable_names(case.portable_names())
                        .with_portable_tags(true)
                        .with_upload_tokens(sanserve_conformance::upload_token),
                    Log::default(),
                    case.clone(),
                );
                let lines = log.clone();
                let make = {
                    let (case, requests) = (case.clone(), AtomicUsize::new(0));
                    move || case.alternating_handler(requests.fetch_add(1, Ordering::Relaxed))
                };
                (
                    Service::new(disk, case.config(), make).with_log(move |text| lines.push(text)),
                    log,
                )
            });
            let request = translate(request, fragmentation);
            let (head, content) = runtime.block_on(async {
                let reply = service.call(request).await.expect("it cannot fail");
                let (head, content) = reply.into_parts();
                (
                    head,
                    content.collect().await.expect("a whole reply").to_bytes(),
                )
            });
            let fields = head.headers.iter();
            Reply {
                status: head.status.as_u16(),
                fields: fields
                    .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                    .collect(),
                content: content.to_vec(),
                log: log.take(),
            }
        },
    );
}
