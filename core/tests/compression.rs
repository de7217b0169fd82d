//! Tests of compressed replies: what they contain when another implementation decodes them, their tags, and that a
//! piece of a listing is compressed once.

mod drive;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Read;
use std::sync::Arc;

use drive::{drive, http11};
use flate2::read::GzDecoder;
use miniz_oxide::deflate::core::CompressorOxide;
use sanserve_core::{
    Ask, Connection, Entries, Entry, FileVersion, Files, FsError, Got, Meta, Now, Opened, Path,
    Protocol, Want, listing,
};

/// Counts the compressors that each thread allocates.
struct CountsCompressors;

thread_local! {
    static COMPRESSORS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: forwards every call to the system's allocator; the counter allocates nothing.
unsafe impl GlobalAlloc for CountsCompressors {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout == Layout::new::<CompressorOxide>() {
            COMPRESSORS.set(COMPRESSORS.get() + 1);
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountsCompressors = CountsCompressors;

fn files() -> Files {
    let mut files = Files::new();
    files.settings_mut().list_directory = Arc::new(listing::page);
    files.settings_mut().compress_listings = true;
    files
}

/// This many files, some of them hidden or with names that have to be escaped.
fn many(count: usize) -> Entries {
    let names: Vec<_> = (0..count)
        .map(|at| match at % 100 {
            7 => format!(".hidden-{at}"),
            8 => format!("<b>&\u{e4} {at}"),
            _ => format!("IMG_{at:06}.jpg"),
        })
        .collect();
    let entries = names.iter().enumerate().map(|(at, name)| Entry {
        name: name.as_bytes(),
        directory: at % 50 == 3,
        len: (at % 50 != 3).then_some(at as u64 * 7919 % 100_000),
        modified: Some(1_577_836_800 + at as i64 * 61),
        ..Entry::default()
    });
    entries.collect()
}

fn prepared(count: usize) -> Arc<Entries> {
    let mut entries = many(count);
    listing::prepare(&mut entries);
    Arc::new(entries)
}

/// A tree whose directories all have these entries.
fn holds(entries: &Arc<Entries>) -> impl Fn(&Ask) -> Got<()> {
    let entries = Arc::clone(entries);
    move |ask| match ask {
        Ask::List(_) => Got::Listed(Ok(Arc::clone(&entries))),
        _ => Got::Opened(Err(FsError::NotFound)),
    }
}

struct Reply {
    head: String,
    /// The content without its framing.
    content: Vec<u8>,
}

impl Reply {
    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Returns the decoded content.
    fn decoded(&self) -> Vec<u8> {
        assert_eq!(
            self.field("Content-Encoding"),
            Some("gzip"),
            "{}",
            self.head
        );
        let mut decoder = GzDecoder::new(&*self.content);
        let mut decoded = Vec::new();
        decoder.read_to_end(&mut decoded).expect("a gzip stream");
        assert!(
            decoder.into_inner().is_empty(),
            "nothing follows the stream"
        );
        decoded
    }
}

fn get(entries: &Arc<Entries>, target: &str, fields: &str) -> Reply {
    request("GET", entries, target, fields)
}

fn request(method: &str, entries: &Arc<Entries>, target: &str, fields: &str) -> Reply {
    let request = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let said = drive(http11(), files(), request.as_bytes(), holds(entries));
    parse(&said.text)
}

fn parse(text: &str) -> Reply {
    let (head, content) = text.split_once("\r\n\r\n").expect("a head");
    let mut content: Vec<u8> = content.chars().map(|char| char as u8).collect();
    if head.contains("\r\nTransfer-Encoding: chunked") {
        content = without_chunks(&content);
    }
    let head = head.to_owned();
    Reply { head, content }
}

fn without_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let end = rest
            .windows(2)
            .position(|two| two == b"\r\n")
            .expect("a size");
        let size = str::from_utf8(&rest[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        content.extend_from_slice(&rest[end + 2..][..size]);
        rest = &rest[end + 2 + size + 2..];
        if size == 0 {
            assert_eq!(rest, b"", "nothing follows the last chunk");
            return content;
        }
    }
}

const GZIP: &str = "Accept-Encoding: gzip\r\n";

#[test]
fn a_compressed_listing_is_the_plain_one() {
    for count in [0, 1, 10, 440, 2_000] {
        for entries in [Arc::new(many(count)), prepared(count)] {
            for target in [
                "/",
                "/a/",
                "/a/?sort=size-desc",
                "/%61/?sort=name-desc",
                "//a//b/",
            ] {
                for accept in ["", "Accept: application/json\r\n", "Accept: text/plain\r\n"] {
                    let fields = format!("{accept}{GZIP}");
                    let plain = get(&entries, target, accept);
                    let compressed = get(&entries, target, &fields);
                    if plain.content.len() < 512 {
                        assert_eq!(compressed.content, plain.content);
                        continue;
                    }
                    assert!(
                        compressed.decoded() == plain.content,
                        "{count} {target} {accept}"
                    );
                    let ratio = plain.content.len() / compressed.content.len();
                    assert!(ratio >= 2, "{count} {target} {accept}: {ratio}");
                }
            }
        }
    }
}

#[test]
fn a_compressed_listing_for_an_old_client_ends_with_the_connection() {
    let entries = prepared(2_000);
    let plain = get(&entries, "/", "");
    for (config, version) in [
        (http11(), "1.0"),
        (http11().with_protocol(Protocol::Http10), "1.1"),
    ] {
        let request = format!("GET / HTTP/{version}\r\nHost: h\r\n{GZIP}\r\n");
        let said = drive(config, files(), request.as_bytes(), holds(&entries));
        let reply = parse(&said.text);
        assert_eq!(reply.field("Transfer-Encoding"), None);
        assert_eq!(reply.field("Content-Length"), None);
        assert!(reply.decoded() == plain.content);
    }
}

#[test]
fn the_head_for_head_is_that_for_get() {
    for (count, has_len) in [(10, true), (2_000, false)] {
        let entries = prepared(count);
        let got = get(&entries, "/", GZIP);
        let head = request("HEAD", &entries, "/", GZIP);
        assert_eq!(head.content, b"");
        assert_eq!(
            got.head.replace("\r\nTransfer-Encoding: chunked", ""),
            head.head
        );
        assert_eq!(got.field("Content-Length").is_some(), has_len);
        assert_eq!(got.field("Transfer-Encoding").is_some(), !has_len);
        if let Some(len) = got.field("Content-Length") {
            assert_eq!(len, got.content.len().to_string());
        }
    }
}

/// RFC 9110 §8.8.3.3, §13.1.2: each coding has its tag, and a client that has either is told so.
#[test]
fn each_coding_has_a_tag_that_revalidates() {
    let entries = prepared(10);
    let plain = get(&entries, "/", "")
        .field("ETag")
        .expect("a tag")
        .to_owned();
    let compressed = get(&entries, "/", GZIP)
        .field("ETag")
        .expect("a tag")
        .to_owned();
    assert_eq!(
        compressed,
        format!("W/{}-gz\"", plain.trim_end_matches('"'))
    );
    let status = |tag: &str, fields: &str| {
        let reply = get(&entries, "/", &format!("If-None-Match: {tag}\r\n{fields}"));
        let tag = reply.field("ETag").expect("a tag").to_owned();
        let vary = reply.head.contains("\r\nVary: Accept-Encoding\r\n");
        assert!(vary, "{}", reply.head);
        (reply.head[9..12].to_owned(), tag)
    };
    let unchanged = |tag: &str| ("304".to_owned(), tag.to_owned());
    assert_eq!(status(&compressed, GZIP), unchanged(&compressed));
    assert_eq!(status(&plain, GZIP), unchanged(&plain));
    assert_eq!(status(&plain, ""), unchanged(&plain));
    assert_eq!(status(&compressed, ""), ("200".to_owned(), plain));
}

/// Returns the reply to a request for the page, and how many pieces were compressed for it.
fn count_pieces(entries: &Arc<Entries>, target: &str) -> (Reply, usize) {
    let before = COMPRESSORS.get();
    let reply = get(entries, target, GZIP);
    (reply, COMPRESSORS.get() - before)
}

#[test]
fn a_piece_of_a_prepared_listing_is_compressed_once() {
    for (count, expected) in [(10, 1..2), (2_000, 4..7)] {
        let entries = prepared(count);
        let (first, pieces) = count_pieces(&entries, "/a/");
        assert!(expected.contains(&pieces), "{pieces}");
        let (second, pieces) = count_pieces(&entries, "/a/");
        assert_eq!(pieces, 0);
        assert!(first.content == second.content);
        // Only the first piece depends on the target.
        let (_, pieces) = count_pieces(&entries, "/another/name/");
        assert_eq!(pieces, 1);
    }
}

/// A client that asks for every order, by many targets, makes the cache grow only up to its limit.
#[test]
fn the_stored_pieces_are_limited() {
    let entries = prepared(1_000);
    for at in 0..100 {
        let target = format!(
            "/{at}/?sort={}",
            ["name", "size", "time", "size-desc"][at % 4]
        );
        let (reply, pieces) = count_pieces(&entries, &target);
        assert!(pieces > 0 && reply.field("ETag").is_some());
    }
    assert_eq!(count_pieces(&entries, "/99/?sort=size-desc").1, 0);
    assert!(
        count_pieces(&entries, "/0/?sort=name").1 > 0,
        "its piece has been removed"
    );
}

/// A compressed directory has no piece for a request that needs no content.
#[test]
fn nothing_is_compressed_for_a_304_or_the_head_of_a_long_listing() {
    let entries = prepared(2_000);
    let before = COMPRESSORS.get();
    let head = request("HEAD", &entries, "/", GZIP);
    assert_eq!(&head.head[9..12], "200");
    let unchanged = get(&entries, "/", &format!("{GZIP}If-None-Match: *\r\n"));
    assert_eq!(&unchanged.head[9..12], "304");
    assert_eq!(COMPRESSORS.get(), before);
}

/// A file system with one file, whose length was announced before it changed.
struct OneFile<'a> {
    name: &'a str,
    content: &'a [u8],
    announced: usize,
    /// The most bytes that one read returns.
    read_max: usize,
}

impl OneFile<'_> {
    fn open(&self, path: &Path) -> Got<()> {
        if path.as_bytes() != self.name.as_bytes() {
            return Got::Opened(Err(FsError::NotFound));
        }
        let meta = Meta::new(self.announced as u64).with_version(Some(FileVersion::new(7)));
        Got::Opened(Ok(Opened::File {
            file: (),
            meta,
            sendable: true,
        }))
    }

    /// Returns the reply to a request for the file, and how often it was read.
    fn get(&self, method: &str, fields: &str) -> (String, usize) {
        let mut files = files();
        files.settings_mut().compress_files = true;
        let request = format!(
            "{method} /{} HTTP/1.1\r\nHost: h\r\n{fields}\r\n",
            self.name
        );
        let mut conn = Connection::new(http11(), "192.0.2.1", files);
        let (mut rest, mut text, mut reads) = (request.as_bytes(), String::new(), 0);
        let mut got = Got::Nothing;
        let latin1 = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|&byte| char::from(byte))
                .collect::<String>()
        };
        loop {
            got = match conn.step(Now::default(), got).want {
                Want::Read(into) => {
                    let n = rest.len().min(into.len());
                    into[..n].copy_from_slice(&rest[..n]);
                    rest = &rest[n..];
                    Got::Bytes(n)
                }
                Want::Write(from) => {
                    // A slow client.
                    let n = from.len().min(1_000);
                    text += &latin1(&from[..n]);
                    Got::Bytes(n)
                }
                Want::ReadFile { at, into, .. } => {
                    reads += 1;
                    let left = self.content.get(at as usize..).unwrap_or_default();
                    let n = left.len().min(into.len()).min(self.read_max);
                    into[..n].copy_from_slice(&left[..n]);
                    Got::Bytes(n)
                }
                Want::Copy { at, len, .. } => {
                    text += &latin1(&self.content[at as usize..][..len as usize]);
                    Got::Bytes(len as usize)
                }
                Want::Ask(Ask::Open(path)) => self.open(path),
                Want::Ask(_) => Got::Opened(Err(FsError::Unsupported)),
                Want::Close => return (text, reads),
                _ => Got::Nothing,
            };
        }
    }
}

