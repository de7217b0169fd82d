//! [`Uart`]: a driver for ARM's PL011.

use crate::board::{Line, Register};

/// A serial line: 115,200 baud, 8 bits, no parity.
pub struct Uart {
    data: Register,
    flags: Register,
    /// The interrupt for received bytes.
    pub line: Line,
}

impl Uart {
    /// Switches on the line with this number, 0 to 2.
    ///
    /// # Panics
    /// If there is no such line.
    pub fn new(number: usize) -> Uart {
        let line = Line([5, 6, 33][number]);
        // SAFETY: the manual has these registers at these addresses, and none of them affects memory.
        let at = |offset: usize| unsafe { Register::new(0x4000_C000 + 0x1000 * number + offset) };
        // SAFETY: as above; these registers switch on the clocks and pins of the device.
        let system = |address: usize| unsafe { Register::<u32>::new(address) };
        let (clocks, ports) = (system(0x400F_E104), system(0x400F_E108));
        clocks.write(clocks.read() | 1 << number);
        // UART 0 to 2 use the first two pins of port A, and pins of ports D and G.
        let (port, base, pins) = [
            (0, 0x4000_4000, 0b11),
            (3, 0x4000_7000, 0b1100),
            (6, 0x4002_6000, 0b11),
        ][number];
        ports.write(ports.read() | 1 << port);
        for register in [base + 0x420, base + 0x51C].map(system) {
            register.write(register.read() | pins);
        }
        at(CONTROL).write(0);
        // 12 MHz / (16 * 115,200) is 6 and 33 / 64.
        at(DIVISOR).write(6);
        at(FRACTION).write(33);
        at(LINE_CONTROL).write(EIGHT_BITS | FIFO);
        at(INTERRUPTS).write(RECEIVE_INTERRUPT | RECEIVE_TIMEOUT_INTERRUPT);
        at(CONTROL).write(ENABLE | TRANSMIT | RECEIVE);
        Uart {
            data: at(DATA),
            flags: at(FLAGS),
            line,
        }
    }

    /// Returns whether a byte has arrived.
    pub fn has_input(&self) -> bool {
        self.flags.read() & RECEIVE_EMPTY == 0
    }

    /// Returns the byte that has arrived.
    pub fn receive(&mut self) -> u8 {
        self.data.read() as u8
    }

    /// Returns whether another byte can be sent.
    pub fn has_room(&self) -> bool {
        self.flags.read() & TRANSMIT_FULL == 0
    }

    /// Sends a byte.
    pub fn send(&mut self, byte: u8) {
        self.data.write(byte.into());
    }

    /// Returns whether some bytes are not on the line yet.
    pub fn is_sending(&self) -> bool {
        self.flags.read() & BUSY != 0
    }
}

const DATA: usize = 0x00;
const FLAGS: usize = 0x18;
const DIVISOR: usize = 0x24;
const FRACTION: usize = 0x28;
const LINE_CONTROL: usize = 0x2C;
const CONTROL: usize = 0x30;
const INTERRUPTS: usize = 0x38;

const BUSY: u32 = 1 << 3;
const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_FULL: u32 = 1 << 5;
const FIFO: u32 = 1 << 4;
const EIGHT_BITS: u32 = 3 << 5;
const ENABLE: u32 = 1;
const TRANSMIT: u32 = 1 << 8;
const RECEIVE: u32 = 1 << 9;
const RECEIVE_INTERRUPT: u32 = 1 << 4;
const RECEIVE_TIMEOUT_INTERRUPT: u32 = 1 << 6;
