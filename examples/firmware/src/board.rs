//! Sets up the chip: clock, interrupts and heap; and stops it after a panic.
//!
//! Interrupt handlers only count time. A device wakes the loop by its interrupt, and the loop polls the device.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use cortex_m::interrupt::{self, InterruptNumber};
use cortex_m::peripheral::NVIC;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::{Peripherals, asm};
use cortex_m_rt::exception;
use embedded_alloc::LlffHeap as Heap;
use sanserve_core::Now;

/// The heap of every image.
#[global_allocator]
static HEAP: Heap = Heap::empty();

/// Milliseconds since the start, and how often that counter has wrapped around, which it does every 49 days.
static MILLIS: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];

/// The date of the start, in seconds since 1970, or 0 if it is unknown.
static DATE: AtomicU32 = AtomicU32::new(0);

/// Cycles per millisecond of the oscillator that runs after a reset.
const CYCLES: u32 = 12_000;

/// Gives the heap its memory and starts the clock. This must be called first, and only once.
///
/// # Panics
/// If it is called again.
pub fn start(heap: &'static mut [u8]) {
    let core = Peripherals::take().expect("the board starts once");
    // SAFETY: the memory is borrowed forever, and this is reached once.
    unsafe { HEAP.init(heap.as_mut_ptr() as usize, heap.len()) };
    let mut timer = core.SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CYCLES - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// Returns the number of bytes of the heap that are in use.
pub fn heap_used() -> usize {
    HEAP.used()
}

/// Returns the time since the start, and the date if it has been set.
pub fn now() -> Now {
    let load = |at: usize| u64::from(MILLIS[at].load(Ordering::Relaxed));
    let millis = loop {
        let (low, high) = (load(0), load(1));
        if load(0) >= low && load(1) == high {
            break high << 32 | low;
        }
    };
    let tick = Duration::from_millis(millis);
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

#[exception]
fn SysTick() {
    let [low, high] = &MILLIS;
    let next = low.load(Ordering::Relaxed).wrapping_add(1);
    if next == 0 {
        high.store(high.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
    low.store(next, Ordering::Relaxed);
}

/// The number of a device's interrupt.
#[derive(Clone, Copy)]
pub struct Line(pub u16);

// SAFETY: the devices of this board have the numbers that they are given here, and keep them.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        self.0
    }
}

/// Sleeps until one of these devices interrupts, a millisecond at most.
pub fn sleep(lines: &[Line]) {
    interrupt::disable();
    for &line in lines {
        // SAFETY: the only effect of the interrupt is that `DefaultHandler` masks it again.
        unsafe { NVIC::unmask(line) };
    }
    // A pending interrupt wakes the processor as well, so none is missed.
    asm::wfi();
    // SAFETY: there is no other critical section; this one was begun above.
    unsafe { interrupt::enable() };
}

/// Masks the interrupt of a device until the next sleep, because it remains pending until the loop has polled the
/// device.
// SAFETY: it masks one interrupt and shares nothing with what it interrupts.
#[exception]
unsafe fn DefaultHandler(line: i16) {
    NVIC::mask(Line(line as u16));
}

/// A register of a device.
#[derive(Clone, Copy)]
pub struct Register(*mut u32);

impl Register {
    /// Returns the register at this address.
    ///
    /// # Safety
    /// There must be such a register, and reading or writing it must not affect memory.
    pub const unsafe fn new(address: usize) -> Register {
        Register(address as *mut u32)
    }

    /// Reads the value.
    pub fn read(self) -> u32 {
        // SAFETY: the caller of `new` has guaranteed this.
        unsafe { self.0.read_volatile() }
    }

    /// Writes a value.
    pub fn write(self, value: u32) {
        // SAFETY: the caller of `new` has guaranteed this.
        unsafe { self.0.write_volatile(value) }
    }
}

/// Stops the processor; a test also gets the message. A real device should rather restart.
#[panic_handler]
fn stop(_info: &PanicInfo<'_>) -> ! {
    #[cfg(feature = "conformance")]
    crate::control::Control::new(crate::uart::Uart::new(1)).say(format_args!(
        "panic with {} bytes of the heap in use: {_info}",
        heap_used()
    ));
    loop {
        asm::bkpt();
    }
}
