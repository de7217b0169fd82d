//! HTTP over a serial line.
//!
//! A line has no connections: nobody hangs up. So the engine is given one connection after another, and
//! whoever uses the line keeps it open, as HTTP/1.1 does. If one has to close, since a request could not be
//! understood or asked for it, the next begins with the next byte.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use core::time::Duration;

use cortex_m::singleton;
use cortex_m_rt::entry;
use firmware::{CONNECTION, SITE, board, config, uart::Uart};
use sanserve_core::{Connection, Files};
use sanserve_server::embedded::serve_ready;

#[entry]
fn main() -> ! {
    board::start(singleton!(: [u8; CONNECTION] = [0; CONNECTION]).expect("this runs once"));
    let mut link = Uart::new(0);
    let line = link.line;
    let mut config = config();
    // There is nobody who could take notice.
    config.timeouts.linger = Duration::ZERO;
    let (config, files) = (Arc::new(config), Files::new());
    loop {
        let mut conn = Connection::new(Arc::clone(&config), "-", files.clone());
        let sleep = |_| board::sleep(&[line]);
        let Ok(()) = serve_ready(
            &mut conn,
            &mut link,
            &SITE,
            board::now,
            |_| (),
            |_| (),
            sleep,
        );
    }
}
