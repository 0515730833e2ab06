//! Tokenising for Python.

use pyo3::prelude::*;

use crate::error::caught;
use crate::estimate;
use crate::text::{Language, Tokenizer};

/// From this many bytes on tokenising lets other Python threads run: some 10 µs of work.
const LARGE_TEXT: usize = 400;

/// The terms a text is found by, in its order.
#[pyfunction]
#[pyo3(signature = (text, language = "en"))]
pub(super) fn tokens(py: Python<'_>, text: &str, language: &str) -> PyResult<Vec<String>> {
    let work = || caught(|| Ok(Tokenizer::new(Language::from_code(language)?).terms(text)));
    if text.len() < LARGE_TEXT { work() } else { py.detach(work) }
}

/// How many tokens a language model will count in a text, about.
#[pyfunction]
pub(super) fn estimate_tokens(text: &str) -> PyResult<usize> {
    caught(|| Ok(estimate::tokens(text)))
}
