//! What the interpreter's own lock protects, so that it needs none beside it.

use std::cell::{Cell, UnsafeCell};

use pyo3::prelude::*;

use crate::error::{Error, Result};

/// A value that is only touched while attached to the interpreter, by one thread at a time for that reason.
///
/// That holds for interpreters with a global lock, and this module is built for their stable ABI alone (abi3), which those
/// without one do not load.
pub(super) struct Attached<T> {
    value: UnsafeCell<T>,
    busy: Cell<bool>,
}

// SAFETY: both cells are only touched in `with`, under the interpreter's lock, which its token proves is held.
unsafe impl<T: Send> Sync for Attached<T> {}

impl<T> Attached<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value: UnsafeCell::new(value), busy: Cell::new(false) }
    }

    /// Does `work`, which must not let go of the interpreter or run Python code.
    ///
    /// # Errors
    /// [`Error::Damaged`] if earlier work panicked and may have left the value half changed.
    pub(super) fn with<R>(&self, _attached: Python<'_>, work: impl FnOnce(&mut T) -> R) -> Result<R> {
        if self.busy.replace(true) {
            return Err(Error::Damaged("a change was broken off"));
        }
        // SAFETY: no other thread is in here, as the interpreter's lock is held and `work` keeps it; nor is this one a second
        // time, as `busy` was not set. So this is the only reference.
        let outcome = work(unsafe { &mut *self.value.get() });
        self.busy.set(false);
        Ok(outcome)
    }
}
