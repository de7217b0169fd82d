//! [`Ethernet`]: a driver for the Ethernet controller of the LM3S6965, as a `Device` of smoltcp.

use smoltcp::phy::{self, Checksum, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use crate::board::{Line, Register};

/// The Ethernet controller, with a buffer for one frame in each direction.
pub struct Ethernet {
    /// The address of the controller.
    pub address: [u8; 6],
    /// The interrupt for received frames.
    pub line: Line,
    received: [u8; FRAME],
    sent: [u8; FRAME],
}

impl Ethernet {
    /// The bytes of the heap that the driver uses.
    pub const HEAP: usize = 0;

    /// Switches the controller on.
    pub fn start() -> Ethernet {
        // SAFETY: the manual has this register at this address; it switches clocks on.
        let clocks = unsafe { Register::<u32>::new(0x400F_E108) };
        clocks.write(clocks.read() | CLOCKS);
        let address = [0x02, 0, 0, 0, 0, 0x01];
        let [a, b, c, d, e, f] = address;
        at(ADDRESS_LOW).write(u32::from_le_bytes([a, b, c, d]));
        at(ADDRESS_HIGH).write(u32::from_le_bytes([e, f, 0, 0]));
        at(RECEIVE_CONTROL).write(RECEIVE | REJECT_BAD);
        at(TRANSMIT_CONTROL).write(TRANSMIT | PAD | ADD_CHECK | BOTH_WAYS);
        at(INTERRUPTS).write(RECEIVED);
        Ethernet {
            address,
            line: Line(42),
            received: [0; FRAME],
            sent: [0; FRAME],
        }
    }

    /// Reads the next frame from the controller, if one has arrived, and returns its range in `received`.
    fn take(&mut self) -> Option<core::ops::Range<usize>> {
        if at(FRAMES).read() & 0x3F == 0 {
            // Clear the interrupt until the next frame.
            at(STATUS).write(RECEIVED);
            if at(FRAMES).read() & 0x3F == 0 {
                return None;
            }
        }
        // Two bytes of length precede the frame, and four of a checksum follow it.
        let first = at(DATA).read();
        let len = (first as usize & 0xFFFF).clamp(6, FRAME);
        self.received[..4].copy_from_slice(&first.to_le_bytes());
        let mut filled = 4;
        while filled < len {
            let word = at(DATA).read().to_le_bytes();
            let n = 4.min(FRAME - filled);
            self.received[filled..filled + n].copy_from_slice(&word[..n]);
            filled += 4;
        }
        Some(2..len - 4)
    }
}

/// A received frame.
pub struct ReceivedFrame<'a>(&'a [u8]);

/// The buffer for a frame to send.
pub struct SendBuffer<'a>(&'a mut [u8; FRAME]);

impl Device for Ethernet {
    type RxToken<'a> = ReceivedFrame<'a>;
    type TxToken<'a> = SendBuffer<'a>;

    fn receive(&mut self, _: Instant) -> Option<(ReceivedFrame<'_>, SendBuffer<'_>)> {
        if at(SENDING).read() & 1 != 0 {
            return None;
        }
        let range = self.take()?;
        Some((
            ReceivedFrame(&self.received[range]),
            SendBuffer(&mut self.sent),
        ))
    }

    fn transmit(&mut self, _: Instant) -> Option<SendBuffer<'_>> {
        (at(SENDING).read() & 1 == 0).then_some(SendBuffer(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities.checksum.tcp = Checksum::Both;
        capabilities
    }
}

impl phy::RxToken for ReceivedFrame<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl phy::TxToken for SendBuffer<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let written = write(&mut self.0[2..2 + len]);
        // The length does not count the Ethernet header of fourteen bytes.
        let length = (len - 14) as u16;
        self.0[..2].copy_from_slice(&length.to_le_bytes());
        for word in self.0[..2 + len].chunks(4) {
            let mut bytes = [0; 4];
            bytes[..word.len()].copy_from_slice(word);
            at(DATA).write(u32::from_le_bytes(bytes));
        }
        at(SENDING).write(1);
        written
    }
}

/// Returns the register of the controller at this offset.
fn at(offset: usize) -> Register {
    // SAFETY: the manual has the registers below at these addresses, and none of them affects memory.
    unsafe { Register::new(0x4004_8000 + offset) }
}

const STATUS: usize = 0x00;
const INTERRUPTS: usize = 0x04;
const RECEIVE_CONTROL: usize = 0x08;
const TRANSMIT_CONTROL: usize = 0x0C;
const DATA: usize = 0x10;
const ADDRESS_LOW: usize = 0x14;
const ADDRESS_HIGH: usize = 0x18;
const FRAMES: usize = 0x34;
const SENDING: usize = 0x38;

/// The clocks of the controller, of the PHY, and of the pins of the LEDs.
const CLOCKS: u32 = 1 << 28 | 1 << 30 | 1 << 5;
const RECEIVE: u32 = 1;
const REJECT_BAD: u32 = 1 << 3;
const TRANSMIT: u32 = 1;
const PAD: u32 = 1 << 1;
const ADD_CHECK: u32 = 1 << 2;
const BOTH_WAYS: u32 = 1 << 4;
const RECEIVED: u32 = 1;

/// The maximum length of a frame, including the length before it and the checksum after it.
const FRAME: usize = 1520;
