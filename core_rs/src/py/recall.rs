//! Recall for Python: what it knows beside a lexical index and a vector scan, whose locks it takes in this order.
//!
//! As with these, whoever holds a lock never waits for the interpreter.

use std::collections::HashMap;
use std::sync::RwLock;

use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyMapping, PyTuple};

use super::embed::StaticEmbedder;
use super::lexical::{LexicalIndex, damaged};
use super::scan::{Vector, VectorScan};
use crate::error::{Error, Result, caught};
use crate::recall::{self, Class, EVIDENCE, Filter, Hit, KINDS, Meaning, Question, Sources, Traits, Weights};

/// From this many bytes on noting a text lets other Python threads run: some 10 µs of work.
const LARGE_TEXT: usize = 400;
/// From this many memories on a recall does: some 20 µs of work.
const LARGE: usize = 20;

/// Number, score, coverage, shares.
type Found<'py> = (u64, f32, f32, Bound<'py, PyTuple>);

/// What matters of shares, by name, the strongest first: each that is more than `least` of all together, and the rest as "other".
#[pyfunction]
pub(super) fn told(shares: [f64; KINDS], least: f64) -> Vec<(&'static str, f64)> {
    recall::told(&shares, least)
}

/// From a question to the memories that answer it; safe to use from many threads.
#[pyclass(frozen, module = "alejo._core")]
pub(super) struct Recall {
    lexical: Py<LexicalIndex>,
    vectors: Py<VectorScan>,
    table: Py<StaticEmbedder>,
    recall: RwLock<recall::Recall>,
}

#[pymethods]
impl Recall {
    #[new]
    fn new(lexical: Py<LexicalIndex>, vectors: Py<VectorScan>, table: Py<StaticEmbedder>) -> Self {
        Self { lexical, vectors, table, recall: RwLock::default() }
    }

