//! A connection over nothing: its files from a [`Tree`], a [`WritableTree`] or any other [`FileSystem`], its peer a [`PeerScript`], its clock a number.
//!
//! For tests, and for whoever wants to see what a connection does: it is the smallest adapter, and
//! the same script gives the same [`Transcript`] on every machine.

mod pending_file;
mod process;
mod tree;
mod writable_tree;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use sanserve_core::{Connection, FileSystem, FsError, Got, Handler, Now, Step, Want};

pub use self::pending_file::PendingFile;
pub use self::process::{FakeProcess, ProcessOutput, RunningProcess};
pub use self::tree::{File, Tree};
pub use self::writable_tree::WritableTree;

/// What the peer does.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "tests write it as a literal")]
pub struct PeerScript<'a> {
    /// What it sends, as fast as it is taken.
    pub input: &'a [u8],
    /// What comes after that: the end of the input if set, or else silence. It never stops reading.
    pub half_close: bool,
}

/// What the peer saw, and what was said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transcript {
    /// All that was sent to the peer.
    pub bytes: Vec<u8>,
    /// All log lines, each ended by a newline.
    pub log: String,
    /// Whether the peer was told that nothing more comes, before the connection closed.
    pub shutdown: bool,
    /// How long it took. Time passes only while the peer is silent.
    pub elapsed: Duration,
}

/// Carries a connection from its first step to its end.
///
/// `pace` is asked how many of `n` bytes go through at once, whenever bytes are read, written,
/// filled in or copied, and answers 1 to `n`. Whatever it answers, the transcript must not differ.
/// The connection starts at [`START`].
///
/// ```
/// use sanserve_server::memory::{PeerScript, Tree, run};
/// use sanserve_core::{Config, Connection, Files};
///
/// let tree = Tree::new().file("a.txt", 0, "hello\n");
/// let mut conn = Connection::new(Config::default(), "192.0.2.1", Files::new());
/// let script = PeerScript { input: b"GET /a.txt HTTP/1.0\r\n\r\n", half_close: true };
/// let said = run(&mut conn, &tree, script, |_| 1); // byte by byte
/// assert!(said.bytes.ends_with(b"\r\n\r\nhello\n"));
/// assert!(said.log.ends_with("\"GET /a.txt HTTP/1.0\" 200 -\n"));
/// ```
///
/// # Panics
/// If `pace` answers anything else, or if the connection waits for a silent peer without an end.
pub fn run<FS: FileSystem, H: Handler>(
    conn: &mut Connection<FS::File, H>,
    files: &FS,
    script: PeerScript<'_>,
    mut pace: impl FnMut(usize) -> usize,
) -> Transcript {
    let mut pace = |len: usize| {
        let n = pace(len);
        assert!((1..=len).contains(&n), "{n} of {len} bytes is no pace");
        n
    };
    let mut said = Transcript::default();
    let mut input = script.input;
    let mut got = Got::Nothing;
    loop {
        let Step {
            want, deadline: by, ..
        } = conn.step(now(said.elapsed), got);
        got = match want {
            Want::Read(_) if input.is_empty() && !script.half_close => {
                let by = by.expect("every wait for the peer has a deadline");
                said.elapsed = said.elapsed.max(by);
                Got::Nothing
            }
            Want::Read(_) if input.is_empty() => Got::Bytes(0),
            Want::Read(into) => {
                let n = pace(into.len().min(input.len()));
                into[..n].copy_from_slice(&input[..n]);
                input = &input[n..];
                Got::Bytes(n)
            }
            Want::Write(from) => {
                let n = pace(from.len());
                said.bytes.extend_from_slice(&from[..n]);
                Got::Bytes(n)
            }
            Want::ReadFile { file, at, into } => {
                let n = pace(into.len());
                files.fill(file, at, &mut into[..n])
            }
            Want::Copy { file, at, len } => {
                let mut piece = vec![0; usize::try_from(len).map_or(PIECE, |len| len.min(PIECE))];
                match files.read(file, at, &mut piece) {
                    Ok(len) => {
                        let n = if len == 0 { 0 } else { pace(len) };
                        said.bytes.extend_from_slice(&piece[..n]);
                        Got::Bytes(n)
                    }
                    Err(_) => Got::Refused(FsError::Io),
                }
            }
            Want::WriteFile { file, from } => files.answer_write(file, from),
            Want::Commit { file } => Got::Committed(files.commit(file)),
            Want::Ask(ask) => files.answer(ask),
            Want::Wait => {
                said.elapsed = said.elapsed.max(by.expect("every wait has a deadline"));
                Got::Nothing
            }
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Log(lines) => {
                said.log.push_str(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                said.shutdown = true;
                Got::Nothing
            }
            Want::Close => return said,
        };
    }
}

fn now(elapsed: Duration) -> Now {
    Now {
        tick: elapsed,
        unix: Some(START + elapsed.as_secs() as i64),
    }
}

/// When every conversation begins: 2026-01-01 00:00 UTC, a Thursday, in seconds since 1970.
pub const START: i64 = 1_767_225_600;

/// Bytes that are read of a file at once where it is sent by reference.
const PIECE: usize = 64 * 1024;
