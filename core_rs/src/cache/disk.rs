//! The tier below memory: entries in a folder (LMDB through heed), which outlive the process and which several processes share.
//!
//! What it promises: a value that comes out was put in under that very key, is whole (a checksum, see [`record`]), is within its
//! time and its user was not forgotten since, in any process. It may lose what was put last, and after a power cut everything:
//! nothing is synced before the folder is closed, see [`folder`]. A kill at any moment does no harm, as LMDB never overwrites a
//! page that is in use, and the kernel keeps what was written.
//!
//! When it is full, what was put first goes first: a queue costs one row at the end of the tree and no write on a read, and as
//! an entry that is read comes up into memory and is put anew when it leaves there, what is used moves to the end of it.
//!
//! One tree holds it all: `e` ‖ hash of the key (16 bytes) → record; `q` ‖ sequence (8) → hash; `t` → totals.
//!
//! LMDB knows nothing of forks: in a child the cache of its parent finds and keeps nothing.

mod folder;
mod record;

use std::hash::Hasher;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, DatabaseStat, Env, EnvFlags, EnvOpenOptions, MdbError, RoTxn, RwTxn, WithTls};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::{Counters, Stamp, Stamps, millis};
use crate::error::{Error, Result};
use folder::{Folder, STAMPS};
use record::Record;

/// The least a file may be bounded to.
const LEAST: u64 = 1 << 20;
const READERS: u32 = 512;
/// So many entries are swept in one transaction: each changes some pages, and the file must have those free.
const BITE: usize = 64;
/// So many leave in one transaction when the file is all but full.
const FEW: usize = 16;
const TOTALS: &[u8] = b"t";

type Rows = Database<'static, Bytes, Bytes>;
type Hash = [u8; 16];

/// An entry that is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Keep<'a> {
    /// At most 65,535 bytes.
    pub key: &'a [u8],
    pub value: &'a [u8],
    /// What its user's was when the value was made, see [`Stamps`].
    pub stamp: Stamp,
    /// How long it may live; longer than the tier's time to live it does not.
    pub lives: Duration,
}

/// A value that was found, where it lies in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    pub value: &'a [u8],
    /// How long it lives yet.
    pub lives: Duration,
    pub stamp: Stamp,
}

/// The cache on disk; see the module.
pub struct Disk {
    /// Taken to write when the map must grow, which LMDB does not do under transactions.
    env: RwLock<Option<Env<WithTls>>>,
    rows: Rows,
    folder: Folder,
    stamps: Arc<Stamps>,
    /// What entries may weigh.
    room: u64,
    ttl: u64,
    forks: u32,
    broken: AtomicBool,
    done: Done,
}

#[derive(Default)]
struct Done {
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
    expired: AtomicU64,
}

/// What all entries come to, and the place in the queue that comes next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    entries: u64,
    weight: u64,
    next: u64,
}

impl Disk {
    /// Opens the folder `path`, made if there is none; its file grows to `size` bytes at most (1 MiB or more). Entries have half
    /// of it, gaps between them included: the rest is for LMDB, which never overwrites a page in use. An entry lives for `ttl` after it was put, in whole milliseconds, at least one.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for other limits, [`Error::File`] if the folder cannot be used, or is open in this process.
    pub fn open(path: &Path, size: u64, ttl: Duration) -> Result<Self> {
        if !(LEAST..=1 << 46).contains(&size) {
            return Err(Error::Meaningless("a cache on disk has 1 MiB to 64 TiB"));
        }
        if millis(ttl) == 0 {
            return Err(Error::Meaningless("an entry lives for at least a millisecond"));
        }
        let forks = forks();
        let (folder, (env, rows, stamps)) = Folder::enter(path, || {
            let (env, rows) = open(path, size)?;
            Ok((env, rows, Arc::new(Stamps::open(&path.join(STAMPS))?)))
        })?;
        Ok(Self {
            env: RwLock::new(Some(env)),
            rows,
            folder,
            stamps,
            room: size / 2,
            ttl: millis(ttl),
            forks,
            broken: AtomicBool::new(false),
            done: Done::default(),
        })
    }

