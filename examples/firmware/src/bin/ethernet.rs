//! HTTP over Ethernet, four connections at once. The log goes to the serial line.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;

use cortex_m::singleton;
use cortex_m_rt::entry;
use embedded_io::Write;
use firmware::{CONNECTION, SITE, board, config, net::Server, uart::Uart};
use sanserve_core::{Connection, Files};

#[entry]
fn main() -> ! {
    board::start(
        singleton!(: [u8; PLACES * CONNECTION] = [0; PLACES * CONNECTION]).expect("this runs once"),
    );
    let mut line = Uart::new(0);
    let log = |lines: &str| {
        let Ok(()) = line.write_all(lines.as_bytes());
    };
    let mut log = log;
    log("Serving HTTP on 10.0.2.15 port 80\n");
    let mut server = Server::new(PLACES);
    // Shared by all connections.
    let (config, files) = (Arc::new(config()), Files::new());
    loop {
        let make = |peer: &str| Connection::new(Arc::clone(&config), peer, files.clone());
        server.turn(&SITE, make, &mut log, || ());
    }
}

/// As many connections are open at most.
const PLACES: usize = 4;
