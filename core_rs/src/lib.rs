//! The performance-critical part of ALEJO: pure Rust, with a thin Python face behind the feature `python`.

#[cfg(feature = "python")]
mod py;
