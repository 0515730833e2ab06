//! The limiter's state in a file that all processes of a machine map: lock-free, and whole whenever a process is killed.
//!
//! A key's state is one word, a tag of 20 bits of its hash and its theoretical arrival time in microseconds, and changes by
//! one compare-and-swap; so there is no moment in which it is half changed. Eight words, a cache line, are the bucket that
//! a key may lie in; a new key takes the first that is free or owes nothing, else the one that owes least.
//!
//! What that costs beside [`super::Limiter`]: times are rounded up to microseconds; two keys of one bucket share a state if
//! their tags are equal, 1 in 130,000 in a full table; and of processes that meet a new key in the same microsecond while
//! another's word falls idle, two may give it a word each: then the higher one counts.
//!
//! The algorithm is generic over its words, so that a model checker can drive it; the mapping is [`File`]'s.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapRaw;

use super::{Cost, Decision, Quota, Quotas, Seed};
use crate::error::{Error, Result};

const BUCKET: usize = 8;
const TIME_BITS: u32 = 44;
const TIME: u64 = (1 << TIME_BITS) - 1;
const MICRO: u64 = 1000;
/// The longest a burst may take to refill here: a time that lies further ahead is one of long ago, as times wrap around.
const LONGEST: u64 = (TIME >> 2) * MICRO;
const MAGIC: u64 = u64::from_be_bytes(*b"alejoGC1");
const HEADER: usize = 64;

/// A word that several threads or processes change.
pub trait Word {
    /// Its value.
    fn load(&self) -> u64;
    /// Replaces `old` by `new`; false if it was something else.
    fn swap(&self, old: u64, new: u64) -> bool;
}

impl Word for AtomicU64 {
    fn load(&self) -> u64 {
        self.load(Ordering::Relaxed)
    }

    /// Relaxed: a word is all there is to a key, and says nothing of any other memory.
    fn swap(&self, old: u64, new: u64) -> bool {
        self.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Decides on a request of the key with this hash in `words`, some buckets, at `now`, in nanoseconds.
pub fn decide<W: Word>(words: &[W], hash: u64, quota: Quota, cost: Cost, now: u64) -> Decision {
    let buckets = words.len() / BUCKET;
    let bucket = ((u128::from(hash) * buckets as u128) >> 64) as usize;
    let words = &words[bucket * BUCKET..][..BUCKET];
    let tag = (hash & TIME).rem_euclid((1 << (64 - TIME_BITS)) - 1) + 1; // 1 to 2^20 - 1: a word of 0 is free
    loop {
        let seen: [u64; BUCKET] = std::array::from_fn(|at| words[at].load());
        let place = place(&seen, tag, now);
        let own = seen[place] >> TIME_BITS == tag;
        let arrival = if own { (now / MICRO + ahead(seen[place], now)) * MICRO } else { 0 };
        let (told, next) = quota.decide(arrival, now, cost);
        let word = tag << TIME_BITS | next.div_ceil(MICRO) & TIME;
        if !own && next <= now || seen[place] == word || words[place].swap(seen[place], word) {
            return told;
        }
    }
}

/// How many microseconds a word's time lies ahead of now; 0 if it has passed.
fn ahead(word: u64, now: u64) -> u64 {
    let ahead = word.wrapping_sub(now / MICRO) & TIME;
    if ahead > TIME >> 1 { 0 } else { ahead }
}

/// Where a key is, or where it goes: its own word (of two the higher), the first that owes nothing, the least.
fn place(seen: &[u64; BUCKET], tag: u64, now: u64) -> usize {
    let own = |at: &usize| seen[*at] >> TIME_BITS == tag;
    let ahead = |at: &usize| ahead(seen[*at], now);
    let idle = |at: &usize| seen[*at] == 0 || ahead(at) == 0;
    let least = || (0..BUCKET).min_by_key(ahead).unwrap_or(0);
    (0..BUCKET).filter(own).max_by_key(ahead).or_else(|| (0..BUCKET).find(idle)).unwrap_or_else(least)
}

/// A file of words and the secret of their hash, mapped.
pub struct File {
    map: MmapRaw,
    seed: Seed,
    words: usize,
}

impl File {
    /// Opens the table at `path`, or makes one for some `keys` keys that owe something at a time: 16 bytes each.
    ///
    /// A file that is made gets its name when it is whole, so no process ever sees half of one.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be made, opened or mapped, [`Error::Damaged`] if it is no such table.
    pub fn open(path: &Path, keys: usize) -> Result<Self> {
        let failed = |error: std::io::Error| Error::File(error.kind());
        let file = loop {
            match OpenOptions::new().read(true).write(true).open(path) {
                Ok(file) => break file,
                Err(error) if error.kind() == ErrorKind::NotFound => create(path, keys).map_err(failed)?,
                Err(error) => return Err(failed(error)),
            }
        };
        let bytes = file.metadata().map_err(failed)?.len();
        if bytes < (HEADER + BUCKET * 8) as u64 || !(bytes - HEADER as u64).is_multiple_of(BUCKET as u64 * 8) {
            return Err(Error::Damaged("a shared table's length is that of its buckets"));
        }
        let map = MmapRaw::map_raw(&file).map_err(failed)?;
        let mut opened = Self { map, seed: Seed(0, 0), words: 0 };
        opened.words = HEADER / 8;
        let head = |at: usize| Word::load(&opened.all()[at]);
        if head(0) != MAGIC {
            return Err(Error::Damaged("a shared table begins as one"));
        }
        opened.seed = Seed(head(1), head(2));
        opened.words = bytes as usize / 8;
        Ok(opened)
    }

    fn all(&self) -> &[AtomicU64] {
        // SAFETY: the map is page-aligned, holds `words` words (checked when it was opened), lives as long as `self`, and
        // is only ever seen as atomics. That nobody shortens the file is what its owner promises.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>(), self.words) }
    }

    fn table(&self) -> &[AtomicU64] {
        &self.all()[HEADER / 8..]
    }
}

fn create(path: &Path, keys: usize) -> std::io::Result<()> {
    let Seed(one, other) = Seed::random();
    let temporary = path.with_extension(format!("{:x}", one ^ other));
    let buckets = (keys / BUCKET + 1).saturating_mul(2);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        [MAGIC, one, other].iter().try_for_each(|word| file.write_all(&word.to_ne_bytes()))?;
        file.set_len(buckets.saturating_mul(BUCKET * 8).saturating_add(HEADER) as u64)?;
        match std::fs::hard_link(&temporary, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()), // another process was first: its file is as good
        }
    })();
    std::fs::remove_file(&temporary)?;
    written
}