/// Text of this length that does not become much shorter.
fn text(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let letter = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"ab cdefgh\nijklmnopqrstuvwxyz0123"[(state >> 27) as usize]
    };
    (0..len).map(letter).collect()
}

const PIECE: usize = 64 * 1024;
const MIB: usize = 1024 * 1024;

#[test]
fn a_compressed_file_is_the_plain_one() {
    for len in [512, 8_192, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, MIB] {
        let (content, name) = (text(len), "a.txt");
        let file = OneFile {
            name,
            content: &content,
            announced: len,
            read_max: usize::MAX,
        };
        let (reply, _) = file.get("GET", GZIP);
        assert!(parse(&reply).decoded() == content, "{len}");
        let (head, reads) = file.get("HEAD", GZIP);
        assert_eq!(reads, 0, "HEAD reads nothing");
        let head_of_get = parse(&reply).head;
        assert_eq!(
            head_of_get.replace("\r\nTransfer-Encoding: chunked", ""),
            parse(&head).head
        );
    }
}

/// A read may return fewer bytes than it was asked for. Equal files give equal replies in any case.
#[test]
fn the_lengths_of_the_reads_change_no_byte_of_a_compressed_file() {
    let content = text(3 * PIECE + 100);
    let reply = |read_max| {
        let file = OneFile {
            name: "a.txt",
            content: &content,
            announced: content.len(),
            read_max,
        };
        parse(&file.get("GET", GZIP).0).content
    };
    let whole = reply(usize::MAX);
    for read_max in [1_000, 4_096, 6_505, 60_000] {
        assert!(reply(read_max) == whole, "{read_max}");
    }
}

