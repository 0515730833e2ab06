//! The one conversion of the core's errors to Python.

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::error::Error;

pyo3::create_exception!(alejo._core, InvalidValue, PyValueError, "A value the core has no meaning for.");
pyo3::create_exception!(
    alejo._core,
    DamagedIndex,
    PyRuntimeError,
    "An index whose invariants do not hold; build it again."
);

pyo3::create_exception!(
    alejo._core,
    DamagedTable,
    PyRuntimeError,
    "An embedding table whose files are missing, cut short or do not fit each other."
);

pyo3::create_exception!(alejo._core, Panicked, PyRuntimeError, "A mistake of the core's own; please report it.");

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::OutOfRange { .. } | Error::Meaningless(_) | Error::Phrase { .. } | Error::UnknownLanguage { .. } => {
                InvalidValue::new_err(message)
            }
            Error::Table(_) => DamagedTable::new_err(message),
            Error::File(_) => PyOSError::new_err(message),
            Error::Damaged(_) => DamagedIndex::new_err(message),
            Error::Panicked => Panicked::new_err(message),
        }
    }
}
