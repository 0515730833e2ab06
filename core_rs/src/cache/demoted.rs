//! What left the cache while it could live on, until somebody takes it to the tier below.

use std::time::Duration;

use hashbrown::HashTable;

use super::Stamp;

/// An entry that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demoted<K, V> {
    pub hash: u64,
    pub key: K,
    pub value: V,
    pub user: Option<Box<str>>,
    pub stamp: Stamp,
    /// How long it might have lived yet.
    pub lives: Duration,
}

/// Entries laid aside, one of each hash, up to a weight (one may be heavier); beyond it they are lost.
pub(super) struct Aside<K, V> {
    entries: HashTable<(Demoted<K, V>, u32)>,
    weight: u64,
    most: u64,
}

impl<K, V> Aside<K, V> {
    pub(super) fn new(most: u64) -> Self {
        Self { entries: HashTable::new(), weight: 0, most }
    }

    pub(super) fn push(&mut self, entry: Demoted<K, V>, weight: u32) {
        self.remove(entry.hash);
        if self.weight + u64::from(weight) <= self.most || self.entries.is_empty() {
            self.weight += u64::from(weight);
            self.entries.insert_unique(entry.hash, (entry, weight), |(entry, _)| entry.hash);
        }
    }

    /// Drops what was laid aside under a key of this hash: there is a newer value, or shall be none.
    pub(super) fn remove(&mut self, hash: u64) {
        if let Ok(found) = self.entries.find_entry(hash, |(entry, _)| entry.hash == hash) {
            let ((_, weight), _) = found.remove();
            self.weight -= u64::from(weight);
        }
    }

    /// Gives up all entries.
    pub(super) fn take(&mut self) -> Vec<Demoted<K, V>> {
        self.weight = 0;
        self.entries.drain().map(|(entry, _)| entry).collect()
    }

    /// Keeps those alone whose stamp is still `wanted`.
    pub(super) fn retain(&mut self, wanted: impl Fn(Stamp) -> bool) {
        let weight = &mut self.weight;
        self.entries.retain(|(entry, heavy)| {
            let stays = wanted(entry.stamp);
            *weight -= if stays { 0 } else { u64::from(*heavy) };
            stays
        });
    }
}
