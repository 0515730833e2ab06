//! A bounded cache in memory: by entries and by weight, with a time to live and a time to idle.
//!
//! What goes when it is full is S3-FIFO's choice (Yang et al., SOSP 2023): a key comes into a small queue, and only one read
//! there again moves on to the main queue, so a scan passes through the small one and leaves the rest alone. Keys that left the
//! small queue are remembered as hashes, and one that comes back goes to the main queue at once. A read only counts; nothing
//! moves, so a hit is one probe and one line of memory.
//!
//! The structure knows no lock, no clock and no hash function: all three are handed in. Times are of any clock that does not go
//! back. An entry may belong to a user, and all of a user's entries go in one call; see [`Stamps`] for what that means to loads
//! under way and to other processes.
//!
//! Over a tier below ([`disk`]), entries that have to leave while they could live on are laid aside, for whoever puts entries in
//! to take there in batches: reading never waits for a disk.

mod demoted;
pub mod disk;
mod ghosts;
mod limits;
mod queue;
mod stamps;
mod users;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;

use demoted::Aside;
pub use demoted::Demoted;
use ghosts::Ghosts;
pub use limits::Limits;
use queue::{Entry, NONE, Place, Slots};
pub use stamps::{Stamp, Stamps};
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

/// An entry that is to be kept.
#[derive(Debug, Clone)]
pub struct Item<'a, K, V> {
    pub hash: u64,
    pub key: K,
    pub value: V,
    pub weight: u64,
    /// Whose it is, if it is anybody's.
    pub user: Option<&'a str>,
    /// What the user's stamp was when the value began to be made; None: it is made now.
    pub since: Option<Stamp>,
    /// How long it may live; longer than the cache's time to live it does not.
    pub lives: Duration,
}

/// The cache; see the module. `K` is what a key is recognised by, beside its hash of 64 bits.
pub struct Tier<K, V> {
    limits: Limits,
    table: HashTable<u32>,
    slots: Slots<K, V>,
    ghosts: Ghosts,
    users: Users,
    stamps: Arc<Stamps>,
    /// The stamp of what is nobody's.
    nobody: Stamp,
    aside: Option<Aside<K, V>>,
    done: Counters,
}

impl<K, V> Tier<K, V> {
    /// An empty cache.
    pub fn new(limits: Limits) -> Self {
        Self::make(limits, Arc::default(), None)
    }

    /// An empty cache over a tier below that goes by these stamps.
    pub fn over(limits: Limits, stamps: Arc<Stamps>) -> Self {
        Self::make(limits, stamps, Some(Aside::new(limits.weight / 8)))
    }

    fn make(limits: Limits, stamps: Arc<Stamps>, aside: Option<Aside<K, V>>) -> Self {
        Self {
            limits,
            table: HashTable::new(),
            slots: Slots::new(),
            ghosts: Ghosts::default(),
            users: Users::default(),
            nobody: stamps.stamp(None),
            stamps,
            aside,
            done: Counters::default(),
        }
    }

    /// The generations of users that it goes by.
    pub fn stamps(&self) -> &Arc<Stamps> {
        &self.stamps
    }

    /// The value of the key with this hash that `is` recognises, if it is there and within its time.
    pub fn get(&mut self, hash: u64, is: impl Fn(&K) -> bool, now: Duration) -> Option<&V> {
        let now = millis(now);
        let Some(slot) = find(&self.table, &self.slots, hash, is) else {
            self.done.misses += 1;
            return None;
        };
        if self.is_over(slot, now) || !self.is_wanted(slot) {
            self.leave(slot, now);
            self.done.misses += 1;
            return None;
        }
        self.done.hits += 1;
        let entry = &mut self.slots[slot];
        entry.uses = MOST_USES.min(entry.uses + 1);
        entry.touched = now;
        Some(&entry.value)
    }

    /// Puts a value in, in the place of the one with the same key if there is one; `is` recognises the key. A value whose user
    /// was forgotten since it began to be made changes nothing, and one heavier than the whole cache only takes out the old one.
    pub fn put(&mut self, item: Item<'_, K, V>, is: impl Fn(&K, &K) -> bool, now: Duration) {
        let Item { hash, key, value, weight, user, since, lives } = item;
        let now = millis(now);
        let stamp = since.unwrap_or_else(|| self.stamps.stamp(user));
        if !self.stamps.is_current(stamp) {
            return;
        }
        self.drop_aside(hash);
        let found = find(&self.table, &self.slots, hash, |held| is(held, &key));
        let expires = now.saturating_add(self.limits.ttl.min(millis(lives)));
        if let Some(slot) = found.filter(|&slot| self.may_stay(slot, user, weight, now)) {
            return self.slots.replace(slot, value, weight as u32, expires, now);
        }
        let old = found.map(|slot| self.take(slot));
        let Some(weight) = u32::try_from(weight).ok().filter(|&weight| u64::from(weight) <= self.limits.weight) else {
            self.done.evictions += 1;
            return;
        };
        self.take_unwanted(user, stamp);
        let (place, uses) = match &old {
            Some(old) if self.is_late(old, now) => (Place::Small, 0),
            Some(old) => (old.place, MOST_USES.min(old.uses + 1)),
            None if self.ghosts.take(hash) => (Place::Main, 0),
            None => (Place::Small, 0),
        };
        self.make_room(weight, now);
        let user = self.users.intern(user, stamp);
        let slot = self.slots.push(Entry::new(hash, key, value, weight, user, place, uses, expires, now));
        self.slots[slot].seat = self.users.seat(user, slot);
        let slots = &self.slots;
        self.table.insert_unique(hash, slot, |&slot| slots[slot].hash);
    }

