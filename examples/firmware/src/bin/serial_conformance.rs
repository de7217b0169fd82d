//! Firmware that serves the conformance cases over a serial line. A second line carries what the first cannot convey:
//! the beginning and end of connections, see [`control`]. Every second connection has an asynchronous handler.
//!
//! [`control`]: firmware::control

#![no_std]
#![no_main]

extern crate alloc;

use core::cell::RefCell;
use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use firmware::control::{Control, Order};
use firmware::{SETUPS, TREE, board, uart::Uart};
use sanserve_core::Connection;
use sanserve_server::embedded::serve_ready;

#[board::entry]
fn main() -> ! {
    board::start(board::singleton!(: [u8; HEAP] = [0; HEAP]).expect("this runs once"));
    let control = RefCell::new(Control::open());
    let mut uart = Uart::new(0);
    let mut connections = 0;
    loop {
        let setup = begin(&control);
        let mut config = setup.config();
        config.limits.outbox = 1024;
        let handler = setup.alternating_handler(connections);
        connections += 1;
        let mut conn = Connection::new(config, "192.0.2.1", handler);
        let mut transport = Transport::new(&mut uart, &control);
        let log = |lines: &str| control.borrow_mut().log(lines);
        let lines = [transport.uart.line, control.borrow().line()];
        let sleep = |_| board::sleep(&lines);
        let Ok(()) = serve_ready(
            &mut conn,
            &mut transport,
            &TREE,
            board::now,
            log,
            Transport::shutdown,
            sleep,
        );
        transport.shutdown();
        transport.drain();
        drop(conn);
        let used = board::heap_used();
        control.borrow_mut().say(format_args!("closed {used}"));
    }
}

/// Waits for the order to begin the next connection, and returns the setup of its server.
fn begin(control: &RefCell<Control>) -> sanserve_conformance::Setup {
    loop {
        let mut control = control.borrow_mut();
        if let Some(Order::Begin(number, unix)) = control.order() {
            board::set_date(unix);
            control.say(format_args!("begun"));
            return SETUPS[number];
        }
        board::sleep(&[control.line()]);
    }
}

/// The transport of a connection: the line, and the orders that end its input.
struct Transport<'a> {
    uart: &'a mut Uart,
    control: &'a RefCell<Control>,
    received: usize,
    /// The total length of the input, once the test has announced it.
    input_len: Option<usize>,
    sent: usize,
    is_shut_down: bool,
}

impl<'a> Transport<'a> {
    fn new(uart: &'a mut Uart, control: &'a RefCell<Control>) -> Transport<'a> {
        Transport {
            uart,
            control,
            received: 0,
            input_len: None,
            sent: 0,
            is_shut_down: false,
        }
    }

    /// Announces the end of the output.
    fn shutdown(&mut self) {
        if !self.is_shut_down {
            self.is_shut_down = true;
            let sent = self.sent;
            self.control.borrow_mut().say(format_args!("end {sent}"));
        }
    }

    fn has_ended(&mut self) -> bool {
        if let Some(Order::End(count)) = self.control.borrow_mut().order() {
            self.input_len = Some(count);
        }
        self.input_len == Some(self.received)
    }

    /// Discards the rest of the input.
    fn drain(&mut self) {
        while !self.has_ended() {
            while self.uart.take().is_some() {
                self.received += 1;
            }
            if !self.has_ended() {
                board::sleep(&[self.uart.line, self.control.borrow().line()]);
            }
        }
    }
}

impl ErrorType for Transport<'_> {
    type Error = Infallible;
}

impl ReadReady for Transport<'_> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.has_ended() || self.uart.read_ready()?)
    }
}

impl WriteReady for Transport<'_> {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        self.uart.write_ready()
    }
}

impl Read for Transport<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        if self.has_ended() {
            return Ok(0);
        }
        let n = self.uart.read(into)?;
        self.received += n;
        Ok(n)
    }
}

impl Write for Transport<'_> {
    fn write(&mut self, from: &[u8]) -> Result<usize, Infallible> {
        let n = self.uart.write(from)?;
        self.sent += n;
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.uart.flush()
    }
}

const HEAP: usize = 54 * 1024;
