//! A bounded cache in memory: by entries and by weight, with a time to live and a time to idle.
//!
//! What goes when it is full is S3-FIFO's choice (Yang et al., SOSP 2023): a key comes into a small queue, and only one read
//! there again moves on to the main queue, so a scan passes through the small one and leaves the rest alone. Keys that left the
//! small queue are remembered as hashes, and one that comes back goes to the main queue at once. A read only counts; nothing
//! moves, so a hit is one probe and one line of memory.
//!
//! The structure knows no lock, no clock and no hash function: all three are handed in. Times are of any clock that does not go
//! back. An entry may belong to a user, and all of a user's entries go in one call.

mod ghosts;
mod limits;
mod queue;
mod users;
mod validate;

use std::time::Duration;

use hashbrown::HashTable;

use ghosts::Ghosts;
pub use limits::Limits;
use queue::{Entry, Place, Slots};
use users::Users;

/// An entry is read this often in the small queue before it may stay.
const STAYS: u8 = 1;
/// More reads than this do not count.
const MOST_USES: u8 = 3;

/// What a tier has done, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Reads that found a live entry.
    pub hits: u64,
    /// Reads that found none, or only an expired one.
    pub misses: u64,
    /// Entries that had to make room, and those too heavy to come in.
    pub evictions: u64,
    /// Entries that outlived their time, as far as it was noticed.
    pub expired: u64,
    /// Entries held now, expired ones among them until they are met.
    pub entries: u64,
    /// Their weight.
    pub weight: u64,
}

/// The cache; see the module. `K` is what a key is recognised by, beside its hash of 64 bits.
pub struct Tier<K, V> {
    limits: Limits,
    table: HashTable<u32>,
    slots: Slots<K, V>,
    ghosts: Ghosts,
    users: Users,
    done: Counters,
}

