//! Runs a connection whose peer sends all its input at the start, with a file system of the test.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test uses its own part of this"
)]

use std::sync::Arc;
use std::time::Duration;

use sanserve_core::{
    Ask, Config, Connection, Entries, Entry, Exchange, FsError, Got, Handler, Next, Now, Protocol,
    Want, from_fn,
};

pub fn http11() -> Config {
    Config::default().with_protocol(Protocol::Http11)
}

/// The result of such a connection.
#[derive(Default)]
pub struct Outcome {
    pub text: String,
    pub log: String,
    /// The largest number of bytes in one write.
    pub most: usize,
}

/// Runs a connection whose peer sends `input` and closes its side. Files cannot be read.
pub fn drive<H: Handler>(
    config: Config,
    handler: H,
    input: &[u8],
    fs: impl Fn(&Ask) -> Got<()>,
) -> Outcome {
    let (mut rest, mut said, mut got) = (input, Outcome::default(), Got::Nothing);
    let mut conn = Connection::new(config, "192.0.2.1", handler);
    let now = Now {
        tick: Duration::ZERO,
        unix: Some(0),
    };
    loop {
        got = match conn.step(now, got).want {
            Want::Read(into) => {
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                said.most = said.most.max(from.len());
                said.text.extend(from.iter().map(|&byte| char::from(byte)));
                Got::Bytes(from.len())
            }
            Want::ReadFile { .. } | Want::Copy { .. } => Got::Refused(FsError::Io),
            Want::Ask(ask) => fs(ask),
            Want::Log(lines) => {
                said.log += lines;
                Got::Nothing
            }
            Want::Shutdown => Got::Nothing,
            Want::Wait => Got::Woken,
            Want::WriteFile { .. } | Want::Commit { .. } => unreachable!("no script is run"),
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Close => return said,
        };
    }
}

pub fn no_files(_: &Ask) -> Got<()> {
    Got::Opened(Err(FsError::NotFound))
}

pub fn entry(name: &[u8]) -> Entry<'_> {
    Entry {
        name,
        ..Entry::default()
    }
}

/// A root with these names and without an index page.
pub fn holds(names: &[&[u8]]) -> impl Fn(&Ask) -> Got<()> {
    let entries: Entries = names.iter().map(|name| entry(name)).collect();
    let entries = Arc::new(entries);
    move |ask| match ask {
        Ask::Open(_) => Got::Opened(Err(FsError::NotFound)),
        Ask::List(_) => Got::Listed(Ok(entries.clone())),
        _ => unreachable!("no script is run"),
    }
}

/// Returns what a handler sends in reply to one HTTP/1.1 request.
pub fn reply(handler: fn(&mut Exchange<'_>) -> Next) -> String {
    drive(
        http11(),
        from_fn(handler),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        no_files,
    )
    .text
}
