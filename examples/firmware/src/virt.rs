//! QEMU's machine `virt` with a 64-bit RISC-V processor. It has as much RAM as it is given, a serial line, and
//! virtio devices.
//!
//! Interrupts are pending but never taken. They only end the sleep of the loop, which polls the devices.

pub mod ethernet;
pub mod uart;

use core::time::Duration;

use riscv::asm;
use riscv::register::{mie, time};
pub use riscv::singleton;
pub use riscv_rt::entry;

use crate::board::Register;

/// The number of the serial line between a test and an image.
#[cfg(feature = "conformance")]
pub const CONTROL_LINE: usize = 0;

/// The ticks of the timer per millisecond.
const TICKS: u64 = 10_000;

/// Lets interrupts of the timer and of devices end a sleep.
pub fn start() {
    // Devices of any priority above 0 may interrupt.
    plic(THRESHOLD).write(0);
    // SAFETY: interrupts as a whole remain disabled, so none is taken.
    unsafe {
        mie::set_mtimer();
        mie::set_mext();
    }
}

/// Returns the time since the start.
pub fn since_start() -> Duration {
    Duration::from_micros(time::read64() / (TICKS / 1000))
}

/// The number of a device's interrupt.
#[derive(Clone, Copy)]
pub struct Line(pub u32);

/// Sleeps until one of these devices interrupts, a millisecond at most.
pub fn sleep(lines: &[Line]) {
    let end = time::read64() + TICKS;
    timer(COMPARE_LOW).write(end as u32);
    timer(COMPARE_HIGH).write((end >> 32) as u32);
    let enabled = lines.iter().fold(0, |bits, line| bits | 1 << line.0);
    for line in lines {
        plic(PRIORITY + 4 * line.0 as usize).write(1);
    }
    plic(ENABLE).write(enabled);
    // A pending interrupt wakes the processor as well, so none is missed.
    asm::wfi();
    // Once its interrupt has been claimed and completed, a device may interrupt again.
    loop {
        match plic(CLAIM).read() {
            0 => break,
            line => plic(CLAIM).write(line),
        }
    }
}

/// Stops the processor.
pub fn stop() -> ! {
    loop {
        asm::wfi();
    }
}

/// Returns the register of the interrupt controller at this offset.
fn plic(offset: usize) -> Register {
    // SAFETY: the machine has the registers below at these addresses, and none of them affects memory.
    unsafe { Register::new(0x0C00_0000 + offset) }
}

/// Returns the register of the timer at this offset.
fn timer(offset: usize) -> Register {
    // SAFETY: as for `plic`.
    unsafe { Register::new(0x0200_0000 + offset) }
}

// For machine mode of the first processor, and the first 32 interrupts.
const PRIORITY: usize = 0;
const ENABLE: usize = 0x2000;
const THRESHOLD: usize = 0x20_0000;
const CLAIM: usize = 0x20_0004;

const COMPARE_LOW: usize = 0x4000;
const COMPARE_HIGH: usize = 0x4004;
