//! The performance-critical part of ALEJO, in pure Rust.
//!
//! # Layout
//! - [`error`]: the one error enum.
//! - [`clock`]: the time as a value that is handed in.
//! - [`text`]: from a text in any language to the terms it is found by.
//! - [`lexical`]: an exact, incremental BM25 index over one user's documents.
//! - `py`: the Python face `alejo._core`, behind the feature `python`; nothing outside it knows Python.

pub mod clock;
pub mod error;
pub mod lexical;
#[cfg(feature = "python")]
mod py;
pub mod text;

pub use error::{Error, Result};
