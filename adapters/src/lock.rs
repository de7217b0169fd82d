//! [`lock`]: locks a mutex whose data is complete after each statement, so that a panic elsewhere does not make it
//! unusable.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks the mutex, also if a thread has panicked while it held it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
