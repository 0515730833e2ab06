//! The postings of a large index: a list for each term, and for each document which terms it holds, to take it out by.

use hashbrown::HashTable;

use super::held::Held;
use super::{Posting, Term};
use crate::error::Result;
use crate::lexical::documents::Slot;
use crate::lexical::{holds, widen};

/// A term's place among the lists; free again when no document holds the term.
type Id = u32;

#[derive(Default)]
pub(in crate::lexical) struct Many {
    ids: HashTable<Id>,
    lists: Vec<List>,
    vacant: Vec<Id>,
    held: Held,
}

struct List {
    term: Term,
    postings: Postings,
}

enum Postings {
    /// What most terms have.
    One(Posting),
    /// How many there are, then they, then room.
    More(Box<[Posting]>),
}

impl Postings {
    fn none() -> Self {
        Self::More(Box::default())
    }

    fn as_slice(&self) -> &[Posting] {
        match self {
            Self::One(posting) => std::slice::from_ref(posting),
            Self::More(postings) => match postings.split_first() {
                Some((count, postings)) => &postings[..count.0 as usize],
                None => &[],
            },
        }
    }

    /// Adds a posting for a slot there is none of. New documents mostly take the highest slot, so this mostly appends.
    fn add(&mut self, posting: Posting) {
        let (count, at) = match self.as_slice() {
            [] => return *self = Self::One(posting),
            all @ [.., last] if *last < posting => (all.len(), all.len()),
            all => (all.len(), all.partition_point(|other| *other < posting)),
        };
        let mut postings = match std::mem::replace(self, Self::none()) {
            Self::One(first) => vec![Posting(1), first],
            Self::More(postings) => postings.into_vec(),
        };
        if postings.len() == count + 1 {
            // Little room, as there are many lists; every posting is moved some eight times in all.
            postings.reserve_exact(1 + count / 8);
            postings.resize(postings.capacity(), Posting(0));
        }
        postings.copy_within(at + 1..count + 1, at + 2);
        postings[at + 1] = posting;
        postings[0] = Posting(count as u32 + 1);
        *self = Self::More(postings.into_boxed_slice());
    }

    fn remove(&mut self, slot: Slot) {
        let Ok(at) = self.as_slice().binary_search_by_key(&slot, |posting| posting.slot()) else { return };
        match self {
            Self::One(_) => *self = Self::none(),
            Self::More(postings) => {
                let count = postings[0].0 as usize;
                postings.copy_within(at + 2..count + 1, at + 1);
                postings[0] = Posting(count as u32 - 1);
                if count == 2 {
                    *self = Self::One(postings[1]);
                } else if postings.len() > 2 * count {
                    *self = Self::More(postings[..count].into());
                }
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::More(postings) => size_of_val(&**postings),
        }
    }
}

impl Many {
    /// The postings of these distinct terms, of documents in slots from 1 to `documents`.
    pub(super) fn of(lists: &[(Term, &[Posting])], documents: usize) -> Self {
        let mut many = Self { ids: HashTable::with_capacity(lists.len()), ..Self::default() };
        // Where the ids of each slot's terms end: they are sorted into one run by counting.
        let mut ends = vec![0_usize; documents + 1];
        lists.iter().flat_map(|(_, postings)| *postings).for_each(|posting| ends[posting.slot() as usize] += 1);
        let mut end = 0;
        ends.iter_mut().for_each(|at| end = std::mem::replace(at, end) + end);
        let mut ids: Vec<Id> = vec![0; end];
        for (id, (term, postings)) in (0..).zip(lists) {
            many.ids.insert_unique(*term, id, |&other| lists[other as usize].0);
            for posting in *postings {
                let at = &mut ends[posting.slot() as usize];
                ids[*at] = id;
                *at += 1;
            }
            let postings = match postings {
                [posting] => Postings::One(*posting),
                all => {
                    let count = Posting(all.len() as u32);
                    Postings::More(std::iter::once(count).chain(all.iter().copied()).collect())
                }
            };
            many.lists.push(List { term: *term, postings });
        }
        let mut start = 0;
        for (slot, &end) in (0..).zip(&ends).skip(1) {
            many.held.put(slot, &ids[start..end]);
            start = end;
        }
        many
    }

    pub(super) fn postings(&self, term: Term) -> &[Posting] {
        self.get(term).map_or(&[], |id| self.lists[id as usize].postings.as_slice())
    }

    pub(super) fn add(&mut self, slot: Slot, terms: &[(Term, u8)]) {
        let mut ids: Vec<Id> = Vec::with_capacity(terms.len());
        for &(term, code) in terms {
            let id = self.intern(term);
            self.lists[id as usize].postings.add(Posting::new(slot, code));
            ids.push(id);
        }
        ids.sort_unstable();
        self.held.put(slot, &ids);
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        for id in self.held.take(slot) {
            let list = &mut self.lists[id as usize];
            list.postings.remove(slot);
            if list.postings.as_slice().is_empty() {
                if let Ok(entry) = self.ids.find_entry(list.term, |&other| other == id) {
                    entry.remove();
                }
                self.vacant.push(id);
            }
        }
    }

    fn get(&self, term: Term) -> Option<Id> {
        self.ids.find(term, |&id| self.lists[id as usize].term == term).copied()
    }

    /// The id of a term, new if need be; a new one wants a posting before anything else happens.
    fn intern(&mut self, term: Term) -> Id {
        if let Some(id) = self.get(term) {
            return id;
        }
        let list = List { term, postings: Postings::none() };
        let id = match self.vacant.pop() {
            Some(id) => {
                self.lists[id as usize] = list;
                id
            }
            None => {
                let len = self.lists.len() + 1;
                widen(&mut self.lists, len);
                self.lists.push(list);
                Id::try_from(self.lists.len() - 1).expect("2^32 terms do not fit into memory")
            }
        };
        self.ids.insert_unique(term, id, |&id| self.lists[id as usize].term);
        id
    }

    pub(super) fn each(&self, mut take: impl FnMut(Term, &[Posting])) {
        let lists = self.lists.iter().map(|list| (list.term, list.postings.as_slice()));
        lists.filter(|(_, postings)| !postings.is_empty()).for_each(|(term, postings)| take(term, postings));
    }

    pub(super) fn bytes(&self) -> usize {
        self.ids.allocation_size()
            + self.lists.capacity() * size_of::<List>()
            + self.lists.iter().map(|list| list.postings.bytes()).sum::<usize>()
            + self.vacant.capacity() * size_of::<Id>()
            + self.held.bytes()
    }

    pub(super) fn validate(&self) -> Result<()> {
        let empty = self.lists.iter().filter(|list| list.postings.as_slice().is_empty()).count();
        holds(self.vacant.len() == empty, "a list without postings is vacant")?;
        holds(self.ids.len() + empty == self.lists.len(), "every list is taken or vacant")?;
        let mut postings = 0;
        for (id, list) in self.lists.iter().enumerate() {
            let known = self.get(list.term) == Some(id as Id);
            holds(known || list.postings.as_slice().is_empty(), "a term knows its list")?;
            postings += list.postings.as_slice().len();
        }
        for slot in self.held.slots() {
            for id in self.held.get(slot) {
                let list = self.lists[id as usize].postings.as_slice();
                holds(super::find(list, slot).is_some(), "a document is posted under each of its terms")?;
                postings -= 1;
            }
        }
        holds(postings == 0, "there is no posting without a document")
    }
}
