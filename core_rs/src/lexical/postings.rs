//! Terms under small numbers, and for each the documents that hold it.

use std::collections::HashMap;
use std::sync::Arc;

use super::holds;
use crate::error::Result;

/// A term's number; free again when no document holds the term.
pub(super) type TermId = u32;

/// That the document in `slot` holds a term.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posting {
    pub(super) slot: u32,
    /// Weighted frequency in thousandths, at least 1.
    pub(super) tf: u32,
}

#[derive(Default)]
pub(super) struct Terms {
    /// Keyed by what users write, so with the standard library's keyed hash.
    ids: HashMap<Arc<str>, TermId>,
    lists: Vec<List>,
    vacant: Vec<TermId>,
}

#[derive(Default)]
struct List {
    /// `None` while the number is vacant.
    term: Option<Arc<str>>,
    /// Ascending by slot.
    postings: Vec<Posting>,
}

impl Terms {
    pub(super) fn get(&self, term: &str) -> Option<TermId> {
        self.ids.get(term).copied()
    }

    /// The number of a term, new if need be; a new one wants a posting before anything else happens.
    pub(super) fn intern(&mut self, term: &str) -> TermId {
        if let Some(id) = self.get(term) {
            return id;
        }
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.lists.push(List::default());
            TermId::try_from(self.lists.len() - 1).expect("2^32 terms do not fit into memory")
        });
        let term: Arc<str> = term.into();
        self.lists[id as usize].term = Some(Arc::clone(&term));
        self.ids.insert(term, id);
        id
    }

    pub(super) fn postings(&self, term: TermId) -> &[Posting] {
        &self.lists[term as usize].postings
    }

    pub(super) fn posting(&self, term: TermId, slot: u32) -> Option<&Posting> {
        let postings = self.postings(term);
        postings.binary_search_by_key(&slot, |posting| posting.slot).ok().map(|at| &postings[at])
    }

    /// Adds a posting for a slot the term has none of. New documents mostly take the highest slot, so this mostly appends.
    pub(super) fn add(&mut self, term: TermId, posting: Posting) {
        let postings = &mut self.lists[term as usize].postings;
        match postings.last() {
            Some(last) if last.slot > posting.slot => {
                postings.insert(postings.partition_point(|other| other.slot < posting.slot), posting);
            }
            _ => postings.push(posting),
        }
    }

    /// Takes a posting out, and the term with its last one.
    pub(super) fn remove(&mut self, term: TermId, slot: u32) {
        let list = &mut self.lists[term as usize];
        if let Ok(at) = list.postings.binary_search_by_key(&slot, |posting| posting.slot) {
            list.postings.remove(at);
        }
        if list.postings.is_empty() {
            list.postings = Vec::new();
            if let Some(term) = list.term.take() {
                self.ids.remove(&term);
            }
            self.vacant.push(term);
        }
    }

    pub(super) fn validate(&self, postings: usize) -> Result<()> {
        let posted = self.lists.iter().map(|list| list.postings.len()).sum::<usize>();
        holds(posted == postings, "there is no posting without a document")?;
        holds(self.ids.len() + self.vacant.len() == self.lists.len(), "every term number is taken or vacant")?;
        for (id, list) in self.lists.iter().enumerate() {
            let Some(term) = &list.term else {
                holds(self.vacant.contains(&(id as TermId)), "a number without a term is vacant")?;
                continue;
            };
            holds(self.get(term) == Some(id as TermId), "a term knows its number")?;
            holds(!list.postings.is_empty(), "a term has a document")?;
            holds(list.postings.is_sorted_by(|one, next| one.slot < next.slot), "postings ascend")?;
            holds(list.postings.iter().all(|posting| posting.tf > 0), "a frequency is positive")?;
        }
        Ok(())
    }
}
