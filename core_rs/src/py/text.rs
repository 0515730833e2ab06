//! Tokenising for Python.

use pyo3::prelude::*;

use crate::error::caught;
use crate::text::{Language, Tokenizer};

/// The terms a text is found by, in its order.
#[pyfunction]
#[pyo3(signature = (text, language = "en"))]
pub(super) fn tokens(text: &str, language: &str) -> PyResult<Vec<String>> {
    caught(|| Ok(Tokenizer::new(Language::from_code(language)?).terms(text)))
}
