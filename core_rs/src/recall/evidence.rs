//! The evidence of each candidate, and what it comes to.

use std::cmp::Ordering;

use super::pieces::{self, Pieces};
use super::{
    DATE, DENSE, DENSE_AROUND, Filter, Hit, IMPORTANCE, KIND, KINDS, LENGTH, LEXICAL, Meaning, Memory, NAMES, PIECES,
    QUESTION, Question, RECENCY, Recall, SPEAKER, Sources, TELLS, TIME, Weights,
};
use crate::error::Result;
use crate::lexical::{Choice, Found};
use crate::scan::Scan;

/// What the evidence of one question is made from.
pub(super) struct Columns<'a> {
    recall: &'a Recall,
    sources: Sources<'a>,
    question: &'a Question<'a>,
    filter: &'a Filter,
    pieces: Vec<(u16, f32)>,
}

impl<'a> Columns<'a> {
    pub(super) fn new(
        recall: &'a Recall,
        sources: Sources<'a>,
        question: &'a Question<'a>,
        filter: &'a Filter,
    ) -> Self {
        let asked = sources.table.pieces(question.known);
        let pieces = pieces::weighed(asked, sources.table, |piece| recall.idf(piece), recall.len());
        Self { recall, sources, question, filter, pieces }
    }

    /// Candidates weighed by all evidence, best first, equals by number; what stands around them by the best of them alone.
    pub(super) fn weigh(&self, docs: &[u64], found: &mut Found, unit: f32, weights: &Weights) -> Result<Vec<Hit>> {
        // What stands behind a question may be its answer.
        let asked = docs.iter().map(|&doc| self.memory(found.before(doc)?).filter(|memory| memory.traits.asks));
        let asked: Vec<Option<&Memory>> = asked.collect();
        let memories: Vec<Option<&Memory>> = docs.iter().map(|&doc| self.memory(doc)).collect();
        let all = memories.iter().chain(&asked).flatten().map(|memory| &*memory.pieces);
        let pieces = Pieces::new(self.sources.table, &self.pieces, all);
        let meant = Meant::new(self.question.meaning, self.sources.vectors)?;
        let words = found.words(docs);
        let mut room = Vec::new();
        let mut hits = Vec::with_capacity(docs.len());
        for (at, &doc) in docs.iter().enumerate() {
            let (Some(memory), Some(choice)) = (memories[at], self.sources.lexical.document(doc)) else { continue };
            let mut evidence = self.known(memory, &choice);
            let counts = [words[at].heard, words[at].own, words[at].wide];
            evidence[LEXICAL..LEXICAL + 3].copy_from_slice(&counts.map(|bm25| bm25 / unit));
            evidence[PIECES] = pieces.found(&memory.pieces, &mut room);
            evidence[PIECES + 1] = asked[at].map_or(0.0, |asked| pieces.found(&asked.pieces, &mut room));
            evidence[DENSE] = meant.alone(doc);
            hits.push(hit(doc, words[at].coverage, &evidence, weights));
        }
        hits.sort_unstable_by(order);
        let closely = if weights.closely == 0 { hits.len() } else { weights.closely.min(hits.len()) };
        self.look_closely(&mut hits[..closely], found, &meant, weights);
        hits.sort_unstable_by(order);
        Ok(hits)
    }

    /// Adds what the memories mean together with those whom they hear.
    fn look_closely(&self, hits: &mut [Hit], found: &Found, meant: &Meant, weights: &Weights) {
        let mut sum = Vec::new();
        let weight = weights.each[DENSE_AROUND];
        for hit in hits.iter_mut().filter(|_| weight != 0.0) {
            hit.shares[DENSE_AROUND] = weight * meant.among(hit.doc, found.heard(hit.doc), &mut sum);
            hit.score = hit.shares.iter().sum();
        }
    }

    fn memory(&self, number: u64) -> Option<&'a Memory> {
        self.recall.memories.get(&number)
    }

    /// What is known without looking at words.
    fn known(&self, memory: &Memory, choice: &Choice) -> [f32; KINDS] {
        let traits = &memory.traits;
        let mut evidence = [0.0; KINDS];
        let is = |condition: bool| f32::from(u8::from(condition));
        if let Some(class) = self.filter.class(choice.kind) {
            evidence[SPEAKER] = class.speaker;
            evidence[KIND] = class.kind;
        }
        evidence[DATE] = self.question.dated(choice.time);
        evidence[TIME] = is(self.question.asks_when && traits.dated);
        evidence[NAMES] = if self.question.asks_name { f32::from(traits.names).ln_1p() } else { 0.0 };
        let asked = self.question;
        evidence[TELLS] = is(asked.asks_number && traits.numbered || asked.asks_place && traits.placed);
        evidence[QUESTION] = is(traits.asks);
        evidence[LENGTH] = f32::from(traits.tokens).ln_1p();
        evidence[IMPORTANCE] = traits.importance;
        evidence[RECENCY] = self.question.recency(choice.time);
        evidence
    }
}

/// What the query means beside what memories mean.
struct Meant<'a> {
    meaning: Meaning<'a>,
    vectors: &'a Scan,
}

impl<'a> Meant<'a> {
    fn new(meaning: Meaning<'a>, vectors: &'a Scan) -> Result<Self> {
        if let Meaning::Vector(meaning) = meaning {
            vectors.check(meaning)?;
        }
        Ok(Self { meaning, vectors })
    }

    /// The cosine of the query and a memory.
    fn alone(&self, number: u64) -> f32 {
        let cosine = match self.meaning {
            Meaning::Cosines(cosines) => cosines.get(&number).copied(),
            Meaning::Vector(meaning) => self.vectors.product(number, meaning),
            Meaning::Untold => None,
        };
        cosine.unwrap_or(0.0)
    }

    /// The cosine of the query and a memory together with those whom it hears; alone, where vectors cannot be read.
    fn among(&self, number: u64, heard: impl Iterator<Item = (u64, f32)>, sum: &mut Vec<f32>) -> f32 {
        let Meaning::Vector(meaning) = self.meaning else { return self.alone(number) };
        let all = [(number, 1.0)].into_iter().chain(heard);
        self.vectors.together(all, meaning, sum).unwrap_or(0.0)
    }
}

/// The best first, equals by number.
fn order(one: &Hit, other: &Hit) -> Ordering {
    other.score.total_cmp(&one.score).then(one.doc.cmp(&other.doc))
}

fn hit(doc: u64, coverage: f32, evidence: &[f32; KINDS], weights: &Weights) -> Hit {
    let mut shares = [0.0; KINDS];
    for ((share, evidence), weight) in shares.iter_mut().zip(evidence).zip(&weights.each) {
        *share = weight * evidence;
    }
    Hit { doc, score: shares.iter().sum(), coverage, shares }
}
