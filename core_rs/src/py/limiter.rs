//! The limiter for Python. A decision takes less than letting go of the interpreter would, so it is done attached; whoever
//! holds a shard's lock never waits for the interpreter.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::prelude::*;

use crate::clock::{Clock, MachineClock};
use crate::error::{Error, Result, caught};
use crate::limiter::{self, Quota, Quotas, shared};

/// From this long a burst takes to refill, a clock that is late by a few milliseconds is exact enough.
const SLOW: u64 = 1_000_000_000;

/// What a request is told.
#[pyclass(frozen, get_all, module = "alejo._core")]
pub(super) struct Decision {
    allowed: bool,
    remaining: u32,
    retry_after: f64,
}

#[pymethods]
impl Decision {
    fn __bool__(&self) -> bool {
        self.allowed
    }

    fn __repr__(&self) -> String {
        let word = if self.allowed { "True" } else { "False" };
        format!("Decision(allowed={word}, remaining={}, retry_after={:?})", self.remaining, self.retry_after)
    }
}

impl From<limiter::Decision> for Decision {
    fn from(told: limiter::Decision) -> Self {
        Self { allowed: told.allowed, remaining: told.remaining, retry_after: told.wait as f64 / 1e9 }
    }
}

/// A rate limiter of this process for many keys; safe to use from many threads.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct Limiter {
    limiter: limiter::Limiter,
    time: Time,
}

/// The time in nanoseconds: the machine's, or what the caller hands in.
struct Time(MachineClock);

impl Time {
    fn fit(quotas: &Quotas) -> Self {
        Self(if quotas.shortest() >= SLOW { MachineClock::coarse() } else { MachineClock::precise() })
    }

    fn or(&self, now: Option<f64>) -> Result<u64> {
        let time = now.map_or_else(|| Ok(self.0.now()), Duration::try_from_secs_f64);
        let time = time.map_err(|_| Error::Meaningless("a time is in seconds since the clock's beginning"))?;
        Ok(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }
}

fn quotas(pairs: Vec<(f64, u32)>) -> Result<Quotas> {
    Quotas::new(pairs.into_iter().map(|(rate, burst)| Quota::new(rate, burst)).collect::<Result<_>>()?)
}

#[pymethods]
impl Limiter {
    #[new]
    #[pyo3(signature = (*quotas, keys = 1_000_000))]
    fn new(quotas: Vec<(f64, u32)>, keys: usize) -> PyResult<Self> {
        let quotas = self::quotas(quotas)?;
        Ok(Self { time: Time::fit(&quotas), limiter: limiter::Limiter::new(quotas, keys) })
    }

    /// Decides on a request of `key`.
    #[pyo3(signature = (key, cost = 1, quota = 0, now = None))]
    fn decide(&self, key: &str, cost: u32, quota: usize, now: Option<f64>) -> PyResult<Decision> {
        caught(|| Ok(self.limiter.decide(key.as_bytes(), quota, cost, self.time.or(now)?)?.into()))
    }

    /// Takes the memory of idle keys back.
    #[pyo3(signature = (now = None))]
    fn reclaim(&self, py: Python<'_>, now: Option<f64>) -> PyResult<()> {
        let now = self.time.or(now)?;
        py.detach(|| self.limiter.reclaim(now));
        Ok(())
    }

    /// Checks every invariant; slow, for tests.
    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.limiter.validate())?)
    }

    fn __len__(&self) -> usize {
        self.limiter.len()
    }
}

/// A rate limiter whose state lies in a file that processes share; safe to use from many threads.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct SharedLimiter {
    limiter: shared::SharedLimiter,
    time: Time,
}

#[pymethods]
impl SharedLimiter {
    #[new]
    #[pyo3(signature = (path, *quotas, keys = 100_000))]
    fn new(path: PathBuf, quotas: Vec<(f64, u32)>, keys: usize) -> PyResult<Self> {
        let quotas = self::quotas(quotas)?;
        Ok(Self { time: Time::fit(&quotas), limiter: shared::SharedLimiter::open(quotas, &path, keys)? })
    }

    /// Decides on a request of `key`.
    #[pyo3(signature = (key, cost = 1, quota = 0, now = None))]
    fn decide(&self, key: &str, cost: u32, quota: usize, now: Option<f64>) -> PyResult<Decision> {
        caught(|| Ok(self.limiter.decide(key.as_bytes(), quota, cost, self.time.or(now)?)?.into()))
    }

    /// Checks every invariant; slow, for tests.
    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.limiter.validate())?)
    }
}
