//! Maps by the numbers memories, and pieces of words, go by. Who keeps them numbers them one after the other, so nobody else chooses numbers that
//! meet, and telling them apart need not cost what it costs to withstand somebody who does. Neighbours stay neighbours.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Values by number.
pub(crate) type Numbered<T, N = u64> = HashMap<N, T, BuildHasherDefault<Number>>;

/// The low bits, which choose the place, are the number's own; the high ones, which tell apart what meets there, are mixed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Number(u64);

impl Number {
    const HIGH: u64 = 0x7f << 57;

    pub(crate) fn hash(number: u64) -> u64 {
        number & !Self::HIGH | number.wrapping_mul(0x9e37_79b9_7f4a_7c15) & Self::HIGH
    }
}

impl Hasher for Number {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = Self::hash(number);
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("numbers are u64 or u16");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_meet_are_told_apart() {
        let high = |number| Number::hash(number) >> 57;
        let told: std::collections::HashSet<u64> = (0..128).map(|number| high(number << 20)).collect();
        assert!(told.len() > 64);
        assert!((0..1000).all(|number| Number::hash(number) << 7 == number << 7));
    }
}
