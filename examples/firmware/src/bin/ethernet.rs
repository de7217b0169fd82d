//! Firmware that serves HTTP over Ethernet, on up to four connections, and writes its log to the serial line.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;

use embedded_io::Write;
use firmware::{
    CONNECTION, SITE, board, config,
    net::{Ethernet, Server},
    uart::Uart,
};
use sanserve_core::{Connection, Files};

#[board::entry]
fn main() -> ! {
    board::start(board::singleton!(: [u8; HEAP] = [0; HEAP]).expect("this runs once"));
    let mut uart = Uart::new(0);
    let mut log = |lines: &str| {
        let Ok(()) = uart.write_all(lines.as_bytes());
    };
    log("Serving HTTP on 10.0.2.15 port 80\n");
    let mut server = Server::new(CONNECTIONS_MAX);
    // Shared by all connections.
    let (config, files) = (Arc::new(config()), Files::new());
    loop {
        let connect = |peer: &str| Connection::new(Arc::clone(&config), peer, files.clone());
        if !server.poll(&SITE, connect, &mut log, || ()) {
            board::sleep(&[server.line()]);
        }
    }
}

/// The maximum number of open connections.
const CONNECTIONS_MAX: usize = 4;

const HEAP: usize = CONNECTIONS_MAX * CONNECTION + Ethernet::HEAP;
