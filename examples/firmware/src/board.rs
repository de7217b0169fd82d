//! The chip: its clock, its interrupts, its heap, and where all ends if something is wrong.
//!
//! Nothing here is done by an interrupt but counting time. A device that has something wakes the
//! loop, which looks for itself.

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

/// Milliseconds since the start, and how often they have begun anew: every 49 days.
static MILLIS: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];

/// When the start was, in seconds since 1970; 0 if nobody knows.
static DATE: AtomicU32 = AtomicU32::new(0);

/// Cycles in a millisecond, of the oscillator that runs after a reset.
const CYCLES: u32 = 12_000;

/// Gives the heap its memory and starts the clock. To be called once, first.
///
/// # Panics
/// If it is called again.
pub fn start(heap: &'static mut [u8]) {
    let core = Peripherals::take().expect("the board starts once");
    // SAFETY: the memory is borrowed for ever, and this is reached once.
    unsafe { HEAP.init(heap.as_mut_ptr() as usize, heap.len()) };
    let mut timer = core.SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CYCLES - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// Bytes of the heap that are in use.
pub fn heap_used() -> usize {
    HEAP.used()
}

/// Time since the start, and the date if anybody has told it.
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

/// Tells the date, in seconds since 1970. What keeps time without power, or a server of it, would know.
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

/// Sleeps until one of these devices has something, a millisecond at most.
pub fn sleep(lines: &[Line]) {
    interrupt::disable();
    for &line in lines {
        // SAFETY: what follows from the interrupt is that `DefaultHandler` leaves it aside again.
        unsafe { NVIC::unmask(line) };
    }
    // Wakes for an interrupt that is pending, too: none is missed.
    asm::wfi();
    // SAFETY: no critical section is under way; this one was begun above.
    unsafe { interrupt::enable() };
}

/// The devices have said what they had to say: that there is something. It stays there, and so the
/// line is left aside until the next sleep.
// SAFETY: it masks one interrupt and shares nothing with what it interrupts.
#[exception]
unsafe fn DefaultHandler(line: i16) {
    NVIC::mask(Line(line as u16));
}

/// A register of a device.
#[derive(Clone, Copy)]
pub struct Register(*mut u32);

impl Register {
    /// The register at this address.
    ///
    /// # Safety
    /// There must be one, and what is done with it must not touch memory.
    pub const unsafe fn new(address: usize) -> Register {
        Register(address as *mut u32)
    }

    /// What is in it.
    pub fn read(self) -> u32 {
        // SAFETY: as `new` was promised.
        unsafe { self.0.read_volatile() }
    }

    /// Puts something into it.
    pub fn write(self, value: u32) {
        // SAFETY: as `new` was promised.
        unsafe { self.0.write_volatile(value) }
    }
}

/// There is nobody to tell, but in a test. What runs on a desk stops; what runs elsewhere would better
/// begin anew.
#[panic_handler]
fn stop(_why: &PanicInfo<'_>) -> ! {
    #[cfg(feature = "conformance")]
    crate::control::Control::new(crate::uart::Uart::new(1)).say(format_args!(
        "panic with {} bytes of the heap in use: {_why}",
        heap_used()
    ));
    loop {
        asm::bkpt();
    }
}
