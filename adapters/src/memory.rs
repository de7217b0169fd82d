//! The memory adapter: [`run`] runs a connection without I/O. Its files come from a [`Tree`], a
//! [`WritableTree`] or any other [`FileSystem`], its peer is a [`PeerScript`], and its clock is a number.
//!
//! It is meant for tests, and to see what a connection does: it is the smallest adapter, and the same script
//! results in the same [`Transcript`] on every machine.

mod pending_file;
mod process;
mod tree;
mod writable_tree;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use sanserve_core::{Connection, FileSystem, FsError, Got, Handler, Now, Step, Want};

pub use self::pending_file::{OpenUpload, PendingFile};
pub use self::process::{FakeProcess, ProcessOutput, RunningProcess};
pub use self::tree::{File, Tree};
pub use self::writable_tree::WritableTree;

/// The behaviour of the peer.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "tests write it as a literal")]
pub struct PeerScript<'a> {
    /// The bytes that it sends, as fast as they are read.
    pub input: &'a [u8],
    /// What follows: the end of the input if set, otherwise silence. The peer never stops reading.
    pub half_close: bool,
}

/// What the peer received, and what was logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transcript {
    /// All bytes sent to the peer.
    pub bytes: Vec<u8>,
    /// All log lines, each ended by a newline.
    pub log: String,
    /// Whether the peer was told that nothing more comes, before the connection closed.
    pub shutdown: bool,
    /// The duration. Time passes only while the peer is silent.
    pub elapsed: Duration,
}

/// Runs a connection from its first step to its end.
///
/// Whenever bytes are read, written or copied, `pace` gets the possible number and returns the actual one, at
/// least 1. It must not affect the transcript. The connection starts at [`START`].
///
/// ```
/// use sanserve_server::memory::{PeerScript, Tree, run};
/// use sanserve_core::{Config, Connection, Files};
///
/// let tree = Tree::new().file("a.txt", 0, "hello\n");
/// let mut conn = Connection::new(Config::default(), "192.0.2.1", Files::new());
/// let script = PeerScript { input: b"GET /a.txt HTTP/1.0\r\n\r\n", half_close: true };
/// let transcript = run(&mut conn, &tree, script, |_| 1); // byte by byte
/// assert!(transcript.bytes.ends_with(b"\r\n\r\nhello\n"));
/// assert!(transcript.log.ends_with("\"GET /a.txt HTTP/1.0\" 200 -\n"));
/// ```
///
/// # Panics
/// If `pace` returns another number, or if the connection waits for a silent peer without a deadline.
pub fn run<FS: FileSystem, H: Handler>(
    conn: &mut Connection<FS::File, H>,
    files: &FS,
    script: PeerScript<'_>,
    mut pace: impl FnMut(usize) -> usize,
) -> Transcript {
    let mut pace = |len: usize| {
        let n = pace(len);
        assert!(
            (1..=len).contains(&n),
            "the pace must be from 1 to {len}, not {n}"
        );
        n
    };
    let mut transcript = Transcript::default();
    let mut input = script.input;
    let mut got = Got::Nothing;
    loop {
        let Step { want, deadline, .. } = conn.step(now(transcript.elapsed), got);
        got = match want {
            Want::Read(_) if input.is_empty() && !script.half_close => {
                let deadline = deadline.expect("every wait for the peer has a deadline");
                transcript.elapsed = transcript.elapsed.max(deadline);
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
                transcript.bytes.extend_from_slice(&from[..n]);
                Got::Bytes(n)
            }
            Want::ReadFile { file, at, into } => {
                let n = pace(into.len());
                files.fill(file, at, &mut into[..n])
            }
            Want::Copy { file, at, len } => {
                let mut chunk =
                    vec![0; usize::try_from(len).map_or(COPY_CHUNK, |len| len.min(COPY_CHUNK))];
                match files.read(file, at, &mut chunk) {
                    Ok(len) => {
                        let n = if len == 0 { 0 } else { pace(len) };
                        transcript.bytes.extend_from_slice(&chunk[..n]);
                        Got::Bytes(n)
                    }
                    Err(_) => Got::Refused(FsError::Io),
                }
            }
            Want::WriteFile { file, from } => files.answer_write(file, from),
            Want::Commit { file } => Got::Committed(files.commit(file)),
            Want::Ask(ask) => files.answer(ask),
            Want::Wait => {
                transcript.elapsed = transcript
                    .elapsed
                    .max(deadline.expect("every wait has a deadline"));
                Got::Nothing
            }
            Want::Upgrade => unreachable!("no upgrade is allowed"),
            Want::Log(lines) => {
                transcript.log.push_str(lines);
                Got::Nothing
            }
            Want::Shutdown => {
                transcript.shutdown = true;
                Got::Nothing
            }
            Want::Close => return transcript,
        };
    }
}

fn now(elapsed: Duration) -> Now {
    Now {
        tick: elapsed,
        unix: Some(START + elapsed.as_secs() as i64),
    }
}

/// The time when each run begins: 2026-01-01 00:00 UTC, a Thursday, in seconds since 1970.
pub const START: i64 = 1_767_225_600;

/// The number of bytes read at a time from a file that is sent by reference.
const COPY_CHUNK: usize = 64 * 1024;
