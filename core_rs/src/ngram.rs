//! A text as a sparse vector of hashed n-grams, and its products: what a linear classifier of texts stands on.
//!
//! Words, runs of words and runs of characters inside a word are hashed to 2^bits places, with a sign of the hash's own so that
//! what collides cancels out in the mean (Weinberger et al., "Feature hashing for large scale multitask learning", 2009). The
//! hashes are part of the contract: trained weights depend on them.

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::text::{LONGEST_WORD, Language, Tokenizer, fold};

/// What is hashed, and to how many places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grams {
    bits: u32,
    words: usize,
    chars: (usize, usize),
    marks: bool,
    damped: bool,
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
        Ok(Self { bits, words, chars, marks: false, damped: false })
    }

    /// With every mark (`!`, `:`, an emoji) as a word of its own, where it stands, and words whole at their apostrophes.
    #[must_use]
    pub fn with_marks(self) -> Self {
        Self { marks: true, ..self }
    }

    /// With the logarithm of 1 + how often an n-gram comes in the place of how often.
    #[must_use]
    pub fn damped(self) -> Self {
        Self { damped: true, ..self }
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
        let Grams { bits, words, chars, marks, damped } = self.grams;
        let mut found = Vec::new();
        let mut add = |hash: Hash| {
            let tag = hash.tag();
            found.push((tag >> (32 - bits), if tag & 1 == 0 { 1.0 } else { -1.0 }));
        };
        // The runs of words that end before the next one, the shortest first; each begins with what tells it from characters.
        let mut open: Vec<Hash> = Vec::with_capacity(words);
        let mut take = |word: &str| {
            if words > 0 {
                open.insert(0, Hash::EMPTY.then(b'w'));
                open.truncate(words);
                for run in &mut open {
                    *run = run.then(b' ').and(word);
                    add(*run);
                }
            }
            if chars.1 > 0 {
                runs_of_characters(word, chars, &mut add);
            }
        };
        if marks {
            words_and_marks(&fold(text)).for_each(take);
        } else {
            self.tokenizer.each(text, |token| take(token.word));
        }
        Sparse::of(found, 1 << bits, damped)
    }
}

/// The words of a folded text, an apostrophe between letters being one, and every character beside them that shows.
fn words_and_marks(text: &str) -> impl Iterator<Item = &str> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let mut end = first.len_utf8();
        if inside(first) {
            for (at, c) in rest.char_indices().skip(1) {
                let joins = c == '\'' && rest[at + 1..].chars().next().is_some_and(inside);
                if at >= LONGEST_WORD || !(inside(c) || joins) {
                    break;
                }
                end = at + c.len_utf8();
            }
        }
        let (word, behind) = rest.split_at(end);
        rest = behind;
        Some(word)
    })
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
    fn of(mut found: Vec<(u32, f32)>, size: usize, damped: bool) -> Self {
        found.sort_unstable_by_key(|(index, _)| *index);
        found.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        found.retain(|(_, value)| *value != 0.0);
        if damped {
            found.iter_mut().for_each(|(_, value)| *value = value.abs().ln_1p().copysign(*value));
        }
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

    /// The products with the columns of a matrix, a row for each place, whose numbers `number` reads.
    ///
    /// # Errors
    /// [`Error::Meaningless`] if that is not a whole number of columns, at least one.
    pub fn scores<T>(&self, weights: &[T], number: impl Fn(&T) -> f32) -> Result<Vec<f32>> {
        let columns = weights.len() / self.size;
        if columns == 0 || !weights.len().is_multiple_of(self.size) {
            return Err(Error::Meaningless("weights are a row for each of the 2^bits places"));
        }
        let mut sums = vec![0.0; columns];
        for (&index, value) in self.indices.iter().zip(&self.values) {
            let row = &weights[index as usize * columns..][..columns];
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum += value * number(weight);
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
    fn marks_are_words_where_they_stand() {
        let of = |text| words_and_marks(text).collect::<Vec<_>>();
        assert_eq!(
            of("don't [name] so!!\u{1f602} 'no'"),
            ["don't", "[", "name", "]", "so", "!", "!", "\u{1f602}", "'", "no", "'"]
        );
        assert_eq!(of(&"ä".repeat(LONGEST_WORD)).concat(), "ä".repeat(LONGEST_WORD));
        let marked = Hasher::new(Grams::new(20, 2, (0, 0)).unwrap().with_marks());
        assert_eq!(marked.features("so! so!").indices().len(), 2 + 2);
        assert_eq!(marked.features("\t ").indices().len(), 0);
    }

    #[test]
    fn damping_brings_what_comes_often_nearer_to_the_rest() {
        let plain = Hasher::new(Grams::new(20, 1, (0, 0)).unwrap()).features("ha ha ha dog");
        let damped = Hasher::new(Grams::new(20, 1, (0, 0)).unwrap().damped()).features("ha ha ha dog");
        let ratio = |of: &Sparse| {
            of.values()[0].abs().max(of.values()[1].abs()) / of.values()[0].abs().min(of.values()[1].abs())
        };
        assert!((ratio(&plain) - 3.0).abs() < 1e-5);
        assert!((ratio(&damped) - 2.0).abs() < 1e-5); // ln 4 by ln 2
        damped.validate().unwrap();
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for (bits, words, chars) in [(0, 1, (0, 0)), (25, 1, (0, 0)), (8, 9, (0, 0)), (8, 0, (0, 0)), (8, 1, (3, 2))] {
            assert!(Grams::new(bits, words, chars).is_err(), "{bits} {words} {chars:?}");
        }
        let vector = features(1, (0, 0), "dog");
        assert!(vector.scores(&[1.0; 7], |&one| one).is_err());
        assert!(vector.dot(&Hasher::new(Grams::new(4, 1, (0, 0)).unwrap()).features("dog")).is_err());
    }
}
