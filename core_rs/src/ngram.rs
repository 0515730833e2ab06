//! A text as a sparse vector of hashed n-grams, and its products: what a linear classifier of texts stands on.
//!
//! Words, runs of words and runs of characters inside a word are hashed to 2^bits places, with a sign of the hash's own so that
//! what collides cancels out in the mean (Weinberger et al., "Feature hashing for large scale multitask learning", 2009). The
//! hashes are part of the contract: trained weights depend on them.

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::text::{Language, Tokenizer};

/// What is hashed, and to how many places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grams {
    bits: u32,
    words: usize,
    chars: (usize, usize),
}

impl Grams {
    /// Runs of 1 to `words` words, and of `chars.0` to `chars.1` characters of a word between its ends, in 2^`bits` places.
    /// 0 words or (0, 0) characters leave that sort out.
    ///
    /// # Errors
    /// [`Error::Meaningless`] outside 1 to 24 bits, 8 words and 16 characters, and if nothing is left to hash.
    pub fn new(bits: u32, words: usize, chars: (usize, usize)) -> Result<Self> {
        let no_chars = chars == (0, 0);
        if !(1..=24).contains(&bits) || words > 8 || !(no_chars || 1 <= chars.0 && chars.0 <= chars.1 && chars.1 <= 16)
        {
            return Err(Error::Meaningless("n-grams are of 1 to 24 bits, up to 8 words, and 1 to 16 characters"));
        }
        if words == 0 && no_chars {
            return Err(Error::Meaningless("without words and characters there are no n-grams"));
        }
        Ok(Self { bits, words, chars })
    }
}

/// Turns texts into sparse vectors.
pub struct Hasher {
    grams: Grams,
    tokenizer: Tokenizer,
}

impl Hasher {
    /// A hasher of such n-grams.
    pub fn new(grams: Grams) -> Self {
        Self { grams, tokenizer: Tokenizer::new(Language::Unknown) }
    }

    /// The n-grams of `text`, folded, as a vector of length 1; none if there is no word in it.
    pub fn features(&self, text: &str) -> Sparse {
        let Grams { bits, words, chars } = self.grams;
        let mut found = Vec::new();
        let mut add = |hash: Hash| {
            let tag = hash.tag();
            found.push((tag >> (32 - bits), if tag & 1 == 0 { 1.0 } else { -1.0 }));
        };
        // The runs of words that end before the next one, the shortest first; each begins with what tells it from characters.
        let mut open: Vec<Hash> = Vec::with_capacity(words);
        self.tokenizer.each(text, |token| {
            if words > 0 {
                open.insert(0, Hash::EMPTY.then(b'w'));
                open.truncate(words);
                for run in &mut open {
                    *run = run.then(b' ').and(token.word);
                    add(*run);
                }
            }
            if chars.1 > 0 {
                runs_of_characters(token.word, chars, &mut add);
            }
        });
        Sparse::of(found, 1 << bits)
    }
}

/// Every run of so many characters of `<word>`.
fn runs_of_characters(word: &str, (least, most): (usize, usize), add: &mut impl FnMut(Hash)) {
    let ends = || std::iter::once('<').chain(word.chars()).chain(['>']);
    for start in 0..word.chars().count() + 2 {
        let mut run = Hash::EMPTY.then(b'c');
        for (length, c) in (1..=most).zip(ends().skip(start)) {
            run = run.and(c.encode_utf8(&mut [0; 4]));
            if length >= least {
                add(run);
            }
        }
    }
}

/// A vector that is 0 nearly everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Sparse {
    /// Ascending, each once.
    indices: Vec<u32>,
    values: Vec<f32>,
    size: usize,
}

impl Sparse {
    fn of(mut found: Vec<(u32, f32)>, size: usize) -> Self {
        found.sort_unstable_by_key(|(index, _)| *index);
        found.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        found.retain(|(_, value)| *value != 0.0);
        let length = found.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
        let (indices, values) = found.into_iter().map(|(index, value)| (index, value / length)).unzip();
        Self { indices, values, size }
    }

