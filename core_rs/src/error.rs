//! Everything the core can refuse.

use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;

/// What went wrong, in a sentence that may be shown; never the caller's text.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    /// A number outside its range, or not a number.
    #[error("{name} is a number from {low} to {high}, not {value}")]
    OutOfRange { name: &'static str, low: f32, high: f32, value: f32 },
    /// A value there is no sense in; it says what would make some.
    #[error("{0}")]
    Meaningless(&'static str),
    /// A language code without a stemmer.
    #[error("no stemmer for this language; known are {known}, and the empty string for none")]
    UnknownLanguage { known: &'static str },
    /// A phrase of a list, by its place, that is of no use; it says why.
    #[error("phrase {number} {why}")]
    Phrase { number: usize, why: &'static str },
    /// An embedding table that cannot be used; it says why, naming files at most.
    #[error("the embedding table cannot be used: {0}")]
    Table(String),
    /// A file that cannot be made, opened or mapped.
    #[error("a file of the core cannot be used: {0}")]
    File(std::io::ErrorKind),
    /// An invariant of the structure does not hold.
    #[error("damaged: {0}; build it again")]
    Damaged(&'static str),
    /// A mistake of the core's own. What it says may hold the caller's text, so that is told on stderr alone.
    #[error("a mistake in the core, which stderr tells; please report it")]
    Panicked,
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::File(error.kind())
    }
}

impl From<heed::Error> for Error {
    fn from(error: heed::Error) -> Self {
        match error {
            heed::Error::Io(error) => error.into(),
            heed::Error::EnvAlreadyOpened => Self::File(std::io::ErrorKind::ResourceBusy),
            heed::Error::Mdb(heed::MdbError::MapFull) => Self::File(std::io::ErrorKind::StorageFull),
            _ => Self::Damaged("the file of entries can be read"),
        }
    }
}

impl Error {
    /// A file of an embedding table that cannot be read.
    pub(crate) fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Table(format!("{} cannot be read ({error})", path.display()))
    }
}

/// A result of the core.
pub type Result<T> = std::result::Result<T, Error>;

/// Does `work`; a panic in it is an error. What it was to change may be half changed: that is for a lock to remember.
///
/// # Errors
/// Those of `work`, and [`Error::Panicked`].
pub fn caught<T, E: From<Error>>(work: impl FnOnce() -> std::result::Result<T, E>) -> std::result::Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::Panicked.into()))
}

/// `value` if it lies in `low..=high`; NaN never does.
pub(crate) fn in_range(name: &'static str, value: f32, low: f32, high: f32) -> Result<f32> {
    if (low..=high).contains(&value) { Ok(value) } else { Err(Error::OutOfRange { name, low, high, value }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_ends_and_no_nan() {
        assert_eq!(in_range("b", 0.0, 0.0, 1.0), Ok(0.0));
        assert_eq!(in_range("b", 1.0, 0.0, 1.0), Ok(1.0));
        let refused = in_range("b", f32::NAN, 0.0, 1.0).unwrap_err();
        assert_eq!(refused.to_string(), "b is a number from 0 to 1, not NaN");
    }

    #[test]
    fn a_panic_is_an_error_and_a_lock_remembers_it() {
        let lock = std::sync::RwLock::new(());
        let work = || -> Result<()> {
            let _held = lock.write();
            panic!("deliberate");
        };
        assert_eq!(caught(work), Err(Error::Panicked));
        assert!(lock.is_poisoned());
        assert_eq!(caught(|| Ok::<_, Error>(1)), Ok(1));
    }
}
