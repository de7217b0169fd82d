//! The evaluation board of TI's LM3S6965, which QEMU knows as `lm3s6965evb`: a Cortex-M3 with 256 KiB of flash, 64 KiB
//! of RAM, three serial lines and Ethernet.
//!
//! Interrupt handlers only count time. A device wakes the loop by its interrupt, and the loop polls the device.

pub mod ethernet;
pub mod uart;

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use cortex_m::interrupt::{self, InterruptNumber};
use cortex_m::peripheral::NVIC;
use cortex_m::peripheral::syst::SystClkSource;
pub use cortex_m::singleton;
use cortex_m::{Peripherals, asm};
pub use cortex_m_rt::entry;
use cortex_m_rt::exception;

// This crate provides a vector table of the length that this chip needs, instead of the maximum length.
use ::lm3s6965 as _;

/// Milliseconds since the start, and how often that counter has wrapped around, which it does every 49 days.
static MILLIS: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];

/// The number of the serial line between a test and an image.
#[cfg(feature = "conformance")]
pub const CONTROL_LINE: usize = 1;

/// Cycles per millisecond of the oscillator that runs after a reset.
const CYCLES: u32 = 12_000;

/// Starts the clock.
///
/// # Panics
/// If it is called again.
pub fn start() {
    let core = Peripherals::take().expect("the board starts once");
    let mut timer = core.SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CYCLES - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

/// Returns the time since the start.
pub fn since_start() -> Duration {
    let load = |at: usize| u64::from(MILLIS[at].load(Ordering::Relaxed));
    loop {
        let (low, high) = (load(0), load(1));
        if load(0) >= low && load(1) == high {
            return Duration::from_millis(high << 32 | low);
        }
    }
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

/// Stops the processor.
pub fn stop() -> ! {
    loop {
        asm::bkpt();
    }
}
