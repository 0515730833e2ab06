//! The cache on disk for Python. What writes, or looks at everything, is done detached. A read is not: it takes a microsecond
//! where the file is in memory, and who lets go of a busy interpreter waits for it far longer. Nothing that holds a lock
//! under which a reader waits needs the interpreter.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::PyBytes;

use super::cache_counters::CacheCounters;
use super::clock::{FakeClock, duration};
use crate::cache::Stamps;
use crate::cache::disk::{Disk, Found, Keep};
use crate::clock::{Clock, MachineClock};
use crate::error::caught;

/// A key, its value, user and generation, and the seconds it may live.
type Row = (PyBackedStr, PyBackedBytes, Option<PyBackedStr>, u32, f64);

/// A bounded cache in a folder, from strings to bytes; safe to use from many threads and processes.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct CacheDisk {
    /// None once it is closed.
    disk: RwLock<Option<Disk>>,
    clock: Option<Arc<dyn Clock>>,
}

#[pymethods]
impl CacheDisk {
    #[new]
    #[pyo3(signature = (path, *, size = 1_073_741_824, ttl = 604_800.0, clock = None))]
    fn new(py: Python<'_>, path: PathBuf, size: u64, ttl: f64, clock: Option<&Bound<'_, FakeClock>>) -> PyResult<Self> {
        let ttl = duration(ttl)?;
        let disk = py.detach(|| caught(|| Disk::open(&path, size, ttl)))?;
        Ok(Self { disk: RwLock::new(Some(disk)), clock: clock.map(|clock| clock.get().share()) })
    }

    /// The value of a key, or None.
    #[pyo3(signature = (key, /))]
    fn get<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.found(key, |found| PyBytes::new(py, found.value))
    }

    /// The same with its generation and the seconds it lives yet.
    #[pyo3(signature = (key, /))]
    fn find<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Option<(Bound<'py, PyBytes>, u32, f64)>> {
        self.found(key, |Found { value, lives, stamp }| {
            (PyBytes::new(py, value), stamp.generation, lives.as_secs_f64())
        })
    }

    /// Keeps values, in the place of what is there, in one transaction.
    #[pyo3(signature = (rows, /))]
    fn put(&self, py: Python<'_>, rows: Vec<Row>) -> PyResult<()> {
        let lives = rows.iter().map(|row| duration(row.4)).collect::<Result<Vec<_>, _>>()?;
        self.detached(py, |disk, now| {
            // Keys and values are borrowed from the rows, which outlive the batch.
            let keep = |(row, &lives)| {
                let (key, value, user, generation, _): &Row = row;
                let stamp = disk.stamps().at(user.as_deref(), *generation);
                Keep { key: key.as_bytes(), value, stamp, lives }
            };
            let batch: Vec<Keep<'_>> = rows.iter().zip(&lives).map(keep).collect();
            disk.put(&batch, now)
        })
    }

    /// Takes a key out; False if it is not there.
    #[pyo3(signature = (key, /))]
    fn remove(&self, py: Python<'_>, key: &str) -> PyResult<bool> {
        self.detached(py, |disk, _| disk.remove(key.as_bytes()))
    }

    /// The generation of a user.
    #[pyo3(signature = (user, /))]
    fn generation(&self, user: Option<&str>) -> PyResult<u32> {
        Ok(self.stamps()?.stamp(user).generation)
    }

    /// From now on nothing that was kept for a user is given out, here and in every tier above, in any process.
    #[pyo3(signature = (user, /))]
    fn forget(&self, user: &str) -> PyResult<()> {
        self.stamps()?.forget(user);
        Ok(())
    }

    /// Takes out everything, here and in every tier above, in any process.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.detached(py, |disk, _| disk.clear())
    }

    /// Takes out what has outlived its time, and what was of users who were forgotten.
    fn sweep(&self, py: Python<'_>) -> PyResult<usize> {
        self.detached(py, Disk::sweep)
    }

    /// What this process has done with it, and what it holds.
    fn counters(&self, py: Python<'_>) -> PyResult<CacheCounters> {
        Ok(self.detached(py, |disk, _| Ok(disk.counters()))?.into())
    }

    /// Checks every invariant.
    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        self.detached(py, |disk, _| disk.validate())
    }

    /// Leaves the folder.
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.disk.write().unwrap_or_else(PoisonError::into_inner).take()));
    }
}

impl CacheDisk {
    /// The generations that the tiers above go by.
    pub(super) fn stamps(&self) -> PyResult<Arc<Stamps>> {
        let disk = self.disk.read().unwrap_or_else(PoisonError::into_inner);
        Ok(disk.as_ref().ok_or_else(closed)?.stamps().clone())
    }

    fn found<T>(&self, key: &str, take: impl FnMut(Found<'_>) -> T) -> PyResult<Option<T>> {
        let disk = self.disk.read().unwrap_or_else(PoisonError::into_inner);
        caught(|| Ok(disk.as_ref().ok_or_else(closed)?.get(key.as_bytes(), self.now(), take)))
    }

    fn now(&self) -> Duration {
        self.clock.as_ref().map_or_else(|| MachineClock::wall().now(), |clock| clock.now())
    }

    fn detached<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Disk, Duration) -> crate::error::Result<T> + Send,
    ) -> PyResult<T> {
        let locked = || {
            let disk = self.disk.read().unwrap_or_else(PoisonError::into_inner);
            Ok(work(disk.as_ref().ok_or_else(closed)?, self.now())?)
        };
        py.detach(|| caught(locked))
    }
}

fn closed() -> PyErr {
    PyValueError::new_err("this cache is closed")
}