#[test]
fn only_text_of_a_useful_length_is_compressed() {
    let is_compressed = |name: &str, len: usize| {
        let content = text(len);
        let file = OneFile {
            name,
            content: &content,
            announced: len,
            read_max: usize::MAX,
        };
        let reply = parse(&file.get("GET", GZIP).0);
        assert!(
            reply.head.contains("\r\nVary: Accept-Encoding\r\n"),
            "{}",
            reply.head
        );
        match reply.field("Content-Encoding") {
            Some(_) => true,
            None => {
                assert!(reply.content == content, "{name}");
                assert_eq!(reply.field("Accept-Ranges"), Some("bytes"));
                false
            }
        }
    };
    for name in [
        "a.html", "a.css", "a.js", "a.json", "a.svg", "a.xml", "a.wasm", "a.csv", "a.md",
    ] {
        assert!(is_compressed(name, 1_000), "{name}");
    }
    for name in [
        "a.png", "a.zip", "a.pdf", "a.mp4", "a.tar.gz", "a.woff2", "a",
    ] {
        assert!(!is_compressed(name, 1_000), "{name}");
    }
    for (len, expected) in [(511, false), (512, true), (MIB, true), (MIB + 1, false)] {
        assert_eq!(is_compressed("a.txt", len), expected, "{len}");
    }
}

#[test]
fn a_file_that_became_shorter_breaks_the_reply_off() {
    for len in [0, 1_000, PIECE, PIECE + 1_000] {
        let file = OneFile {
            name: "a.txt",
            content: &text(len),
            announced: 2 * PIECE,
            read_max: usize::MAX,
        };
        let (reply, _) = file.get("GET", GZIP);
        let is_error = reply.starts_with("HTTP/1.1 500 ");
        assert!(is_error || !reply.ends_with("\r\n0\r\n\r\n"), "{len}");
    }
}

#[test]
fn of_a_file_that_became_longer_the_announced_part_is_sent() {
    let content = text(2 * PIECE);
    let file = OneFile {
        name: "a.txt",
        content: &content,
        announced: PIECE + 1,
        read_max: usize::MAX,
    };
    let (reply, _) = file.get("GET", GZIP);
    assert!(parse(&reply).decoded() == content[..=PIECE]);
}
