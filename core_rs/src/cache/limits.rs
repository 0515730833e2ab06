//! The bounds of a cache.

use std::time::Duration;

use super::millis;
use crate::error::{Error, Result, in_range};

/// How much a cache may hold, and for how long; only values that mean something can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub(super) entries: usize,
    pub(super) weight: u64,
    /// In ms, as `idle`.
    pub(super) ttl: u64,
    pub(super) idle: u64,
    /// What the small queue may hold before it must give.
    pub(super) small_entries: usize,
    pub(super) small_weight: u64,
}

impl Limits {
    /// At most `entries` (1 to 2^31) and at most `weight`, in bytes if entries are weighed in bytes. An entry lives for `ttl`
    /// after it was put, and for `idle` after it was last put or read; both are whole milliseconds, at least one. `small`, 0.01
    /// to 0.9, is the small queue's share: more of it favours what was read lately, less what is read often.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] and [`Error::Meaningless`] for any other value.
    pub fn new(entries: usize, weight: u64, ttl: Duration, idle: Duration, small: f32) -> Result<Self> {
        let share = f64::from(in_range("small", small, 0.01, 0.9)?);
        if entries == 0 || entries > 1 << 31 {
            return Err(Error::Meaningless("a cache holds 1 to 2^31 entries"));
        }
        if millis(ttl) == 0 || millis(idle) == 0 {
            return Err(Error::Meaningless("an entry lives for at least a millisecond"));
        }
        let small_entries = (entries as f64 * share) as usize;
        let small_weight = (weight as f64 * share) as u64;
        Ok(Self { entries, weight, ttl: millis(ttl), idle: millis(idle), small_entries, small_weight })
    }
}
