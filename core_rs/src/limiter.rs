//! How often somebody may: GCRA, the generic cell rate algorithm (ITU-T I.371, 1993), for many keys with bounded memory.
//!
//! A key's whole state is one time, the *theoretical arrival time*: how far it lies ahead of now is the key's debt. A request
//! of cost `c` adds `c` intervals of `1/rate`; it is allowed if the debt then does not exceed `burst` intervals. A key without
//! debt is like one that was never seen, so its memory can be taken back at any moment.
//!
//! Nothing here reads a clock: `now` is handed in, in nanoseconds of a clock that should never go back. If it does go back, a
//! key owes its whole burst and no more: no key is locked out for longer than its burst takes to refill, and none gets more.
//! A time that lies back by less than a second is not such a jump, but that of a thread that was held up after it had read the
//! clock; it takes nothing off a debt.
//!
//! A key is known by 64 bits of a keyed hash (SipHash-1-3), so nobody who chooses keys can make them meet.

pub mod shared;
mod table;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use siphasher::sip::SipHasher13;

use crate::error::{Error, Result, in_range};
use table::Table;

const SECOND: f64 = 1e9;
/// The longest a burst may take to refill, in nanoseconds: a year.
const LONGEST: u64 = 365 * 86_400 * 1_000_000_000;
/// How late, in nanoseconds, a thread may be with the time it read.
const LATE: u64 = 1_000_000_000;
const SHARDS: usize = 64;

/// So many requests a second in the long run, and so many at once; only values that mean something can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Nanoseconds a request of cost 1 is worth.
    interval: u64,
    burst: u32,
}

impl Quota {
    /// `rate`, 0.0001 to 1,000,000: requests a second. `burst`, at least 1: how many may come at once.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for another rate, [`Error::Meaningless`] for no burst or one that takes over a year to refill.
    pub fn new(rate: f64, burst: u32) -> Result<Self> {
        in_range("a rate", rate as f32, 0.0001, 1_000_000.0)?;
        let interval = (SECOND / rate).round() as u64;
        match interval.checked_mul(u64::from(burst)) {
            Some(1..=LONGEST) => Ok(Self { interval, burst }),
            Some(0) => Err(Error::Meaningless("a burst is at least 1")),
            _ => Err(Error::Meaningless("a burst must refill within a year")),
        }
    }

    /// Nanoseconds in which a burst that was used up is whole again.
    pub fn span(self) -> u64 {
        self.interval * u64::from(self.burst)
    }

    /// What a key that arrives at `now` with this theoretical arrival time is told, and its next one.
    pub fn decide(self, arrival: u64, now: u64, cost: Cost) -> (Decision, u64) {
        let span = self.span();
        let ahead = arrival.saturating_sub(now);
        let debt = if ahead > span + LATE { span } else { ahead };
        let after = debt + self.interval * u64::from(cost.0);
        let (debt, wait) = if after <= span || cost.0 == 0 { (after, 0) } else { (debt, after - span) };
        let remaining = (span.saturating_sub(debt) / self.interval) as u32;
        (Decision { allowed: wait == 0, remaining, wait }, now.saturating_add(debt))
    }

    /// A cost in this quota; 0 looks without taking.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for one above the burst, which could never be paid.
    pub fn cost(self, cost: u32) -> Result<Cost> {
        if cost > self.burst {
            return Err(Error::Meaningless("a cost above the burst can never be paid"));
        }
        Ok(Cost(cost))
    }
}

/// What a request costs; at most the burst of the quota that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost(u32);

/// What a request is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    /// How many requests of cost 1 would be allowed now.
    pub remaining: u32,
    /// Nanoseconds after which the same request is allowed, if no other comes; 0 if it was allowed.
    pub wait: u64,
}

/// Quotas by class, each key counted in each class for itself.
#[derive(Debug, Clone)]
pub struct Quotas(Box<[Quota]>);

impl Quotas {
    /// The quotas of the classes 0, 1, 2, …
    ///
    /// # Errors
    /// [`Error::Meaningless`] for none, or more than 256.
    pub fn new(quotas: Vec<Quota>) -> Result<Self> {
        match quotas.len() {
            1..=256 => Ok(Self(quotas.into())),
            _ => Err(Error::Meaningless("a limiter has 1 to 256 quotas")),
        }
    }

    /// The quota of a class.
    ///
    /// # Errors
    /// [`Error::Meaningless`] if there is no such class.
    pub fn of(&self, class: usize) -> Result<Quota> {
        self.0.get(class).copied().ok_or(Error::Meaningless("there is no quota of this class"))
    }

    /// The shortest time in which one of the bursts refills, in nanoseconds.
    pub fn shortest(&self) -> u64 {
        self.0.iter().map(|quota| quota.span()).min().unwrap_or(0)
    }
}

/// The secret of a limiter's hash.
#[derive(Debug, Clone, Copy)]
pub struct Seed(u64, u64);

impl Seed {
    /// One that nobody knows.
    pub fn random() -> Self {
        let bits = || RandomState::new().build_hasher().finish();
        Self(bits(), bits())
    }

    /// A key of a class; never 0.
    fn hash(self, class: usize, key: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0 ^ class as u64, self.1);
        hasher.write(key);
        hasher.finish().max(1)
    }
}

/// A limiter of this process; see the module. Takes 16 bytes a slot, 18 to 28 a key.
pub struct Limiter {
    quotas: Quotas,
    seed: Seed,
    shards: Box<[Mutex<Table>]>,
}

impl Limiter {
    /// Holds at most some `keys` keys that owe something (an eighth more, as shards fill unevenly). When one more comes, the
    /// key with the least debt of its neighbourhood is forgotten.
    pub fn new(quotas: Quotas, keys: usize) -> Self {
        let most = (keys / SHARDS).saturating_mul(9) / 8 + 16;
        Self { quotas, seed: Seed::random(), shards: (0..SHARDS).map(|_| Mutex::new(Table::new(most))).collect() }
    }

    /// The quotas by class.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// Decides on a request of `key` in a class at `now`.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for a class there is not, or a cost above its burst.
    pub fn decide(&self, key: &[u8], class: usize, cost: u32, now: u64) -> Result<Decision> {
        let quota = self.quotas.of(class)?;
        let cost = quota.cost(cost)?;
        let hash = self.seed.hash(class, key);
        let shard = &self.shards[(hash >> (64 - SHARDS.ilog2())) as usize];
        Ok(lock(shard).update(hash, now, |arrival| quota.decide(arrival, now, cost)))
    }

    /// Takes the memory of idle keys back. It happens by itself while requests come; this is for when none do.
    pub fn reclaim(&self, now: u64) {
        self.shards.iter().for_each(|shard| lock(shard).sweep(now));
    }

    /// How many keys take memory.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks every invariant; slow, for tests.
    ///
    /// # Errors
    /// [`Error::Damaged`] names the first that does not hold.
    pub fn validate(&self) -> Result<()> {
        self.shards.iter().try_for_each(|shard| lock(shard).validate())
    }
}

/// A table is whole between any two of its lines, so one that a panic left is used on.
fn lock(shard: &Mutex<Table>) -> MutexGuard<'_, Table> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
