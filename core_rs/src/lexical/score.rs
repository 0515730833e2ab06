//! From a query to what every document that matches counts.

use std::collections::HashSet;
use std::{iter, mem};

use super::Index;
use super::documents::{NOBODY, Slot};
use super::params::WHOLE;
use super::room::Room;
use super::terms::{Posting, Term, find, spoken};
use crate::text::Token;

/// What stands before a word of a query and its other names: U+001E, the record separator of ASCII.
const ALSO: char = '\u{1e}';

/// A query's distinct words.
struct Query {
    /// The terms that some document holds, in the order of the query.
    known: Vec<Wanted>,
    /// How many words no document holds.
    missing: usize,
}

/// A term of a query.
struct Wanted {
    term: Term,
    /// The first word that led to it.
    word: String,
    /// Whether the term before is of the same word, as another language has it or by another name.
    again: bool,
}

impl Query {
    /// The sum of what its words weigh, each as much as the most of its terms.
    fn idf(&self, idfs: &[f32]) -> f32 {
        let mut last = 0.0;
        let more = |(each, idf): (&Wanted, &f32)| {
            let before = if each.again { last } else { 0.0 };
            last = idf.max(before);
            last - before
        };
        self.known.iter().zip(idfs).map(more).sum()
    }
}

/// What a query found.
pub(super) struct Matches {
    /// Scores are BM25, matched is the idf of the matched terms, by slot; 0 where nothing matched.
    room: Room,
    /// One more than the last slot.
    end: usize,
    /// The slots that match, each once; `None` if so many do that looking at all is as quick.
    slots: Option<Vec<Slot>>,
    /// The idf of the whole query.
    idf: f32,
}

impl Matches {
    #[inline]
    fn add(&mut self, slot: Slot, part: f32, idf: f32) {
        let (score, matched) = (&mut self.room.scores[slot as usize], &mut self.room.matched[slot as usize]);
        if let Some(slots) = &mut self.slots
            && *matched == 0.0
        {
            slots.push(slot);
        }
        *score += part;
        *matched += idf;
    }

    /// Hands each match of at least some BM25 to `take`, which says how much that is from then on. From the last slot, which
    /// mostly is the newest.
    pub(super) fn each(&self, mut take: impl FnMut(Slot, f32) -> f32) {
        const STRIDE: usize = 16;
        let mut least = f32::MIN_POSITIVE;
        let mut give = |slot: usize, score: f32, least: &mut f32| {
            if score >= *least {
                *least = take(slot as Slot, score).max(f32::MIN_POSITIVE);
            }
        };
        if let Some(slots) = &self.slots {
            slots.iter().rev().for_each(|&slot| give(slot as usize, self.room.scores[slot as usize], &mut least));
            return;
        }
        for (stride, scores) in self.scores().chunks(STRIDE).enumerate().rev() {
            if scores.iter().fold(false, |any, score| any | (*score >= least)) {
                let scores = scores.iter().enumerate().rev();
                scores.for_each(|(at, &score)| give(stride * STRIDE + at, score, &mut least));
            }
        }
    }

    /// The share of the query's idf that a match holds.
    pub(super) fn coverage(&self, slot: Slot) -> f32 {
        (self.room.matched[slot as usize] / self.idf.max(f32::MIN_POSITIVE)).min(1.0)
    }

    /// The BM25 of a document.
    pub(super) fn bm25(&self, slot: Slot) -> f32 {
        self.room.scores[slot as usize]
    }

    /// The idf of the whole query.
    pub(super) fn idf(&self) -> f32 {
        self.idf
    }

    /// Two columns to work in, by slot; they are 0, and are left so.
    pub(super) fn columns(&mut self) -> (&mut [f32], &mut [f64]) {
        (&mut self.room.tf, &mut self.room.parts)
    }

    /// The best BM25; 0 if nothing matched.
    pub(super) fn best(&self) -> f32 {
        match &self.slots {
            Some(slots) => slots.iter().map(|&slot| self.room.scores[slot as usize]).fold(0.0, f32::max),
            None => self.scores().iter().copied().fold(0.0, |best, score| if score > best { score } else { best }),
        }
    }

