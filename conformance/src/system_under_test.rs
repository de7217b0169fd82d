//! Systems under test: functions that run one case and return the observed reply and log.
//!
//! [`servers`] makes one from a function that starts a server, [`clients`] from a function that connects, and
//! [`pipes`](crate::pipes) from a loop that serves one connection. The [`oracle`](crate::oracle) checks the result.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use crate::{Case, Client, Fragmentation, Log, Pace};

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
/// function that returns the log when the conversation has ended.
pub fn clients<L: FnOnce() -> String>(
    mut connect: impl FnMut(&Case) -> io::Result<(Client, L)>,
) -> impl FnMut(&Case, Fragmentation) -> Observed {
    move |case, fragmentation| {
        let mut connect = || connect(case).expect("the server accepts a connection");
        let neighbour = case.pace.neighbour.then(&mut connect);
        let (client, log) = connect();
        let bytes = client
            .converse(case, fragmentation)
            .expect("the connection does not fail");
        if let Some((neighbour, _)) = neighbour {
            let pace = Pace {
                within: case.pace.within,
                ..Pace::default()
            };
            let other = neighbour.send_and_read(b"", true, &pace, fragmentation);
            let other = other.expect("the other connection does not fail");
            assert!(other.is_empty(), "the other client receives nothing");
        }
        Observed::new(bytes, &log())
    }
}

/// Runs each case on a connection to a listening server. `start` starts a server with the case's
/// [`config`](Case::config) and [`handler`](Case::handler): one for all cases with the same setup, and one for each
/// conversation that [stores](Case::stores) files. It may run until the process ends. `connect` is
/// [`Client::connect`] or a function that adds a layer, such as TLS.
pub fn servers(
    mut start: impl FnMut(&Case, Log) -> io::Result<SocketAddr>,
    mut connect: impl FnMut(SocketAddr) -> io::Result<Client>,
) -> impl FnMut(&Case, Fragmentation) -> Observed {
    let mut started = HashMap::new();
    clients(move |case| {
        let setup = (case.handler.clone(), case.options.clone());
        let mut start = || {
            let log = Log::default();
            let address = start(case, log.clone()).expect("the server starts");
            (address, log)
        };
        let (address, log) = match case.stores {
            true => start(),
            false => started.entry(setup).or_insert_with(start).clone(),
        };
        Ok((connect(address)?, move || log.take()))
    })
}
