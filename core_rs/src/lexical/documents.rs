//! The documents by the numbers their owner knows them under, each in a slot that the postings name.

use hashbrown::HashTable;

use super::{holds, widen};
use crate::error::{Error, Result};
use crate::numbers::Number;

/// A document's place; free again when it is gone.
pub(super) type Slot = u32;

/// The slot of no document, so that what has no neighbour needs no question.
pub(super) const NOBODY: Slot = 0;

/// Slots have 24 bits in a posting.
const MOST: usize = (1 << 24) - 1;

/// What is known of a document besides its words.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Document {
    pub(super) number: u64,
    pub(super) time: i64,
    pub(super) kind: u32,
}

pub(super) struct Documents {
    places: HashTable<Slot>,
    slots: Vec<Document>,
    vacant: Vec<Slot>,
}

impl Documents {
    pub(super) fn new() -> Self {
        let slots = vec![Document::default()];
        Self { places: HashTable::new(), slots, vacant: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// One more than the last slot.
    pub(super) fn end(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn at(&self, slot: Slot) -> &Document {
        &self.slots[slot as usize]
    }

    pub(super) fn find(&self, number: u64) -> Option<Slot> {
        self.places.find(Number::hash(number), |&slot| self.at(slot).number == number).copied()
    }

    /// A slot for a document whose number is new.
    ///
    /// # Errors
    /// [`Error::Meaningless`] if there are 16,777,215 already.
    pub(super) fn add(&mut self, document: Document) -> Result<Slot> {
        if self.len() == MOST {
            return Err(Error::Meaningless("an index holds at most 16,777,215 documents"));
        }
        let slot = self.vacant.pop().unwrap_or_else(|| {
            let end = self.slots.len() + 1;
            widen(&mut self.slots, end);
            self.slots.push(document);
            (self.slots.len() - 1) as Slot
        });
        self.slots[slot as usize] = document;
        let hash = Number::hash(document.number);
        self.places.insert_unique(hash, slot, |&slot| Number::hash(self.slots[slot as usize].number));
        Ok(slot)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Slot> {
        let hash = Number::hash(number);
        let entry = self.places.find_entry(hash, |&slot| self.slots[slot as usize].number == number).ok()?;
        let (slot, _) = entry.remove();
        self.vacant.push(slot);
        Some(slot)
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.places.allocation_size()
            + self.slots.capacity() * size_of::<Document>()
            + self.vacant.capacity() * size_of::<Slot>()
    }

    /// The slots of all documents.
    pub(super) fn all(&self) -> impl Iterator<Item = Slot> {
        self.places.iter().copied()
    }

    pub(super) fn validate(&self) -> Result<()> {
        for slot in self.all() {
            holds(self.find(self.at(slot).number) == Some(slot), "a document knows its place")?;
            holds(slot != NOBODY, "nobody is no document")?;
        }
        let taken: std::collections::HashSet<Slot> = self.all().chain(self.vacant.iter().copied()).collect();
        holds(taken.len() == self.len() + self.vacant.len(), "a slot is taken or vacant, and once")?;
        holds(taken.len() + 1 == self.end(), "every slot is taken or vacant")
    }
}
