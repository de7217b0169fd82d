//! [`Control`]: what a test says to an image, and the image to it, on a serial line beside. A line each:
//!
//! ```text
//! begin KIND UNIX    to the image: the next connection has this kind of server; the date is so
//! end COUNT          to the image: as many bytes were sent on that connection, and no more will be
//! ready              from it, first: the line is open
//! begun              from it: it knows
//! log LINE           from it: a line of the log
//! end COUNT          from it: as many bytes were sent on that connection, and no more will be
//! panic WHY          from it: all is over
//! closed USED        from it: the connection is over; so much of the heap is in use
//! ```

use alloc::string::String;
use core::fmt::{self, Write as _};

use embedded_io::Write as _;

use crate::board::Line;
use crate::uart::Uart;

/// The control line of an image under test.
pub struct Control {
    uart: Uart,
    text: String,
}

/// What a test may say.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// A connection begins, to that kind of server and at that date.
    Begin(usize, i64),
    /// The input of the connection ends with so many bytes.
    End(usize),
}

impl Control {
    /// Control by this line.
    pub fn new(uart: Uart) -> Control {
        let mut control = Control {
            uart,
            text: String::new(),
        };
        control.say(format_args!("ready"));
        control
    }

    /// What wakes who waits for an order.
    pub fn line(&self) -> Line {
        self.uart.line
    }

    /// The next order, if it has come.
    pub fn order(&mut self) -> Option<Order> {
        while let Some(byte) = self.uart.take() {
            if byte != b'\n' {
                self.text.push(byte.into());
                continue;
            }
            let mut words = self.text.split(' ');
            let word = words.next();
            let mut number = || words.next().and_then(|word| word.parse().ok());
            let order = match word {
                Some("begin") => {
                    Order::Begin(number().unwrap_or(0) as usize, number().unwrap_or(0))
                }
                _ => Order::End(number().unwrap_or(0) as usize),
            };
            self.text.clear();
            return Some(order);
        }
        None
    }

    /// Says a line.
    pub fn say(&mut self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self, "{line}");
    }

    /// Says lines of the log.
    pub fn log(&mut self, lines: &str) {
        for line in lines.lines() {
            self.say(format_args!("log {line}"));
        }
    }
}

impl fmt::Write for Control {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Ok(()) = self.uart.write_all(text.as_bytes());
        Ok(())
    }
}