impl<K, V> Tier<K, V> {
    /// An empty cache.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            table: HashTable::new(),
            slots: Slots::new(),
            ghosts: Ghosts::default(),
            users: Users::default(),
            done: Counters::default(),
        }
    }

    /// The value of the key with this hash that `is` recognises, if it is there and within its time.
    pub fn get(&mut self, hash: u64, is: impl Fn(&K) -> bool, now: Duration) -> Option<&V> {
        let now = millis(now);
        let Some(slot) = find(&self.table, &self.slots, hash, is) else {
            self.done.misses += 1;
            return None;
        };
        if self.is_over(slot, now) {
            self.take(slot);
            self.done.expired += 1;
            self.done.misses += 1;
            return None;
        }
        self.done.hits += 1;
        let entry = &mut self.slots[slot];
        entry.uses = MOST_USES.min(entry.uses + 1);
        entry.touched = now;
        Some(&entry.value)
    }

    /// Puts a value in, in the place of the one with the same key if there is one; `is` recognises the key. The entry belongs to
    /// `user`, if there is one. A value heavier than the whole cache only takes out the old one.
    #[expect(clippy::too_many_arguments, reason = "all of it belongs to one entry")]
    pub fn put(
        &mut self,
        hash: u64,
        key: K,
        is: impl Fn(&K, &K) -> bool,
        value: V,
        weight: u64,
        user: Option<&str>,
        now: Duration,
    ) {
        let now = millis(now);
        let old = find(&self.table, &self.slots, hash, |held| is(held, &key)).map(|slot| self.take(slot));
        let Some(weight) = u32::try_from(weight).ok().filter(|&weight| u64::from(weight) <= self.limits.weight) else {
            self.done.evictions += 1;
            return;
        };
        let (place, uses) = match &old {
            Some(old) if self.is_late(old, now) => (Place::Small, 0),
            Some(old) => (old.place, MOST_USES.min(old.uses + 1)),
            None if self.ghosts.take(hash) => (Place::Main, 0),
            None => (Place::Small, 0),
        };
        self.make_room(weight, now);
        let user = self.users.intern(user);
        let expires = now.saturating_add(self.limits.ttl);
        let slot = self.slots.push(Entry::new(hash, key, value, weight, user, place, uses, expires, now));
        self.slots[slot].seat = self.users.seat(user, slot);
        let slots = &self.slots;
        self.table.insert_unique(hash, slot, |&slot| slots[slot].hash);
    }

    /// Takes a key out; false if it is not there, or only expired.
    pub fn remove(&mut self, hash: u64, is: impl Fn(&K) -> bool, now: Duration) -> bool {
        let Some(slot) = find(&self.table, &self.slots, hash, is) else { return false };
        let over = self.is_over(slot, millis(now));
        self.take(slot);
        self.done.expired += u64::from(over);
        !over
    }

    /// Takes out all that belongs to `user`; how many entries that were.
    pub fn forget(&mut self, user: &str) -> usize {
        let mut count = 0;
        while let Some(slot) = self.users.last_of(user) {
            self.take(slot);
            count += 1;
        }
        count
    }

    /// Takes out everything; the counters go on.
    pub fn clear(&mut self) {
        self.table.clear();
        self.slots = Slots::new();
        self.ghosts = Ghosts::default();
        self.users = Users::default();
    }

    /// Takes out what has outlived its time; how many entries that were. It looks at every entry.
    pub fn sweep(&mut self, now: Duration) -> usize {
        let now = millis(now);
        let over: Vec<u32> = self.slots.numbers().filter(|&slot| self.is_over(slot, now)).collect();
        over.iter().for_each(|&slot| drop(self.take(slot)));
        self.done.expired += over.len() as u64;
        over.len()
    }

    /// What it has done and what it holds.
    pub fn counters(&self) -> Counters {
        Counters { entries: self.slots.len() as u64, weight: self.slots.weight(), ..self.done }
    }

    fn is_over(&self, slot: u32, now: u64) -> bool {
        self.is_late(&self.slots[slot], now)
    }

    fn is_late(&self, entry: &Entry<K, V>, now: u64) -> bool {
        now >= entry.expires || now.saturating_sub(entry.touched) >= self.limits.idle
    }

    /// Takes an entry out of everything that knows it.
    fn take(&mut self, slot: u32) -> Entry<K, V> {
        let entry = self.slots.take(slot);
        if let Ok(found) = self.table.find_entry(entry.hash, |&held| held == slot) {
            found.remove();
        }
        if let Some(moved) = self.users.leave(entry.user, entry.seat) {
            self.slots[moved].seat = entry.seat;
        }
        entry
    }

    fn make_room(&mut self, weight: u32, now: u64) {
        let Limits { entries, weight: most, .. } = self.limits;
        while self.slots.len() >= entries || self.slots.weight() + u64::from(weight) > most {
            let from = if self.is_small_full() { Place::Small } else { Place::Main };
            let Some(slot) = self.slots.oldest(from) else { return };
            let uses = self.slots[slot].uses;
            let over = self.is_over(slot, now);
            match from {
                _ if over => {}
                Place::Small if uses >= STAYS => {
                    self.slots.requeue(slot, Place::Main, 0);
                    continue;
                }
                Place::Main if uses > 0 => {
                    self.slots.requeue(slot, Place::Main, uses - 1);
                    continue;
                }
                _ => {}
            }
            let gone = self.take(slot);
            self.done.expired += u64::from(over);
            self.done.evictions += u64::from(!over);
            if from == Place::Small && !over {
                self.ghosts.push(gone.hash, self.slots.len());
            }
        }
    }

    /// Whether the small queue has more than its share of either bound, or is all there is.
    fn is_small_full(&self) -> bool {
        let small = self.slots.queue(Place::Small);
        let Limits { small_entries, small_weight, .. } = self.limits;
        small.len > small_entries || small.weight > small_weight || self.slots.queue(Place::Main).len == 0
    }
}

fn find<K, V>(table: &HashTable<u32>, slots: &Slots<K, V>, hash: u64, is: impl Fn(&K) -> bool) -> Option<u32> {
    table.find(hash, |&slot| slots[slot].hash == hash && is(&slots[slot].key)).copied()
}

fn millis(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1000).saturating_add(u64::from(time.subsec_millis()))
}
