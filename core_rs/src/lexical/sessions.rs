//! Who stands beside whom: the documents of a session in the order of their times, equals by number.

use std::collections::HashMap;

use super::documents::{Documents, NOBODY, Slot};
use super::{holds, widen};
use crate::error::Result;

#[derive(Default)]
pub(super) struct Sessions {
    orders: HashMap<u64, Vec<Slot>>,
    /// By slot.
    sessions: Vec<Option<u64>>,
    /// By slot: those directly before and after, or [`NOBODY`].
    links: Vec<[Slot; 2]>,
}

impl Sessions {
    /// Puts a document among those of its session; returns it with as many as `reach` on either side.
    pub(super) fn add(&mut self, documents: &Documents, slot: Slot, session: u64, reach: usize) -> Vec<Slot> {
        let order = self.orders.entry(session).or_default();
        let at = place(documents, order, slot);
        widen(order, order.len() + 1);
        order.insert(at, slot);
        let around = near(order, at, reach);
        let beside = |at: Option<usize>| at.and_then(|at| order.get(at)).copied().unwrap_or(NOBODY);
        let (before, after) = (beside(at.checked_sub(1)), beside(at.checked_add(1)));
        if self.links.len() < documents.end() {
            widen(&mut self.links, documents.end());
            widen(&mut self.sessions, documents.end());
            self.links.resize(documents.end(), [NOBODY; 2]);
            self.sessions.resize(documents.end(), None);
        }
        self.sessions[slot as usize] = Some(session);
        self.links[slot as usize] = [before, after];
        self.join(before, slot);
        self.join(slot, after);
        around
    }

    /// The sessions of documents that fill all slots, each with who is in it.
    pub(super) fn of_all(documents: &Documents, sessions: HashMap<u64, Vec<Slot>>) -> Self {
        let mut all =
            Self { orders: sessions, sessions: vec![None; documents.end()], links: vec![[NOBODY; 2]; documents.end()] };
        for (&session, order) in &mut all.orders {
            order.sort_unstable_by_key(|&slot| key(documents, slot));
            for (at, &slot) in order.iter().enumerate() {
                all.sessions[slot as usize] = Some(session);
                all.links[slot as usize] =
                    [if at == 0 { NOBODY } else { order[at - 1] }, order.get(at + 1).copied().unwrap_or(NOBODY)];
            }
        }
        all
    }

    /// The session of a document, if it is in one.
    pub(super) fn of(&self, slot: Slot) -> Option<u64> {
        self.sessions.get(slot as usize).copied().flatten()
    }

    /// Takes a document out, if it is in a session; returns those that had it within `reach`.
    pub(super) fn remove(&mut self, documents: &Documents, slot: Slot, reach: usize) -> Vec<Slot> {
        let Some(session) = self.sessions.get_mut(slot as usize).and_then(Option::take) else { return Vec::new() };
        let Some(order) = self.orders.get_mut(&session) else { return Vec::new() };
        let at = place(documents, order, slot);
        order.remove(at);
        let around = near(order, at, reach);
        if order.is_empty() {
            self.orders.remove(&session);
        }
        let [before, after] = std::mem::take(&mut self.links[slot as usize]);
        self.join(before, after);
        around
    }

    fn join(&mut self, before: Slot, after: Slot) {
        if before != NOBODY {
            self.links[before as usize][1] = after;
        }
        if after != NOBODY {
            self.links[after as usize][0] = before;
        }
    }

    /// Those directly before and after a document, or [`NOBODY`].
    #[inline]
    pub(super) fn beside(&self, slot: Slot) -> [Slot; 2] {
        self.links.get(slot as usize).copied().unwrap_or_default()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let orders: usize = self.orders.values().map(|order| order.capacity() * size_of::<Slot>()).sum();
        self.links.capacity() * size_of::<[Slot; 2]>()
            + self.sessions.capacity() * size_of::<Option<u64>>()
            + self.orders.capacity() * size_of::<(u64, Vec<Slot>)>()
            + orders
    }

    pub(super) fn validate(&self, documents: &Documents) -> Result<()> {
        let mut linked = 0;
        for (session, order) in &self.orders {
            holds(order.is_sorted_by_key(|&slot| key(documents, slot)), "a session is in order")?;
            holds(!order.is_empty(), "a session has documents")?;
            linked += order.len();
            for (at, &slot) in order.iter().enumerate() {
                let before = if at == 0 { NOBODY } else { order[at - 1] };
                let after = order.get(at + 1).copied().unwrap_or(NOBODY);
                holds(self.beside(slot) == [before, after], "a document knows its neighbours")?;
                holds(self.sessions[slot as usize] == Some(*session), "a document knows its session")?;
            }
        }
        let in_sessions = self.sessions.iter().flatten().count();
        holds(linked == in_sessions, "a document of a session stands in it")?;
        holds(self.beside(NOBODY) == [NOBODY; 2], "nobody has no neighbours")
    }
}

fn key(documents: &Documents, slot: Slot) -> (i64, u64) {
    let document = documents.at(slot);
    (document.time, document.number)
}

/// Where a document stands, or would. New ones mostly come last.
fn place(documents: &Documents, order: &[Slot], slot: Slot) -> usize {
    let wanted = key(documents, slot);
    match order.last() {
        Some(&last) if key(documents, last) < wanted => order.len(),
        _ => order.partition_point(|&other| key(documents, other) < wanted),
    }
}

fn near(order: &[Slot], at: usize, reach: usize) -> Vec<Slot> {
    order[at.saturating_sub(reach)..order.len().min(at + reach + 1)].to_vec()
}