    /// Takes a key out; false if it is not there, or only expired.
    pub fn remove(&mut self, hash: u64, is: impl Fn(&K) -> bool, now: Duration) -> bool {
        self.drop_aside(hash);
        let Some(slot) = find(&self.table, &self.slots, hash, is) else { return false };
        let over = self.is_over(slot, millis(now));
        let wanted = self.is_wanted(slot);
        self.take(slot);
        self.done.expired += u64::from(over);
        !over && wanted
    }

    /// Takes out all that belongs to `user`, here and in whatever goes by the same stamps; how many entries that were here.
    pub fn forget(&mut self, user: &str) -> usize {
        self.stamps.forget(user);
        let count = self.take_all_of(user);
        self.drop_unwanted_aside();
        count
    }

    /// Takes out everything; the counters go on.
    pub fn clear(&mut self) {
        self.table.clear();
        self.slots = Slots::new();
        self.ghosts = Ghosts::default();
        self.users = Users::default();
        self.nobody = self.stamps.stamp(None);
        if let Some(aside) = &mut self.aside {
            aside.take();
        }
    }

    /// Takes out what has outlived its time; how many entries that were. It looks at every entry.
    pub fn sweep(&mut self, now: Duration) -> usize {
        let now = millis(now);
        let is_over = |&slot: &u32| self.is_over(slot, now) || !self.is_wanted(slot);
        let over: Vec<u32> = self.slots.numbers().filter(is_over).collect();
        over.iter().for_each(|&slot| self.leave(slot, now));
        self.drop_unwanted_aside();
        over.len()
    }

    /// What was laid aside since the last call, for the tier below, of a key its newest value; with `everything`, all that is here leaves too.
    pub fn demoted(&mut self, everything: bool, now: Duration) -> Vec<Demoted<K, V>> {
        let now = millis(now);
        self.drop_unwanted_aside();
        let mut demoted = self.aside.as_mut().map(Aside::take).unwrap_or_default();
        if everything {
            for slot in self.slots.numbers().collect::<Vec<u32>>() {
                self.leave(slot, now);
                demoted.extend(self.aside.as_mut().map(Aside::take).unwrap_or_default());
            }
        }
        demoted
    }

    /// What it has done and what it holds.
    pub fn counters(&self) -> Counters {
        Counters { entries: self.slots.len() as u64, weight: self.slots.weight(), ..self.done }
    }

    fn is_over(&self, slot: u32, now: u64) -> bool {
        self.is_late(&self.slots[slot], now)
    }

    /// Whether an entry may give its place to a value of this user and weight, for which nothing has to make room.
    fn may_stay(&self, slot: u32, user: Option<&str>, weight: u64, now: u64) -> bool {
        let entry = &self.slots[slot];
        let same = self.users.name(entry.user) == user;
        same && weight <= entry.weight.into() && !self.is_late(entry, now) && self.is_wanted(slot)
    }

    /// Whether its user was not forgotten, by anybody who goes by the same stamps.
    fn is_wanted(&self, slot: u32) -> bool {
        let user = self.slots[slot].user;
        self.stamps.is_current(if user == NONE { self.nobody } else { self.users.stamp(user) })
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

    /// Takes out an entry that is over or in the way; one with time to live is laid aside.
    fn leave(&mut self, slot: u32, now: u64) {
        let over = self.is_over(slot, now);
        self.done.expired += u64::from(over);
        let (wanted, user) = (self.is_wanted(slot), self.slots[slot].user);
        let stamp = if user == NONE { self.nobody } else { self.users.stamp(user) };
        let name = if self.aside.is_some() { self.users.name(user).map(Box::from) } else { None };
        let Entry { hash, key, value, weight, expires, .. } = self.take(slot);
        let Some(aside) = &mut self.aside else { return };
        aside.remove(hash);
        if wanted && expires > now {
            let lives = Duration::from_millis(expires - now);
            aside.push(Demoted { hash, key, value, user: name, stamp, lives }, weight);
        }
    }

    fn take_all_of(&mut self, user: &str) -> usize {
        let mut count = 0;
        while let Some(slot) = self.users.last_of(user) {
            self.take(slot);
            count += 1;
        }
        count
    }

    /// Takes out what a user had before they were forgotten, by anybody.
    fn take_unwanted(&mut self, user: Option<&str>, stamp: Stamp) {
        if !self.stamps.is_current(self.nobody) {
            self.clear(); // everybody was
        }
        if let Some(user) = user.filter(|user| self.users.stamp_of(user).is_some_and(|held| held != stamp)) {
            self.take_all_of(user);
        }
    }

    fn drop_aside(&mut self, hash: u64) {
        if let Some(aside) = &mut self.aside {
            aside.remove(hash);
        }
    }

    fn drop_unwanted_aside(&mut self) {
        if let Some(aside) = &mut self.aside {
            aside.retain(|stamp| self.stamps.is_current(stamp));
        }
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
            let hash = self.slots[slot].hash;
            self.leave(slot, now);
            self.done.evictions += u64::from(!over);
            if from == Place::Small && !over {
                self.ghosts.push(hash, self.slots.len());
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
