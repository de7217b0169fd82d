//! What the boards have in common: the heap, the clock and the registers of devices. The machine that an image is built
//! for provides the rest, under the same names on both.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use embedded_alloc::LlffHeap as Heap;
use sanserve_core::Now;

use crate::machine;
pub use crate::machine::{Line, entry, singleton, sleep};

/// The heap of every image.
#[global_allocator]
static HEAP: Heap = Heap::empty();

/// The date of the start, in seconds since 1970, or 0 if it is unknown.
static DATE: AtomicU32 = AtomicU32::new(0);

/// Gives the heap its memory and starts the clock. This must be called first, and only once.
///
/// # Panics
/// If it is called again.
pub fn start(heap: &'static mut [u8]) {
    // SAFETY: the memory is borrowed forever, and a second call panics before it changes anything.
    unsafe { HEAP.init(heap.as_mut_ptr() as usize, heap.len()) };
    machine::start();
}

/// Returns the number of bytes of the heap that are in use.
pub fn heap_used() -> usize {
    HEAP.used()
}

/// Returns the time since the start, and the date if it has been set.
pub fn now() -> Now {
    let tick = machine::since_start();
    let unix = match DATE.load(Ordering::Relaxed) {
        0 => None,
        date => Some(i64::from(date) + tick.as_secs() as i64),
    };
    Now { tick, unix }
}

/// Sets the date, in seconds since 1970. A real device would get it from a battery-backed clock or a time server.
pub fn set_date(unix: i64) {
    let start = unix - now().tick.as_secs() as i64;
    DATE.store(start as u32, Ordering::Relaxed);
}

/// A register of a device.
#[derive(Clone, Copy)]
pub struct Register<T = u32>(*mut T);

impl<T> Register<T> {
    /// Returns the register at this address.
    ///
    /// # Safety
    /// There must be such a register, and reading or writing it must not affect memory.
    pub const unsafe fn new(address: usize) -> Register<T> {
        Register(address as *mut T)
    }

    /// Reads the value.
    pub fn read(self) -> T {
        // SAFETY: the caller of `new` has guaranteed this.
        unsafe { self.0.read_volatile() }
    }

    /// Writes a value.
    pub fn write(self, value: T) {
        // SAFETY: the caller of `new` has guaranteed this.
        unsafe { self.0.write_volatile(value) }
    }
}

/// Stops the processor; a test also gets the message. A real device should rather restart.
#[panic_handler]
fn stop(_info: &PanicInfo<'_>) -> ! {
    #[cfg(feature = "conformance")]
    crate::control::Control::open().say(format_args!(
        "panic with {} bytes of the heap in use: {_info}",
        heap_used()
    ));
    machine::stop()
}