    /// Everything it knows as bytes, for `load`.
    fn dump<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.read(py, |recall, _| recall.dump())?))
    }

    /// The recall that was dumped.
    #[staticmethod]
    fn load(
        py: Python<'_>,
        dumped: PyBackedBytes,
        lexical: Py<LexicalIndex>,
        vectors: Py<VectorScan>,
        table: Py<StaticEmbedder>,
    ) -> PyResult<Self> {
        let embedder = &table.get().embedder;
        let recall = py.detach(|| caught(|| recall::Recall::load(embedder, &dumped)))?;
        Ok(Self { lexical, vectors, table, recall: RwLock::new(recall) })
    }

    /// Notes what is known of a memory, replacing what was.
    #[expect(clippy::too_many_arguments, reason = "named ones, in Python")]
    #[pyo3(signature = (doc, text, *, asks = false, dated = false, numbered = false, placed = false, names = 0, tokens = 0, importance = 0.0, speaker = 0, session = 0, message = 0, question = 0))]
    fn upsert(
        &self,
        py: Python<'_>,
        doc: u64,
        text: &str,
        asks: bool,
        dated: bool,
        numbered: bool,
        placed: bool,
        names: u16,
        tokens: u16,
        importance: f32,
        speaker: u32,
        session: u64,
        message: u64,
        question: u64,
    ) -> PyResult<()> {
        if !importance.is_finite() {
            return Err(Error::Meaningless("an importance is a number").into());
        }
        let traits =
            Traits { asks, dated, numbered, placed, names, tokens, importance, speaker, session, message, question };
        let table = &self.table.get().embedder;
        if text.len() < LARGE_TEXT
            && let Ok(mut recall) = self.recall.try_write()
        {
            return Ok(caught(move || {
                recall.upsert(table, doc, text, traits);
                Ok::<_, Error>(())
            })?);
        }
        let work = || self.recall.write().map(|mut recall| recall.upsert(table, doc, text, traits)).map_err(damaged);
        Ok(py.detach(|| caught(work))?)
    }

    /// Forgets a memory; False if nothing was known of it.
    fn remove(&self, py: Python<'_>, doc: u64) -> PyResult<bool> {
        if let Ok(mut recall) = self.recall.try_write() {
            return Ok(recall.remove(doc));
        }
        Ok(py.detach(|| self.recall.write().map(|mut recall| recall.remove(doc)).map_err(damaged))?)
    }

    /// The best memories, each with its shares.
    #[expect(clippy::too_many_arguments, reason = "named ones, in Python")]
    #[pyo3(signature = (
        text, limit, *, weights, now, half_life, otherwise = "", known = "", meaning = None, cosines = None, classes = Vec::new(), spans = Vec::new(), delay = 1.0, asks_when = false,
        asks_name = false, asks_number = false, asks_place = false, after = None, before = None, session = None, only = None, but = Vec::new(), min_coverage = 0.0,
        min_similarity = -1.0, closely = 0,
    ))]
    #[pyo3(
        text_signature = "($self, text, limit, *, weights, now, half_life, otherwise='', known='', meaning=None, cosines=None, classes=(), spans=(), delay=1.0, asks_when=False, \
        asks_name=False, asks_number=False, asks_place=False, after=None, before=None, session=None, only=None, but=(), min_coverage=0.0, min_similarity=-1.0, closely=0)"
    )]
    fn rank<'py>(
        &self,
        py: Python<'py>,
        text: &str,
        limit: usize,
        weights: &Bound<'_, PyMapping>,
        now: i64,
        half_life: f64,
        otherwise: &str,
        known: &str,
        meaning: Option<Vector>,
        cosines: Option<HashMap<u64, f32>>,
        classes: Vec<Option<(f32, f32)>>,
        spans: Vec<(i64, i64)>,
        delay: f64,
        asks_when: bool,
        asks_name: bool,
        asks_number: bool,
        asks_place: bool,
        after: Option<i64>,
        before: Option<i64>,
        session: Option<u64>,
        only: Option<Vec<u64>>,
        but: Vec<u64>,
        min_coverage: f32,
        min_similarity: f32,
        closely: usize,
    ) -> PyResult<Vec<Found<'py>>> {
        if !(half_life > 0.0 && delay > 0.0) || min_coverage.is_nan() || min_similarity.is_nan() {
            return Err(Error::Meaningless("a half-life or delay is a number above 0, and a bound is a number").into());
        }
        let weights = weights_of(weights, closely)?;
        let classes = classes.into_iter().map(|class| class.map(class_of).transpose()).collect::<Result<_>>()?;
        let meaning = meaning.map(|meaning| meaning.numbers(py)).transpose()?;
        let meaning = match (meaning.as_deref(), &cosines) {
            (Some(_), Some(_)) => return Err(Error::Meaningless("a meaning is a vector, or cosines").into()),
            (Some(vector), None) => Meaning::Vector(vector),
            (None, Some(cosines)) if cosines.values().all(|cosine| cosine.is_finite()) => Meaning::Cosines(cosines),
            (None, Some(_)) => return Err(Error::Meaningless("a cosine is a number").into()),
            (None, None) => Meaning::Untold,
        };
        let only = only.map(|docs| docs.into_iter().collect());
        let filter = Filter { classes, after, before, session, only, but, min_coverage, min_similarity };
        let question = Question {
            text,
            otherwise,
            known,
            meaning,
            spans: &spans,
            delay,
            asks_when,
            asks_name,
            asks_number,
            asks_place,
            now,
            half_life,
        };
        let hits = self.read(py, |recall, sources| recall.rank(sources, &question, &filter, &weights, limit))??;
        let found = |hit: Hit| Ok((hit.doc, hit.score, hit.coverage, PyTuple::new(py, hit.shares)?));
        hits.into_iter().map(found).collect()
    }

    /// The numbers of the memories that may be found, and of those of times that are asked for, as bits.
    #[expect(clippy::too_many_arguments, reason = "named ones, in Python")]
    #[pyo3(signature = (*, classes = Vec::new(), spans = Vec::new(), delay = 1.0, after = None, before = None, session = None, only = None, but = Vec::new()))]
    #[pyo3(
        text_signature = "($self, *, classes=(), spans=(), delay=1.0, after=None, before=None, session=None, only=None, but=())"
    )]
    fn passing<'py>(
        &self,
        py: Python<'py>,
        classes: Vec<Option<(f32, f32)>>,
        spans: Vec<(i64, i64)>,
        delay: f64,
        after: Option<i64>,
        before: Option<i64>,
        session: Option<u64>,
        only: Option<Vec<u64>>,
        but: Vec<u64>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        if delay.is_nan() || delay <= 0.0 {
            return Err(Error::Meaningless("a delay is a number above 0").into());
        }
        let classes = classes.into_iter().map(|class| class.map(class_of).transpose()).collect::<Result<_>>()?;
        let only = only.map(|docs| docs.into_iter().collect());
        let filter = Filter { classes, after, before, session, only, but, ..Filter::default() };
        let question = Question { spans: &spans, delay, ..Question::default() };
        let (all, then) = self.read(py, |recall, sources| recall.passing(sources, &question, &filter))?;
        Ok((PyBytes::new(py, &all), PyBytes::new(py, &then)))
    }

    /// Checks every invariant; slow, for tests.
    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        Ok(self.read(py, recall::Recall::validate)??)
    }

    /// How many bytes it takes on the heap, beside the index and the vectors.
    #[getter]
    fn nbytes(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.read(py, |recall, _| recall.bytes())?)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.read(py, |recall, _| recall.len())?)
    }
}

impl Recall {
    fn read<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Fn(&recall::Recall, Sources<'_>) -> T + Send + Sync,
    ) -> Result<T> {
        let (lexical, vectors, table) = (self.lexical.get(), self.vectors.get(), &self.table.get().embedder);
        if let Ok(lexical) = lexical.index.try_read()
            && lexical.len() < LARGE
            && let Ok(vectors) = vectors.scan.try_read()
            && let Ok(recall) = self.recall.try_read()
        {
            return caught(|| Ok(work(&recall, Sources { lexical: &lexical, vectors: &vectors, table })));
        }
        py.detach(|| {
            caught(|| {
                let lexical = lexical.index.read().map_err(damaged)?;
                let vectors = vectors.scan.read().map_err(damaged)?;
                let recall = self.recall.read().map_err(damaged)?;
                Ok(work(&recall, Sources { lexical: &lexical, vectors: &vectors, table }))
            })
        })
    }
}

fn weights_of(weights: &Bound<'_, PyMapping>, closely: usize) -> PyResult<Weights> {
    let mut each = [0.0; KINDS];
    for item in weights.items()? {
        let (name, weight): (PyBackedStr, f32) = item.extract()?;
        each[recall::kind(&name)?] = weight;
    }
    Ok(Weights::new(each, closely)?)
}

fn class_of((speaker, kind): (f32, f32)) -> Result<Class> {
    if speaker.abs() <= 1.0 && kind.is_finite() {
        Ok(Class { speaker, kind })
    } else {
        Err(Error::Meaningless("a class is -1 to 1 for its speaker, and a finite number for its kind"))
    }
}

const _: () = assert!(EVIDENCE.len() == KINDS);