    /// The generations of users, shared with whoever has the folder open.
    pub fn stamps(&self) -> &Arc<Stamps> {
        &self.stamps
    }

    /// What `take` makes of the value of a key, if it may be given out at `now`, by a clock that all processes share and that
    /// outlives them. The file does not change under `take`, which should be quick.
    pub fn get<T>(&self, key: &[u8], now: Duration, mut take: impl FnMut(Found<'_>) -> T) -> Option<T> {
        let now = millis(now);
        let found = self.read(|txn| {
            let Some(bytes) = self.rows.get(txn, &entry(&hash(key)))? else { return Ok(None) };
            let Some(record) = Record::read(bytes).filter(|record| record.key == key) else { return Ok(None) };
            if self.is_over(&record, now) {
                self.done.expired.fetch_add(1, Relaxed);
                return Ok(None);
            }
            let Record { value, stamp, expires, .. } = record;
            let found = Found { value, stamp, lives: Duration::from_millis(expires - now) };
            Ok(self.stamps.is_current(stamp).then(|| take(found)))
        });
        let found = found.flatten();
        let counter = if found.is_some() { &self.done.hits } else { &self.done.misses };
        counter.fetch_add(1, Relaxed);
        found
    }

    /// Keeps entries, in the place of those with the same keys, in one transaction unless the file is too small for that. One
    /// whose user was forgotten since it bears its stamp changes nothing. One of more than a quarter of the room only takes out
    /// the old one; so may one of many pages, which must lie side by side, in a file that is all but full.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for a key that is too long, [`Error::File`] if the disk fails or is full.
    pub fn put(&self, batch: &[Keep<'_>], now: Duration) -> Result<()> {
        if batch.iter().any(|keep| keep.key.len() > usize::from(u16::MAX)) {
            return Err(Error::Meaningless("a key on disk has at most 65,535 bytes"));
        }
        self.put_many(batch, millis(now))
    }

    fn put_many(&self, batch: &[Keep<'_>], now: u64) -> Result<()> {
        let all = || self.write(|txn, totals| batch.iter().try_for_each(|keep| self.put_one(txn, totals, keep, now)));
        let mut outcome = all();
        // Too many pages change at once for what the file has free.
        if is_full(&outcome) && batch.len() > 1 {
            let (one, other) = batch.split_at(batch.len() / 2);
            self.put_many(one, now)?;
            return self.put_many(other, now);
        }
        if let (true, [keep]) = (is_full(&outcome), batch) {
            let weight = record::weight(keep.key.len(), keep.value.len());
            while matches!(self.write(|txn, totals| self.make_room(txn, totals, weight, FEW)), Ok(FEW)) {}
            outcome = all();
        }
        if is_full(&outcome) {
            self.done.evictions.fetch_add(batch.len() as u64, Relaxed);
            return Ok(());
        }
        Ok(outcome?)
    }

    /// Takes a key out; false if it is not there.
    ///
    /// # Errors
    /// [`Error::File`] if the disk fails.
    pub fn remove(&self, key: &[u8]) -> Result<bool> {
        Ok(self.write(|txn, totals| self.take(txn, totals, &hash(key)))?)
    }

    /// Takes out everything, and nothing that anybody keeps now is given out again in any process.
    ///
    /// # Errors
    /// [`Error::File`] if the disk fails; then it is still not given out.
    pub fn clear(&self) -> Result<()> {
        self.stamps.forget_all();
        Ok(self.write(|txn, totals| {
            self.rows.clear(txn)?;
            *totals = Totals { next: totals.next, ..Totals::default() };
            Ok(())
        })?)
    }

    /// Takes out what has outlived its time and what is of users who were forgotten; how many entries that were. It looks at
    /// every entry. It also frees what killed processes held.
    ///
    /// # Errors
    /// [`Error::File`] if the disk fails.
    pub fn sweep(&self, now: Duration) -> Result<usize> {
        let now = millis(now);
        let mut dead = Vec::new();
        self.read(|txn| {
            for row in self.rows.prefix_iter(txn, b"e")? {
                let (key, bytes) = row?;
                let alive = |record: Record<'_>| !self.is_over(&record, now) && self.stamps.is_current(record.stamp);
                if !Record::read(bytes).is_some_and(alive) {
                    dead.push((hash_of(key), Record::sequence(bytes)));
                }
            }
            Ok(())
        });
        let mut count = 0;
        for bite in dead.chunks(BITE) {
            let swept = self.write(|txn, totals| {
                let mut count = 0;
                for (hash, sequence) in bite {
                    let same = self.rows.get(txn, &entry(hash))?.map(Record::sequence) == Some(*sequence);
                    count += usize::from(same && self.take(txn, totals, hash)?);
                }
                Ok(count)
            });
            if is_full(&swept) {
                break; // what is left is dead, and goes when there is room to tell so
            }
            count += swept?;
        }
        self.done.expired.fetch_add(count as u64, Relaxed);
        let env = self.env.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(env) = env.as_ref().filter(|_| self.is_usable()) {
            let _ = env.clear_stale_readers();
        }
        Ok(count)
    }

    /// What this process has done with it, and what it holds.
    pub fn counters(&self) -> Counters {
        let Totals { entries, weight, .. } = self.read(|txn| self.totals(txn)).unwrap_or_default();
        let Done { hits, misses, evictions, expired } = &self.done;
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        Counters {
            hits: count(hits),
            misses: count(misses),
            evictions: count(evictions),
            expired: count(expired),
            entries,
            weight,
        }
    }

    /// Checks every invariant; slow, for tests.
    ///
    /// # Errors
    /// [`Error::Damaged`] names the first invariant that does not hold.
    pub fn validate(&self) -> Result<()> {
        let checked = self.read(|txn| {
            let totals = self.totals(txn)?;
            let mut seen = Totals { next: totals.next, ..Totals::default() };
            for row in self.rows.prefix_iter(txn, b"e")? {
                let (key, bytes) = row?;
                let Some(record) = Record::read(bytes) else { return Ok(Err("each record is whole")) };
                if hash(record.key) != hash_of(key) {
                    return Ok(Err("each record is where its key leads"));
                }
                if record.sequence >= totals.next || self.rows.get(txn, &place(record.sequence))? != Some(&key[1..]) {
                    return Ok(Err("each entry has its place in the queue"));
                }
                seen.entries += 1;
                seen.weight += record::stored(bytes.len() as u64);
            }
            let queued = self.rows.prefix_iter(txn, b"q")?.count() as u64;
            if queued != seen.entries {
                return Ok(Err("each place in the queue is of an entry"));
            }
            let bounded = seen.weight <= self.room;
            Ok(if seen != totals { Err("the totals are those of the entries") } else { Ok(bounded) })
        });
        match checked {
            Some(Ok(true)) => Ok(()),
            Some(Ok(false)) => Err(Error::Damaged("no more weight than there is room")),
            Some(Err(invariant)) => Err(Error::Damaged(invariant)),
            None => Err(Error::Damaged("the file of entries can be read")),
        }
    }

    fn is_over(&self, record: &Record<'_>, now: u64) -> bool {
        // A clock that was put back must not let anything live longer.
        record.expires <= now || record.expires - now > self.ttl
    }

    fn put_one(&self, txn: &mut RwTxn<'_>, totals: &mut Totals, keep: &Keep<'_>, now: u64) -> heed::Result<()> {
        if !self.stamps.is_current(keep.stamp) {
            return Ok(());
        }
        let hash = hash(keep.key);
        self.take(txn, totals, &hash)?;
        let weight = record::weight(keep.key.len(), keep.value.len());
        if weight > self.room / 4 {
            self.done.evictions.fetch_add(1, Relaxed);
            return Ok(());
        }
        self.make_room(txn, totals, weight, usize::MAX)?;
        let expires = now.saturating_add(millis(keep.lives).min(self.ttl));
        let mut bytes = Vec::with_capacity(keep.key.len() + keep.value.len() + 32);
        let Keep { key, value, stamp, .. } = *keep;
        Record { sequence: totals.next, expires, stamp, key, value }.write(&mut bytes);
        self.rows.put(txn, &entry(&hash), &bytes)?;
        self.rows.put(txn, &place(totals.next), &hash)?;
        totals.next += 1;
        totals.entries += 1;
        totals.weight += weight;
        Ok(())
    }

    /// Takes out the first of the queue until `weight` fits, `most` of them; how many.
    fn make_room(&self, txn: &mut RwTxn<'_>, totals: &mut Totals, weight: u64, most: usize) -> heed::Result<usize> {
        let room = self.room_in(&self.rows.stat(txn)?, totals.weight);
        let mut count = 0;
        while totals.weight + weight > room && count < most {
            let Some((_, hash)) = self.rows.get_greater_than_or_equal_to(txn, b"q")?.filter(|(key, _)| key[0] == b'q')
            else {
                break;
            };
            let hash: Hash = hash.try_into().map_err(|_| MdbError::Corrupted)?;
            if !self.take(txn, totals, &hash)? {
                return Err(MdbError::Corrupted.into());
            }
            self.done.evictions.fetch_add(1, Relaxed);
            count += 1;
        }
        Ok(count)
    }

    fn take(&self, txn: &mut RwTxn<'_>, totals: &mut Totals, hash: &Hash) -> heed::Result<bool> {
        let key = entry(hash);
        let Some(bytes) = self.rows.get(txn, &key)? else { return Ok(false) };
        let (sequence, weight) = (Record::sequence(bytes), record::stored(bytes.len() as u64));
        self.rows.delete(txn, &key)?;
        self.rows.delete(txn, &place(sequence))?;
        totals.entries = totals.entries.saturating_sub(1);
        totals.weight = totals.weight.saturating_sub(weight);
        Ok(true)
    }

    fn totals(&self, txn: &RoTxn<'_>) -> heed::Result<Totals> {
        let read = |bytes: &[u8]| {
            let (words, _) = bytes.as_chunks::<8>();
            let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
            Some(Totals { entries: words.next()?, weight: words.next()?, next: words.next()? })
        };
        Ok(self.rows.get(txn, TOTALS)?.and_then(read).unwrap_or_default())
    }

    /// What entries may weigh while the tree is so full of gaps.
    fn room_in(&self, tree: &DatabaseStat, weight: u64) -> u64 {
        let taken = (tree.branch_pages + tree.leaf_pages + tree.overflow_pages) as u64 * u64::from(tree.page_size);
        if taken <= self.room {
            self.room
        } else {
            (u128::from(weight) * u128::from(self.room) / u128::from(taken)) as u64
        }
    }

    /// What `work` finds on a snapshot; None if the file cannot be read.
    fn read<T>(&self, mut work: impl FnMut(&RoTxn<'_, WithTls>) -> heed::Result<T>) -> Option<T> {
        if !self.is_usable() {
            return None;
        }
        let mut once = || {
            let env = self.env.read().unwrap_or_else(PoisonError::into_inner);
            work(&env.as_ref().expect("open until it is dropped").read_txn()?)
        };
        match once() {
            Err(heed::Error::Mdb(MdbError::MapResized)) => self.grow().and_then(|()| once()),
            outcome => outcome,
        }
        .map_err(|error| self.judge(error))
        .ok()
    }

    /// Commits what `work` changes, or nothing.
    fn write<T>(&self, mut work: impl FnMut(&mut RwTxn<'_>, &mut Totals) -> heed::Result<T>) -> heed::Result<T>
    where
        T: Default,
    {
        if !self.is_usable() {
            return Ok(T::default());
        }
        let mut once = || {
            let env = self.env.read().unwrap_or_else(PoisonError::into_inner);
            let mut txn = env.as_ref().expect("open until it is dropped").write_txn()?;
            let before = self.totals(&txn)?;
            let mut totals = before;
            let outcome = work(&mut txn, &mut totals)?;
            if totals != before {
                let words = [totals.entries, totals.weight, totals.next].map(u64::to_le_bytes);
                self.rows.put(&mut txn, TOTALS, words.as_flattened())?;
            }
            txn.commit()?;
            Ok(outcome)
        };
        match once() {
            Err(heed::Error::Mdb(MdbError::MapResized)) => self.grow().and_then(|()| once()),
            outcome => outcome,
        }
        .map_err(|error| self.judge(error))
    }

    /// Maps as much as another process, for which the file may grow larger, has made of it.
    fn grow(&self) -> heed::Result<()> {
        let env = self.env.write().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: every transaction of this environment lives under the lock for reading, so there is none now.
        unsafe { env.as_ref().expect("open until it is dropped").resize(0) }
    }

    /// A file whose tree is not one is not touched again, and whoever opens it next begins anew.
    fn judge(&self, error: heed::Error) -> heed::Error {
        use MdbError::{BadTxn, Corrupted, Incompatible, Invalid, PageNotFound, Panic, VersionMismatch};
        if let heed::Error::Mdb(BadTxn | Corrupted | Incompatible | Invalid | PageNotFound | Panic | VersionMismatch) =
            error
        {
            self.broken.store(true, Relaxed);
            self.folder.distrust();
        }
        error
    }

    fn is_usable(&self) -> bool {
        !self.broken.load(Relaxed) && self.forks == FORKS.load(Relaxed)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let held = self.counters().entries;
        let env = self.env.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if self.forks != FORKS.load(Relaxed) {
            std::mem::forget(env); // it is the parent's
            return;
        }
        let Some(env) = env else { return };
        let worth = !self.broken.load(Relaxed) && held > 0;
        // What fails here only makes the next one begin anew.
        let _ = self.folder.leave(|alone| {
            let clean = alone && worth && env.force_sync().is_ok() && self.stamps.sync().is_ok();
            drop(env);
            clean
        });
    }
}

fn open(path: &Path, size: u64) -> Result<(Env<WithTls>, Rows)> {
    let page = 1 << 16; // a multiple of any machine's page
    let mut options = EnvOpenOptions::new();
    options.map_size((size / page * page) as usize).max_readers(READERS);
    // SAFETY: without syncs only a power cut can harm the file, after which it is not opened but thrown away; see `folder`.
    unsafe { options.flags(EnvFlags::NO_SYNC | EnvFlags::NO_READ_AHEAD) };
    // SAFETY: nobody but this module changes the files of the folder, and heed refuses to open them twice in a process.
    let env = unsafe { options.open(path) }?;
    env.clear_stale_readers()?;
    let txn = env.read_txn()?;
    let rows = env.open_databases_and_commit(txn, |opener, txn| {
        opener.open_database(txn, None).map(|rows| rows.map_or(CommitOrAbort::Abort(()), CommitOrAbort::Commit))
    })?;
    let rows = rows.commit().ok_or(Error::Damaged("every environment has a tree"))?;
    Ok((env, rows))
}

fn is_full<T>(outcome: &heed::Result<T>) -> bool {
    matches!(outcome, Err(heed::Error::Mdb(MdbError::MapFull)))
}

fn hash(key: &[u8]) -> Hash {
    let mut hasher = SipHasher13::new();
    hasher.write(key);
    hasher.finish128().as_bytes()
}

fn entry(hash: &Hash) -> [u8; 17] {
    let mut key = [b'e'; 17];
    key[1..].copy_from_slice(hash);
    key
}

fn hash_of(entry: &[u8]) -> Hash {
    entry.get(1..).and_then(|hash| hash.try_into().ok()).unwrap_or_default()
}

fn place(sequence: u64) -> [u8; 9] {
    let mut key = [b'q'; 9];
    key[1..].copy_from_slice(&sequence.to_be_bytes());
    key
}

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lead to this process, as far as they are counted: from the first call on.
fn forks() -> u32 {
    static COUNTED: std::sync::Once = std::sync::Once::new();
    extern "C" fn forked() {
        FORKS.fetch_add(1, Relaxed);
    }
    // SAFETY: the handler lives as long as the process and only changes an atomic, as a child of threads may.
    COUNTED.call_once(|| {
        assert_eq!(unsafe { libc::pthread_atfork(None, None, Some(forked)) }, 0, "there is room for a handler")
    });
    FORKS.load(Relaxed)
}
