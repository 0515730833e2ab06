//! The performance-critical part of ALEJO, in pure Rust.
//!
//! # Layout
//! - [`error`]: the one error enum.
//! - [`clock`]: the time as a value that is handed in.
//! - [`blend`]: what several models of texts say, as one.
//! - [`cache`]: a bounded cache in memory, with times to live and to idle and users that can be forgotten; below it one on disk.
//! - [`text`]: from a text in any language to the terms it is found by.
//! - [`embed`]: a text as a vector, from a table of its tokens; small networks over that table.
//! - [`ngram`]: a text as hashed n-grams, for linear classifiers.
//! - [`estimate`]: how many tokens a language model will count.
//! - [`lexical`]: an exact, incremental BM25 index over one user's documents.
//! - [`limiter`]: how often somebody may, for many keys.
//! - [`pack`]: the most worth within a budget of tokens.
//! - [`phrases`]: words and phrases of a list, found in texts with what stands before them.
//! - [`rank`]: from candidates to what a context shall hold.
//! - [`recall`]: from a question to the memories that answer it, each with what speaks for it.
//! - [`scan`]: the vectors nearest to a query, exactly.
//! - `py`: the Python face `alejo._core`, behind the feature `python`; nothing outside it knows Python.

pub mod blend;
pub mod cache;
pub mod clock;
mod dot;
mod dump;
pub mod embed;
pub mod error;
pub mod estimate;
mod hash;
pub mod lexical;
pub mod limiter;
mod lines;
pub mod ngram;
mod numbers;
pub mod pack;
pub mod phrases;
#[cfg(feature = "python")]
mod py;
pub mod rank;
pub mod recall;
pub mod scan;
pub mod text;

pub use error::{Error, Result};
