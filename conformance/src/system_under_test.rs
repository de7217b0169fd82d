//! What is put to the test: a function that holds a conversation and says what was answered.
//!
//! [`clients`] makes one of whatever a client can connect to, [`servers`] of servers that listen,
//! [`pipes`](crate::pipes) of a loop that serves one connection.
//! Whether the answer is right is left to [`oracle`](crate::oracle).

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use crate::{Case, Client, Fragmentation, Log};

/// What a conversation left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Every byte that the server sent, up to the end of the connection.
    pub bytes: Vec<u8>,
    /// The lines that the server logged, whole, without their newline.
    pub log: Vec<String>,
}

impl Observed {
    /// Made of the bytes and of the lines of the log, each ended by a newline.
    #[must_use]
    pub fn new(bytes: Vec<u8>, log: &str) -> Self {
        let log = log.lines().map(str::to_owned).collect();
        Self { bytes, log }
    }
}

/// Holds each conversation over a connection of its own. `connect` makes it, to a server that is set
/// up as the case says, and with it what tells the log when the conversation is over.
pub fn clients<L: FnOnce() -> String>(
    mut connect: impl FnMut(&Case) -> io::Result<(Client, L)>,
) -> impl FnMut(&Case, Fragmentation) -> Observed {
    move |case, fragmentation| {
        let (client, log) = connect(case).expect("a server can be reached");
        let bytes = client
            .send_and_read(&case.request, case.half_close, fragmentation)
            .expect("no link breaks here");
        Observed::new(bytes, &log())
    }
}

/// Holds each conversation with a server that listens. `start` starts one with the case's
/// [`config`](Case::config) and [`handler`](Case::handler), once for each kind that the cases ask
/// for, and once for each conversation that [stores](Case::stores) something; it serves all cases of
/// that kind and may end with the process. `connect` is
/// [`Client::connect`], or what puts more above that.
pub fn servers(
    mut start: impl FnMut(&Case, Log) -> io::Result<SocketAddr>,
    mut connect: impl FnMut(SocketAddr) -> io::Result<Client>,
) -> impl FnMut(&Case, Fragmentation) -> Observed {
    let mut started = HashMap::new();
    clients(move |case| {
        let kind = (case.handler.clone(), case.options.clone());
        let mut start = || {
            let log = Log::default();
            let address = start(case, log.clone()).expect("a server can be started");
            (address, log)
        };
        let (address, log) = match case.stores {
            true => start(),
            false => started.entry(kind).or_insert_with(start).clone(),
        };
        Ok((connect(address)?, move || log.take()))
    })
}
