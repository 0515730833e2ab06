//! A query held open: the best of what it finds by any score, and what its words count in a document and around it.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::Index;
use super::documents::{NOBODY, Slot};
use super::params::WHOLE;
use super::score::Matches;
use super::terms::Term;

/// How many documents on either side [`Words::wide`] hears, and how much of what each says counts.
const WIDE: usize = 6;
const WIDE_WEIGHT: f64 = 0.3;

/// What a query found.
pub struct Found<'a> {
    index: &'a Index,
    /// The query's terms that some document holds, with their idf.
    terms: Vec<(Term, f32)>,
    matches: Matches,
    /// Those whom nobody hears, ascending.
    silent: Vec<Slot>,
}

/// What is known of a document that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The number it was put in under.
    pub doc: u64,
    /// Of its [`Facts`](super::Facts).
    pub kind: u32,
    /// Of its facts.
    pub time: i64,
}

/// What the words of a query count where a document stands: BM25, with one idf for each word.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Words {
    /// As the index ranks, with the neighbours it hears.
    pub heard: f32,
    /// Of the document alone.
    pub own: f32,
    /// Of the document, and of six neighbours on either side at .3 each.
    pub wide: f32,
    /// The share of the query's idf that is heard, 0 to 1.
    pub coverage: f32,
}

impl Index {
    /// What a query finds among all documents but the `silent`, as if these had said nothing: nobody hears them either.
    pub fn find(&self, query: &str, silent: &[u64]) -> Found<'_> {
        let mut silent: Vec<Slot> = silent.iter().filter_map(|&number| self.documents.find(number)).collect();
        silent.sort_unstable();
        silent.dedup();
        let (terms, matches) = self.matched(query, &silent);
        Found { index: self, terms, matches, silent }
    }

    /// The number, kind and time of a document.
    pub fn document(&self, number: u64) -> Option<Choice> {
        self.documents.find(number).map(|slot| self.choice(slot))
    }

    /// Who stands directly after a document in its session.
    pub fn after(&self, number: u64) -> Option<u64> {
        let slot = self.sessions.beside(self.documents.find(number)?)[1];
        (slot != NOBODY).then(|| self.documents.at(slot).number)
    }

    fn choice(&self, slot: Slot) -> Choice {
        let document = self.documents.at(slot);
        Choice { doc: document.number, kind: document.kind, time: document.time }
    }
}