    /// An upper bound of the matches.
    pub(super) fn most(&self) -> usize {
        self.slots.as_ref().map_or(self.end, Vec::len)
    }

    fn scores(&self) -> &[f32] {
        &self.room.scores[..self.end]
    }
}

impl Drop for Matches {
    fn drop(&mut self) {
        let mut room = mem::take(&mut self.room);
        match &self.slots {
            Some(slots) => slots.iter().map(|&slot| slot as usize).for_each(|slot| {
                room.scores[slot] = 0.0;
                room.matched[slot] = 0.0;
            }),
            None => {
                room.scores[..self.end].fill(0.0);
                room.matched[..self.end].fill(0.0);
            }
        }
        room.leave();
    }
}

/// How often, with neighbours and divided by its norm, each document holds one term.
struct Frequencies<'a> {
    /// By slot, 0 between two terms.
    tf: &'a mut [f32],
    /// What of it is summed up, in parts of [`WHOLE`]: 0 between two groups.
    parts: &'a mut [f64],
    /// The slots that are not 0, some twice; `None` if so many are that looking at all is as quick.
    slots: Option<Vec<Slot>>,
    /// How many documents hold the term.
    df: usize,
}

impl<'a> Frequencies<'a> {
    fn new(room: &'a mut Room, end: usize) -> Self {
        Self { tf: &mut room.tf[..end], parts: &mut room.parts[..end], slots: None, df: 0 }
    }

    #[inline]
    fn hear(&mut self, slot: Slot, parts: f64) {
        let sum = &mut self.parts[slot as usize];
        if let Some(slots) = &mut self.slots
            && *sum == 0.0
            && parts > 0.0
        {
            slots.push(slot);
        }
        *sum += parts;
    }

    /// Adds what was heard in one group, from the slots after the first `from`.
    fn fold(&mut self, from: usize, norm: impl Fn(Slot) -> f32) {
        self.parts[NOBODY as usize] = 0.0;
        let (tf, df) = (&mut self.tf, &mut self.df);
        let mut fold = |slot: usize, parts: &mut f64| {
            let before = tf[slot];
            *df += usize::from(*parts > 0.0 && before == 0.0);
            tf[slot] = before + (*parts / WHOLE) as f32 / norm(slot as Slot);
            *parts = 0.0;
        };
        match &self.slots {
            Some(slots) => slots[from..].iter().for_each(|&slot| fold(slot as usize, &mut self.parts[slot as usize])),
            None => self.parts.iter_mut().enumerate().for_each(|(slot, parts)| fold(slot, parts)),
        }
    }

    /// Hands what is not 0 to `take`, and clears it.
    fn drain(&mut self, mut take: impl FnMut(Slot, f32)) {
        let mut give = |slot: Slot, tf: &mut f32| {
            if *tf > 0.0 {
                take(slot, mem::take(tf));
            }
        };
        match &self.slots {
            Some(slots) => slots.iter().for_each(|&slot| give(slot, &mut self.tf[slot as usize])),
            None => self.tf.iter_mut().enumerate().for_each(|(slot, tf)| give(slot as Slot, tf)),
        }
    }
}

impl Index {
    /// The documents that share a term with `query`, and how much of it each holds.
    pub(super) fn matches(&self, query: &str) -> Matches {
        self.matched(query, &[]).1
    }

    /// The terms of `query` that some document holds, with their idf, and the documents that share one. Those in the `silent`
    /// slots, ascending, say nothing: they match nothing, and nobody hears them.
    pub(super) fn matched(&self, query: &str, silent: &[Slot]) -> (Vec<(Term, f32)>, Matches) {
        let query = self.query(query);
        let end = self.documents.end();
        let postings: usize = query.known.iter().map(|each| self.terms.postings(each.term).len()).sum();
        let most = postings * (2 * self.reach + 1);
        let slots = (most * 8 < end).then(|| Vec::with_capacity(most));
        let mut matches = Matches { room: Room::take(end, true), end, slots, idf: 0.0 };
        let idfs = if self.reach == 0 {
            query.known.iter().map(|each| self.match_own(each.term, silent, &mut matches)).collect()
        } else {
            self.match_heard(&query, silent, &mut matches)
        };
        matches.idf = query.idf(&idfs) + query.missing as f32 * self.idf(0);
        (query.known.iter().map(|each| each.term).zip(idfs).collect(), matches)
    }

