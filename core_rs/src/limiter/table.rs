//! A hash table of times by hash: open addressing, linear probing, removal by shifting back (Knuth, TAOCP 3, 6.4 R).
//!
//! It grows by half at 7/8 full, and once for as many updates as it has slots it drops what is idle and shrinks to fit.

use crate::error::{Error, Result};

const SMALLEST: usize = 8;
/// How far a full table looks for the key with the least debt.
const NEIGHBOURHOOD: usize = 16;

/// A hash, never 0 when taken, and its theoretical arrival time.
#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u64,
    arrival: u64,
}

pub(super) struct Table {
    slots: Box<[Slot]>,
    len: usize,
    most: usize,
    /// Updates until the next sweep.
    rest: usize,
}

impl Table {
    pub(super) fn new(most: usize) -> Self {
        Self { slots: empty(SMALLEST), len: 0, most, rest: SMALLEST }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Replaces a key's time by what `decide` makes of it; one that is not there has the time 0.
    pub(super) fn update<T>(&mut self, hash: u64, now: u64, decide: impl FnOnce(u64) -> (T, u64)) -> T {
        self.rest -= 1;
        if self.rest == 0 {
            self.sweep(now);
        }
        let mut at = self.find(hash);
        let (told, next) = decide(self.slots[at].arrival);
        if self.slots[at].hash == 0 {
            if next <= now {
                return told;
            }
            if self.crowded() {
                self.make_room(hash, now);
                at = self.find(hash);
            }
            self.len += 1;
        }
        self.slots[at] = Slot { hash, arrival: next };
        told
    }

    /// Drops keys without debt, and fits the memory to the others.
    pub(super) fn sweep(&mut self, now: u64) {
        let live = self.live(now);
        if live < self.len || self.slots.len() > 2 * room(live) {
            self.rebuild(room(live), now);
        }
        self.rest = self.slots.len();
    }

    fn crowded(&self) -> bool {
        self.len >= self.slots.len() / 8 * 7 || self.len >= self.most
    }

    /// Makes room for one more: by dropping idle keys or growing; at the bound by forgetting the least indebted.
    #[cold]
    fn make_room(&mut self, hash: u64, now: u64) {
        if self.len < self.most {
            let slots = self.slots.len();
            let full = self.live(now) >= slots / 4 * 3;
            self.rebuild(if full { slots + slots / 2 } else { slots }, now);
            return;
        }
        let from = self.home(hash);
        let near = (0..self.slots.len()).map(|step| (from + step) % self.slots.len());
        let taken = near.filter(|&at| self.slots[at].hash != 0).take(NEIGHBOURHOOD);
        if let Some(least) = taken.min_by_key(|&at| self.slots[at].arrival) {
            self.remove(least);
        }
    }

    fn live(&self, now: u64) -> usize {
        self.slots.iter().filter(|slot| slot.arrival > now).count()
    }

    fn rebuild(&mut self, slots: usize, now: u64) {
        let old = std::mem::replace(&mut self.slots, empty(slots));
        self.len = 0;
        for slot in old.iter().filter(|slot| slot.hash != 0 && slot.arrival > now) {
            let at = self.find(slot.hash);
            self.slots[at] = *slot;
            self.len += 1;
        }
        self.rest = slots;
    }

    /// Where a key is or would be.
    fn find(&self, hash: u64) -> usize {
        let mut at = self.home(hash);
        while self.slots[at].hash != hash && self.slots[at].hash != 0 {
            at += 1;
            if at == self.slots.len() {
                at = 0;
            }
        }
        at
    }

    /// The first bits of a hash chose the table; the others, as a fraction of the table's length, the slot (Lemire 2019).
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash << super::SHARDS.ilog2()) * self.slots.len() as u128) >> 64) as usize
    }

    fn remove(&mut self, mut hole: usize) {
        let slots = self.slots.len();
        let mut at = hole;
        loop {
            at = (at + 1) % slots;
            let Slot { hash, .. } = self.slots[at];
            if hash == 0 {
                break;
            }
            // It may go into the hole if its home is not between the hole and itself.
            if (at + slots - self.home(hash)) % slots >= (at + slots - hole) % slots {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
        }
        self.slots[hole] = Slot::default();
        self.len -= 1;
    }

    pub(super) fn validate(&self) -> Result<()> {
        let taken = self.slots.iter().filter(|slot| slot.hash != 0);
        let holds = |invariant, name| if invariant { Ok(()) } else { Err(Error::Damaged(name)) };
        holds(taken.clone().count() == self.len, "a table's length is the number of its keys")?;
        holds(self.len < self.slots.len(), "a table has an empty slot")?;
        holds(self.len <= self.most, "a table keeps to its bound")?;
        holds(self.rest > 0, "a sweep is to come")?;
        holds(
            (0..self.slots.len()).all(|at| {
                let hash = self.slots[at].hash;
                hash == 0 || self.find(hash) == at
            }),
            "every key is found where it is",
        )
    }
}

fn empty(slots: usize) -> Box<[Slot]> {
    vec![Slot::default(); slots].into()
}

/// Slots for so many keys, two thirds full.
fn room(keys: usize) -> usize {
    keys + keys / 2 + SMALLEST
}
