//! For each term the documents that hold it.
//!
//! A term is known by 64 bits of a keyed hash: its letters are not kept, and two terms of a vocabulary of a million share one
//! with a chance of 1 : 10^7, whatever words an enemy picks. An index of few postings is one sorted list, as a term of its own
//! entry costs more than its postings there; from [`FEW`] on each term has a list.

mod few;
mod held;
mod many;

use super::codes::{Codes, RARE};
use super::documents::{NOBODY, Slot};
use super::holds;
use crate::dump::{Dump, Load, sound};
use crate::error::{Error, Result};
use few::Few;
use many::Many;

/// A term, by its hash.
pub(super) type Term = u64;

/// From so many postings on each term gets a list of its own; tests cross it all the time.
const FEW: usize = if cfg!(debug_assertions) { 64 } else { 4096 };

/// That a document holds a term, and how often: a slot of 24 bits above a code of 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Posting(u32);

impl Posting {
    pub(super) fn new(slot: Slot, code: u8) -> Self {
        Self(slot << 8 | u32::from(code))
    }

    #[inline]
    pub(super) fn slot(self) -> Slot {
        self.0 >> 8
    }

    #[inline]
    pub(super) fn code(self) -> u8 {
        self.0 as u8
    }
}

/// The posting of a document among a term's.
pub(super) fn find(postings: &[Posting], slot: Slot) -> Option<Posting> {
    postings.binary_search_by_key(&slot, |posting| posting.slot()).ok().map(|at| postings[at])
}

/// The postings in runs, without those of the silent documents, which ascend.
pub(super) fn spoken<'a>(postings: &'a [Posting], silent: &[Slot]) -> Vec<&'a [Posting]> {
    let mut runs = Vec::with_capacity(silent.len() + 1);
    let mut rest = postings;
    for slot in silent {
        if let Ok(at) = rest.binary_search_by_key(slot, |posting| posting.slot()) {
            runs.push(&rest[..at]);
            rest = &rest[at + 1..];
        }
    }
    runs.push(rest);
    runs
}

/// All postings.
pub(super) enum Terms {
    Few(Few),
    Many(Many),
}

impl Terms {
    pub(super) fn new() -> Self {
        Self::Few(Few::default())
    }

    /// The documents of a term, ascending by slot; none if there is no such term.
    pub(super) fn postings(&self, term: Term) -> &[Posting] {
        match self {
            Self::Few(few) => few.postings(term),
            Self::Many(many) => many.postings(term),
        }
    }

    /// Adds a document that is not there yet: its terms, distinct and ascending, with their codes.
    pub(super) fn add(&mut self, slot: Slot, terms: &[(Term, u8)]) {
        match self {
            Self::Few(few) if few.len() + terms.len() <= FEW => few.add(slot, terms),
            Self::Few(few) => {
                let mut many = few.grown();
                many.add(slot, terms);
                *self = Self::Many(many);
            }
            Self::Many(many) => many.add(slot, terms),
        }
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        match self {
            Self::Few(few) => few.remove(slot),
            Self::Many(many) => many.remove(slot),
        }
    }

    /// Each term with its postings, by the new slots of the documents, in the same order.
    pub(super) fn dump(&self, renumbered: &[Slot], dump: &mut Dump) {
        let mut terms: Vec<(Term, u32)> = Vec::new();
        let mut all: Vec<u32> = Vec::new();
        self.each(|term, postings| {
            terms.push((term, postings.len() as u32));
            all.extend(postings.iter().map(|own| Posting::new(renumbered[own.slot() as usize], own.code()).0));
        });
        dump.number(terms.len() as u32);
        dump.column(terms.iter().map(|(term, _)| *term));
        dump.column(terms.iter().map(|(_, count)| *count));
        dump.column(all);
    }

    /// Takes them, of so many documents.
    pub(super) fn load(documents: usize, codes: &Codes, load: &mut Load<'_>) -> Result<Self> {
        let count = load.count()?;
        let terms = load.column::<Term>(count)?;
        let counts: Vec<usize> = load.column::<u32>(count)?.map(|count| count as usize).collect();
        let all = counts.iter().try_fold(0_usize, |sum, count| sum.checked_add(*count));
        let all: Vec<Posting> = load.column(all.ok_or(Error::Damaged("postings are cut"))?)?.map(Posting).collect();
        let mut lists: Vec<(Term, &[Posting])> = Vec::with_capacity(count);
        let mut rest = &all[..];
        let mut rare = 0;
        for (term, count) in terms.zip(counts) {
            let (postings, others) = rest.split_at(count);
            sound(!postings.is_empty(), "a term has documents")?;
            sound(postings.is_sorted_by(|one, next| one.slot() < next.slot()), "a term's documents are in order")?;
            for posting in postings {
                let slot = posting.slot();
                sound(slot != NOBODY && slot as usize <= documents, "there is no posting without a document")?;
                sound(codes.knows(term, slot, posting.code()), "a code stands for counts")?;
                rare += usize::from(posting.code() == RARE);
            }
            lists.push((term, postings));
            rest = others;
        }
        sound(rare == codes.rare(), "what is kept of a rare count is of a posting")?;
        lists.sort_unstable_by_key(|(term, _)| *term);
        sound(lists.is_sorted_by(|one, next| one.0 < next.0), "a term is there once")?;
        Ok(if all.len() <= FEW { Self::Few(Few::of(&lists)) } else { Self::Many(Many::of(&lists, documents)) })
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Few(few) => few.bytes(),
            Self::Many(many) => many.bytes(),
        }
    }

    /// Each term with its postings.
    pub(super) fn each(&self, take: impl FnMut(Term, &[Posting])) {
        match self {
            Self::Few(few) => few.each(take),
            Self::Many(many) => many.each(take),
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        let mut ascends = true;
        self.each(|_, postings| {
            ascends &= postings.is_sorted_by(|one, next| one.slot() < next.slot()) && !postings.is_empty();
        });
        holds(ascends, "a term has documents, in order")?;
        match self {
            Self::Few(few) => few.validate(),
            Self::Many(many) => many.validate(),
        }
    }
}
