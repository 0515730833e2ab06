//! Hashed n-grams for Python.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::embed::bytes_of;
use crate::error::{Error, caught};
use crate::ngram::{Grams, Hasher, Sparse};

/// From this many bytes of text on hashing lets other Python threads run: some 20 µs of work.
const LARGE_TEXT: usize = 200;

/// Turns texts into sparse vectors of hashed n-grams.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct NgramHasher {
    hasher: Hasher,
}

#[pymethods]
impl NgramHasher {
    #[new]
    #[pyo3(
        signature = (bits = 18, words = 2, chars = (3, 5), *, marks = false, damped = false),
        text_signature = "(bits=18, words=2, chars=(3, 5), *, marks=False, damped=False)"
    )]
    fn new(bits: u32, words: usize, chars: (usize, usize), marks: bool, damped: bool) -> PyResult<Self> {
        let mut grams = Grams::new(bits, words, chars)?;
        if marks {
            grams = grams.with_marks();
        }
        if damped {
            grams = grams.damped();
        }
        Ok(Self { hasher: Hasher::new(grams) })
    }

    /// The n-grams of a text.
    fn features(&self, py: Python<'_>, text: &str) -> PyResult<SparseVector> {
        let work = || caught(|| PyResult::Ok(self.hasher.features(text)));
        Ok(SparseVector { vector: if text.len() < LARGE_TEXT { work() } else { py.detach(work) }? })
    }
}

/// A vector that is 0 nearly everywhere.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct SparseVector {
    vector: Sparse,
}

#[derive(FromPyObject)]
enum Weights {
    Float(PyBuffer<f32>),
    Byte(PyBuffer<i8>),
}

#[pymethods]
impl SparseVector {
    /// Where it is not 0.
    #[getter]
    fn indices<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, bytes_of(self.vector.indices()))
    }

    /// Its values there.
    #[getter]
    fn values<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, bytes_of(self.vector.values()))
    }

    /// The sum of the products with another vector.
    fn dot(&self, other: &Self) -> PyResult<f32> {
        Ok(caught(|| self.vector.dot(&other.vector))?)
    }

    /// The products with the columns of a matrix.
    fn scores(&self, py: Python<'_>, weights: Weights) -> PyResult<Vec<f32>> {
        const GAPS: Error = Error::Meaningless("weights lie in memory without gaps, row after row");
        Ok(match &weights {
            Weights::Float(buffer) => {
                let cells = buffer.as_slice(py).ok_or(GAPS)?;
                self.vector.scores(cells, |cell| cell.get())?
            }
            Weights::Byte(buffer) => {
                let cells = buffer.as_slice(py).ok_or(GAPS)?;
                self.vector.scores(cells, |cell| f32::from(cell.get()))?
            }
        })
    }

    fn __len__(&self) -> usize {
        self.vector.indices().len()
    }
}
