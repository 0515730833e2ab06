//! Phrases in texts, for Python.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyTuple;

use crate::error::caught;
use crate::phrases::{Finder, plain, tokens};

/// From this many bytes of text on finding lets other Python threads run: some 20 µs of work.
const LARGE_TEXT: usize = 1000;

/// Finds words and phrases of a list in texts.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct PhraseFinder {
    finder: Finder,
}

/// The place of a phrase, its first token, how many it has, whether they are shouted, and what stands before it.
type Found<'py> = (u32, usize, usize, bool, Bound<'py, PyTuple>);

#[pymethods]
impl PhraseFinder {
    #[new]
    #[pyo3(signature = (phrases, before = vec![], reach = 3), text_signature = "(phrases, before=(), reach=3)")]
    fn new(phrases: Vec<PyBackedStr>, before: Vec<PyBackedStr>, reach: usize) -> PyResult<Self> {
        Ok(Self { finder: caught(|| Finder::new(&phrases, &before, reach))? })
    }

    /// The tokens of a text.
    #[staticmethod]
    fn tokens(text: &str) -> Vec<String> {
        tokens(&plain(text)).map(str::to_owned).collect()
    }

    /// The phrases in a text.
    fn found<'py>(&self, py: Python<'py>, text: &str) -> PyResult<Vec<Found<'py>>> {
        let work = || caught(|| PyResult::Ok(self.finder.found(text)));
        let found = if text.len() < LARGE_TEXT { work() } else { py.detach(work) }?;
        let told = found.into_iter().map(|one| {
            let before = PyTuple::new(py, one.before)?;
            PyResult::Ok((one.phrase, one.at, one.size, one.shouted, before))
        });
        told.collect()
    }
}
