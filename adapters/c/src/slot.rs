//! [`Slot`]: a value in memory that the caller has allocated, with a mark from which mistakes are told.

use core::mem::MaybeUninit;

use crate::status::*;

/// A value in the caller's memory.
#[repr(C)]
pub(crate) struct Slot<T> {
    mark: u64,
    value: MaybeUninit<T>,
}

/// The value can be used. A number that uninitialized memory hardly has by chance.
const READY: u64 = 0x7361_6e73_6572_7665;
/// A call with the value is running.
const BUSY: u64 = READY + 1;
/// A call has panicked.
const PANICKED: u64 = READY + 2;

impl<T> Slot<T> {
    /// Stores a value. What was there is forgotten.
    ///
    /// # Safety
    /// `at` can be written, with the size and alignment of this type.
    pub(crate) unsafe fn store(at: *mut Self, value: T) -> Outcome {
        if at.is_null() {
            return Err(SANSERVE_NULL_POINTER);
        }
        let value = MaybeUninit::new(value);
        // SAFETY: the caller promises that it can be written.
        unsafe { at.write(Self { mark: READY, value }) };
        Ok(())
    }

    /// Calls `work` with the value. Meanwhile, and after a panic in it, further calls are refused.
    ///
    /// # Safety
    /// `at` is NULL, or as for [`store`](Self::store).
    pub(crate) unsafe fn with<R>(
        at: *mut Self,
        work: impl FnOnce(&mut T) -> Outcome<R>,
    ) -> Outcome<R> {
        struct Unmark(*mut u64);
        impl Drop for Unmark {
            fn drop(&mut self) {
                // SAFETY: the slot outlives this call.
                unsafe { self.0.write(PANICKED) };
            }
        }

        if at.is_null() {
            return Err(SANSERVE_NULL_POINTER);
        }
        // SAFETY: the caller promises that the slot is valid; no reference to all of it exists, only to its value.
        let mark = unsafe { &raw mut (*at).mark };
        // SAFETY: as above.
        match unsafe { mark.read() } {
            READY => {}
            BUSY => return Err(SANSERVE_BUSY),
            PANICKED => return Err(SANSERVE_PANICKED),
            _ => return Err(SANSERVE_NOT_INITIALIZED),
        }
        // SAFETY: as above.
        unsafe { mark.write(BUSY) };
        let unmark = Unmark(mark);
        // SAFETY: the mark says that there is a value, and that no other call uses it.
        let result = work(unsafe { (*at).value.assume_init_mut() });
        core::mem::forget(unmark);
        // SAFETY: as above.
        unsafe { mark.write(READY) };
        result
    }

    /// Drops the value.
    ///
    /// # Safety
    /// As for [`with`](Self::with).
    pub(crate) unsafe fn release(at: *mut Self) -> Outcome {
        if at.is_null() {
            return Err(SANSERVE_NULL_POINTER);
        }
        // SAFETY: the caller promises that the slot is valid.
        let slot = unsafe { &mut *at };
        match slot.mark {
            READY | PANICKED => slot.mark = 0,
            BUSY => return Err(SANSERVE_BUSY),
            _ => return Err(SANSERVE_NOT_INITIALIZED),
        }
        // SAFETY: the mark said that there is a value.
        unsafe { slot.value.assume_init_drop() };
        Ok(())
    }
}

/// Checks that the memory of a type of the header has room for a value.
macro_rules! fits {
    ($memory:ty, $value:ty) => {
        const _: () = assert!(
            size_of::<$crate::slot::Slot<$value>>() <= size_of::<$memory>()
                && align_of::<$crate::slot::Slot<$value>>() <= align_of::<$memory>()
        );
    };
}
pub(crate) use fits;
