//! A hash that grows with what it is of, byte by byte, and never changes: tables of weights on disk depend on it.

/// FNV-1a of Fowler, Noll and Vo, 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(u64);

impl Hash {
    pub(crate) const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    pub(crate) fn of(text: &str) -> Self {
        Self::EMPTY.and(text)
    }

    pub(crate) fn and(self, text: &str) -> Self {
        text.bytes().fold(self, Self::then)
    }

    pub(crate) fn then(self, byte: u8) -> Self {
        Self((self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// 32 bits of it, mixed once more: the low bits of FNV depend on the low bits of the bytes alone.
    pub(crate) fn tag(self) -> u32 {
        ((self.0 ^ (self.0 >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_published_one() {
        assert_eq!(Hash::EMPTY, Hash::of(""));
        assert_eq!(Hash::of("a"), Hash(0xaf63_dc4c_8601_ec8c));
        assert_eq!(Hash::of("foobar"), Hash(0x8594_4171_f739_67e8));
        assert_eq!(Hash::of("foo").and("bar"), Hash::of("foobar"));
    }
}
