//! [`Fault`]: a fault that can be planted into the port.

/// A fault of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The port is correct.
    None,
    /// A partial write loses one byte.
    LosesByteOfPartialWrite,
    /// A partial write sends one byte twice.
    DoublesByteOfPartialWrite,
    /// The two bytes after a partial write are exchanged.
    ReordersBytesAfterPartialWrite,
    /// A partial write is answered with the full count.
    AnswersPartialWriteWithFullCount,
    /// A write that would block is answered with the full count.
    AnswersBlockedWriteWithFullCount,
    /// A write that would block counts as a broken transport.
    TakesBlockedWriteForFailure,
    /// Everything is written to the oldest open connection.
    WritesToOldestConnection,
    /// The count of a read is too small by one.
    CountsOneByteTooFew,
    /// The count of a read is larger than the buffer, and the panic that follows ends only the thread.
    AnswersMoreThanLent,
    /// A read that is cancelled at its deadline takes the next byte with it.
    LosesByteOfCancelledRead,
    /// The end of the peer's input is answered with `Nothing`.
    AnswersEndOfInputWithNothing,
    /// A read is answered with `Failed` at its deadline.
    FailsReadAtDeadline,
    /// A read is answered with the end of the input at its deadline.
    EndsInputAtDeadline,
    /// Reads have no deadline.
    WaitsForeverToRead,
    /// The monotonic clock stands still.
    StopsClock,
    /// The monotonic clock runs a thousand times too fast.
    ClockIsInWrongUnit,
    /// The date is unknown.
    HasNoDate,
    /// The peer's address contains a space.
    WritesAddressWithSpace,
    /// Files are read from their beginning, whatever the offset.
    ReadsFileFromStart,
    /// Files are read from the byte after the offset.
    ReadsFileFromNextByte,
    /// Files that are sent by reference are sent from their beginning.
    CopiesFileFromStart,
    /// The count of a file that is sent by reference is that which was wanted.
    AnswersPartialCopyWithFullCount,
    /// The count of a file that is sent by reference is too large by one.
    CountsOneByteTooManyInCopy,
    /// Lines on the standard error of a CGI process are lost.
    DropsNotes,
    /// Uploaded content is not written.
    IgnoresWriteFile,
    /// Uploaded content is written in part, and counted in full.
    AnswersPartialWriteFileWithFullCount,
    /// Uploaded files are not given their names.
    IgnoresCommit,
    /// A wake before `Want::Wait` is lost.
    LosesEarlyWake,
    /// A waiting connection is never told that it was woken.
    IgnoresWait,
    /// Log lines are lost.
    DropsLog,
    /// Log lines are printed twice.
    LogsTwice,
    /// The connection is not half-closed.
    IgnoresShutdown,
    /// The connection is closed instead of half-closed.
    ClosesAtShutdown,
    /// The socket is never closed.
    LeaksSocket,
    /// One connection is served at a time.
    ServesOneConnectionAtATime,
    /// A broken connection is never reported.
    NeverReportsReset,
    /// That the peer has closed its side is never reported.
    NeverReportsClose,
    /// The end of the peer's input counts as a broken connection during work.
    TakesCloseForReset,
    /// The port ignores that it is told to stop.
    IgnoresFinish,
    /// The port closes all connections when it is told to stop.
    ClosesAtFinish,
    /// The port reads nothing more when it is told to stop.
    StopsReadingAtFinish,
    /// Writes have no deadline.
    WaitsForeverToWrite,
    /// Files that are sent by reference have no deadline.
    WaitsForeverToCopy,
    /// Reads have no deadline after the last reply.
    WaitsForeverToLinger,
    /// After the last reply everything is read until the peer closes.
    LingersUntilEnd,
    /// The socket is not closed if it was half-closed before.
    LeaksSocketAfterShutdown,
    /// The deadline of the first write applies to all that follow.
    StoresFirstDeadline,
    /// A wake is only noticed if it came before the wait.
    LosesLateWake,
    /// Only the first wake of a connection is noticed.
    IsWokenOnce,
    /// A wait ends only with a wake.
    WaitsForeverForWake,
    /// Everything is read from the oldest open connection.
    ReadsFromOldestConnection,
    /// The count of a file that is sent by reference is too small by one.
    CountsOneByteTooFewInCopy,
    /// A file that is sent by reference is sent to its end, whatever the range.
    CopiesBeyondRange,
    /// Only the first of several log lines is printed.
    PrintsFirstLineOnly,
    /// Log lines are printed together with the next ones.
    PrintsLogLate,
    /// Writes are buffered until the connection is half-closed or closed.
    BuffersUntilClose,
    /// Writes are buffered until the next read, and lost if there is none.
    DropsBufferAtClose,
    /// The end of the peer's input is answered with `Failed`.
    TakesEndOfInputForFailure,
    /// A read that would block is answered with the end of the input.
    AnswersNothingToReadWithEnd,
    /// Bytes that were read, but do not fit into the buffer, are lost.
    LosesBytesBeyondBuffer,
    /// Files are held open after their replies.
    HoldsFilesOpen,
    /// The engine's panic about a wrong count is caught, and a new connection continues with the socket.
    RestartsAfterPanic,
    /// The monotonic clock starts again every 100 ms.
    ClockGoesBack,
    /// The monotonic clock stands still while nothing happens.
    ClockStopsWhileWaiting,
    /// The date is counted from the start of the connection.
    DateIsWrong,
    /// Every path opens the file that was opened first.
    OpensFirstFileOnly,
    /// Directories are empty.
    ListsNothing,
    /// Every password is right.
    VerifiesAnyPassword,
    /// The bytes that came with the request are not passed to the next protocol.
    LosesEarlyBytes,
    /// The bytes that came with the request are passed to the next protocol twice.
    DoublesEarlyBytes,
    /// The bytes that came with the request are passed to the next protocol after all others.
    ReadsEarlyBytesLast,
    /// The bytes after a 101 are parsed as HTTP.
    ParsesUpgradedAsHttp,
    /// The deadline of an idle connection applies to the next protocol.
    KeepsDeadlineAfterUpgrade,
    /// The end of the peer's input is not passed to the next protocol.
    IgnoresEndOfUpgraded,
    /// The socket is not closed when the next protocol ends.
    LeaksUpgradedSocket,
    /// Upgraded connections are closed when the port is told to stop.
    ClosesUpgradedAtFinish,
}