    /// Where it is not 0, ascending.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// Its values there.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// How many places it has, those that are 0 included.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The sum of the products with another vector.
    ///
    /// # Errors
    /// [`Error::Meaningless`] if the other one has another size.
    pub fn dot(&self, other: &Self) -> Result<f32> {
        if self.size != other.size {
            return Err(Error::Meaningless("vectors of different numbers of bits have no product"));
        }
        let (mut sum, mut at) = (0.0, 0);
        for (index, value) in self.indices.iter().zip(&self.values) {
            at += other.indices[at..].iter().take_while(|seen| *seen < index).count();
            if other.indices.get(at) == Some(index) {
                sum += value * other.values[at];
            }
        }
        Ok(sum)
    }

    /// The products with the columns of a matrix of `count` numbers, a row for each place, read by `weight`.
    ///
    /// # Errors
    /// [`Error::Meaningless`] if that is not a whole number of columns, at least one.
    pub fn scores(&self, count: usize, weight: impl Fn(usize) -> f32) -> Result<Vec<f32>> {
        let columns = count / self.size;
        if columns == 0 || !count.is_multiple_of(self.size) {
            return Err(Error::Meaningless("weights are a row for each of the 2^bits places"));
        }
        let mut sums = vec![0.0; columns];
        for (&index, value) in self.indices.iter().zip(&self.values) {
            let row = index as usize * columns;
            for (column, sum) in sums.iter_mut().enumerate() {
                *sum += value * weight(row + column);
            }
        }
        Ok(sums)
    }

    /// Checks every invariant.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming what does not hold.
    pub fn validate(&self) -> Result<()> {
        let ascending = self.indices.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = self.indices.last().is_none_or(|&last| (last as usize) < self.size);
        let square: f32 = self.values.iter().map(|value| value * value).sum();
        let unit = self.values.is_empty() || (square - 1.0).abs() < 1e-3;
        if !ascending || !inside || !unit || self.indices.len() != self.values.len() {
            return Err(Error::Damaged("a sparse vector"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(words: usize, chars: (usize, usize), text: &str) -> Sparse {
        let made = Hasher::new(Grams::new(20, words, chars).unwrap()).features(text);
        made.validate().unwrap();
        made
    }

    #[test]
    fn every_run_counts_once() {
        assert_eq!(features(2, (0, 0), "I am not sad").indices().len(), 4 + 3);
        assert_eq!(features(0, (3, 4), "sad").indices().len(), 3 + 2); // <sa sad ad> <sad sad>
        assert_eq!(features(1, (0, 0), " .,").indices().len(), 0);
    }

    #[test]
    fn the_form_of_a_text_does_not_matter_and_its_order_does() {
        let one = features(2, (3, 5), "Not BAD, good");
        assert_eq!(one, features(2, (3, 5), "not bad good"));
        assert!(one.dot(&features(2, (3, 5), "not good bad")).unwrap() < 0.99);
    }

    #[test]
    fn a_run_of_words_is_no_run_of_characters() {
        let words = features(1, (0, 0), "a");
        assert_eq!(words.dot(&features(0, (1, 1), "a")).unwrap(), 0.0);
    }

    #[test]
    fn the_places_never_change() {
        let known = features(2, (2, 3), "be my dog");
        assert_eq!(known.indices()[..4], [14374, 42481, 63124, 73609]);
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for (bits, words, chars) in [(0, 1, (0, 0)), (25, 1, (0, 0)), (8, 9, (0, 0)), (8, 0, (0, 0)), (8, 1, (3, 2))] {
            assert!(Grams::new(bits, words, chars).is_err(), "{bits} {words} {chars:?}");
        }
        let vector = features(1, (0, 0), "dog");
        assert!(vector.scores(7, |_| 1.0).is_err());
        assert!(vector.dot(&Hasher::new(Grams::new(4, 1, (0, 0)).unwrap()).features("dog")).is_err());
    }
}
