//! Whose values are still wanted: a generation for each user, which forgetting them moves on.
//!
//! Everything that is kept for a user bears the stamp it began with, and is dead once that is no longer the user's. So a
//! load that began before its user was forgotten cannot come back, in whatever order things happen; and as the table can lie in
//! a file that processes map, forgetting reaches them all at once, by one atomic step.
//!
//! A generation belongs to a slot, which a user shares with few others: they lose what is kept for them too, and nothing else
//! happens to them.

use std::fs::OpenOptions;
use std::hash::Hasher;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::MmapRaw;
use siphasher::sip::SipHasher13;

use crate::error::{Error, Result};

const OWN: usize = 1 << 12;
const SHARED: usize = 1 << 16;
/// The slot of what belongs to nobody, which only forgetting everybody moves on.
const NOBODY: usize = 0;

/// What a value must bear to be given out: its user's slot and the generation that it had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    pub(super) slot: u32,
    /// Moved on when the user is forgotten.
    pub generation: u32,
}

/// The generations of all users.
pub struct Stamps(Words);

enum Words {
    Own(Box<[AtomicU32]>),
    Shared(MmapRaw),
}

impl Default for Stamps {
    /// A table of this process, 16 KiB.
    fn default() -> Self {
        Self(Words::Own((0..OWN).map(|_| AtomicU32::new(0)).collect()))
    }
}

impl Stamps {
    /// The table in the file at `path`, 256 KiB, made if there is none. Nobody may shorten the file.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be made, opened or mapped; [`Error::Damaged`] if it has another length.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.metadata()?.len() {
            0 => (&file).write_all(&[0; SHARED * 4])?,
            length if length == SHARED as u64 * 4 => {}
            _ => return Err(Error::Damaged("a table of generations has a length of its own")),
        }
        Ok(Self(Words::Shared(MmapRaw::map_raw(&file)?)))
    }

    fn words(&self) -> &[AtomicU32] {
        match &self.0 {
            Words::Own(words) => words,
            // SAFETY: the map is page-aligned, holds `SHARED` words (checked when it was opened), lives as long as `self`,
            // and is only ever seen as atomics. That nobody shortens the file is what its owner promises.
            Words::Shared(map) => unsafe { std::slice::from_raw_parts(map.as_ptr().cast::<AtomicU32>(), SHARED) },
        }
    }

    fn slot(&self, user: Option<&str>) -> usize {
        let Some(user) = user else { return NOBODY };
        let mut hasher = SipHasher13::new();
        hasher.write(user.as_bytes());
        1 + hasher.finish() as usize % (self.words().len() - 1)
    }

    /// What is kept for a user from now on bears this.
    pub fn stamp(&self, user: Option<&str>) -> Stamp {
        let slot = self.slot(user);
        Stamp { slot: slot as u32, generation: self.words()[slot].load(Ordering::Acquire) }
    }

    /// The stamp of a user at some generation.
    pub fn at(&self, user: Option<&str>, generation: u32) -> Stamp {
        Stamp { slot: self.slot(user) as u32, generation }
    }

    /// Whether what bears this may be given out.
    pub fn is_current(&self, stamp: Stamp) -> bool {
        self.words().get(stamp.slot as usize).is_some_and(|word| word.load(Ordering::Acquire) == stamp.generation)
    }

    /// From now on nothing that was kept for a user until now is given out.
    pub fn forget(&self, user: &str) {
        self.words()[self.slot(Some(user))].fetch_add(1, Ordering::AcqRel);
    }

    /// The same for everybody, and for what belongs to nobody.
    pub fn forget_all(&self) {
        for word in self.words() {
            word.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Brings a shared table to the disk.
    pub(super) fn sync(&self) -> Result<()> {
        if let Words::Shared(map) = &self.0 {
            map.flush()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgetting_reaches_all_who_share_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stamps");
        let (one, other) = (Stamps::open(&path).unwrap(), Stamps::open(&path).unwrap());
        let (ann, bob, none) = (one.stamp(Some("ann")), one.stamp(Some("bob")), one.stamp(None));
        other.forget("ann");
        assert!(!one.is_current(ann) && one.is_current(bob) && one.is_current(none));
        assert_eq!(one.stamp(Some("ann")), other.at(Some("ann"), 1));
        other.forget_all();
        assert!(!one.is_current(bob) && !one.is_current(none));
    }
}