/// A limiter whose state all processes with the same file share; see the module. Their quotas should be the same.
pub struct SharedLimiter {
    quotas: Quotas,
    file: File,
}

impl SharedLimiter {
    /// Over the table at `path`, made for some `keys` keys if there is none.
    ///
    /// # Errors
    /// Those of [`File::open`], and [`Error::Meaningless`] for a burst that takes longer than 50 days to refill.
    pub fn open(quotas: Quotas, path: &Path, keys: usize) -> Result<Self> {
        if quotas.0.iter().any(|quota| quota.span() > LONGEST) {
            return Err(Error::Meaningless("a burst in a shared table must refill within 50 days"));
        }
        Ok(Self { quotas, file: File::open(path, keys)? })
    }

    /// Decides on a request of `key` in a class at `now`, by a clock that all processes share.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for a class there is not, or a cost above its burst.
    pub fn decide(&self, key: &[u8], class: usize, cost: u32, now: u64) -> Result<Decision> {
        let quota = self.quotas.of(class)?;
        let cost = quota.cost(cost)?;
        Ok(decide(self.file.table(), self.file.seed.hash(class, key), quota, cost, now))
    }

    /// The quotas by class.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// Checks every invariant; slow, for tests.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a word has a time and no key, or a key two words.
    pub fn validate(&self) -> Result<()> {
        for bucket in self.file.table().chunks_exact(BUCKET) {
            let words: Vec<u64> = bucket.iter().map(Word::load).filter(|word| *word != 0).collect();
            let mut tags: Vec<u64> = words.iter().map(|word| word >> TIME_BITS).collect();
            tags.sort_unstable();
            tags.dedup();
            if tags.first() == Some(&0) || tags.len() < words.len() {
                return Err(Error::Damaged("every word is of one key, and every key has one"));
            }
        }
        Ok(())
    }

    /// How many keys owe something.
    pub fn len(&self, now: u64) -> usize {
        self.file.table().iter().map(Word::load).filter(|&word| word != 0 && ahead(word, now) > 0).count()
    }
}
