//! Structures as bytes and back: little-endian numbers, columns of one kind after each other, a checksum at the end.
//!
//! What is loaded may come from anywhere: every count is compared with the bytes there are before room is made for it, and who
//! loads checks what the numbers mean. A dump is of one machine's memory and no format for others: what does not fit is built
//! again.

use crate::error::{Error, Result};

const CHECKSUM: usize = size_of::<u32>();

/// What a column is made of.
pub(crate) trait Number: Copy {
    const BYTES: usize;
    fn put(self, bytes: &mut Vec<u8>);
    fn take(bytes: &[u8]) -> Self;
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl Number for $kind {
            const BYTES: usize = size_of::<Self>();
            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
            fn take(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<Self>()];
                own.copy_from_slice(bytes);
                Self::from_le_bytes(own)
            }
        }
    )*};
}
number!(u8, u16, u32, u64, i64, f32);

/// A dump being written.
pub(crate) struct Dump(Vec<u8>);

impl Dump {
    /// A dump of the format `magic`, with room for so many bytes.
    pub(crate) fn new(magic: [u8; 8], room: usize) -> Self {
        let mut bytes = Vec::with_capacity(magic.len() + room + CHECKSUM);
        bytes.extend_from_slice(&magic);
        Self(bytes)
    }

    pub(crate) fn number(&mut self, number: impl Number) {
        number.put(&mut self.0);
    }

    /// Numbers whose count the reader knows.
    pub(crate) fn column<T: Number>(&mut self, numbers: impl IntoIterator<Item = T>) {
        numbers.into_iter().for_each(|number| number.put(&mut self.0));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn done(mut self) -> Vec<u8> {
        let checksum = crc32fast::hash(&self.0);
        self.number(checksum);
        self.0
    }
}

/// A dump being read.
pub(crate) struct Load<'a>(&'a [u8]);

impl<'a> Load<'a> {
    /// What was dumped in the format `magic`.
    ///
    /// # Errors
    /// [`Error::Damaged`] for anything else; so do all others here.
    pub(crate) fn new(magic: [u8; 8], dumped: &'a [u8]) -> Result<Self> {
        let cut = dumped.len().checked_sub(CHECKSUM).ok_or(Error::Damaged("the dump is cut"))?;
        let (body, checksum) = dumped.split_at(cut);
        sound(body.starts_with(&magic), "the dump is of this kind and version")?;
        sound(u32::take(checksum) == crc32fast::hash(body), "the dump has its checksum")?;
        Ok(Self(&body[magic.len()..]))
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Error::Damaged("the dump is cut"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn number<T: Number>(&mut self) -> Result<T> {
        Ok(T::take(self.bytes(T::BYTES)?))
    }

    /// A number that counts what follows.
    pub(crate) fn count(&mut self) -> Result<usize> {
        Ok(self.number::<u32>()? as usize)
    }

    pub(crate) fn column<T: Number>(&mut self, count: usize) -> Result<impl Iterator<Item = T> + use<'a, T>> {
        let bytes = count.checked_mul(T::BYTES).ok_or(Error::Damaged("the dump is cut"))?;
        Ok(self.bytes(bytes)?.chunks_exact(T::BYTES).map(T::take))
    }

    pub(crate) fn done(self) -> Result<()> {
        sound(self.0.is_empty(), "the dump ends where it should")
    }
}

/// Whether something holds of what is loaded.
pub(crate) fn sound(holds: bool, what: &'static str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Damaged(what)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_altered_or_of_another_kind_is_refused() {
        let mut dump = Dump::new(*b"ALEJO  1", 0);
        dump.number(3_u32);
        dump.column([1_i64, -2, 3]);
        let bytes = dump.done();
        let mut load = Load::new(*b"ALEJO  1", &bytes).unwrap();
        let count = load.count().unwrap();
        assert_eq!(load.column::<i64>(count).unwrap().collect::<Vec<_>>(), [1, -2, 3]);
        assert!(load.number::<u8>().is_err());
        load.done().unwrap();
        assert!(Load::new(*b"ALEJO  2", &bytes).is_err());
        for cut in 0..bytes.len() {
            assert!(Load::new(*b"ALEJO  1", &bytes[..cut]).is_err());
        }
        for at in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[at / 8] ^= 1 << (at % 8);
            assert!(Load::new(*b"ALEJO  1", &altered).is_err());
        }
        let mut load = Load::new(*b"ALEJO  1", &bytes).unwrap();
        assert!(load.column::<i64>(usize::MAX).is_err() && load.done().is_err());
    }
}
