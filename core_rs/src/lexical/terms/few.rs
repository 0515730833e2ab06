//! The postings of a small index, in one list: 12 bytes each and nothing beside.

use super::many::Many;
use super::{Posting, Term};
use crate::error::Result;
use crate::lexical::documents::Slot;
use crate::lexical::{holds, widen};

/// Two columns, ascending by term and then by slot.
#[derive(Default)]
pub(in crate::lexical) struct Few {
    terms: Vec<Term>,
    postings: Vec<Posting>,
}

impl Few {
    /// The postings of these terms, which ascend.
    pub(super) fn of(lists: &[(Term, &[Posting])]) -> Self {
        let terms = lists.iter().flat_map(|(term, postings)| std::iter::repeat_n(*term, postings.len())).collect();
        Self { terms, postings: lists.iter().flat_map(|(_, postings)| *postings).copied().collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    pub(super) fn postings(&self, term: Term) -> &[Posting] {
        let from = self.terms.partition_point(|&other| other < term);
        let count = self.terms[from..].partition_point(|&other| other == term);
        &self.postings[from..from + count]
    }

    /// Makes room from the end, so that each posting moves once.
    pub(super) fn add(&mut self, slot: Slot, terms: &[(Term, u8)]) {
        let mut end = self.len();
        let room = terms.len();
        widen(&mut self.terms, end + room);
        widen(&mut self.postings, end + room);
        self.terms.resize(end + room, 0);
        self.postings.resize(end + room, Posting(0));
        for (left, &(term, code)) in terms.iter().enumerate().rev() {
            let from = self.terms[..end].partition_point(|&other| other < term);
            let same = self.terms[from..end].partition_point(|&other| other == term);
            let at = from + self.postings[from..from + same].partition_point(|other| other.slot() < slot);
            self.terms.copy_within(at..end, at + left + 1);
            self.postings.copy_within(at..end, at + left + 1);
            self.terms[at + left] = term;
            self.postings[at + left] = Posting::new(slot, code);
            end = at;
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
