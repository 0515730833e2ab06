//! The words a table has a row for, found by a hash that grows with the word: every beginning of a word is hashed on the way
//! to its end, so the longest known one is sought without hashing anything twice.

use crate::error::{Error, Result};
use crate::hash::Hash;

/// What stands before a piece that continues a word.
const CONTINUED: &str = "##";
/// The row of a word no pieces make up.
const UNKNOWN: &str = "[UNK]";
const FREE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    id: u32,
}

/// A word for each row number, one a line.
pub(super) struct Vocabulary {
    text: String,
    /// Where each word begins in `text`; one more than there are words.
    starts: Vec<u32>,
    /// Open addressing, a power of two, at most half full.
    slots: Vec<Slot>,
    /// The longest word, in bytes.
    longest: usize,
    unknown: u32,
}

impl Vocabulary {
    /// The vocabulary of a text with a word on each line, as `vocab.txt` of a BERT model.
    ///
    /// # Errors
    /// [`Error::Table`] if it holds a word twice or none for what it does not know.
    pub(super) fn new(text: String) -> Result<Self> {
        let count = text.lines().count();
        if count >= FREE as usize / 4 || text.len() >= u32::MAX as usize {
            return Err(Error::Table("its vocabulary is too large".into()));
        }
        let mut words = String::with_capacity(text.len());
        let mut starts = vec![0];
        for word in text.lines() {
            words.push_str(word);
            starts.push(words.len() as u32);
        }
        let longest = text.lines().map(str::len).max().unwrap_or(0);
        let slots = vec![Slot { tag: 0, id: FREE }; (2 * count).next_power_of_two()];
        let mut made = Self { text: words, starts, slots, longest, unknown: FREE };
        for (id, word) in (0..).zip(text.lines()) {
            if made.find(word).is_some() {
                return Err(Error::Table(format!("its vocabulary holds the word of line {} twice", id + 1)));
            }
            made.insert(Hash::of(word).tag(), id);
        }
        made.unknown = made.find(UNKNOWN).ok_or_else(|| Error::Table(format!("its vocabulary lacks {UNKNOWN}")))?;
        Ok(made)
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The row of what no pieces make up.
    pub(super) fn unknown(&self) -> u32 {
        self.unknown
    }

    /// Appends the pieces of a word: the longest known beginning, then the longest known continuation, and so on; if that
    /// leaves a rest, the unknown alone. `ends` is room to work in.
    pub(super) fn pieces(&self, word: &str, ends: &mut Vec<(usize, u32)>, ids: &mut Vec<u32>) {
        let before = ids.len();
        let mut rest = word;
        let mut prefix = "";
        while !rest.is_empty() {
            let Some((length, id)) = self.longest_beginning(prefix, rest, ends) else {
                ids.truncate(before);
                ids.push(self.unknown);
                return;
            };
            ids.push(id);
            rest = &rest[length..];
            prefix = CONTINUED;
        }
    }

    fn longest_beginning(&self, prefix: &str, word: &str, ends: &mut Vec<(usize, u32)>) -> Option<(usize, u32)> {
        ends.clear();
        let mut hash = Hash::of(prefix);
        for (at, &byte) in word.as_bytes().iter().enumerate().take(self.longest) {
            hash = hash.then(byte);
            if word.is_char_boundary(at + 1) {
                ends.push((at + 1, hash.tag()));
            }
        }
        ends.iter().rev().find_map(|&(end, tag)| Some((end, self.probe(tag, prefix, &word[..end])?)))
    }

    fn insert(&mut self, tag: u32, id: u32) {
        let mask = self.slots.len() - 1;
        let mut at = tag as usize & mask;
        while self.slots[at].id != FREE {
            at = (at + 1) & mask;
        }
        self.slots[at] = Slot { tag, id };
    }

    fn find(&self, word: &str) -> Option<u32> {
        self.probe(Hash::of(word).tag(), "", word)
    }

    /// The row of `prefix` and `word` put together, whose tag is known.
    fn probe(&self, tag: u32, prefix: &str, word: &str) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = tag as usize & mask;
        while self.slots[at].id != FREE {
            let slot = self.slots[at];
            if slot.tag == tag && self.word(slot.id).strip_prefix(prefix) == Some(word) {
                return Some(slot.id);
            }
            at = (at + 1) & mask;
        }
        None
    }

    fn word(&self, id: u32) -> &str {
        &self.text[self.starts[id as usize] as usize..self.starts[id as usize + 1] as usize]
    }

    /// Checks that every word is found under its own number.
    pub(super) fn validate(&self) -> Result<()> {
        let found = |id: u32| self.find(self.word(id)) == Some(id);
        let full = self.slots.iter().filter(|slot| slot.id != FREE).count();
        if full != self.len() || 2 * full > self.slots.len() || !(0..self.len() as u32).all(found) {
            return Err(Error::Table("a word of its vocabulary is not found".into()));
        }
        Ok(())
    }
}
