//! The cache for Python: it keeps the caller's own strings and bytes and gives them back.
//!
//! All work is done attached: a hit is over sooner than the interpreter could be let go, and references may not be counted
//! without it. So the interpreter's lock is all that the cache needs. Only exact `str` and `bytes` are kept, whose hash, comparison
//! and end run no Python code.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use super::attached::Attached;
use super::cache_counters::CacheCounters;
use super::cache_disk::CacheDisk;
use super::clock::{FakeClock, duration};
use crate::cache::{Demoted, Item, Limits, Stamp, Tier};
use crate::clock::{Clock, MachineClock};
use crate::error::caught;

/// What an entry costs beside its key and value: a slot, its share of the table and of the ghosts, and the heads of two objects.
const OVERHEAD: u64 = 64 + 12 + 32 + 48 + 33;

type Kept = Tier<Py<PyString>, Py<PyBytes>>;

/// A bounded cache in memory from strings to bytes; safe to use from many threads.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct CacheTier {
    tier: Attached<Kept>,
    clock: Option<Arc<dyn Clock>>,
}

/// A key, its value, user and generation, and the seconds it lives yet.
type Left = (Py<PyString>, Py<PyBytes>, Option<String>, u32, f64);

#[pymethods]
impl CacheTier {
    #[new]
    #[pyo3(signature = (
        *, entries = 10_000, weight = 67_108_864, ttl = 3600.0, idle = 1800.0, small = 0.2, over = None, clock = None
    ))]
    fn new(
        entries: usize,
        weight: u64,
        ttl: f64,
        idle: f64,
        small: f32,
        over: Option<&Bound<'_, CacheDisk>>,
        clock: Option<&Bound<'_, FakeClock>>,
    ) -> PyResult<Self> {
        let limits = Limits::new(entries, weight, duration(ttl)?, duration(idle)?, small)?;
        let tier = match over {
            Some(disk) => Tier::over(limits, disk.get().stamps()?),
            None => Tier::new(limits),
        };
        Ok(Self { tier: Attached::new(tier), clock: clock.map(|clock| clock.get().share()) })
    }

    /// The value of a key, or None.
    #[pyo3(signature = (key, /))]
    fn get<'py>(&self, key: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let hash = hashed(key)?;
        let py = key.py();
        self.with(py, |tier, now| tier.get(hash, |held| same(held, key), now).map(|value| value.bind(py).clone()))
    }

    /// The values of keys, in their order.
    #[pyo3(signature = (keys, /))]
    fn get_many<'py>(&self, keys: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyList>> {
        let py = keys.py();
        let mut values = Vec::with_capacity(keys.len());
        self.with(py, |tier, now| {
            for key in keys {
                let key = key.cast::<PyString>()?;
                values.push(tier.get(hashed(key)?, |held| same(held, key), now).map(|value| value.clone_ref(py)));
            }
            PyResult::Ok(())
        })??;
        PyList::new(py, values)
    }

    /// Keeps a value, in the place of what is there.
    #[pyo3(signature = (key, value, user = None, *, since = None, lives = f64::INFINITY))]
    fn put(
        &self,
        key: Bound<'_, PyString>,
        value: Bound<'_, PyBytes>,
        user: Option<&str>,
        since: Option<u32>,
        lives: f64,
    ) -> PyResult<()> {
        let hash = hashed(&key)?;
        if !value.is_exact_instance_of::<PyBytes>() {
            return Err(PyTypeError::new_err("a value is bytes, not of a subclass"));
        }
        let py = key.py();
        let weight = (key.len()? + value.as_bytes().len()) as u64 + OVERHEAD;
        let lives = duration(lives)?;
        let is = |held: &Py<PyString>, key: &Py<PyString>| same(held, key.bind(py));
        self.with(py, |tier, now| {
            let since = since.map(|generation| tier.stamps().at(user, generation));
            let item = Item { hash, key: key.unbind(), value: value.unbind(), weight, user, since, lives };
            tier.put(item, is, now);
        })
    }

    /// The generation of a user.
    #[pyo3(signature = (user, /))]
    fn generation(&self, py: Python<'_>, user: Option<&str>) -> PyResult<u32> {
        self.with(py, |tier, _| tier.stamps().stamp(user).generation)
    }

    /// What left since the last call while it could live on.
    #[pyo3(signature = (*, everything = false))]
    fn demoted(&self, py: Python<'_>, everything: bool) -> PyResult<Vec<Left>> {
        let demoted = self.with(py, |tier, now| tier.demoted(everything, now))?;
        let left = |Demoted { key, value, user, stamp: Stamp { generation, .. }, lives, .. }| {
            (key, value, user.map(String::from), generation, lives.as_secs_f64())
        };
        Ok(demoted.into_iter().map(left).collect())
    }

    /// Takes a key out; False if it is not there.
    #[pyo3(signature = (key, /))]
    fn remove(&self, key: &Bound<'_, PyString>) -> PyResult<bool> {
        let py = key.py();
        let hash = hashed(key)?;
        self.with(py, |tier, now| tier.remove(hash, |held| same(held, key), now))
    }

    /// Takes out all that belongs to a user.
    #[pyo3(signature = (user, /))]
    fn forget(&self, py: Python<'_>, user: &str) -> PyResult<usize> {
        self.with(py, |tier, _| tier.forget(user))
    }

    /// Takes out everything.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |tier, _| tier.clear())
    }

    /// Takes out what has outlived its time.
    fn sweep(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, |tier, now| tier.sweep(now))
    }

    /// What it has done and what it holds.
    fn counters(&self, py: Python<'_>) -> PyResult<CacheCounters> {
        self.with(py, |tier, _| tier.counters().into())
    }

    /// Checks every invariant.
    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        Ok(self.with(py, |tier, _| tier.validate())??)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, |tier, _| tier.counters().entries as usize)
    }
}

impl CacheTier {
    fn now(&self) -> Duration {
        self.clock.as_ref().map_or_else(|| MachineClock::coarse().now(), |clock| clock.now())
    }

    fn with<T>(&self, py: Python<'_>, work: impl FnOnce(&mut Kept, Duration) -> T) -> PyResult<T> {
        caught(|| Ok(self.tier.with(py, |tier| work(tier, self.now()))?))
    }
}

/// A string's hash, which Python keeps with it and seeds for each process.
fn hashed(key: &Bound<'_, PyString>) -> PyResult<u64> {
    if !key.is_exact_instance_of::<PyString>() {
        return Err(PyTypeError::new_err("a key is a str, not of a subclass"));
    }
    Ok(key.hash()? as u64)
}

/// Whether two strings are equal; of the same object it is seen at once.
fn same(held: &Py<PyString>, key: &Bound<'_, PyString>) -> bool {
    held.is(key) || held.bind(key.py()).as_any().eq(key).unwrap_or(false)
}
