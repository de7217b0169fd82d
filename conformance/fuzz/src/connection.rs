//! The fuzz target for a whole connection. Checks that it ends, and that the reply and the log do not depend on the
//! sizes of reads and writes.
//!
//! The first byte of the input selects the server, and the second is the number of following bytes that are sizes; the
//! rest is sent by the peer. No server replies before it has read the whole request: otherwise the amount that it
//! sends before it detects invalid content would depend on the sizes.

use sanserve_conformance::{Case, case};
use sanserve_core::{Connection, wire};
use sanserve_server::memory::{self, PeerScript, ProcessOutput, Transcript, Tree};

/// Checks one conversation.
pub fn check(data: &[u8]) {
    let [choice, count, rest @ ..] = data else {
        return;
    };
    let (sizes, input) = rest.split_at(rest.len().min(usize::from(*count)));
    let whole = run(*choice, input, |n| n);
    let pieces = run(*choice, input, limit(sizes));
    assert_eq!(visible(&whole), visible(&pieces), "in pieces");
    let bytes = run(*choice, input, |_| 1);
    assert_eq!(visible(&whole), visible(&bytes), "byte by byte");
}

/// Returns a function that limits lengths to these sizes in turn. 0 means no limit.
fn limit(sizes: &[u8]) -> impl FnMut(usize) -> usize {
    let mut sizes = sizes.iter().cycle();
    move |n| match sizes.next() {
        None | Some(0) => n,
        Some(&size) => n.min(usize::from(size)),
    }
}

fn run(choice: u8, input: &[u8], limit: impl FnMut(usize) -> usize) -> Transcript {
    let case = server(choice);
    let mut config = case.config();
    if choice & 0x40 != 0 {
        config.limits = config.limits.with_outbox(512).with_head(
            wire::Limits::new()
                .with_request_line(100)
                .with_field_bytes(200),
        );
    }
    let tree = tree().sendable(choice & 0x20 != 0);
    let mut conn = Connection::new(config, "192.0.2.1", case.handler());
    let half_close = choice & 0x80 == 0;
    memory::run(&mut conn, &tree, PeerScript { input, half_close }, limit)
}

fn server(choice: u8) -> Case {
    let lines = SERVERS[usize::from(choice & 0x1f) % SERVERS.len()];
    let mut cases = case::read("server", &format!("case fuzz\n{lines}"));
    cases.pop().expect("one case")
}

fn tree() -> Tree {
    let echo = |_: &_, stdin: &[u8]| ProcessOutput {
        stdout: [b"Content-Type: text/plain\nStatus: 201\n\n", stdin].concat(),
        ..ProcessOutput::default()
    };
    Tree::new()
        .file("file.txt", 1_577_836_800, "hello\n")
        .file("big.bin", 1_577_836_800, vec![b'x'; 3000])
        .file("empty.bin", 1_577_836_800, "")
        .file("dir/<a>&b", 1_577_836_800, "hello\n")
        .file("sub/index.html", 1_577_836_800, "<p>\n")
        .script("cgi-bin/echo", echo)
}

/// Returns what must not differ.
fn visible(transcript: &Transcript) -> (String, &str, bool) {
    let text = transcript.bytes.escape_ascii().to_string();
    (text, &transcript.log, transcript.shutdown)
}

/// The servers, as in case files.
const SERVERS: [&str; 6] = [
    "handler files\noption protocol HTTP/1.1",
    "handler files\noption protocol HTTP/1.0",
    "handler echo\noption protocol HTTP/1.1\noption drain 20\noption content 30",
    "handler python\noption protocol HTTP/1.1\noption drain 20",
    "handler cgi\noption protocol HTTP/1.0",
    "handler files\noption protocol HTTP/1.1\noption drain 20\noption requests 3",
];

/// The requests of all cases, each with some server.
pub fn seeds() -> Vec<Vec<u8>> {
    let cases = case::all().into_iter().enumerate();
    let seeds = cases.map(|(at, case)| [&[at as u8, 3, 7, 0, 200], &*case.request].concat());
    seeds.filter(|seed| seed.len() < 4096).collect()
}
