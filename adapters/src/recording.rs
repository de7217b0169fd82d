//! [`Recorder`]: writes what the connections of a server do to a file, which can be replayed.
//!
//! Each server has a loop around [`Connection::step`](sanserve_core::Connection::step), which passes each answer to the
//! [`ConnectionRecorder`] of the connection before the step that takes it. The recorder asks the connection what was
//! answered: [`Connection::pending_want`](sanserve_core::Connection::pending_want). Without a recording it is empty, and
//! the loop makes one comparison for each step.

mod connection;
mod message;
mod notation;
mod secrets;
mod sink;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portable_atomic::AtomicU64;
use sanserve_core::Config;

use self::connection::ConnectionRecord;
pub(crate) use self::connection::{Call, ConnectionRecorder};
use self::secrets::SecretNames;
use self::sink::Sink;

/// Records the connections of a server to a file: what was read, the answers of the file system
/// and the clock, and what was written. `sanserve-replay` of `sanserve-conformance` feeds it to the engine again, and
/// shows which replies differ.
///
/// Content is left out unless [`RecorderSettings::content`] is set; only its length is recorded. Passwords, cookies and
/// similar secrets in heads are always removed.
///
/// Recording never delays or ends serving. If events come faster than they can be written, if the disk is full or if the
/// file has reached [`RecorderSettings::max_bytes`], events are dropped and [counted](Self::dropped).
///
/// ```
/// use sanserve_server::{Recorder, RecorderSettings, ThreadingHTTPServer};
///
/// # fn main() -> std::io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("traffic.txt");
/// let recorder = Recorder::create(path, RecorderSettings::default())?;
/// let server = ThreadingHTTPServer::bind("127.0.0.1:0")?.with_recorder(&recorder);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

/// What a [`Recorder`] writes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecorderSettings {
    /// Whether content is recorded, with all secrets in it. Files are then read rather than sent by reference. Off by
    /// default.
    pub content: bool,
    /// The maximum length of the file in bytes; later events are dropped. 1 GiB (1,073,741,824) by default.
    pub max_bytes: u64,
    /// Names of fields and of parameters in targets, in any case, whose values are removed in addition to those that
    /// are removed anyway. None by default.
    pub secret_names: Vec<String>,
}

struct Shared {
    sink: Arc<Sink>,
    names: SecretNames,
    content: bool,
    /// The number of connections so far.
    connections: AtomicU64,
}

impl Recorder {
    /// Creates the file, readable only for its owner.
    ///
    /// # Errors
    /// If the file exists or cannot be created or written, or no thread can be started.
    pub fn create(path: impl AsRef<Path>, settings: RecorderSettings) -> io::Result<Recorder> {
        Ok(Recorder(Arc::new(Shared {
            sink: Sink::create(path.as_ref(), settings.max_bytes, HEADER)?,
            names: SecretNames::new(&settings.secret_names),
            content: settings.content,
            connections: AtomicU64::new(0),
        })))
    }

    /// Adds a note, such as a setting of the handler, which the replay needs. If the value is a field, `NAME: VALUE`,
    /// with a secret name, its value is removed.
    pub fn note(&self, name: &str, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        self.0.names.clean_note(&mut bytes);
        let mut line = String::from("note\t");
        notation::push(&mut line, name.as_bytes());
        line.push('\t');
        notation::push(&mut line, &bytes);
        line.push('\n');
        self.0.sink.push(&line);
    }

    /// Returns the number of events that were dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.sink.dropped()
    }

    /// Ends the file, and waits until it is written, for at most `within`. Call it before the process ends, because that
    /// does not wait for it. Later events are dropped. The file is also ended when the last clone of the recorder and
    /// all connections are dropped.
    pub fn close(&self, within: Duration) {
        self.0.sink.close(within);
    }

    /// Returns the recorder of a new connection. `peer` is the peer's address as log lines show it.
    pub(crate) fn connection(&self, peer: &str, config: &Config) -> ConnectionRecorder {
        let number = self.0.connections.fetch_add(1, Ordering::Relaxed);
        ConnectionRecorder::new(ConnectionRecord::new(self.clone(), number, peer, config))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.sink.close(CLOSE_TIMEOUT);
    }
}

impl Default for RecorderSettings {
    fn default() -> RecorderSettings {
        RecorderSettings {
            content: false,
            max_bytes: 1 << 30,
            secret_names: Vec::new(),
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Recorder").finish_non_exhaustive()
    }
}

/// The first line of a recording.
const HEADER: &str = "# sanserve recording 1\n";

/// How long dropping a recorder waits for its file.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