    fn match_own(&self, term: Term, silent: &[Slot], matches: &mut Matches) -> f32 {
        let runs = spoken(self.terms.postings(term), silent);
        let postings = || runs.iter().flat_map(|run| run.iter());
        let idf = self.idf(runs.iter().map(|run| run.len()).sum());
        match &self.groups[..] {
            [group] if group.length.is_none() => {
                let count =
                    |counts: &[u16]| idf * self.params.saturated((self.params.own(group, counts) / WHOLE) as f32, 1.0);
                let part = self.codes.table(term, count);
                postings().for_each(|p| matches.add(p.slot(), part(p.slot(), p.code()), idf));
            }
            [group] => {
                let own = self.codes.table(term, |counts| (self.params.own(group, counts) / WHOLE) as f32);
                let norm = self.lengths.norm(group, self.len());
                let part = |slot, code| idf * self.params.saturated(own(slot, code), norm(slot));
                postings().for_each(|p| matches.add(p.slot(), part(p.slot(), p.code()), idf));
            }
            _ => {
                let tf = self.frequency(term);
                postings().for_each(|p| matches.add(p.slot(), idf * self.params.saturated(tf(*p), 1.0), idf));
            }
        }
        idf
    }

    /// What a posting's counts make, divided by their norms, without neighbours.
    fn frequency(&self, term: Term) -> impl Fn(Posting) -> f32 {
        let parts: Vec<_> = (self.groups.iter())
            .map(|group| {
                let own = self.codes.table(term, |counts| (self.params.own(group, counts) / WHOLE) as f32);
                (own, self.lengths.norm(group, self.len()))
            })
            .collect();
        move |posting| parts.iter().map(|(own, norm)| own(posting.slot(), posting.code()) / norm(posting.slot())).sum()
    }

    fn match_heard(&self, query: &Query, silent: &[Slot], matches: &mut Matches) -> Vec<f32> {
        let mut room =
            Room { tf: mem::take(&mut matches.room.tf), parts: mem::take(&mut matches.room.parts), ..Room::default() };
        let mut frequencies = Frequencies::new(&mut room, matches.end);
        let mut idfs = Vec::with_capacity(query.known.len());
        for each in &query.known {
            self.hear(each.term, silent, &mut frequencies);
            let idf = self.idf(frequencies.df);
            idfs.push(idf);
            frequencies.drain(|slot, tf| matches.add(slot, idf * self.params.saturated(tf, 1.0), idf));
        }
        (matches.room.tf, matches.room.parts) = (room.tf, room.parts);
        idfs
    }

    /// What a term's postings count for the documents themselves and for those around them, but for those of the `silent`.
    fn hear(&self, term: Term, silent: &[Slot], frequencies: &mut Frequencies) {
        let postings = self.terms.postings(term);
        let runs = spoken(postings, silent);
        let many = postings.len() * (2 * self.reach + 1) * 2 > self.documents.end();
        frequencies.slots = (!many).then(Vec::new);
        frequencies.df = 0;
        for group in &self.groups {
            let from = frequencies.slots.as_ref().map_or(0, Vec::len);
            let own = self.codes.table(term, |counts| self.params.own(group, counts));
            let heard: Vec<_> = (1..=self.reach)
                .map(|distance| {
                    let [before, after] = self.params.window().at(distance);
                    // Who stands before this document hears it as one after, and the other way round.
                    let weights = [after, before];
                    self.codes.table(term, move |counts| weights.map(|weight| self.params.heard(group, counts, weight)))
                })
                .collect();
            for &posting in runs.iter().copied().flatten() {
                let (slot, code) = (posting.slot(), posting.code());
                frequencies.hear(slot, own(slot, code));
                let [mut before, mut after] = [slot; 2];
                for heard in &heard {
                    before = self.sessions.beside(before)[0];
                    after = self.sessions.beside(after)[1];
                    let parts = heard(slot, code);
                    frequencies.hear(before, parts[0]);
                    frequencies.hear(after, parts[1]);
                }
            }
            frequencies.fold(from, self.lengths.norm(group, self.len()));
        }
    }

