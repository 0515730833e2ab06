//! The invariants of a cache.

use super::Tier;
use super::queue::{NONE, Place};
use crate::error::{Error, Result};

impl<K, V> Tier<K, V> {
    /// Checks every invariant; slow, for tests.
    ///
    /// # Errors
    /// [`Error::Damaged`] names the first invariant that does not hold.
    pub fn validate(&self) -> Result<()> {
        let count = self.slots.numbers().count();
        holds(count == self.table.len(), "each entry is in the table once")?;
        holds(count <= self.limits.entries, "no more entries than the limit")?;
        holds(self.slots.weight() <= self.limits.weight, "no more weight than the limit")?;
        let mut seated = 0;
        for slot in self.slots.numbers() {
            let entry = &self.slots[slot];
            holds(self.table.find(entry.hash, |&held| held == slot).is_some(), "the table finds each entry")?;
            if entry.user != NONE {
                seated += 1;
                let at = self.users.slots(entry.user).get(entry.seat as usize);
                holds(at == Some(&slot), "a user knows where their entries are")?;
            }
        }
        holds(seated == self.users.seats(), "a user has no other entries")?;
        holds(self.users.is_sound(), "names and numbers of users agree")?;
        holds(self.ghosts.is_sound(), "each ghost is remembered once")?;
        for place in [Place::Small, Place::Main] {
            let queue = self.slots.queue(place);
            let walked: Vec<u32> = self.slots.walk(place).collect();
            holds(walked.len() == queue.len, "a queue is as long as it says")?;
            holds(walked.last().copied() == self.slots.oldest(place), "a queue ends with its oldest")?;
            holds(walked.iter().all(|&slot| self.slots[slot].place == place), "an entry knows its queue")?;
            let weight: u64 = walked.iter().map(|&slot| u64::from(self.slots[slot].weight)).sum();
            holds(weight == queue.weight, "a queue weighs what its entries weigh")?;
        }
        Ok(())
    }
}

fn holds(condition: bool, invariant: &'static str) -> Result<()> {
    if condition { Ok(()) } else { Err(Error::Damaged(invariant)) }
}
