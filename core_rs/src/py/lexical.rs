//! The lexical index for Python: a handle that never changes, around a lock, around the index.
//!
//! Whoever holds the lock never waits for the interpreter, so a thread that waits for the lock cannot wait for itself. Short
//! work on a free lock is done attached, as letting go of the interpreter and coming back may cost more than the work.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, TryLockError};

use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::PyBytes;

use crate::error::{Error, Result, caught};
use crate::lexical::{Facts, Field, Hit, Index, Params, Weighing, Weight, Window};
use crate::text::{Language, Tokenizer};

/// From this many documents on a search lets other Python threads run: some 20 µs of work.
const LARGE_INDEX: usize = 2_000;
/// From this many bytes on tokenising lets other Python threads run: some 10 µs of work.
const LARGE_TEXT: usize = 400;

/// Below so many documents a dump takes some 50 µs.
const SMALL_DUMP: usize = 100;

/// Number, score, lexical share, recency share, coverage.
type Ranked = (u64, f64, f64, f64, f32);

/// An exact BM25 index over one user's documents; safe to use from many threads.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct LexicalIndex {
    pub(super) index: RwLock<Index>,
}

#[pymethods]
impl LexicalIndex {
    #[new]
    #[pyo3(signature = (fields = vec![(1.0, 0.0, true)], *, k1 = 0.9, window = BTreeMap::new(), language = "en"))]
    fn new(fields: Vec<(f32, f32, bool)>, k1: f32, window: BTreeMap<i32, f32>, language: &str) -> PyResult<Self> {
        let (tokenizer, params) = scheme(fields, k1, window, language)?;
        Ok(Self { index: RwLock::new(Index::new(tokenizer, params)) })
    }

    /// Puts a document in, replacing the one with the same number.
    #[pyo3(signature = (doc, texts, kind = 0, time = 0, session = None))]
    fn upsert(
        &self,
        py: Python<'_>,
        doc: u64,
        texts: Vec<PyBackedStr>,
        kind: u32,
        time: i64,
        session: Option<u64>,
    ) -> PyResult<()> {
        let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
        let small = texts.iter().map(|text| text.len()).sum::<usize>() < LARGE_TEXT;
        Ok(self.write(py, small, |index| index.upsert(doc, &texts, Facts { kind, time, session }))??)
    }

    /// Takes a document out; False if there is none of that number.
    fn remove(&self, py: Python<'_>, doc: u64) -> PyResult<bool> {
        Ok(self.write(py, true, |index| index.remove(doc))?)
    }

    /// The best documents, weighed by BM25, kind and age.
    #[expect(clippy::too_many_arguments, reason = "named ones, in Python")]
    #[pyo3(signature = (query, limit, *, now, half_life, recency_weight, weights, min_coverage))]
    fn rank(
        &self,
        py: Python<'_>,
        query: &str,
        limit: usize,
        now: i64,
        half_life: f64,
        recency_weight: f64,
        weights: Vec<Option<f64>>,
        min_coverage: f64,
    ) -> PyResult<Vec<Ranked>> {
        let weighing = Weighing::new(now, half_life, recency_weight, weights, min_coverage)?;
        let small = |index: &Index| index.len() < LARGE_INDEX && query.len() < LARGE_TEXT;
        let hits = self.read(py, small, |index| index.rank(query, limit, &weighing))?;
        let tuple = |Hit { doc, score, lexical, recency, coverage }| (doc, score, lexical, recency, coverage);
        Ok(hits.into_iter().map(tuple).collect())
    }

    /// Each matching word of the query with its share of BM25, for each of the documents.
    #[pyo3(signature = (docs, query, *, own = false))]
    fn explain(&self, py: Python<'_>, docs: Vec<u64>, query: &str, own: bool) -> PyResult<Vec<Vec<(String, f32)>>> {
        // Cutting out a word takes as long as looking it up in some four documents.
        let small = |_: &Index| query.len() * docs.len().max(4) < 4 * LARGE_TEXT;
        Ok(self.read(py, small, |index| index.explain(&docs, query, own))?)
    }

    /// Everything it holds as bytes, for `load`.
    fn dump<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.read(py, |index| index.len() < SMALL_DUMP, Index::dump)?))
    }

    /// The index that was dumped.
    #[staticmethod]
    #[pyo3(signature = (dumped, fields = vec![(1.0, 0.0, true)], *, k1 = 0.9, window = BTreeMap::new(), language = "en"))]
    fn load(
        py: Python<'_>,
        dumped: PyBackedBytes,
        fields: Vec<(f32, f32, bool)>,
        k1: f32,
        window: BTreeMap<i32, f32>,
        language: &str,
    ) -> PyResult<Self> {
        let (tokenizer, params) = scheme(fields, k1, window, language)?;
        let index = py.detach(|| caught(|| Index::load(tokenizer, params, &dumped)))?;
        Ok(Self { index: RwLock::new(index) })
    }

    /// Checks every invariant of the index; slow, for tests.
    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        Ok(self.read(py, |_| false, Index::validate)??)
    }

    /// How many bytes the index takes on the heap.
    #[getter]
    fn nbytes(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.read(py, |index| index.len() < LARGE_INDEX, Index::bytes)?)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.read(py, |_| true, Index::len)?)
    }
}

/// How texts are cut and weighed.
fn scheme(
    fields: Vec<(f32, f32, bool)>,
    k1: f32,
    window: BTreeMap<i32, f32>,
    language: &str,
) -> Result<(Tokenizer, Params)> {
    let field = |(weight, b, heard)| Field::new(Weight::new(weight)?, b, heard);
    let fields = fields.into_iter().map(field).collect::<Result<_>>()?;
    let window = Window::new(&window.into_iter().collect::<Vec<_>>())?;
    Ok((Tokenizer::new(Language::from_code(language)?), Params::new(k1, fields, window)?))
}

/// A panic inside a write may have left the index half changed, and it says so from then on.
pub(super) fn damaged<T>(_: PoisonError<T>) -> Error {
    Error::Damaged("a change was broken off")
}

impl LexicalIndex {
    fn read<T: Send>(
        &self,
        py: Python<'_>,
        small: impl Fn(&Index) -> bool,
        work: impl Fn(&Index) -> T + Send + Sync,
    ) -> Result<T> {
        match self.index.try_read() {
            Ok(index) if small(&index) => return caught(|| Ok(work(&index))),
            Ok(_) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Poisoned(poison)) => return Err(damaged(poison)),
        }
        py.detach(|| caught(|| self.index.read().map(|index| work(&index)).map_err(damaged)))
    }

    fn write<T: Send>(&self, py: Python<'_>, small: bool, work: impl FnOnce(&mut Index) -> T + Send) -> Result<T> {
        if small {
            match self.index.try_write() {
                Ok(mut index) => return caught(move || Ok(work(&mut index))),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Poisoned(poison)) => return Err(damaged(poison)),
            }
        }
        py.detach(|| caught(|| self.index.write().map(|mut index| work(&mut index)).map_err(damaged)))
    }
}
