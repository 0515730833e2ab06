//! BERT's tokenising: a text is cleaned, cut at spaces, punctuation and ideographs, and every word into known pieces.
//!
//! The algorithm is that of Devlin et al., "BERT" (2018), as its reference code has it; lower case is taken character by
//! character, without regard to the end of a word. Special tokens are neither added nor recognised: what a user types as
//! `[SEP]` is three words.

use std::path::Path;

use unicode_normalization::char::decompose_canonical;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::vocabulary::Vocabulary;
use crate::error::{Error, Result};

/// A longer word, in characters, is unknown.
const LONGEST_WORD: usize = 100;

/// Cuts texts into the pieces of a vocabulary.
pub struct WordPiece {
    vocabulary: Vocabulary,
    /// Whether case and accents are taken off.
    uncased: bool,
}

/// Room to work in, used for text after text.
#[derive(Default)]
pub(super) struct Room {
    word: String,
    ends: Vec<(usize, u32)>,
    /// The pieces of the last text.
    pub(super) ids: Vec<u32>,
}

impl WordPiece {
    /// Tokenising by a file with a piece on each line (`vocab.txt`), whose line number, from 0, is the piece's id.
    ///
    /// # Errors
    /// [`Error::Table`] if the file cannot be read, is not UTF-8, holds a piece twice or lacks `[UNK]`.
    pub fn open(vocabulary: &Path, uncased: bool) -> Result<Self> {
        let text = std::fs::read_to_string(vocabulary).map_err(|error| Error::unreadable(vocabulary, &error))?;
        Self::new(text, uncased)
    }

    /// Tokenising by a text with a piece on each line.
    ///
    /// # Errors
    /// As [`WordPiece::open`].
    pub fn new(vocabulary: String, uncased: bool) -> Result<Self> {
        Ok(Self { vocabulary: Vocabulary::new(vocabulary)?, uncased })
    }

    /// How many pieces there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always [UNK]")]
    pub fn len(&self) -> usize {
        self.vocabulary.len()
    }

    /// The ids of the pieces of `text`, in its order.
    pub fn ids(&self, text: &str) -> Vec<u32> {
        let mut room = Room::default();
        self.cut(text, &mut room);
        room.ids
    }

    /// The row of what is not known.
    pub(super) fn unknown(&self) -> u32 {
        self.vocabulary.unknown()
    }

    /// Puts the pieces of `text` into `room.ids`.
    pub(super) fn cut(&self, text: &str, room: &mut Room) {
        let Room { word, ends, ids } = room;
        ids.clear();
        word.clear();
        let mut take = |word: &mut String| {
            if word.len() > LONGEST_WORD && word.chars().nth(LONGEST_WORD).is_some() {
                ids.push(self.vocabulary.unknown());
            } else {
                self.vocabulary.pieces(word, ends, ids);
            }
            word.clear();
        };
        for c in text.chars() {
            match c {
                'a'..='z' | '0'..='9' => word.push(c),
                'A'..='Z' => word.push(if self.uncased { c.to_ascii_lowercase() } else { c }),
                ' ' | '\t' | '\n' | '\r' => take(word),
                '\0'..='\x1f' | '\x7f' => {}
                '!'..='~' => alone(c, word, &mut take),
                _ => self.foreign(c, word, &mut take),
            }
        }
        take(word);
    }

    /// A character beyond ASCII.
    fn foreign(&self, c: char, word: &mut String, take: &mut impl FnMut(&mut String)) {
        if c.general_category_group() == GeneralCategoryGroup::Other || c == char::REPLACEMENT_CHARACTER {
            return;
        }
        if c.is_whitespace() {
            return take(word);
        }
        if !self.uncased {
            return put(c, is_ideograph(c), word, take);
        }
        let ideograph = is_ideograph(c);
        decompose_canonical(c, |part| {
            if part.general_category() != GeneralCategory::NonspacingMark {
                part.to_lowercase().for_each(|lower| put(lower, ideograph, word, take));
            }
        });
    }

    /// Checks every invariant.
    ///
    /// # Errors
    /// [`Error::Table`] naming what does not hold.
    pub fn validate(&self) -> Result<()> {
        self.vocabulary.validate()
    }
}

fn put(c: char, ideograph: bool, word: &mut String, take: &mut impl FnMut(&mut String)) {
    let mark = c.is_ascii_punctuation() || c.general_category_group() == GeneralCategoryGroup::Punctuation;
    if mark || ideograph { alone(c, word, take) } else { word.push(c) }
}

/// A character that is a word of its own.
fn alone(c: char, word: &mut String, take: &mut impl FnMut(&mut String)) {
    take(word);
    word.push(c);
    take(word);
}

/// Chinese characters as BERT has them: the blocks of ideographs, without kana and Hangul.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2a6df}' | '\u{2a700}'..='\u{2b73f}'
        | '\u{2b740}'..='\u{2b81f}' | '\u{2b920}'..='\u{2ceaf}' | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "[UNK]\nun\n##aff\n##able\nmüde\nmude\n!\n,\n我\n猫\n;\n[\n]\nsep\nA\na";

    fn ids(uncased: bool, text: &str) -> Vec<u32> {
        let pieces = WordPiece::new(WORDS.into(), uncased).unwrap();
        pieces.validate().unwrap();
        pieces.ids(text)
    }

    #[test]
    fn words_become_the_longest_pieces() {
        assert_eq!(ids(true, "Unaffable, un!"), [1, 2, 3, 7, 1, 6]);
        assert_eq!(ids(true, "unaff unaffx aff"), [1, 2, 0, 0]);
    }

    #[test]
    fn case_and_accents_count_only_where_they_should() {
        assert_eq!(ids(true, "MÜDE mu\u{308}de A"), [5, 5, 15]);
        assert_eq!(ids(false, "müde MÜDE A"), [4, 0, 14]);
    }

    #[test]
    fn marks_and_ideographs_stand_alone() {
        assert_eq!(ids(true, "我猫a\u{37e}我"), [8, 9, 15, 10, 8]);
        assert_eq!(ids(true, "[SEP]"), [11, 13, 12]);
    }

    #[test]
    fn what_does_not_show_is_left_out() {
        assert_eq!(ids(true, "u\u{200d}n\0 \u{fffd}un\u{a0}un\u{3000}\x0bun"), [1, 1, 1, 1]);
        assert!(ids(true, " \u{200b}\n").is_empty());
    }

    #[test]
    fn a_word_without_end_is_unknown() {
        assert_eq!(ids(true, &"a".repeat(1_000_000)), [0]);
    }

    #[test]
    fn a_vocabulary_is_whole_and_without_doubles() {
        assert!(WordPiece::new("a\nb".into(), true).is_err());
        assert!(WordPiece::new("[UNK]\na\na".into(), true).is_err());
        assert!(WordPiece::new(String::new(), true).is_err());
    }
}
