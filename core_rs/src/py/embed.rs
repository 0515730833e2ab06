//! Static embedding for Python. Vectors leave as bytes: `memoryview(vector).cast("f")`, `numpy.frombuffer(vector, "f4")`.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::PyBytes;

use crate::embed::net::{Layer, Net};
use crate::embed::{self, Embedder};
use crate::error::{Error, caught};

/// From this many bytes of text on embedding lets other Python threads run: some 20 µs of work.
const LARGE_TEXT: usize = 500;

/// Embeds texts by a table of their tokens; safe to use from many threads.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct StaticEmbedder {
    pub(super) embedder: Arc<Embedder>,
}

#[pymethods]
impl StaticEmbedder {
    #[new]
    fn new(py: Python<'_>, folder: PathBuf) -> PyResult<Self> {
        Ok(Self { embedder: Arc::new(py.detach(|| caught(|| Embedder::open(&folder)))?) })
    }

    /// How many numbers a vector has.
    #[getter]
    fn dimensions(&self) -> usize {
        self.embedder.dimensions()
    }

    /// The vector of a text.
    fn embed<'py>(&self, py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyBytes>> {
        let work = || caught(|| PyResult::Ok(self.embedder.embed(text)));
        let vector = if text.len() < LARGE_TEXT { work() } else { py.detach(work) }?;
        Ok(PyBytes::new(py, bytes_of(&vector)))
    }

    /// The vectors of many texts, one after the other.
    fn embed_many<'py>(&self, py: Python<'py>, texts: Vec<PyBackedStr>) -> PyResult<Bound<'py, PyBytes>> {
        let work = || self.embedder.embed_many(texts.iter().map(|text| &**text));
        let vectors = py.detach(|| caught(|| PyResult::Ok(work())))?;
        Ok(PyBytes::new(py, bytes_of(&vectors)))
    }

    /// Checks every invariant of the table; for tests.
    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.embedder.validate())?)
    }
}

/// A network over a table's rows.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct TokenNet {
    net: Net,
}

#[pymethods]
impl TokenNet {
    #[new]
    fn new(
        table: Bound<'_, StaticEmbedder>,
        layers: Vec<(PyBackedBytes, PyBackedBytes, PyBackedBytes)>,
        heads: &[u8],
        offsets: &[u8],
    ) -> PyResult<Self> {
        let layer = |(kernel, scales, biases): (PyBackedBytes, PyBackedBytes, PyBackedBytes)| {
            let kernel = kernel.iter().map(|&byte| byte.cast_signed()).collect();
            Ok(Layer { kernel, scales: floats(&scales)?, biases: floats(&biases)? })
        };
        let layers = layers.into_iter().map(layer).collect::<Result<_, Error>>()?;
        let (heads, offsets) = (floats(heads)?, floats(offsets)?);
        Ok(Self { net: caught(|| Net::new(Arc::clone(&table.get().embedder), layers, heads, offsets))? })
    }

    /// The score of each class.
    fn scores(&self, py: Python<'_>, text: &str) -> PyResult<Vec<f32>> {
        let work = || caught(|| PyResult::Ok(self.net.scores(text)));
        if text.len() < LARGE_TEXT { work() } else { py.detach(work) }
    }
}

/// The numbers that bytes are, as they lie in memory.
fn floats(bytes: &[u8]) -> Result<Vec<f32>, Error> {
    match bytes.as_chunks() {
        (numbers, []) => Ok(numbers.iter().copied().map(f32::from_ne_bytes).collect()),
        _ => Err(Error::Meaningless("a number is of 4 bytes")),
    }
}

/// BERT's tokenising by a vocabulary.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct WordPiece {
    pieces: embed::WordPiece,
}

#[pymethods]
impl WordPiece {
    #[new]
    #[pyo3(signature = (vocabulary, *, uncased = true))]
    fn new(py: Python<'_>, vocabulary: PathBuf, uncased: bool) -> PyResult<Self> {
        Ok(Self { pieces: py.detach(|| caught(|| embed::WordPiece::open(&vocabulary, uncased)))? })
    }

    /// The ids of the pieces of a text.
    fn ids(&self, py: Python<'_>, text: &str) -> PyResult<Vec<u32>> {
        let work = || caught(|| Ok(self.pieces.ids(text)));
        if text.len() < LARGE_TEXT { work() } else { py.detach(work) }
    }

    fn __len__(&self) -> usize {
        self.pieces.len()
    }
}

/// Numbers as the bytes they are in memory.
pub(super) fn bytes_of<T: Number>(numbers: &[T]) -> &[u8] {
    // SAFETY: a `Number` is four bytes without padding, any of which may be read, and the slice is as long as they are.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// A number of which every byte is defined.
pub(super) trait Number: Copy {}
impl Number for f32 {}
impl Number for u32 {}
