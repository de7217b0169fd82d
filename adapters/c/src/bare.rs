//! The allocator, and the function that ends a panic. Without std the program supplies both.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;
use core::panic::PanicInfo;

unsafe extern "C" {
    /// Returns `size` bytes with this alignment, or NULL. Supplied by the program.
    fn sanserve_alloc(size: usize, align: usize) -> *mut c_void;
    /// Takes memory back. Supplied by the program.
    fn sanserve_free(memory: *mut c_void, size: usize, align: usize);
    /// Never returns. Supplied by the program.
    fn sanserve_panic(message: *const u8, len: usize) -> !;
}

struct Supplied;

// SAFETY: the program promises what the header says of these functions.
unsafe impl GlobalAlloc for Supplied {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { sanserve_alloc(layout.size(), layout.align()) }.cast()
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { sanserve_free(memory.cast(), layout.size(), layout.align()) }
    }
}

#[global_allocator]
static ALLOCATOR: Supplied = Supplied;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let message = info.message().as_str().unwrap_or("a panic");
    // SAFETY: the program promises that it does not return.
    unsafe { sanserve_panic(message.as_ptr(), message.len()) }
}
