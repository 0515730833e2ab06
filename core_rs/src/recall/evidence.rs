//! The evidence of each candidate, and what it comes to.

use super::pieces::Pieces;
use super::{
    DATE, DENSE, Filter, Hit, IMPORTANCE, KIND, KINDS, LENGTH, LEXICAL, Meaning, Memory, NAMES, PIECES, QUESTION,
    Question, RECENCY, Recall, SPEAKER, Sources, TIME, Weights,
};
use crate::error::Result;
use crate::lexical::{Choice, Found};

/// What the evidence of one question is made from.
pub(super) struct Columns<'a> {
    recall: &'a Recall,
    sources: Sources<'a>,
    question: &'a Question<'a>,
    filter: &'a Filter,
    pieces: Vec<u16>,
}

impl<'a> Columns<'a> {
    pub(super) fn new(
        recall: &'a Recall,
        sources: Sources<'a>,
        question: &'a Question<'a>,
        filter: &'a Filter,
    ) -> Self {
        let pieces = sources.table.pieces(question.known);
        Self { recall, sources, question, filter, pieces }
    }

    /// Candidates weighed by all evidence, best first, equals by number.
    pub(super) fn weigh(&self, docs: &[u64], found: &mut Found, unit: f32, weights: &Weights) -> Result<Vec<Hit>> {
        let beside: Vec<_> = docs.iter().map(|&doc| self.sources.lexical.beside(doc)).collect();
        // What stands behind a question may be its answer.
        let asked: Vec<Option<&Memory>> =
            beside.iter().map(|[before, _]| self.memory((*before)?).filter(|memory| memory.traits.asks)).collect();
        let memories: Vec<Option<&Memory>> = docs.iter().map(|&doc| self.memory(doc)).collect();
        let all = memories.iter().chain(&asked).flatten().map(|memory| &*memory.pieces);
        let pieces = Pieces::new(self.sources.table, &self.pieces, all);
        let asked_of = match self.question.meaning {
            Meaning::Vector(meaning) => Some(self.sources.vectors.asked(meaning)?),
            _ => None,
        };
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
            let cosine = match (self.question.meaning, &asked_of) {
                (Meaning::Cosines(cosines), _) => cosines.get(&doc).copied(),
                (_, Some(meaning)) => self.sources.vectors.product(doc, meaning),
                _ => None,
            };
            evidence[DENSE] = cosine.unwrap_or(0.0);
            hits.push(hit(doc, words[at].coverage, &evidence, weights));
        }
        hits.sort_unstable_by(|one, other| other.score.total_cmp(&one.score).then(one.doc.cmp(&other.doc)));
        Ok(hits)
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
        evidence[QUESTION] = is(traits.asks);
        evidence[LENGTH] = f32::from(traits.tokens).ln_1p();
        evidence[IMPORTANCE] = traits.importance;
        evidence[RECENCY] = self.question.recency(choice.time);
        evidence
    }
}

fn hit(doc: u64, coverage: f32, evidence: &[f32; KINDS], weights: &Weights) -> Hit {
    let mut shares = [0.0; KINDS];
    for ((share, evidence), weight) in shares.iter_mut().zip(evidence).zip(&weights.0) {
        *share = weight * evidence;
    }
    Hit { doc, score: shares.iter().sum(), coverage, shares }
}
