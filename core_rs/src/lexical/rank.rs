//! Matches weighed by what they are and how old they are, and the best of them.

use super::Index;
use super::documents::{Document, Slot};
use super::score::Matches;
use crate::error::{Error, Result};

/// Makes a bound hold that is rounded another way than what it bounds.
const ROUNDED: f64 = 1.0 + 1e-12;

/// How the matches of a query are weighed; only values that mean something can be made.
///
/// Score = (BM25 + recency) · the weight of the document's kind, where recency is the recency weight · the best BM25 among all
/// matches, left out ones too · 2^(−age / half-life).
#[derive(Debug, Clone, PartialEq)]
pub struct Weighing {
    now: i64,
    /// Halvings per unit of time.
    rate: f64,
    recency_weight: f64,
    weights: Vec<Option<f64>>,
    /// No kind weighs more.
    heaviest: f64,
    min_coverage: f64,
}

impl Weighing {
    /// `now` and `half_life` are in the unit of the documents' times; a document of the future is as one of now. `weights` go by
    /// kind: one beyond them weighs 1, one of `None` is left out, as is a document that covers less than `min_coverage`.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for a half-life not above 0, a negative weight of a kind, and whatever is not a number or, as a
    /// weight, infinite.
    pub fn new(
        now: i64,
        half_life: f64,
        recency_weight: f64,
        weights: Vec<Option<f64>>,
        min_coverage: f64,
    ) -> Result<Self> {
        means(half_life > 0.0, "a half-life is a number above 0")?;
        means(recency_weight.is_finite(), "a recency weight is a finite number")?;
        means(!min_coverage.is_nan(), "a coverage is a number")?;
        let weighs = |weight: &f64| weight.is_finite() && *weight >= 0.0;
        means(weights.iter().flatten().all(weighs), "the weight of a kind is a finite number, not below 0")?;
        let heaviest = weights.iter().flatten().copied().fold(1.0, f64::max);
        Ok(Self { now, rate: half_life.recip(), recency_weight, weights, heaviest, min_coverage })
    }

    fn weight(&self, kind: u32) -> Option<f64> {
        self.weights.get(kind as usize).copied().unwrap_or(Some(1.0))
    }

    /// What is left, 0 to 1, of the recency of a document of this time.
    fn left(&self, time: i64) -> f64 {
        if time < self.now { (-(self.now.abs_diff(time) as f64) * self.rate).exp2() } else { 1.0 }
    }
}

/// BM25 alone.
impl Default for Weighing {
    fn default() -> Self {
        Self { now: 0, rate: 0.0, recency_weight: 0.0, weights: Vec::new(), heaviest: 1.0, min_coverage: 0.0 }
    }
}

/// A document that matched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The number it was put in under.
    pub doc: u64,
    /// The sum of the two shares; comparable within one search only.
    pub score: f64,
    /// The share of BM25.
    pub lexical: f64,
    /// The share of recency.
    pub recency: f64,
    /// The share of the query's meaning found in the document: idf of the matched distinct terms over idf of all, 0 to 1. A term
    /// no document holds counts with the highest idf there can be.
    pub coverage: f32,
}

impl Index {
    /// The documents that share a term with `query`, best first, equals by ascending number; all of them if `limit` is 0.
    pub fn rank(&self, query: &str, limit: usize, weighing: &Weighing) -> Vec<Hit> {
        let matches = self.matches(query);
        let freshest = weighing.recency_weight * f64::from(matches.best());
        let mut top = Top::new(limit, matches.most());
        matches.each(|slot, score| {
            self.weigh(slot, score, &matches, freshest, weighing, &mut top);
            // What BM25 alone must be at least, rounded down.
            ((top.floor / (weighing.heaviest * ROUNDED) - freshest.max(0.0)) * (1.0 - f64::from(f32::EPSILON))) as f32
        });
        top.sorted()
    }

    fn weigh(&self, slot: Slot, score: f32, matches: &Matches, freshest: f64, weighing: &Weighing, top: &mut Top) {
        let Document { number: doc, kind, time } = *self.documents.at(slot);
        let Some(weight) = weighing.weight(kind) else { return };
        let (lexical, fresh) = (f64::from(score) * weight, freshest * weight);
        if lexical + fresh.max(0.0) < top.floor {
            return;
        }
        let coverage = matches.coverage(slot);
        if f64::from(coverage) < weighing.min_coverage {
            return;
        }
        let recency = fresh * weighing.left(time);
        top.add(Hit { doc, score: lexical + recency, lexical, recency, coverage });
    }
}

/// The best of many hits, kept without sorting the others.
struct Top {
    /// 0 for all.
    limit: usize,
    hits: Vec<Hit>,
    room: usize,
    /// A hit of a lower score is none of the best.
    floor: f64,
}

impl Top {
    /// How many more hits are gathered than wanted, at least, before the best are picked out.
    const SLACK: usize = 64;

    fn new(limit: usize, most: usize) -> Self {
        let room = if limit == 0 { most } else { limit.saturating_mul(2).saturating_add(Self::SLACK).min(most) };
        Self { limit, hits: Vec::with_capacity(room), room, floor: f64::NEG_INFINITY }
    }

    fn add(&mut self, hit: Hit) {
        if hit.score < self.floor {
            return;
        }
        if self.hits.len() == self.room {
            self.pick();
        }
        self.hits.push(hit);
    }

    fn pick(&mut self) {
        if self.limit != 0 && self.limit < self.hits.len() {
            let (_, last, _) = self.hits.select_nth_unstable_by(self.limit - 1, order);
            self.floor = last.score;
            self.hits.truncate(self.limit);
        }
    }

    fn sorted(mut self) -> Vec<Hit> {
        self.pick();
        self.hits.sort_unstable_by(order);
        self.hits
    }
}

fn order(one: &Hit, other: &Hit) -> std::cmp::Ordering {
    other.score.total_cmp(&one.score).then(one.doc.cmp(&other.doc))
}

fn means(is_so: bool, wanted: &'static str) -> Result<()> {
    if is_so { Ok(()) } else { Err(Error::Meaningless(wanted)) }
}
