//! The image that the conformance list is run on over a serial line. What no line can convey, that
//! somebody connects and hangs up, is said on another, see [`control`].
//!
//! [`control`]: firmware::control

#![no_std]
#![no_main]

extern crate alloc;

use core::cell::RefCell;
use core::convert::Infallible;

use cortex_m::singleton;
use cortex_m_rt::entry;
use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use firmware::control::{Control, Order};
use firmware::{SETUPS, TREE, board, uart::Uart};
use sanserve_core::Connection;
use sanserve_server::embedded::serve_ready;

#[entry]
fn main() -> ! {
    board::start(singleton!(: [u8; HEAP] = [0; HEAP]).expect("this runs once"));
    let control = RefCell::new(Control::new(Uart::new(1)));
    let mut uart = Uart::new(0);
    loop {
        let setup = begin(&control);
        let mut config = setup.config();
        config.limits.outbox = 1024;
        let mut conn = Connection::new(config, "192.0.2.1", setup.handler());
        let mut link = Link::new(&mut uart, &control);
        let log = |lines: &str| control.borrow_mut().log(lines);
        let lines = [link.uart.line, control.borrow().line()];
        let sleep = |_| board::sleep(&lines);
        let Ok(()) = serve_ready(
            &mut conn,
            &mut link,
            &TREE,
            board::now,
            log,
            Link::shutdown,
            sleep,
        );
        link.shutdown();
        link.drain();
        drop(conn);
        let used = board::heap_used();
        control.borrow_mut().say(format_args!("closed {used}"));
    }
}

/// Waits for the next connection.
fn begin(control: &RefCell<Control>) -> sanserve_conformance::Setup {
    loop {
        let mut control = control.borrow_mut();
        if let Some(Order::Begin(setup, unix)) = control.order() {
            board::set_date(unix);
            control.say(format_args!("begun"));
            return SETUPS[setup];
        }
        board::sleep(&[control.line()]);
    }
}

/// One connection on the line.
struct Link<'a> {
    uart: &'a mut Uart,
    control: &'a RefCell<Control>,
    came: usize,
    /// After so many bytes the input ends.
    end: Option<usize>,
    sent: usize,
    shut: bool,
}

impl<'a> Link<'a> {
    fn new(uart: &'a mut Uart, control: &'a RefCell<Control>) -> Link<'a> {
        Link {
            uart,
            control,
            came: 0,
            end: None,
            sent: 0,
            shut: false,
        }
    }

    /// Says that nothing more will come.
    fn shutdown(&mut self) {
        if !self.shut {
            self.shut = true;
            let sent = self.sent;
            self.control.borrow_mut().say(format_args!("end {sent}"));
        }
    }

    fn has_ended(&mut self) -> bool {
        if let Some(Order::End(count)) = self.control.borrow_mut().order() {
            self.end = Some(count);
        }
        self.end == Some(self.came)
    }

    /// Throws away what still comes.
    fn drain(&mut self) {
        while !self.has_ended() {
            while self.uart.take().is_some() {
                self.came += 1;
            }
            if !self.has_ended() {
                board::sleep(&[self.uart.line, self.control.borrow().line()]);
            }
        }
    }
}

impl ErrorType for Link<'_> {
    type Error = Infallible;
}

impl ReadReady for Link<'_> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.has_ended() || self.uart.read_ready()?)
    }
}

impl WriteReady for Link<'_> {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        self.uart.write_ready()
    }
}

impl Read for Link<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        if self.has_ended() {
            return Ok(0);
        }
        let n = self.uart.read(into)?;
        self.came += n;
        Ok(n)
    }
}

impl Write for Link<'_> {
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