impl Found<'_> {
    /// The best BM25 of all; 0 if nothing matched.
    pub fn best(&self) -> f32 {
        self.matches.best()
    }

    /// The sum of the idf of the query's distinct terms.
    pub fn idf(&self) -> f32 {
        self.matches.idf()
    }

    /// The documents of the greatest `scale` · BM25 + `rest`, best first, equals by number; all of them if `limit` is 0. Those
    /// are left out that cover less than `min_coverage` or that `rest` says None of; else it says at most `most`.
    pub fn choose(
        &self,
        limit: usize,
        min_coverage: f32,
        scale: f32,
        most: f32,
        rest: impl Fn(&Choice) -> Option<f32>,
    ) -> Vec<u64> {
        let limit = if limit == 0 { usize::MAX } else { limit };
        let mut best: BinaryHeap<Reverse<Scored>> = BinaryHeap::new();
        let mut floor = f32::NEG_INFINITY;
        self.matches.each(|slot, bm25| {
            if scale * bm25 + most >= floor && self.matches.coverage(slot) >= min_coverage {
                let choice = self.index.choice(slot);
                if let Some(rest) = rest(&choice) {
                    best.push(Reverse(Scored(scale * bm25 + rest, choice.doc)));
                    if best.len() > limit {
                        best.pop();
                    }
                    if best.len() == limit {
                        floor = best.peek().map_or(floor, |least| least.0.0);
                    }
                }
            }
            // What BM25 alone must be at least, rounded down.
            if scale > 0.0 { (floor - most) / scale * (1.0 - 8.0 * f32::EPSILON) } else { 0.0 }
        });
        best.into_sorted_vec().into_iter().map(|Reverse(Scored(_, doc))| doc).collect()
    }

    /// Who spoke directly before a document in its session.
    pub fn before(&self, number: u64) -> Option<u64> {
        let slot = self.index.documents.find(number)?;
        self.speaks(self.index.sessions.beside(slot)[0])
    }

    /// Whom a document hears in its session, each with how much of what it says counts.
    pub fn heard(&self, number: u64) -> impl Iterator<Item = (u64, f32)> {
        let index = self.index;
        let mut beside = [index.documents.find(number).unwrap_or(NOBODY); 2];
        (1..=index.reach).flat_map(move |distance| {
            beside = [index.sessions.beside(beside[0])[0], index.sessions.beside(beside[1])[1]];
            let weights = index.params.window().at(distance).map(|weight| weight as f32 / 1000.0);
            let counted = beside.into_iter().zip(weights).filter(|&(_, weight)| weight > 0.0);
            counted.filter_map(|(slot, weight)| Some((self.speaks(slot)?, weight)))
        })
    }

    /// The number of the document of a slot, unless it is silent.
    fn speaks(&self, slot: Slot) -> Option<u64> {
        let says = slot != NOBODY && self.silent.binary_search(&slot).is_err();
        says.then(|| self.index.documents.at(slot).number)
    }

    /// What the query's words count in each of the documents.
    pub fn words(&mut self, numbers: &[u64]) -> Vec<Words> {
        let index = self.index;
        let slots: Vec<Slot> = numbers.iter().map(|&doc| index.documents.find(doc).unwrap_or(NOBODY)).collect();
        let around: Vec<[Slot; 2 * WIDE]> = slots.iter().map(|&slot| index.around(slot)).collect();
        let mut words: Vec<Words> = (slots.iter())
            .map(|&slot| Words {
                heard: self.matches.bm25(slot),
                coverage: self.matches.coverage(slot),
                ..Words::default()
            })
            .collect();
        let (tf, heard) = self.matches.columns();
        // Most postings are of documents that nobody asks for.
        let mut wanted = vec![0_u64; index.documents.end() / 64 + 1];
        for &slot in slots.iter().chain(around.iter().flatten()) {
            wanted[slot as usize / 64] |= 1 << (slot % 64);
        }
        for &slot in self.silent.iter().chain([&NOBODY]) {
            wanted[slot as usize / 64] &= !(1 << (slot % 64));
        }
        let is_wanted = |slot: Slot| wanted[slot as usize / 64] >> (slot % 64) & 1 > 0;
        let mut held: Vec<Slot> = Vec::new();
        let mut counts = vec![[0.0_f32; 2]; slots.len()];
        for &(term, idf) in &self.terms {
            let postings = index.terms.postings(term);
            counts.fill([0.0; 2]);
            for group in &index.groups {
                let own = index.codes.table(term, |counts| (index.params.own(group, counts) / WHOLE) as f32);
                let hear = index.codes.table(term, |counts| index.params.heard(group, counts, 1000) / WHOLE);
                for posting in postings.iter().filter(|posting| is_wanted(posting.slot())) {
                    let (slot, code) = (posting.slot(), posting.code());
                    tf[slot as usize] = own(slot, code);
                    heard[slot as usize] = hear(slot, code);
                    held.push(slot);
                }
                let norm = index.lengths.norm(group, index.len());
                for ((&slot, around), counts) in slots.iter().zip(&around).zip(&mut counts) {
                    let norm_of = norm(slot);
                    let said: f64 = around.iter().map(|&slot| heard[slot as usize]).sum();
                    counts[0] += tf[slot as usize] / norm_of;
                    counts[1] += (f64::from(tf[slot as usize]) + WIDE_WEIGHT * said) as f32 / norm_of;
                }
                for slot in held.drain(..) {
                    tf[slot as usize] = 0.0;
                    heard[slot as usize] = 0.0;
                }
            }
            for (words, counts) in words.iter_mut().zip(&counts) {
                let [own, wide] = counts.map(|tf| idf * index.params.saturated(tf, 1.0));
                words.own += own;
                words.wide += wide;
            }
        }
        words
    }
}

impl Index {
    /// The neighbours of a document, those before and after it by turns, the nearest first.
    fn around(&self, slot: Slot) -> [Slot; 2 * WIDE] {
        let [mut before, mut after] = [slot; 2];
        let mut around = [NOBODY; 2 * WIDE];
        for pair in around.as_chunks_mut::<2>().0 {
            before = self.sessions.beside(before)[0];
            after = self.sessions.beside(after)[1];
            *pair = [before, after];
        }
        around
    }
}

/// A score with its document; the better one is the greater, equals by number.
#[derive(PartialEq)]
struct Scored(f32, u64);

impl Eq for Scored {}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(other.1.cmp(&self.1))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