    /// Why `query` finds each of the documents: each matching word of the query, folded, with its share of BM25, the largest
    /// first; of the document alone, as if it heard nobody, if `own`. The shares of a document add up to 1; there are none if it
    /// does not match.
    pub fn explain(&self, numbers: &[u64], query: &str, own: bool) -> Vec<Vec<(String, f32)>> {
        let slots: Vec<Option<Slot>> = numbers.iter().map(|&number| self.documents.find(number)).collect();
        let mut shares = vec![Vec::new(); numbers.len()];
        let alone = own || self.reach == 0;
        let end = if alone { 0 } else { self.documents.end() };
        let mut room = Room::take(end, true);
        let mut frequencies = Frequencies::new(&mut room, end);
        for Wanted { term, word, .. } in self.query(query).known {
            let postings = self.terms.postings(term);
            let mut note = |tf: &dyn Fn(Slot) -> Option<f32>, df: usize| {
                for (slot, shares) in slots.iter().zip(&mut shares) {
                    if let Some(tf) = slot.and_then(tf) {
                        let part = self.idf(df) * self.params.saturated(tf, 1.0);
                        match shares.last_mut() {
                            Some((last, parts)) if *last == word => *parts += part,
                            _ => shares.push((word.clone(), part)),
                        }
                    }
                }
            };
            if alone {
                let tf = self.frequency(term);
                note(&|slot| find(postings, slot).map(&tf), postings.len());
            } else {
                self.hear(term, &[], &mut frequencies);
                note(&|slot| Some(frequencies.tf[slot as usize]).filter(|tf| *tf > 0.0), frequencies.df);
                frequencies.drain(|_, _| {});
            }
        }
        room.leave();
        for shares in &mut shares {
            let score: f32 = shares.iter().map(|(_, part)| part).sum();
            shares.iter_mut().for_each(|(_, part)| *part /= score);
            shares.sort_by(|one, other| other.1.total_cmp(&one.1));
        }
        shares
    }

    /// What a query is, behind each [`ALSO`] a word of it with other names of what it names: a document that has one of them
    /// has the word.
    fn query(&self, text: &str) -> Query {
        let mut parts = text.split(ALSO);
        let main = parts.next().unwrap_or_default();
        let also: Vec<(String, Vec<Term>)> = parts.map(|part| self.named(part)).collect();
        let mut query = Query { known: Vec::new(), missing: 0 };
        let mut seen = HashSet::new();
        // Whether the last word is one more, and whether some document holds it.
        let (mut new, mut held) = (false, false);
        self.tokenizer.asked(main, self.spoken, |Token { word, term }, own| {
            let term = self.hasher.term(term);
            if own {
                (new, held) = (!seen.contains(&term), false);
                query.missing += usize::from(new);
            }
            let names = also.iter().filter(|(named, _)| own && named == word).flat_map(|(_, terms)| terms);
            for &term in iter::once(&term).chain(names) {
                if new && seen.insert(term) && !self.terms.postings(term).is_empty() {
                    query.missing -= usize::from(!held);
                    query.known.push(Wanted { term, word: word.to_owned(), again: held });
                    held = true;
                }
            }
        });
        query
    }

    /// A word as a query has it, and the terms of what stands behind it.
    fn named(&self, text: &str) -> (String, Vec<Term>) {
        let (mut named, mut terms) = (String::new(), Vec::new());
        self.tokenizer.asked(text, self.spoken, |Token { word, term }, own| {
            if own && named.is_empty() {
                word.clone_into(&mut named);
            } else if !own || named != word {
                terms.push(self.hasher.term(term));
            }
        });
        (named, terms)
    }

    fn idf(&self, df: usize) -> f32 {
        let (all, df) = (self.len() as f64, df as f64);
        ((all - df + 0.5) / (df + 0.5)).ln_1p() as f32
    }
}
