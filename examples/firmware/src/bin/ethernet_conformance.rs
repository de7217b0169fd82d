//! Firmware that serves the conformance cases over Ethernet. A test selects the setup of the server, and gets the log,
//! over a serial line, see [`control`].
//!
//! [`control`]: firmware::control

#![no_std]
#![no_main]

extern crate alloc;

use core::cell::{Cell, RefCell};

use firmware::control::{Control, Order};
use firmware::{SETUPS, TREE, board, net::Server};
use sanserve_core::Connection;

#[board::entry]
fn main() -> ! {
    board::start(board::singleton!(: [u8; HEAP] = [0; HEAP]).expect("this runs once"));
    let control = RefCell::new(Control::open());
    let setup = Cell::new(SETUPS[0]);
    let mut server = Server::new(2);
    loop {
        let order = control.borrow_mut().order();
        if let Some(Order::Begin(number, unix)) = order {
            board::set_date(unix);
            setup.set(SETUPS[number]);
            control.borrow_mut().say(format_args!("begun"));
        }
        let connect = |peer: &str| {
            let mut config = setup.get().config();
            config.limits.outbox = 1024;
            Connection::new(config, peer, setup.get().handler())
        };
        let log = |lines: &str| control.borrow_mut().log(lines);
        let freed = || {
            let used = board::heap_used();
            control.borrow_mut().say(format_args!("closed {used}"));
        };
        if !server.poll(&TREE, connect, log, freed) {
            board::sleep(&[server.line(), control.borrow().line()]);
        }
    }
}

/// The memory of the Cortex-M3 without the stack and the buffers for frames. The other machine has enough for each case.
const HEAP: usize = if cfg!(target_arch = "arm") {
    48 * 1024
} else {
    4 * 1024 * 1024
};
