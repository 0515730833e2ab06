//! Ranking for Python. Columns come as buffers, and what is said of those left out is made only when it is asked for.

use pyo3::buffer::{Element, PyBuffer, PyUntypedBuffer};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyMapping, PyTuple};

use super::scan::{Vector, VectorScan};
use crate::error::{Error, Result, caught};
use crate::rank::{self, Candidates, EVIDENCE, KINDS, LeftOut, Rows};

/// From this many candidates on ranking lets other Python threads run: some 10 µs of work, by itself and where candidates are
/// compared with each other.
const LARGE: usize = 500;
const LARGE_COMPARED: usize = 50;

const RECENCY: usize = 2;

/// Chooses what a context shall hold; safe to use from many threads.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct Ranker {
    ranker: rank::Ranker,
    weights: [f32; KINDS],
    half_life: f32,
}

/// What was chosen, and why the others were not.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct Selection {
    selection: rank::Selection,
    kinds: Vec<usize>,
}

/// A column as Python has it. Nothing at all may lie at any address, so its buffer is not looked into.
struct Column<T>(Vec<T>);

impl<'py, T: Element> FromPyObject<'_, 'py> for Column<T> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let buffer = PyUntypedBuffer::get(&object)?;
        Ok(Self(if buffer.item_count() == 0 { Vec::new() } else { buffer.into_typed()?.to_vec(object.py())? }))
    }
}

/// Vectors as Python has them.
enum Vectors<'py> {
    Scan(Bound<'py, VectorScan>),
    Floats(PyBuffer<f32>),
    Bytes(PyBuffer<i8>),
    Nothing,
}

impl<'py> FromPyObject<'_, 'py> for Vectors<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(scan) = object.cast::<VectorScan>() {
            return Ok(Self::Scan(scan.to_owned()));
        }
        let buffer = PyUntypedBuffer::get(&object)?;
        if buffer.item_count() == 0 {
            return Ok(Self::Nothing);
        }
        if buffer.as_typed::<f32>().is_ok() {
            return Ok(Self::Floats(buffer.into_typed()?));
        }
        Ok(Self::Bytes(buffer.into_typed()?))
    }
}

impl Vectors<'_> {
    fn rows(&self, py: Python<'_>, ids: &[u64]) -> PyResult<Rows> {
        Ok(match self {
            Self::Scan(scan) => scan.get().read(py, |_| ids.len() < LARGE, |scan| scan.rows(ids))?,
            Self::Floats(buffer) => Rows::floats(numbers(py, buffer)?, dimensions(buffer.item_count(), ids)?)?,
            Self::Bytes(buffer) => Rows::bytes(numbers(py, buffer)?, dimensions(buffer.item_count(), ids)?)?,
            Self::Nothing => Rows::bytes(&[], 1)?,
        })
    }
}

fn dimensions(numbers: usize, ids: &[u64]) -> Result<usize> {
    match numbers.checked_div(ids.len()) {
        Some(dimensions) if dimensions * ids.len() == numbers => Ok(dimensions),
        _ => Err(Error::Meaningless("there is a vector for each candidate, all of one length")),
    }
}

/// What a buffer holds, without a copy.
fn numbers<'a, T: Element>(_: Python<'a>, buffer: &'a PyBuffer<T>) -> PyResult<&'a [T]> {
    if !buffer.is_c_contiguous() {
        return Err(Error::Meaningless("vectors lie in memory without gaps, one after the other").into());
    }
    // SAFETY: the buffer holds so many numbers, without gaps, as long as it lives; and nobody writes to them while this thread
    // is attached to the interpreter, as it is for as long as the slice lives.
    Ok(unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast(), buffer.item_count()) })
}

#[pymethods]
impl Ranker {
    #[new]
    #[pyo3(signature = (weights, *, diversity = 0.0, duplicate = 2.0, half_life = 2_592_000.0))]
    fn new(weights: &Bound<'_, PyMapping>, diversity: f32, duplicate: f32, half_life: f32) -> PyResult<Self> {
        let mut each = [0.0; KINDS];
        for item in weights.items()? {
            let (name, weight): (PyBackedStr, f32) = item.extract()?;
            each[rank::kind(&name)?] = weight;
        }
        if half_life.is_nan() || half_life <= 0.0 {
            return Err(Error::Meaningless("a half-life is a number above 0").into());
        }
        Ok(Self { ranker: rank::Ranker::new(each, diversity, duplicate)?, weights: each, half_life })
    }

