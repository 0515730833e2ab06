//! The postings of a small index, in one list: 12 bytes each and nothing beside.

use super::many::Many;
use super::{Posting, Term};
use crate::error::Result;
use crate::lexical::documents::Slot;
use crate::lexical::holds;

/// Two columns, ascending by term and then by slot.
#[derive(Default)]
pub(in crate::lexical) struct Few {
    terms: Vec<Term>,
    postings: Vec<Posting>,
}

impl Few {
    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    pub(super) fn postings(&self, term: Term) -> &[Posting] {
        let from = self.terms.partition_point(|&other| other < term);
        let count = self.terms[from..].partition_point(|&other| other == term);
        &self.postings[from..from + count]
    }

    /// Merges from the end, so that each posting moves once.
    pub(super) fn add(&mut self, slot: Slot, terms: &[(Term, u8)]) {
        let mut old = self.len();
        let room = terms.len();
        if self.terms.capacity() < old + room {
            self.terms.reserve_exact(room + old / 8);
            self.postings.reserve_exact(room + old / 8);
        }
        self.terms.resize(old + room, 0);
        self.postings.resize(old + room, Posting(0));
        for (left, &(term, code)) in terms.iter().enumerate().rev() {
            let posting = Posting::new(slot, code);
            while old > 0 && (self.terms[old - 1], self.postings[old - 1]) > (term, posting) {
                old -= 1;
                self.terms[old + left + 1] = self.terms[old];
                self.postings[old + left + 1] = self.postings[old];
            }
            self.terms[old + left] = term;
            self.postings[old + left] = posting;
        }
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        let mut kept = 0;
        for at in 0..self.len() {
            if self.postings[at].slot() != slot {
                self.terms[kept] = self.terms[at];
                self.postings[kept] = self.postings[at];
                kept += 1;
            }
        }
        self.terms.truncate(kept);
        self.postings.truncate(kept);
    }

    /// The same postings, each term with a list of its own.
    pub(super) fn grown(&self) -> Many {
        let mut documents: Vec<(Slot, Term, u8)> = self
            .terms
            .iter()
            .zip(&self.postings)
            .map(|(&term, posting)| (posting.slot(), term, posting.code()))
            .collect();
        documents.sort_unstable();
        let mut many = Many::default();
        for document in documents.chunk_by(|one, next| one.0 == next.0) {
            let terms: Vec<(Term, u8)> = document.iter().map(|&(_, term, code)| (term, code)).collect();
            many.add(document[0].0, &terms);
        }
        many
    }

    pub(super) fn each(&self, mut take: impl FnMut(Term, &[Posting])) {
        let mut from = 0;
        for same in self.terms.chunk_by(|one, next| one == next) {
            take(same[0], &self.postings[from..from + same.len()]);
            from += same.len();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.terms.capacity() * size_of::<Term>() + self.postings.capacity() * size_of::<Posting>()
    }

    pub(super) fn validate(&self) -> Result<()> {
        holds(self.terms.len() == self.postings.len(), "every posting has a term")?;
        holds(self.terms.is_sorted(), "terms ascend")
    }
}
