//! [`Arc`]: the reference-counted pointer of this crate's signatures, also for targets without native atomics.

use alloc::boxed::Box;

#[cfg(target_has_atomic = "ptr")]
pub use alloc::sync::Arc;
#[cfg(not(target_has_atomic = "ptr"))]
pub use portable_atomic_util::Arc;

/// Moves a boxed value into an [`Arc`]. Only this makes an `Arc<dyn Trait>` of either kind: an [`Arc`] from outside of
/// `alloc` cannot be converted to one.
pub(crate) fn share<T: ?Sized>(value: Box<T>) -> Arc<T> {
    Arc::from(value)
}
