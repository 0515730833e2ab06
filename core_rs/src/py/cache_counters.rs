//! What caches of both sorts count.

use pyo3::prelude::*;

use crate::cache::Counters;

/// What a cache has done, and what it holds.
#[pyclass(frozen, get_all, module = "alejo._core")]
pub(super) struct CacheCounters {
    hits: u64,
    misses: u64,
    evictions: u64,
    expired: u64,
    entries: u64,
    weight: u64,
}

impl From<Counters> for CacheCounters {
    fn from(counters: Counters) -> Self {
        let Counters { hits, misses, evictions, expired, entries, weight } = counters;
        Self { hits, misses, evictions, expired, entries, weight }
    }
}
