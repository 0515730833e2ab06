//! An exact, incremental BM25 index over the documents of one user.
//!
//! Everything is live: a document put in, replaced or taken out changes the number of documents, the document frequencies and
//! the average length at once, and the scores are those of an index built from nothing. Meant for up to some hundred thousand
//! short documents. The index knows no lock; who shares it wraps it in one.
//!
//! Score (Robertson and Zaragoza 2009, without the constant factor of queries that repeat a word): the sum, over the distinct
//! terms of the query, of `idf · tf·(k1+1) / (tf + k1·(1−b + b·length/average))`, with `idf = ln(1 + (N−df+½)/(df+½))`.

mod postings;
mod rank;

use std::collections::{HashMap, HashSet};

use crate::error::{Error, Result, in_range};
use crate::text::Tokenizer;
use postings::{Posting, TermId, Terms};
pub use rank::{Hit, Weighing};

/// How BM25 weighs repetition and length; only values that mean something can be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    k1: f32,
    b: f32,
}

impl Params {
    /// `k1`, 0 to 100: how much repetition counts (0: not at all). `b`, 0 to 1: how much a long document loses (0: nothing).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for any other value.
    pub fn new(k1: f32, b: f32) -> Result<Self> {
        Ok(Self { k1: in_range("k1", k1, 0.0, 100.0)?, b: in_range("b", b, 0.0, 1.0)? })
    }
}

/// Measured on conversations: there the long documents carry the facts, so length costs nothing.
impl Default for Params {
    fn default() -> Self {
        Self { k1: 0.9, b: 0.0 }
    }
}

/// How much one occurrence in a field counts, kept to a thousandth: sums of whole thousandths never drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight(u32);

impl Weight {
    /// One occurrence counts once.
    pub const ONE: Self = Self(1000);

    /// A weight of 0.001 to 1000.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for any other value.
    pub fn new(weight: f32) -> Result<Self> {
        let weight = in_range("a field's weight", weight, 0.001, 1000.0)?;
        Ok(Self((weight * 1000.0).round() as u32))
    }
}

/// The index; see the module.
pub struct Index {
    tokenizer: Tokenizer,
    params: Params,
    terms: Terms,
    places: HashMap<u64, u32>,
    slots: Vec<Option<Document>>,
    vacant: Vec<u32>,
    /// The sum of all lengths, in thousandths.
    total: u64,
}

struct Document {
    doc: u64,
    kind: u32,
    time: i64,
    /// The sum of its term frequencies, in thousandths.
    length: u64,
    /// Distinct, ascending.
    terms: Box<[TermId]>,
}

/// A query's distinct terms, weighed.
struct Query {
    /// Term, idf and the first word that led to it, in the order of the query; terms no document holds are left out.
    known: Vec<(TermId, f32, String)>,
    /// The idf of all distinct terms, known or not.
    idf: f32,
}

/// What a query found.
struct Matches {
    /// Each slot once.
    slots: Vec<u32>,
    /// BM25 and the idf of the matched terms, by slot.
    sums: Vec<[f32; 2]>,
    /// The idf of the whole query.
    idf: f32,
}

impl Matches {
    /// BM25 and coverage of a document.
    fn of(&self, slot: u32) -> (f32, f32) {
        let [score, matched] = self.sums[slot as usize];
        (score, (matched / self.idf).min(1.0))
    }

    /// The best BM25; 0 if nothing matched.
    fn best(&self) -> f32 {
        self.slots.iter().map(|&slot| self.sums[slot as usize][0]).fold(0.0, f32::max)
    }
}

impl Index {
    /// An empty index.
    pub fn new(tokenizer: Tokenizer, params: Params) -> Self {
        Self {
            tokenizer,
            params,
            terms: Terms::default(),
            places: HashMap::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            total: 0,
        }
    }

