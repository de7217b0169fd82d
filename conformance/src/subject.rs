//! What is put to the test: anything that can be talked to and says what it answered.
//!
//! Whether the answer is right is left to [`judge`](crate::judge).

use crate::case::Case;
use crate::pace::Pace;

/// What a conversation left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// Every byte that the server sent, up to the end of the connection.
    pub bytes: Vec<u8>,
    /// The lines that the server logged, whole, without their newline.
    pub log: Vec<String>,
}

/// One port of the server, to be judged by [`run`](crate::run).
pub trait Subject {
    /// What to call it in a report.
    fn name(&self) -> &str;

    /// Opens a new connection to a server set up as the case says (its `options` and `handler`,
    /// serving [`Site::standard`](crate::Site::standard)), sends `case.request` cut as `pace` says,
    /// half-closes if `case.half_close`, and reads to the end.
    ///
    /// A panic is reported as a failure of the case and the run goes on. Nothing here ends a
    /// conversation that hangs: a subject whose link can wait for ever sets its own limit.
    fn converse(&mut self, case: &Case, pace: Pace) -> Transcript;
}
