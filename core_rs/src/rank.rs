//! From candidates to what a context shall hold: the most relevant, none twice, varied, within a budget of tokens.
//!
//! 1. Relevance is the sum of weight · evidence · factor; each product is a share, and the shares are the explanation.
//! 2. What is not relevant (below 0), superseded by another candidate, or longer than the whole budget is left out, and of
//!    candidates with one hash all but the most relevant.
//! 3. The next one is always that of the greatest (1 − diversity) · relevance / best relevance − diversity · similarity to the
//!    most similar one taken before: maximal marginal relevance (Carbonell and Goldstein, 1998). One that is as similar as a
//!    duplicate to one taken before is left out. This goes on until `limit` are taken.
//! 4. Of these, those are chosen that together are the most relevant within the budget; see [`Selection::bound`].
//!
//! Candidates come as columns, each with a place for each candidate.

mod diverse;
mod fuse;
mod rows;
mod sift;

use crate::error::{Error, Result, in_range};
use crate::pack::{Item, pack};
use diverse::Wanted;
use fuse::Fused;
pub use rows::Rows;

/// The kinds of evidence, in the order of columns, weights and shares.
///
/// `lexical` is 0 or more and counts relative to the largest of the candidates; every other lies within −1 to 1.
pub const EVIDENCE: [&str; KINDS] =
    ["dense", "lexical", "recency", "importance", "emotion", "time", "entity", "speaker", "neighbour"];
/// How many kinds of evidence there are.
pub const KINDS: usize = 9;
const DENSE: usize = 0;
const LEXICAL: usize = 1;
/// The greatest weight, either way, and factor.
const MOST: f32 = 100.0;

/// The place of a kind of evidence in [`EVIDENCE`].
///
/// # Errors
/// [`Error::Meaningless`] for a name that is none of them.
pub fn kind(name: &str) -> Result<usize> {
    EVIDENCE.iter().position(|&each| each == name).ok_or(Error::Meaningless(
        "evidence is dense, lexical, recency, importance, emotion, time, entity, speaker or neighbour",
    ))
}

/// How recent something is: 1 now, halved with each half-life; both in one unit. What is yet to come counts as now.
pub fn recency(age: f32, half_life: f32) -> f32 {
    (-age.max(0.0) / half_life).exp2()
}

/// What is to be ranked. Every column that is there has as many places as `ids`.
#[derive(Default)]
pub struct Candidates<'a> {
    /// Any numbers, each once.
    pub ids: &'a [u64],
    /// By [`EVIDENCE`].
    pub evidence: [Option<&'a [f32]>; KINDS],
    /// What each one's evidence is multiplied by, 0 to 100, for example by what sort of thing it is; 1 without a column.
    pub factors: Option<&'a [f32]>,
    /// For diversity, near-duplicates and, with `query`, dense evidence.
    pub vectors: Option<Rows>,
    /// Counts only where there is no column of dense evidence: this is then the cosine to it.
    pub query: Option<&'a [f32]>,
    /// For the budget.
    pub tokens: Option<&'a [u32]>,
    /// Equal ones are duplicates.
    pub hashes: Option<&'a [u64]>,
    /// (older, newer): the older is left out if both are candidates. Of pairs with one older the last counts.
    pub superseded: &'a [(u64, u64)],
}

/// How to choose; see the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranker {
    weights: [f32; KINDS],
    diversity: f32,
    duplicate: f32,
}

/// What was chosen, and why the others were not.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// In the order in which they were taken.
    pub chosen: Vec<Choice>,
    /// In no order.
    pub left_out: Vec<LeftOut>,
    /// The sum of the chosen ones' tokens.
    pub tokens: u64,
    /// The chosen ones' relevance is at least this part of the greatest that any within the budget could have of those taken in
    /// step 3: 1 if they all fit or the best was found by trying, else at least ½.
    pub bound: f32,
}

/// A chosen candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Its number.
    pub id: u64,
    /// Its relevance, the sum of the shares.
    pub score: f32,
    /// Weight · evidence · factor, by [`EVIDENCE`].
    pub shares: [f32; KINDS],
}

/// A candidate that was not chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Its number.
    pub id: u64,
    /// Why.
    pub reason: Reason,
    /// The number of what it is a duplicate of or superseded by.
    pub by: Option<u64>,
}

