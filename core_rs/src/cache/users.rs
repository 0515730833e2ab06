//! Whose entries are where, so that all of a user go at once.

use std::collections::HashMap;

use super::Stamp;
use super::queue::NONE;

/// Users by number; one without entries is not held.
#[derive(Default)]
pub(super) struct Users {
    numbers: HashMap<Box<str>, u32>,
    held: Vec<User>,
    vacant: Vec<u32>,
}

#[derive(Default)]
struct User {
    name: Box<str>,
    stamp: Stamp,
    slots: Vec<u32>,
}

impl Users {
    /// The number of a user, who must be seated next; `NONE` for nobody. One who is new bears `stamp`.
    pub(super) fn intern(&mut self, name: Option<&str>, stamp: Stamp) -> u32 {
        let Some(name) = name else { return NONE };
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.vacant.pop().unwrap_or_else(|| {
            self.held.push(User::default());
            (self.held.len() - 1) as u32
        });
        let user = &mut self.held[number as usize];
        (user.name, user.stamp) = (name.into(), stamp);
        self.numbers.insert(name.into(), number);
        number
    }

    /// Gives a user's slot a seat.
    pub(super) fn seat(&mut self, user: u32, slot: u32) -> u32 {
        let Some(user) = self.held.get_mut(user as usize) else { return NONE };
        user.slots.push(slot);
        (user.slots.len() - 1) as u32
    }

    /// Frees a seat; the slot that moved into it, if one did.
    pub(super) fn leave(&mut self, user: u32, seat: u32) -> Option<u32> {
        let held = self.held.get_mut(user as usize)?;
        held.slots.swap_remove(seat as usize);
        if held.slots.is_empty() {
            let gone = std::mem::take(held);
            self.numbers.remove(&gone.name);
            self.vacant.push(user);
            return None;
        }
        held.slots.get(seat as usize).copied()
    }

    /// What a user's entries bear; they all bear the same.
    pub(super) fn stamp(&self, user: u32) -> Stamp {
        self.held[user as usize].stamp
    }

    /// The same by name.
    pub(super) fn stamp_of(&self, name: &str) -> Option<Stamp> {
        self.numbers.get(name).map(|&user| self.stamp(user))
    }

    /// A user's name.
    pub(super) fn name(&self, user: u32) -> Option<&str> {
        self.held.get(user as usize).map(|user| &*user.name)
    }

    /// The last slot of a user.
    pub(super) fn last_of(&self, name: &str) -> Option<u32> {
        self.slots(*self.numbers.get(name)?).last().copied()
    }

    /// The slots of a user, by seat.
    pub(super) fn slots(&self, user: u32) -> &[u32] {
        self.held.get(user as usize).map_or(&[], |user| &user.slots)
    }

    /// How many slots have a seat.
    pub(super) fn seats(&self) -> usize {
        self.held.iter().map(|user| user.slots.len()).sum()
    }

    /// Whether names and numbers agree, and each who is held has a seat.
    pub(super) fn is_sound(&self) -> bool {
        self.numbers.len() + self.vacant.len() == self.held.len()
            && self.numbers.iter().all(|(name, &number)| {
                self.held.get(number as usize).is_some_and(|user| user.name == *name && !user.slots.is_empty())
            })
    }
}
