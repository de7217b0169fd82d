//! Firmware that serves HTTP over a serial line.
//!
//! A serial line has no connections that could be opened or closed. So the program runs one connection of the engine
//! after another. The client keeps each of them open, as in HTTP/1.1; if one closes, because of a malformed request or
//! at the client's request, the next one begins with the next byte.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use core::time::Duration;

use firmware::{CONNECTION, SITE, board, config, uart::Uart};
use sanserve_core::{Connection, Files};
use sanserve_server::embedded::serve_ready;

#[board::entry]
fn main() -> ! {
    board::start(board::singleton!(: [u8; CONNECTION] = [0; CONNECTION]).expect("this runs once"));
    let mut uart = Uart::new(0);
    let line = uart.line;
    let mut config = config();
    // The client cannot see that a connection has closed.
    config.timeouts.linger = Duration::ZERO;
    let (config, files) = (Arc::new(config), Files::new());
    loop {
        let mut conn = Connection::new(Arc::clone(&config), "-", files.clone());
        let sleep = |_| board::sleep(&[line]);
        let Ok(()) = serve_ready(
            &mut conn,
            &mut uart,
            &SITE,
            board::now,
            |_| (),
            |_| (),
            sleep,
        );
    }
}