    /// Chooses among candidates.
    #[expect(clippy::too_many_arguments, reason = "named ones, in Python")]
    #[pyo3(signature = (
        ids, evidence, *, limit = 0, budget = None, factors = None, ages = None, vectors = None, query = None,
        tokens = None, hashes = None, superseded = Vec::new(),
    ))]
    #[pyo3(
        text_signature = "($self, ids, evidence, *, limit=0, budget=None, factors=None, ages=None, vectors=None, query=None, tokens=None, \
        hashes=None, superseded=())"
    )]
    fn rank(
        &self,
        py: Python<'_>,
        ids: Column<u64>,
        evidence: &Bound<'_, PyMapping>,
        limit: usize,
        budget: Option<u64>,
        factors: Option<Column<f32>>,
        ages: Option<Column<f32>>,
        vectors: Option<Vectors<'_>>,
        query: Option<Vector>,
        tokens: Option<Column<u32>>,
        hashes: Option<Column<u64>>,
        superseded: Vec<(u64, u64)>,
    ) -> PyResult<Selection> {
        let ids = ids.0;
        let mut columns: [Option<Vec<f32>>; KINDS] = Default::default();
        for item in evidence.items()? {
            let (name, column): (PyBackedStr, Column<f32>) = item.extract()?;
            columns[rank::kind(&name)?] = Some(column.0);
        }
        if let (None, Some(ages)) = (&columns[RECENCY], ages) {
            columns[RECENCY] = Some(ages.0.into_iter().map(|age| rank::recency(age, self.half_life)).collect());
        }
        let query = query.map(|query| query.numbers(py)).transpose()?;
        let vectors = vectors.map(|vectors| vectors.rows(py, &ids)).transpose()?;
        let compares = vectors.is_some() && self.ranker.compares();
        let large = ids.len() >= if compares { LARGE_COMPARED } else { LARGE };
        let candidates = Candidates {
            ids: &ids,
            evidence: std::array::from_fn(|kind| columns[kind].as_deref()),
            factors: factors.as_ref().map(|factors| &factors.0[..]),
            vectors,
            query: query.as_deref(),
            tokens: tokens.as_ref().map(|tokens| &tokens.0[..]),
            hashes: hashes.as_ref().map(|hashes| &hashes.0[..]),
            superseded: &superseded,
        };
        let there =
            |kind: usize| columns[kind].is_some() || kind == 0 && query.is_some() && candidates.vectors.is_some();
        let kinds = (0..KINDS).filter(|&kind| self.weights[kind] != 0.0 && there(kind)).collect();
        let work = || caught(|| self.ranker.rank(&candidates, limit, budget));
        let selection = if large { py.detach(work) } else { work() }?;
        Ok(Selection { selection, kinds })
    }
}

#[pymethods]
impl Selection {
    /// The chosen, in order.
    #[getter]
    fn chosen<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, f32, Bound<'py, PyTuple>)>> {
        let shares = |shares: &[f32; KINDS]| PyTuple::new(py, self.kinds.iter().map(|&kind| shares[kind]));
        self.selection.chosen.iter().map(|each| Ok((each.id, each.score, shares(&each.shares)?))).collect()
    }

    /// The names of the shares.
    #[getter]
    fn evidence<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.kinds.iter().map(|&kind| EVIDENCE[kind]))
    }

    /// The others, with a word why.
    #[getter]
    fn left_out(&self) -> Vec<(u64, &'static str, Option<u64>)> {
        self.selection.left_out.iter().map(|&LeftOut { id, reason, by }| (id, reason.word(), by)).collect()
    }

    /// The tokens of the chosen.
    #[getter]
    fn tokens(&self) -> u64 {
        self.selection.tokens
    }

    /// Which part of the greatest possible relevance was reached at least.
    #[getter]
    fn bound(&self) -> f32 {
        self.selection.bound
    }
}