/// Why a candidate was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its relevance is below 0.
    Irrelevant,
    /// A newer candidate says otherwise.
    Superseded,
    /// A better candidate says the same.
    Duplicate,
    /// There were enough better ones.
    Limit,
    /// The budget went to others.
    Budget,
}

impl Reason {
    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Irrelevant => "irrelevant",
            Self::Superseded => "superseded",
            Self::Duplicate => "duplicate",
            Self::Limit => "limit",
            Self::Budget => "budget",
        }
    }
}

impl Ranker {
    /// `weights` by [`EVIDENCE`], −100 to 100. `diversity`, 0 to 1: 0 takes by relevance alone. `duplicate`, −1 to 2: from this
    /// cosine on two candidates are duplicates; above 1 none are.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for any other value.
    pub fn new(weights: [f32; KINDS], diversity: f32, duplicate: f32) -> Result<Self> {
        for weight in weights {
            in_range("a weight", weight, -MOST, MOST)?;
        }
        let diversity = in_range("diversity", diversity, 0.0, 1.0)?;
        Ok(Self { weights, diversity, duplicate: in_range("duplicate", duplicate, -1.0, 2.0)? })
    }

    /// Whether candidates are compared with each other.
    pub fn compares(&self) -> bool {
        self.diversity > 0.0 || self.duplicate <= 1.0
    }

    /// Chooses among `candidates`: at most `limit`, 0 for no limit, of together at most `budget` tokens.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for columns of another length, evidence outside its range and whatever supersedes itself.
    pub fn rank(&self, candidates: &Candidates, limit: usize, budget: Option<u64>) -> Result<Selection> {
        let fused = fuse::fuse(candidates, &self.weights)?;
        let mut left_out = Vec::new();
        let standing = sift::standing(candidates, &fused.relevance, budget, &mut left_out)?;
        let limit = if limit == 0 { usize::MAX } else { limit };
        let taken = match &candidates.vectors {
            Some(rows) if self.compares() => {
                let wanted = Wanted { limit, diversity: self.diversity, duplicate: self.duplicate };
                diverse::take(rows, &fused.relevance, standing, &wanted, |place, by| {
                    let reason = if by.is_some() { Reason::Duplicate } else { Reason::Limit };
                    left_out.push(candidates.left_out(place, reason, by));
                })
            }
            _ => best(&fused.relevance, standing, limit, |place| {
                left_out.push(candidates.left_out(place, Reason::Limit, None));
            }),
        };
        Ok(candidates.within(&fused, &taken, budget, left_out))
    }
}

/// The `limit` of the greatest relevance, equals by place; `left` gets the others.
fn best(relevance: &[f32], mut places: Vec<usize>, limit: usize, left: impl FnMut(usize)) -> Vec<usize> {
    places.sort_unstable_by(|&one, &other| relevance[other].total_cmp(&relevance[one]).then(one.cmp(&other)));
    places.drain(limit.min(places.len())..).for_each(left);
    places
}

impl Candidates<'_> {
    fn tokens(&self, place: usize) -> u64 {
        self.tokens.map_or(0, |tokens| u64::from(tokens[place]))
    }

    fn left_out(&self, place: usize, reason: Reason, by: Option<usize>) -> LeftOut {
        LeftOut { id: self.ids[place], reason, by: by.map(|place| self.ids[place]) }
    }

    /// Chooses among those taken what fits into the budget.
    fn within(&self, fused: &Fused, taken: &[usize], budget: Option<u64>, mut left_out: Vec<LeftOut>) -> Selection {
        let item = |&place: &usize| Item { tokens: self.tokens(place), worth: fused.relevance[place], group: 0 };
        let items: Vec<_> = taken.iter().map(item).collect();
        let packed = pack(&items, &[0], budget.unwrap_or(u64::MAX));
        let mut chosen = Vec::with_capacity(taken.len());
        let mut tokens = 0;
        for (&place, fits) in taken.iter().zip(packed.chosen) {
            if fits {
                chosen.push(Choice { id: self.ids[place], score: fused.relevance[place], shares: fused.shares(place) });
                tokens += self.tokens(place);
            } else {
                left_out.push(self.left_out(place, Reason::Budget, None));
            }
        }
        Selection { chosen, left_out, tokens, bound: packed.bound }
    }
}
