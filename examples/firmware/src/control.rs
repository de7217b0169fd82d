//! [`Control`]: exchanges the messages between a test and an image, on a second serial line. Each message is one line:
//!
//! ```text
//! begin SETUP UNIX   to the image: begin a connection to the server of this setup, at this date
//! quiet SETUP UNIX   to the image: the same, but without lines of the log
//! end COUNT          to the image: the test has sent this number of bytes on the connection, and will send no more
//! ready              from the image, first: the line is open
//! begun              from the image: the reply to `begin` or `quiet`
//! log LINE           from the image: a line of the log
//! end COUNT          from the image: it has sent this number of bytes on the connection, and will send no more
//! panic MESSAGE      from the image: it has panicked and stopped
//! closed USED        from the image: the connection has ended; this number of bytes of the heap is in use
//! ```

use alloc::string::String;
use core::fmt::{self, Write as _};

use embedded_io::Write as _;

use crate::board::Line;
use crate::machine::CONTROL_LINE;
use crate::uart::Uart;

/// The control line of an image under test.
pub struct Control {
    uart: Uart,
    text: String,
    /// Whether the test wants no lines of the log.
    is_quiet: bool,
}

/// A message from the test.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// Begin a connection to the server of this setup, at this date.
    Begin(usize, i64),
    /// The input of the connection ends after this number of bytes.
    End(usize),
}

impl Control {
    /// Opens the control line.
    pub fn open() -> Control {
        let mut control = Control {
            uart: Uart::new(CONTROL_LINE),
            text: String::new(),
            is_quiet: false,
        };
        control.say(format_args!("ready"));
        control
    }

    /// Returns the interrupt of the line, which wakes the loop for an order.
    pub fn line(&self) -> Line {
        self.uart.line
    }

    /// Returns the next order, if one has arrived.
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
                Some(word @ ("begin" | "quiet")) => {
                    self.is_quiet = word == "quiet";
                    Order::Begin(number().unwrap_or(0) as usize, number().unwrap_or(0))
                }
                _ => Order::End(number().unwrap_or(0) as usize),
            };
            self.text.clear();
            return Some(order);
        }
        None
    }

    /// Sends a line.
    pub fn say(&mut self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self, "{line}");
    }

    /// Sends lines of the log, if the test wants them.
    pub fn log(&mut self, lines: &str) {
        if self.is_quiet {
            return;
        }
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