    /// How many documents it holds.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Puts a document in, in the place of the one with the same number if there is one. What its `kind` and `time` mean is up to
    /// the caller; [`Weighing`] goes by them.
    pub fn upsert(&mut self, doc: u64, fields: &[(Weight, &str)], kind: u32, time: i64) {
        self.remove(doc);
        let mut counts: Vec<(TermId, u32)> = Vec::new();
        for (weight, text) in fields {
            self.tokenizer.each(text, |token| counts.push((self.terms.intern(token.term), weight.0)));
        }
        counts.sort_unstable();
        counts.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("2^32 documents do not fit into memory")
        });
        for &(term, tf) in &counts {
            self.terms.add(term, Posting { slot, tf });
        }
        let length = counts.iter().map(|&(_, tf)| u64::from(tf)).sum();
        let terms = counts.iter().map(|&(term, _)| term).collect();
        self.total += length;
        self.slots[slot as usize] = Some(Document { doc, kind, time, length, terms });
        self.places.insert(doc, slot);
    }

    /// Takes a document out; false if there is none of that number.
    pub fn remove(&mut self, doc: u64) -> bool {
        let Some(slot) = self.places.remove(&doc) else { return false };
        let Some(document) = self.slots[slot as usize].take() else { return false };
        for &term in &document.terms {
            self.terms.remove(term, slot);
        }
        self.total -= document.length;
        self.vacant.push(slot);
        true
    }

    /// The documents that share a term with `query`, and how much of it each holds.
    fn matches(&self, query: &str) -> Matches {
        let query = self.query(query);
        let postings = query.known.iter().map(|(term, ..)| self.terms.postings(*term).len()).sum::<usize>();
        let mut sums = vec![[0.0_f32; 2]; if postings == 0 { 0 } else { self.slots.len() }];
        let mut slots = Vec::with_capacity(postings.min(self.len()));
        let saturate = self.saturation();
        for (term, idf, _) in &query.known {
            for posting in self.terms.postings(*term) {
                let [score, matched] = &mut sums[posting.slot as usize];
                if *matched == 0.0 {
                    slots.push(posting.slot);
                }
                *score += idf * saturate(posting);
                *matched += idf;
            }
        }
        Matches { slots, sums, idf: query.idf }
    }

    /// Why `query` finds each of `docs`: each matching word of the query, folded, with its share of BM25, the largest first. The
    /// shares of a document add up to 1; there are none if it does not match.
    pub fn explain(&self, docs: &[u64], query: &str) -> Vec<Vec<(String, f32)>> {
        let query = self.query(query);
        docs.iter().map(|doc| self.places.get(doc).map_or(Vec::new(), |&slot| self.shares(slot, &query))).collect()
    }

    fn shares(&self, slot: u32, query: &Query) -> Vec<(String, f32)> {
        let saturate = self.saturation();
        let mut parts: Vec<(String, f32)> = (query.known.iter())
            .filter_map(|(term, idf, word)| Some((word.clone(), idf * saturate(self.terms.posting(*term, slot)?))))
            .collect();
        let score: f32 = parts.iter().map(|(_, part)| part).sum();
        parts.iter_mut().for_each(|(_, part)| *part /= score);
        parts.sort_by(|one, other| other.1.total_cmp(&one.1));
        parts
    }

    /// What a posting's frequency counts beside its idf.
    fn saturation(&self) -> impl Fn(&Posting) -> f32 {
        let Params { k1, b } = self.params;
        let average = (self.total as f64 / self.len().max(1) as f64) as f32;
        let plain = k1 * 1000.0;
        move |posting| {
            let tf = posting.tf as f32;
            if b == 0.0 {
                return tf * (k1 + 1.0) / (tf + plain); // spares the look at the document
            }
            let length = self.slots[posting.slot as usize].as_ref().map_or(0.0, |document| document.length as f32);
            tf * (k1 + 1.0) / (tf + plain * (1.0 - b + b * length / average))
        }
    }

    fn query(&self, text: &str) -> Query {
        let mut query = Query { known: Vec::new(), idf: 0.0 };
        let mut seen = HashSet::new();
        let mut missing = HashSet::new();
        self.tokenizer.each(text, |token| match self.terms.get(token.term) {
            Some(term) if seen.insert(term) => {
                let idf = self.idf(self.terms.postings(term).len());
                query.known.push((term, idf, token.word.to_owned()));
                query.idf += idf;
            }
            None if !missing.contains(token.term) => {
                missing.insert(token.term.to_owned());
            }
            _ => {}
        });
        query.idf += missing.len() as f32 * self.idf(0);
        query
    }

    fn idf(&self, df: usize) -> f32 {
        let (all, df) = (self.len() as f64, df as f64);
        ((all - df + 0.5) / (df + 0.5)).ln_1p() as f32
    }

    /// Checks every invariant; slow, for tests.
    ///
    /// # Errors
    /// [`Error::Damaged`] names the first invariant that does not hold.
    pub fn validate(&self) -> Result<()> {
        let mut postings = 0;
        let mut total = 0;
        for (slot, document) in self.slots.iter().enumerate() {
            let Some(document) = document else {
                holds(self.vacant.contains(&(slot as u32)), "a slot without a document is vacant")?;
                continue;
            };
            holds(self.places.get(&document.doc) == Some(&(slot as u32)), "a document knows its place")?;
            holds(document.terms.is_sorted_by(|one, next| one < next), "a document's terms ascend")?;
            let frequencies: Option<Vec<u64>> = (document.terms.iter())
                .map(|&term| self.terms.posting(term, slot as u32).map(|posting| u64::from(posting.tf)))
                .collect();
            let frequencies = frequencies.ok_or(Error::Damaged("a document is posted under each of its terms"))?;
            holds(frequencies.iter().sum::<u64>() == document.length, "a length is the sum of its frequencies")?;
            postings += frequencies.len();
            total += document.length;
        }
        holds(self.places.len() + self.vacant.len() == self.slots.len(), "every slot is taken or vacant")?;
        holds(total == self.total, "the total is the sum of the lengths")?;
        self.terms.validate(postings)
    }
}

fn holds(invariant: bool, name: &'static str) -> Result<()> {
    if invariant { Ok(()) } else { Err(Error::Damaged(name)) }
}
