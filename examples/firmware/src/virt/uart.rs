//! [`Uart`]: a driver for the NS16550.

use crate::board::{Line, Register};

/// A serial line: 115,200 baud, 8 bits, no parity.
pub struct Uart {
    /// The interrupt for received bytes.
    pub line: Line,
}

impl Uart {
    /// Switches on the line with this number.
    ///
    /// # Panics
    /// If the number is not 0, because the machine has one line.
    pub fn new(number: usize) -> Uart {
        assert_eq!(number, 0, "the machine has one serial line");
        // 3,686,400 Hz / (16 * 115,200) is 2.
        at(LINE_CONTROL).write(DIVISOR | EIGHT_BITS);
        at(DIVISOR_LOW).write(2);
        at(DIVISOR_HIGH).write(0);
        at(LINE_CONTROL).write(EIGHT_BITS);
        at(FIFO_CONTROL).write(FIFO | AFTER_14);
        at(INTERRUPTS).write(RECEIVE_INTERRUPT);
        Uart { line: Line(10) }
    }

    /// Returns whether a byte has arrived.
    pub fn has_input(&self) -> bool {
        at(STATUS).read() & RECEIVED != 0
    }

    /// Returns the byte that has arrived.
    pub fn receive(&mut self) -> u8 {
        at(DATA).read()
    }

    /// Returns whether another byte can be sent.
    pub fn has_room(&self) -> bool {
        at(STATUS).read() & TRANSMIT_EMPTY != 0
    }

    /// Sends a byte.
    pub fn send(&mut self, byte: u8) {
        at(DATA).write(byte);
    }

    /// Returns whether some bytes are not on the line yet.
    pub fn is_sending(&self) -> bool {
        at(STATUS).read() & SENT == 0
    }
}

/// Returns the register of the device at this offset.
fn at(offset: usize) -> Register<u8> {
    // SAFETY: the machine has the registers below at these addresses, and none of them affects memory.
    unsafe { Register::new(0x1000_0000 + offset) }
}

const DATA: usize = 0;
const INTERRUPTS: usize = 1;
const FIFO_CONTROL: usize = 2;
const LINE_CONTROL: usize = 3;
const STATUS: usize = 5;
// While `DIVISOR` is set in `LINE_CONTROL`.
const DIVISOR_LOW: usize = 0;
const DIVISOR_HIGH: usize = 1;

const RECEIVE_INTERRUPT: u8 = 1;
const FIFO: u8 = 1;
const AFTER_14: u8 = 0b11 << 6;
const EIGHT_BITS: u8 = 0b11;
const DIVISOR: u8 = 1 << 7;
const RECEIVED: u8 = 1;
const TRANSMIT_EMPTY: u8 = 1 << 5;
const SENT: u8 = 1 << 6;
