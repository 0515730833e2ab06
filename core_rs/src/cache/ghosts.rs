//! The hashes of keys that lately left the small queue unread.

use std::collections::VecDeque;

use hashbrown::HashTable;

/// As many hashes as there are entries, the newest; each 64-bit hash stands for its key, so one in 2^64 strangers is mistaken.
#[derive(Default)]
pub(super) struct Ghosts {
    hashes: VecDeque<u64>,
    /// The number of the first of `hashes`; they are counted from the beginning of time.
    first: u64,
    /// The numbers of those that have not come back.
    table: HashTable<u64>,
}

impl Ghosts {
    /// Remembers a hash, and at most `most` of the newest.
    pub(super) fn push(&mut self, hash: u64, most: usize) {
        let Self { hashes, first, table } = self;
        let number = *first + hashes.len() as u64;
        hashes.push_back(hash);
        table.insert_unique(hash, number, |&held| hashes[(held - *first) as usize]);
        while self.hashes.len() > most {
            let Some(oldest) = self.hashes.pop_front() else { return };
            if let Ok(found) = self.table.find_entry(oldest, |&held| held == self.first) {
                found.remove();
            }
            self.first += 1;
        }
    }

    /// Whether a hash was remembered; from now on it is not.
    pub(super) fn take(&mut self, hash: u64) -> bool {
        let Self { hashes, first, table } = self;
        table.find_entry(hash, |&held| hashes[(held - *first) as usize] == hash).map(|found| found.remove()).is_ok()
    }

    /// Whether each number is that of a hash, once.
    pub(super) fn is_sound(&self) -> bool {
        self.table.len() <= self.hashes.len()
            && self.table.iter().all(|&held| held >= self.first && held - self.first < self.hashes.len() as u64)
    }
}
