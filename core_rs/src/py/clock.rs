//! The clock that tests move, for Python.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;

use crate::clock::{self, Clock};
use crate::error::Error;

/// A clock that stands still until it is moved.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct FakeClock {
    clock: Arc<clock::FakeClock>,
}

#[pymethods]
impl FakeClock {
    #[new]
    fn new() -> Self {
        Self { clock: Arc::default() }
    }

    /// Moves the time forward.
    fn advance(&self, seconds: f64) -> PyResult<()> {
        self.clock.advance(duration(seconds)?);
        Ok(())
    }
}

impl FakeClock {
    /// The same clock, for the core.
    pub(super) fn share(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }
}

/// Seconds as a duration; one of more than 584 years is that long.
pub(super) fn duration(seconds: f64) -> Result<Duration, Error> {
    if seconds.is_nan() || seconds < 0.0 {
        return Err(Error::Meaningless("a time in seconds is not negative"));
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}
