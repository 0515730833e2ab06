//! `alejo._core`: the Python face. Numbers, strings and lists cross here; no Python object is ever called back. A panic becomes
//! an error (`caught`): PyO3's own exception for it would pass by every `except Exception`.

mod attached;
mod blend;
mod cache;
mod cache_counters;
mod cache_disk;
mod clock;
mod embed;
mod error;
mod heap;
mod lexical;
mod limiter;
mod ngram;
mod pack;
mod phrases;
mod rank;
mod recall;
mod scan;
mod text;

use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;

/// Whether this extension was compiled without optimisation, so that its speed means nothing.
#[pyfunction]
fn debug_build() -> bool {
    cfg!(debug_assertions)
}

#[pymodule]
#[pyo3(name = "_core")]
fn core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("EVIDENCE", crate::recall::EVIDENCE.to_vec())?;
    module.add("InvalidValue", py.get_type::<error::InvalidValue>())?;
    module.add("DamagedIndex", py.get_type::<error::DamagedIndex>())?;
    module.add("DamagedTable", py.get_type::<error::DamagedTable>())?;
    module.add("Panicked", py.get_type::<error::Panicked>())?;
    module.add_class::<cache_counters::CacheCounters>()?;
    module.add_class::<cache::CacheTier>()?;
    module.add_class::<cache_disk::CacheDisk>()?;
    module.add_class::<clock::FakeClock>()?;
    module.add_class::<embed::StaticEmbedder>()?;
    module.add_class::<embed::TokenNet>()?;
    module.add_class::<embed::WordPiece>()?;
    module.add_class::<lexical::LexicalIndex>()?;
    module.add_class::<ngram::NgramHasher>()?;
    module.add_class::<ngram::SparseVector>()?;
    module.add_class::<phrases::PhraseFinder>()?;
    module.add_class::<rank::Ranker>()?;
    module.add_class::<rank::Selection>()?;
    module.add_class::<recall::Recall>()?;
    module.add_class::<scan::VectorScan>()?;
    module.add_class::<limiter::Decision>()?;
    module.add_class::<limiter::Limiter>()?;
    module.add_class::<limiter::SharedLimiter>()?;
    module.add_function(wrap_pyfunction!(debug_build, module)?)?;
    module.add_function(wrap_pyfunction!(blend::blend, module)?)?;
    module.add_function(wrap_pyfunction!(pack::pack, module)?)?;
    module.add_function(wrap_pyfunction!(heap::give_back, module)?)?;
    module.add_function(wrap_pyfunction!(recall::told, module)?)?;
    module.add_function(wrap_pyfunction!(text::estimate_tokens, module)?)?;
    module.add_function(wrap_pyfunction!(text::tokens, module)?)?;
    if debug_build() {
        let why = c"alejo._core is a debug build: it answers right but slowly; do not measure it.";
        PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), why, 1)?;
    }
    Ok(())
}
