//! [`Ethernet`]: a virtio network device as a `Device` of smoltcp.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;

use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use virtio_drivers::device::net::{TxBuffer, VirtIONet};
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

use crate::machine::Line;

/// The first network device, with buffers for several frames.
pub struct Ethernet {
    /// The address of the device.
    pub address: [u8; 6],
    /// The interrupt for received frames.
    pub line: Line,
    device: Driver,
    received: [u8; FRAME],
    sent: [u8; FRAME],
}

type Driver = VirtIONet<Memory, MmioTransport<'static>, BUFFERS>;

impl Ethernet {
    /// The bytes of the heap that the driver uses, for its two queues and the buffers.
    pub const HEAP: usize = 8 * PAGE_SIZE + (BUFFERS + 1) * 2048;

    /// Switches the device on.
    ///
    /// # Panics
    /// If there is none.
    pub fn start() -> Ethernet {
        let found = (1..=SLOTS).find_map(|slot| Some((slot, network_device(slot)?)));
        let (slot, transport) = found.expect("QEMU was started with a network device");
        let device = Driver::new(transport, BUFFER).expect("the device has two queues");
        Ethernet {
            address: device.mac_address(),
            line: Line(slot),
            device,
            received: [0; FRAME],
            sent: [0; FRAME],
        }
    }

    /// Copies the next frame into `received`, if one has arrived, and returns its length.
    fn take(&mut self) -> Option<usize> {
        if !self.device.can_recv() {
            // Clear the interrupt until the next frame.
            self.device.ack_interrupt();
        }
        let buffer = self.device.receive().ok()?;
        let len = buffer.packet_len().min(FRAME);
        self.received[..len].copy_from_slice(&buffer.packet()[..len]);
        let result = self.device.recycle_rx_buffer(buffer);
        result.expect("the queue has room for a buffer that it had before");
        Some(len)
    }
}

/// A received frame.
pub struct ReceivedFrame<'a>(&'a [u8]);

/// The buffer for a frame to send, and the device.
pub struct SendBuffer<'a>(&'a mut [u8; FRAME], &'a mut Driver);

impl Device for Ethernet {
    type RxToken<'a> = ReceivedFrame<'a>;
    type TxToken<'a> = SendBuffer<'a>;

    fn receive(&mut self, _: Instant) -> Option<(ReceivedFrame<'_>, SendBuffer<'_>)> {
        let len = self.take()?;
        Some((
            ReceivedFrame(&self.received[..len]),
            SendBuffer(&mut self.sent, &mut self.device),
        ))
    }

    fn transmit(&mut self, _: Instant) -> Option<SendBuffer<'_>> {
        Some(SendBuffer(&mut self.sent, &mut self.device))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
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
        let SendBuffer(buffer, device) = self;
        let written = write(&mut buffer[..len]);
        let result = device.send(TxBuffer::from(&buffer[..len]));
        result.expect("the queue for frames to send is empty");
        written
    }
}

/// Returns the device in this slot if it is a network device. The number of the slot is also that of its interrupt.
fn network_device(slot: u32) -> Option<MmioTransport<'static>> {
    let address = 0x1000_0000 + SLOT * slot as usize;
    let header = NonNull::new(address as *mut VirtIOHeader)?;
    // SAFETY: the machine has a slot at this address, also if no device is in it, and only one driver is created.
    let transport = unsafe { MmioTransport::new(header, SLOT) }.ok()?;
    (transport.device_type() == DeviceType::Network).then_some(transport)
}

/// Memory that the driver shares with the device. Each address is the same for both.
struct Memory;

// SAFETY: the heap returns zeroed memory that nothing else uses, with the required alignment.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // SAFETY: the layout is not empty.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout(pages)) });
        let memory = memory.expect("the heap has room for the queues");
        (memory.addr().get() as PhysAddr, memory)
    }

    unsafe fn dma_dealloc(_: PhysAddr, memory: NonNull<u8>, pages: usize) -> i32 {
        // SAFETY: the caller guarantees that the memory is from `dma_alloc`, with this layout.
        unsafe { dealloc(memory.as_ptr(), layout(pages)) };
        0
    }

    unsafe fn mmio_phys_to_virt(_: PhysAddr, _: usize) -> NonNull<u8> {
        unreachable!("only devices on a PCI bus need it")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.addr().get() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

fn layout(pages: usize) -> Layout {
    Layout::from_size_align(pages * PAGE_SIZE, PAGE_SIZE).expect("a few pages")
}

/// The number of virtio slots, and the size of one.
const SLOTS: u32 = 8;
const SLOT: usize = 0x1000;
/// The number of buffers for received frames.
const BUFFERS: usize = 8;
/// The size of a buffer, with the header of the device before the frame. The driver requires at least 1,526 bytes.
const BUFFER: usize = 1536;
/// The maximum length of a frame.
const FRAME: usize = 1514;
