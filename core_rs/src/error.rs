//! Everything the core can refuse.

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
    /// An embedding table that cannot be used; it says why, naming files at most.
    #[error("the embedding table cannot be used: {0}")]
    Table(String),
    /// A file that cannot be made, opened or mapped.
    #[error("a file of the core cannot be used: {0}")]
    File(std::io::ErrorKind),
    /// An invariant of the structure does not hold.
    #[error("damaged: {0}; build it again")]
    Damaged(&'static str),
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
}
