//! What each fuzz target does with some bytes; it panics where the core is wrong. No fuzzer is needed to call it: the tests of
//! the core replay what fuzzers have found worth keeping.

mod cache;
mod cache_disk;
mod dump;
mod embed;
mod feed;
mod lexical;
mod limiter;
mod rank;
mod scan;
mod text;

/// A target's name and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target there is.
pub const TARGETS: [Target; 12] = [
    ("cache", cache::run),
    ("cache_disk", cache_disk::run),
    ("dump", dump::run),
    ("embed", embed::run),
    ("lexical", lexical::run),
    ("limiter", limiter::run),
    ("limiter_file", limiter::run_file),
    ("ngram", text::run_ngram),
    ("phrases", text::run_phrases),
    ("rank", rank::run),
    ("scan", scan::run),
    ("text", text::run),
];
