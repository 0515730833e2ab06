//! Several models as one, for Python.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;

use crate::blend::blend as blended;
use crate::error::caught;

/// How likely each class is, by what several models say.
#[pyfunction]
pub(super) fn blend(
    py: Python<'_>,
    scores: Vec<Vec<f64>>,
    slopes: PyBuffer<f64>,
    offsets: PyBuffer<f64>,
) -> PyResult<Vec<f64>> {
    let (slopes, offsets) = (slopes.to_vec(py)?, offsets.to_vec(py)?);
    Ok(caught(|| blended(&scores, &slopes, &offsets))?)
}
