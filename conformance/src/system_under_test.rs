//! Systems under test: functions that run one case and return the observed reply and log.
//!
//! [`servers`] makes one from a function that starts a server, [`clients`] from a function that connects, and
//! [`pipes`](crate::pipes) from a loop that serves one connection. The [`oracle`](crate::oracle) checks the result.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::{Case, Client, Fragmentation, Log, Pace};
use crate::{date, pace::Neighbour};

/// The observed result of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// All bytes that the server sent until the connection ended.
    pub bytes: Vec<u8>,
    /// The lines that the server logged, without newlines.
    pub log: Vec<String>,
}

impl Observed {
    /// Creates a result from bytes and log lines, each ended by a newline.
    #[must_use]
    pub fn new(bytes: Vec<u8>, log: &str) -> Self {
        let log = log.lines().map(str::to_owned).collect();
        Self { bytes, log }
    }
}

/// Runs each case on a new connection. `connect` connects to a server that is set up for the case. It also returns a
/// function that returns the log when the conversation has ended. The log of a client that [hangs up](Case::hangs_up)
/// is complete only a moment later.
pub fn clients<L: FnOnce() -> String>(
    mut connect: impl FnMut(&Case) -> io::Result<(Client, L)>,
) -> impl FnMut(&Case, Fragmentation) -> Observed {
    move |case, fragmentation| {
        let mut connect = || connect(case).expect("the server accepts a connection");
        let neighbour = case.pace.neighbour.is_some().then(&mut connect);
        let (neighbour, neighbour_log) = neighbour.unzip();
        let (client, log) = connect();
        let bytes = converse(case, fragmentation, client, neighbour);
        // The lines of both connections, whether or not each has a log of its own.
        let logs = [Some(log), neighbour_log].into_iter().flatten();
        let log: String = logs.map(|log| log()).collect();
        Observed::new(bytes.expect("the connection does not fail"), &log)
    }
}

/// Runs a case with this client, and with another one if the case has a neighbour. Returns what the first receives.
pub(crate) fn converse(
    case: &Case,
    fragmentation: Fragmentation,
    client: Client,
    neighbour: Option<Client>,
) -> io::Result<Vec<u8>> {
    let neighbour = case.pace.neighbour.as_ref().zip(neighbour);
    let Some((Neighbour { request, reply_end }, mut other)) = neighbour else {
        return client.converse(case, fragmentation);
    };
    let (first, last) = request.split_at(request.len().saturating_sub(1));
    other.send(first)?;
    let bytes = client.converse(case, fragmentation)?;
    let pace = Pace {
        within: case.pace.within,
        ..Pace::default()
    };
    let reply = other.send_and_read(last, true, &pace, fragmentation)?;
    let is_expected = match request.is_empty() {
        true => reply.is_empty(),
        false => reply.ends_with(reply_end),
    };
    let reply = reply.escape_ascii();
    assert!(is_expected, "the other client received \"{reply}\"");
    Ok(bytes)
}

/// A server that was started for a case.
#[derive(Clone)]
pub struct StartedServer {
    address: SocketAddr,
    stop: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl StartedServer {
    /// Creates a server that listens on this address. `stop` tells it to stop: it makes the current reply of each
    /// connection the last ([`Connection::finish`](sanserve_core::Connection::finish)). The cases that
    /// [stop the server](Case::stops) call it on a thread of its own, so it may wait until the server has stopped.
    ///
    /// For a server that cannot be stopped, return its address in place of this, and leave these cases out.
    pub fn new(address: SocketAddr, stop: impl Fn() + Send + Sync + 'static) -> Self {
        let stop: Arc<dyn Fn() + Send + Sync> = Arc::new(stop);
        Self {
            address,
            stop: Some(stop),
        }
    }
}

impl From<SocketAddr> for StartedServer {
    fn from(address: SocketAddr) -> Self {
        Self {
            address,
            stop: None,
        }
    }
}

impl fmt::Debug for StartedServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("StartedServer");
        out.field("address", &self.address).finish_non_exhaustive()
    }
}

/// Runs each case on a connection to a listening server. `start` starts a server with the case's
/// [`config`](Case::config) and [`handler`](Case::handler): one for all cases with the same setup, and one for each
/// conversation that [stores](Case::stores) files or [stops](Case::stops) the server. It may run until the process
/// ends. `start` returns the address, or a [`StartedServer`]. `connect` is [`Client::connect`] or a function that adds
/// a layer, such as TLS. The date of the replies must be within a day of this machine's.
pub fn servers<S: Into<StartedServer>>(
    mut start: impl FnMut(&Case, Log) -> io::Result<S>,
    mut connect: impl FnMut(SocketAddr) -> io::Result<Client>,
) -> impl FnMut(&Case, Fragmentation) -> Observed {
    let mut started = HashMap::new();
    let mut run_case = clients(move |case| {
        let setup = (case.handler.clone(), case.options.clone());
        let mut start = || {
            let log = Log::default();
            let server = start(case, log.clone()).expect("the server starts");
            (server.into(), log)
        };
        let (server, log): (StartedServer, _) = match case.stores || case.stops() {
            true => start(),
            false => started.entry(setup).or_insert_with(start).clone(),
        };
        let mut client = connect(server.address)?;
        if let Some(stop) = server.stop {
            client = client.with_stop(move || stop());
        }
        let (lines, within) = match case.hangs_up() {
            true => (case.log.len(), case.pace.within.unwrap_or_default()),
            false => (0, Duration::ZERO),
        };
        Ok((client, move || log.take_lines(lines, within)))
    });
    move |case, fragmentation| {
        let observed = run_case(case, fragmentation);
        let wrong = date::wrong_fields(&observed.bytes).next();
        let wrong = wrong.map(|field| field.escape_ascii().to_string());
        assert_eq!(wrong, None, "not within a day of this machine's clock");
        observed
    }
}
