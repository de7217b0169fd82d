//! Answers the conformance cases in the worker, with the loop of [`crate::answer`] and with Blobs as files. Only the
//! handler and the site are those of the cases. With every second fragmentation, the handler is asynchronous.

use js_sys::{Array, Function};
use sanserve_conformance::{Case, FRAGMENTATIONS, Site, SiteFile, case};
use sanserve_core::{Ask, FileSystem, FsError, Got, Opened};
use sanserve_server::host;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, ReadableStream, Response};

use crate::content::Content;
use crate::exchange::{Reply, Request, exchange};
use crate::file_system::AsyncFileSystem;
use crate::{blob, web};

/// The cases and their site, read once.
#[wasm_bindgen]
pub struct Conformance {
    cases: Vec<Case>,
    site: Site,
}

#[wasm_bindgen]
impl Conformance {
    /// Reads the cases.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Conformance {
        Conformance {
            cases: case::all(),
            site: Site::standard(),
        }
    }

    /// Answers the request of a case. `fields` has names and values in turn, one character per byte. Returns status,
    /// fields in the same form, and a Blob.
    ///
    /// # Errors
    /// If the reply is incomplete.
    #[expect(clippy::too_many_arguments, reason = "it is called from JavaScript")]
    pub async fn answer(
        &self,
        case: String,
        fragmentation: usize,
        method: String,
        target: String,
        fields: Vec<String>,
        content: Option<ReadableStream>,
        log: Function,
    ) -> Result<Array, JsError> {
        let fields: Vec<_> = fields.iter().map(|text| bytes(text)).collect();
        let fields = fields.chunks(2).map(|field| {
            let name = str::from_utf8(&field[0]).expect("a name is ASCII");
            (name, &field[1][..])
        });
        let request = Request {
            read: host::Request::new(&method, &target, None, fields, content.is_some()),
            content: Content::new(content.as_ref()),
            method,
        };
        let Reply { head, content } = self.exchange(&case, fragmentation, request, &log).await?;
        let fields = head.fields.into_iter();
        let fields = fields.flat_map(|(name, value)| [name, text(&value)]);
        let fields: Array = fields.map(JsValue::from).collect();
        let content = web::content(content).map_err(|_| JsError::new("no such content"))?;
        Ok(Array::of3(&head.status.into(), &fields, &content))
    }

    /// Answers a request that comes as a `Request` of the browser.
    ///
    /// # Errors
    /// If the reply is incomplete.
    pub async fn fetch(
        &self,
        case: String,
        fragmentation: usize,
        request: web_sys::Request,
        log: Function,
    ) -> Result<Response, JsError> {
        let request = web::request(&request)?;
        let reply = self.exchange(&case, fragmentation, request, &log).await?;
        web::response(reply)
    }

    async fn exchange(
        &self,
        name: &str,
        fragmentation: usize,
        request: Request,
        log: &Function,
    ) -> Result<Reply, JsError> {
        let case = self.cases.iter().find(|case| case.name == name);
        let case = case.ok_or_else(|| JsError::new("no such case"))?;
        let mut sizes = FRAGMENTATIONS[fragmentation].sizes();
        let log = |lines: &str| {
            let _ = log.call1(&JsValue::NULL, &lines.into());
        };
        let (config, handler) = (case.config(), case.alternating_handler(fragmentation));
        let limit = |room| sizes.next_size(room);
        Ok(exchange(request, &self.site, config, handler, log, limit).await?)
    }
}

/// An open file or script of the site.
pub(crate) enum Open {
    File(Blob),
    Script(SiteFile),
}

impl AsyncFileSystem for Site {
    type File = Open;

    async fn answer(&self, ask: &Ask) -> Got<Open> {
        match FileSystem::answer(self, ask) {
            Got::Listed(listed) => Got::Listed(listed),
            Got::Verified(verified) => Got::Verified(verified),
            Got::Opened(opened) => Got::Opened(opened.and_then(|opened| match opened {
                Opened::Directory => Ok(Opened::Directory),
                Opened::Process(file) => Ok(Opened::Process(Open::Script(file))),
                Opened::Writer(file) => Ok(Opened::Writer(Open::Script(file))),
                Opened::File { mut file, meta, .. } => {
                    let mut bytes = vec![0; meta.len as usize];
                    let read = FileSystem::fill(self, &mut file, 0, &mut bytes);
                    let all = matches!(read, Got::Bytes(n) if n == bytes.len());
                    assert!(all, "the site reads a whole file in one call");
                    let blob = web::content(vec![crate::exchange::Part::Bytes(bytes)]);
                    Ok(Opened::File {
                        file: Open::File(blob.expect("bytes make a Blob")),
                        meta,
                        sendable: true,
                    })
                }
                _ => Err(FsError::Unsupported),
            })),
            _ => unreachable!("`answer` returns no other variants"),
        }
    }

    async fn fill(&self, file: &mut Open, at: u64, into: &mut [u8]) -> Got<Open> {
        match file {
            Open::File(blob) => blob::read(blob, at, into)
                .await
                .map_or(Got::Refused(FsError::Io), Got::Bytes),
            Open::Script(file) => without_file(FileSystem::fill(self, file, at, into)),
        }
    }

    fn slice(&self, file: &Open, at: u64, len: u64) -> Option<Blob> {
        match file {
            Open::File(blob) => blob::slice(blob, at, len).ok(),
            Open::Script(_) => None,
        }
    }

    fn answer_write(&self, file: &mut Open, from: &[u8]) -> Got<Open> {
        match file {
            Open::File(_) => Got::Refused(FsError::Unsupported),
            Open::Script(file) => without_file(FileSystem::answer_write(self, file, from)),
        }
    }
}

/// Converts an answer that holds no file.
fn without_file(got: Got<SiteFile>) -> Got<Open> {
    match got {
        Got::Bytes(n) => Got::Bytes(n),
        Got::Note(note) => Got::Note(note),
        Got::Refused(error) => Got::Refused(error),
        _ => Got::Refused(FsError::Io),
    }
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|char| char as u8).collect()
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
