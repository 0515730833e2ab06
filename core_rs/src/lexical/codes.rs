//! How often a document holds a term in each field, as one byte.

use std::collections::HashMap;

use super::documents::Slot;
use super::terms::Term;
use crate::dump::{Dump, Load, sound};
use crate::error::Result;

/// Stands for counts beyond the first 255 different ones, which are kept by term and document.
pub(super) const RARE: u8 = u8::MAX;

/// The different counts there are, in the order they were met.
pub(super) struct Codes {
    fields: usize,
    /// So many numbers for each code.
    counts: Vec<u16>,
    rare: HashMap<(Term, Slot), Box<[u16]>>,
}

impl Codes {
    pub(super) fn new(fields: usize) -> Self {
        Self { fields, counts: Vec::new(), rare: HashMap::new() }
    }

    /// The code for how often a document holds a term.
    pub(super) fn put(&mut self, term: Term, slot: Slot, counts: &[u16]) -> u8 {
        if let Some(code) = self.all().position(|known| known == counts) {
            return code as u8;
        }
        let next = self.counts.len() / self.fields;
        if next == usize::from(RARE) {
            self.rare.insert((term, slot), counts.into());
        } else {
            self.counts.extend_from_slice(counts);
        }
        next as u8
    }

    /// Forgets what was kept for a document alone.
    pub(super) fn remove(&mut self, slot: Slot) {
        if !self.rare.is_empty() {
            self.rare.retain(|(_, other), _| *other != slot);
        }
    }

    /// The counts of each code, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = &[u16]> {
        self.counts.chunks_exact(self.fields)
    }

    /// What `count` makes of the counts of each code, for looking up, and of the rare ones, for asking.
    pub(super) fn table<T: Copy + Default>(&self, term: Term, count: impl Fn(&[u16]) -> T) -> impl Fn(Slot, u8) -> T {
        let mut table = [T::default(); 256];
        for (value, counts) in table.iter_mut().zip(self.all()) {
            *value = count(counts);
        }
        move |slot, code| {
            if code == RARE {
                return self.rare.get(&(term, slot)).map_or(T::default(), |counts| count(counts));
            }
            table[usize::from(code)]
        }
    }

    /// The counts of each code, and the rare ones by the new slot of their document.
    pub(super) fn dump(&self, renumbered: &[Slot], dump: &mut Dump) {
        dump.number((self.counts.len() / self.fields) as u32);
        dump.column(self.counts.iter().copied());
        dump.number(self.rare.len() as u32);
        for (&(term, slot), counts) in &self.rare {
            dump.number(term);
            dump.number(renumbered[slot as usize]);
            dump.column(counts.iter().copied());
        }
    }

    pub(super) fn load(fields: usize, load: &mut Load<'_>) -> Result<Self> {
        let mut codes = Self::new(fields);
        let count = load.count()?;
        sound(count <= usize::from(RARE), "there are at most 255 codes")?;
        codes.counts = load.column(count * fields)?.collect();
        for _ in 0..load.count()? {
            let (term, slot) = (load.number()?, load.number()?);
            let counts = load.column(fields)?.collect();
            sound(codes.rare.insert((term, slot), counts).is_none(), "a rare count is kept once")?;
        }
        Ok(codes)
    }

    /// Whether a posting's code stands for counts.
    pub(super) fn knows(&self, term: Term, slot: Slot, code: u8) -> bool {
        match code {
            RARE => self.rare.contains_key(&(term, slot)),
            code => usize::from(code) < self.counts.len() / self.fields,
        }
    }

    pub(super) fn rare(&self) -> usize {
        self.rare.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.counts.capacity() * 2 + self.rare.capacity() * (32 + 2 * self.fields + 16)
    }
}
