//! The vector scan for Python: a handle that never changes, around a lock, around the scan.
//!
//! As with the lexical index, whoever holds the lock never waits for the interpreter.

use std::sync::{PoisonError, RwLock};

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::error::{Error, Result, caught};
use crate::scan::Scan;

/// From this many numbers on a search lets other Python threads run: some 5 µs of work.
const LARGE: usize = 200_000;

/// Exact search over vectors; safe to use from many threads.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct VectorScan {
    pub(super) scan: RwLock<Scan>,
}

/// A vector as Python has it.
#[derive(FromPyObject)]
pub(super) enum Vector {
    Floats(PyBuffer<f32>),
    Bytes(PyBuffer<u8>),
}

impl Vector {
    pub(super) fn numbers(&self, py: Python<'_>) -> PyResult<Vec<f32>> {
        match self {
            Self::Floats(buffer) => buffer.to_vec(py),
            Self::Bytes(buffer) => {
                let bytes = buffer.to_vec(py)?;
                let (numbers, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(Error::Meaningless("the bytes of a vector are four a number").into());
                }
                Ok(numbers.iter().map(|number| f32::from_ne_bytes(*number)).collect())
            }
        }
    }
}

#[pymethods]
impl VectorScan {
    #[new]
    #[pyo3(signature = (dimensions, *, exact = true))]
    fn new(dimensions: usize, exact: bool) -> PyResult<Self> {
        let scan = if exact { Scan::new(dimensions) } else { Scan::coded(dimensions) }?;
        Ok(Self { scan: RwLock::new(scan) })
    }

    /// Puts a vector in, replacing the one with the same number.
    fn upsert(&self, py: Python<'_>, id: u64, vector: Vector) -> PyResult<()> {
        let vector = vector.numbers(py)?;
        Ok(self.write(py, |scan| scan.upsert(id, &vector))??)
    }

    /// Takes a vector out; False if there is none of that number.
    fn remove(&self, py: Python<'_>, id: u64) -> PyResult<bool> {
        Ok(self.write(py, |scan| scan.remove(id))?)
    }

    /// The greatest dot products with the query.
    fn search(&self, py: Python<'_>, query: Vector, limit: usize) -> PyResult<Vec<(u64, f32)>> {
        let query = query.numbers(py)?;
        Ok(self.read(py, |scan| scan.len() * scan.dimensions() < LARGE, |scan| scan.search(&query, limit))??)
    }

    /// Everything it holds as bytes, for `load`.
    fn dump<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.read(py, |scan| scan.len() * scan.dimensions() < LARGE, Scan::dump)?))
    }

    /// The scan that was dumped.
    #[staticmethod]
    fn load(py: Python<'_>, dumped: PyBackedBytes) -> PyResult<Self> {
        let scan = py.detach(|| caught(|| Scan::load(&dumped)))?;
        Ok(Self { scan: RwLock::new(scan) })
    }

    /// How many bytes the scan takes on the heap.
    #[getter]
    fn nbytes(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.read(py, |_| true, Scan::bytes)?)
    }

    /// Checks every invariant of the scan; slow, for tests.
    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        Ok(self.read(py, |_| false, Scan::validate)??)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.read(py, |_| true, Scan::len)?)
    }
}

/// A panic inside a write may have left the scan half changed, and it says so from then on.
pub(super) fn damaged<T>(_: PoisonError<T>) -> Error {
    Error::Damaged("a change was broken off")
}

impl VectorScan {
    pub(super) fn read<T: Send>(
        &self,
        py: Python<'_>,
        small: impl Fn(&Scan) -> bool,
        work: impl Fn(&Scan) -> T + Send + Sync,
    ) -> Result<T> {
        if let Ok(scan) = self.scan.try_read()
            && small(&scan)
        {
            return caught(|| Ok(work(&scan)));
        }
        py.detach(|| caught(|| self.scan.read().map(|scan| work(&scan)).map_err(damaged)))
    }

    fn write<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Scan) -> T + Send) -> Result<T> {
        if let Ok(mut scan) = self.scan.try_write() {
            return caught(move || Ok(work(&mut scan)));
        }
        py.detach(|| caught(|| self.scan.write().map(|mut scan| work(&mut scan)).map_err(damaged)))
    }
}
