//! The entries in their slots, and the two queues that run through them.

use std::ops::{Index, IndexMut};

use super::MOST_USES;

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

/// In which queue an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// New ones, on trial.
    Small,
    /// Those that were read again.
    Main,
}

/// One entry: with a key and a value of a word each, one line of memory.
pub(super) struct Entry<K, V> {
    pub(super) hash: u64,
    pub(super) key: K,
    pub(super) value: V,
    /// In ms, as `touched`.
    pub(super) expires: u64,
    pub(super) touched: u64,
    pub(super) weight: u32,
    pub(super) user: u32,
    /// Where its user keeps it.
    pub(super) seat: u32,
    newer: u32,
    older: u32,
    pub(super) uses: u8,
    pub(super) place: Place,
}

impl<K, V> Entry<K, V> {
    /// An entry that stands in no queue yet.
    #[expect(clippy::too_many_arguments, reason = "one for each field")]
    pub(super) fn new(
        hash: u64,
        key: K,
        value: V,
        weight: u32,
        user: u32,
        place: Place,
        uses: u8,
        expires: u64,
        touched: u64,
    ) -> Self {
        Self { hash, key, value, expires, touched, weight, user, seat: NONE, newer: NONE, older: NONE, uses, place }
    }
}

/// One queue, by its ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queue {
    newest: u32,
    oldest: u32,
    pub(super) len: usize,
    pub(super) weight: u64,
}

/// All entries, by slot.
pub(super) struct Slots<K, V> {
    entries: Vec<Option<Entry<K, V>>>,
    vacant: Vec<u32>,
    queues: [Queue; 2],
}

impl<K, V> Slots<K, V> {
    pub(super) fn new() -> Self {
        let queue = Queue { newest: NONE, oldest: NONE, len: 0, weight: 0 };
        Self { entries: Vec::new(), vacant: Vec::new(), queues: [queue; 2] }
    }

    pub(super) fn len(&self) -> usize {
        self.queues.iter().map(|queue| queue.len).sum()
    }

    pub(super) fn weight(&self) -> u64 {
        self.queues.iter().map(|queue| queue.weight).sum()
    }

    pub(super) fn queue(&self, place: Place) -> Queue {
        self.queues[place as usize]
    }

    pub(super) fn oldest(&self, place: Place) -> Option<u32> {
        let slot = self.queue(place).oldest;
        (slot != NONE).then_some(slot)
    }

    /// The slots that hold an entry.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.entries).filter(|(_, entry)| entry.is_some()).map(|(slot, _)| slot)
    }

    /// The slots of a queue from the newest to the oldest, or until a link leads nowhere or in a ring.
    pub(super) fn walk(&self, place: Place) -> impl Iterator<Item = u32> {
        let follow = |&slot: &u32| Some(self.entries.get(slot as usize)?.as_ref()?.older);
        std::iter::successors(Some(self.queue(place).newest), follow)
            .filter(|&slot| slot != NONE)
            .take(self.entries.len() + 1)
    }

    /// Seats an entry as the newest of its queue.
    pub(super) fn push(&mut self, entry: Entry<K, V>) -> u32 {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.entries.push(None);
            (self.entries.len() - 1) as u32 // the limits keep it below 2^31
        });
        self.entries[slot as usize] = Some(entry);
        self.link(slot);
        slot
    }

    /// Takes an entry out of its queue and its slot.
    pub(super) fn take(&mut self, slot: u32) -> Entry<K, V> {
        self.unlink(slot);
        self.vacant.push(slot);
        self.entries[slot as usize].take().expect("a slot in use holds an entry")
    }

    /// Makes an entry the newest of a queue.
    pub(super) fn requeue(&mut self, slot: u32, place: Place, uses: u8) {
        self.unlink(slot);
        let entry = &mut self[slot];
        (entry.place, entry.uses) = (place, uses);
        self.link(slot);
    }

    /// Gives an entry another value; it is the newest of its queue then, and was used once more.
    pub(super) fn replace(&mut self, slot: u32, value: V, weight: u32, expires: u64, now: u64) {
        self.unlink(slot);
        let entry = &mut self[slot];
        (entry.value, entry.weight, entry.expires, entry.touched) = (value, weight, expires, now);
        entry.uses = MOST_USES.min(entry.uses + 1);
        self.link(slot);
    }

    fn link(&mut self, slot: u32) {
        let Entry { place, weight, .. } = self[slot];
        let newest = self.queues[place as usize].newest;
        let entry = &mut self[slot];
        (entry.newer, entry.older) = (NONE, newest);
        if newest != NONE {
            self[newest].newer = slot;
        }
        let queue = &mut self.queues[place as usize];
        queue.newest = slot;
        if queue.oldest == NONE {
            queue.oldest = slot;
        }
        queue.len += 1;
        queue.weight += u64::from(weight);
    }

    fn unlink(&mut self, slot: u32) {
        let Entry { place, weight, newer, older, .. } = self[slot];
        if newer != NONE {
            self[newer].older = older;
        }
        if older != NONE {
            self[older].newer = newer;
        }
        let queue = &mut self.queues[place as usize];
        if queue.newest == slot {
            queue.newest = older;
        }
        if queue.oldest == slot {
            queue.oldest = newer;
        }
        queue.len -= 1;
        queue.weight -= u64::from(weight);
    }
}

impl<K, V> Index<u32> for Slots<K, V> {
    type Output = Entry<K, V>;

    fn index(&self, slot: u32) -> &Self::Output {
        self.entries[slot as usize].as_ref().expect("a slot in use holds an entry")
    }
}

impl<K, V> IndexMut<u32> for Slots<K, V> {
    fn index_mut(&mut self, slot: u32) -> &mut Self::Output {
        self.entries[slot as usize].as_mut().expect("a slot in use holds an entry")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_words_is_one_line_of_memory() {
        assert_eq!(size_of::<Option<Entry<Box<u8>, Box<u8>>>>(), 64);
    }
}
