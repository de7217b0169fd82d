//! [`Ethernet`]: the network card, as a device of smoltcp. It is that of the LM3S6965.

use smoltcp::phy::{self, Checksum, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use crate::board::{Line, Register};

/// The network card, with room for the frame that is under way in each direction.
pub struct Ethernet {
    received: [u8; FRAME],
    sent: [u8; FRAME],
}

impl Ethernet {
    /// What wakes who sleeps.
    pub const LINE: Line = Line(42);

    /// The card, switched on, with this address.
    pub fn new(address: [u8; 6]) -> Ethernet {
        // SAFETY: the manual has this register there; it gives clocks to the device.
        let clocks = unsafe { Register::new(0x400F_E108) };
        clocks.write(clocks.read() | CLOCKS);
        let [a, b, c, d, e, f] = address;
        at(ADDRESS_LOW).write(u32::from_le_bytes([a, b, c, d]));
        at(ADDRESS_HIGH).write(u32::from_le_bytes([e, f, 0, 0]));
        at(RECEIVE_CONTROL).write(RECEIVE | REJECT_BAD);
        at(TRANSMIT_CONTROL).write(TRANSMIT | PAD | ADD_CHECK | BOTH_WAYS);
        at(INTERRUPTS).write(RECEIVED);
        Ethernet {
            received: [0; FRAME],
            sent: [0; FRAME],
        }
    }

    /// Takes the next frame from the card, if one has come, and answers where in `received` it is.
    fn take(&mut self) -> Option<core::ops::Range<usize>> {
        if at(FRAMES).read() & 0x3F == 0 {
            // What wakes is off until the next frame.
            at(STATUS).write(RECEIVED);
            if at(FRAMES).read() & 0x3F == 0 {
                return None;
            }
        }
        // Two bytes of length come first, four of a checksum last.
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

/// A frame that has come.
pub struct Received<'a>(&'a [u8]);

/// Room for a frame that will go.
pub struct Room<'a>(&'a mut [u8; FRAME]);

impl Device for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Room<'_>)> {
        if at(SENDING).read() & 1 != 0 {
            return None;
        }
        let place = self.take()?;
        Some((Received(&self.received[place]), Room(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        (at(SENDING).read() & 1 == 0).then_some(Room(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities.checksum.tcp = Checksum::Both;
        capabilities
    }
}

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl phy::TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let written = write(&mut self.0[2..2 + len]);
        // The length counts what follows the first fourteen bytes.
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

/// The register of the card at this offset.
fn at(offset: usize) -> Register {
    // SAFETY: the manual has the registers of below there, and none of them moves memory.
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

/// Of the controller, of what drives the cable, and of the lamps at the socket.
const CLOCKS: u32 = 1 << 28 | 1 << 30 | 1 << 5;
const RECEIVE: u32 = 1;
const REJECT_BAD: u32 = 1 << 3;
const TRANSMIT: u32 = 1;
const PAD: u32 = 1 << 1;
const ADD_CHECK: u32 = 1 << 2;
const BOTH_WAYS: u32 = 1 << 4;
const RECEIVED: u32 = 1;

/// The longest frame, with the length before it and the checksum behind it.
const FRAME: usize = 1520;
