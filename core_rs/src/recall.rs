//! Recall: from a question to the memories that answer it, each with what speaks for it.
//!
//! 1. Candidates are those whose words fit best ([`BY_WORDS`]), the nearest in meaning ([`BY_MEANING`]) and, if the question
//!    names a time, the nearest of that time; of each sort only what the filter lets through.
//! 2. For each the evidence is gathered, [`EVIDENCE`]: of its own words and meaning, of what was said around it in its session,
//!    and of what is known of it besides.
//!    What takes longest to gather, what it means together with those it hears, is gathered for the best of them alone.
//! 3. Score = the sum of weight · evidence; each product is a share, and the shares are the explanation.
//!
//! Evidence is absolute: it depends on the question and on what was said, not on which other candidates there are; so it means
//! the same to a user of five memories and to one of a hundred thousand, and the pages of one walk fit each other.
//!
//! What a memory hears of its neighbours is worked out when it is asked for, so it is never out of date.

mod dump;
mod evidence;
mod pieces;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::embed::Embedder;
use crate::error::{Error, Result, in_range};
use crate::lexical::{Choice, Index};
use crate::numbers::Numbered;
use crate::scan::Scan;
use evidence::Columns;

/// The kinds of evidence, in the order of weights and shares.
pub const EVIDENCE: [&str; KINDS] = [
    "lexical",
    "lexical_own",
    "lexical_wide",
    "pieces",
    "pieces_asked",
    "dense",
    "dense_around",
    "speaker",
    "date",
    "time",
    "names",
    "tells",
    "question",
    "length",
    "importance",
    "recency",
    "kind",
];
/// How many kinds of evidence there are.
pub const KINDS: usize = 17;
const LEXICAL: usize = 0;
const PIECES: usize = 3;
const DENSE: usize = 5;
const DENSE_AROUND: usize = 6;
const SPEAKER: usize = 7;
const DATE: usize = 8;
const TIME: usize = 9;
const NAMES: usize = 10;
const TELLS: usize = 11;
const QUESTION: usize = 12;
const LENGTH: usize = 13;
const IMPORTANCE: usize = 14;
const RECENCY: usize = 15;
const KIND: usize = 16;

/// So many of the best by words are weighed together, with those that are found otherwise.
pub const BY_WORDS: usize = 100;
/// So many more of the nearest in meaning, and of those of the time that is asked for.
pub const BY_MEANING: usize = 50;
/// The greatest weight, either way.
const MOST: f32 = 100.0;

/// The place of a kind of evidence in [`EVIDENCE`].
///
/// # Errors
/// [`Error::Meaningless`] for a name that is none of them.
pub fn kind(name: &str) -> Result<usize> {
    EVIDENCE.iter().position(|&each| each == name).ok_or(Error::Meaningless("there is no evidence of this name"))
}

/// What matters of the shares of a hit, by name, the strongest first: those that are more than `least` of all shares together,
/// and the sum of the rest as "other", if that is not 0.
pub fn told(shares: &[f64; KINDS], least: f64) -> Vec<(&'static str, f64)> {
    let least = least * shares.iter().map(|share| share.abs()).sum::<f64>();
    let named = EVIDENCE.iter().zip(shares).map(|(&name, &share)| (name, share));
    let (mut told, rest): (Vec<_>, Vec<_>) = named.partition(|(_, share)| share.abs() > least);
    told.sort_by(|(_, one), (_, other)| other.abs().total_cmp(&one.abs()));
    let rest = rest.into_iter().map(|(_, share)| share).sum();
    if rest != 0.0 {
        told.push(("other", rest));
    }
    told
}

/// What is known of a memory besides its words and their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Traits {
    /// Whether it ends in a question.
    pub asks: bool,
    /// Whether it tells when something was.
    pub dated: bool,
    /// Whether it tells a number.
    pub numbered: bool,
    /// Whether it tells a place.
    pub placed: bool,
    /// How many names it holds.
    pub names: u16,
    /// How many tokens, about.
    pub tokens: u16,
    /// 0 to 1.
    pub importance: f32,
    /// The number of who said it.
    pub speaker: u32,
    /// The number of its session, for filters; 0 for none.
    pub session: u64,
    /// The number of the message it came from; 0 for none.
    pub message: u64,
    /// If it only asks, the number of its words: the same for all that ask so; 0 for none.
    pub question: u64,
}

impl Traits {
    /// The numbers it may be left out by.
    fn keys(&self) -> impl Iterator<Item = u64> {
        [self.message, self.question].into_iter().filter(|&number| number != 0)
    }
}

struct Memory {
    traits: Traits,
    /// Its distinct pieces, ascending.
    pieces: Box<[u16]>,
}

/// What recall knows of one user's memories besides their index and vectors, by the same numbers.
#[derive(Default)]
pub struct Recall {
    memories: Numbered<Memory>,
    /// How many memories have a piece.
    holders: Numbered<u32, u16>,
    /// Each number that memories may be left out by, with each of these.
    keys: BTreeSet<(u64, u64)>,
}

/// What recall looks into.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The memories' words.
    pub lexical: &'a Index,
    /// Their meanings.
    pub vectors: &'a Scan,
    /// The table their pieces are of.
    pub table: &'a Embedder,
}

/// What a memory of a kind, as the index knows kinds, is beforehand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Class {
    /// How much it is by whom the question is about, −1 to 1.
    pub speaker: f32,
    /// What its kind counts: the logarithm of its weight.
    pub kind: f32,
}

/// Which memories may be found.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By kind, as the index knows kinds; none of `None`, all of one beyond them.
    pub classes: Vec<Option<Class>>,
    /// Times from this one on.
    pub after: Option<i64>,
    /// Times before this one.
    pub before: Option<i64>,
    /// The number of their session.
    pub session: Option<u64>,
    /// These alone.
    pub only: Option<HashSet<u64>>,
    /// Not those of messages, nor those that ask in words, of these numbers. Nobody hears them, but for who answered.
    pub but: Vec<u64>,
    /// Those whose words, with their neighbours', cover less of the question are not found by words.
    pub min_coverage: f32,
    /// Those of a lower cosine are not found by meaning.
    pub min_similarity: f32,
}

/// What a question means.
#[derive(Clone, Copy, Default)]
pub enum Meaning<'a> {
    /// It cannot be told.
    #[default]
    Untold,
    /// A vector, for those of the sources.
    Vector(&'a [f32]),
    /// Its cosines with memories whose vectors are elsewhere; of others it is not known.
    Cosines(&'a HashMap<u64, f32>),
}

/// What is asked.
#[derive(Clone, Copy, Default)]
pub struct Question<'a> {
    /// Its words, without whom it names.
    pub text: &'a str,
    /// What is looked for where no memory has any of these words.
    pub otherwise: &'a str,
    /// Of its words what the table can read.
    pub known: &'a str,
    /// Its meaning, as far as that can be told.
    pub meaning: Meaning<'a>,
    /// The times it names, each from one on and before another.
    pub spans: &'a [(i64, i64)],
    /// What happened is told so much later, about.
    pub delay: f64,
    /// Whether it asks for a time.
    pub asks_when: bool,
    /// Whether it asks for a name.
    pub asks_name: bool,
    /// Whether it asks how many.
    pub asks_number: bool,
    /// Whether it asks where.
    pub asks_place: bool,
    /// The moment, in the unit of the memories' times.
    pub now: i64,
    /// After so long recency is half as much.
    pub half_life: f64,
}

/// How evidence is weighed; see [`EVIDENCE`].
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    each: [f32; KINDS],
    /// So many of the best are weighed by what stands around them too; all if 0.
    closely: usize,
}

impl Weights {
    /// Weights of −100 to 100.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for any other.
    pub fn new(each: [f32; KINDS], closely: usize) -> Result<Self> {
        for weight in each {
            in_range("a weight", weight, -MOST, MOST)?;
        }
        Ok(Self { each, closely })
    }
}

/// A memory that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Its number.
    pub doc: u64,
    /// The sum of the shares.
    pub score: f32,
    /// The share of the question's words that it covers, with its neighbours, 0 to 1.
    pub coverage: f32,
    /// Weight · evidence, by [`EVIDENCE`].
    pub shares: [f32; KINDS],
}

impl Recall {
    /// Notes what is known of a memory, new or changed; `text` is what the table shall read of it.
    pub fn upsert(&mut self, table: &Embedder, number: u64, text: &str, traits: Traits) {
        let pieces = table.pieces(text).into_boxed_slice();
        self.insert(number, Memory { traits, pieces });
    }

    /// Puts a memory in the place of what had its number.
    fn insert(&mut self, number: u64, memory: Memory) {
        self.remove(number);
        for &piece in &memory.pieces {
            *self.holders.entry(piece).or_default() += 1;
        }
        self.keys.extend(memory.traits.keys().map(|key| (key, number)));
        self.memories.insert(number, memory);
    }

    /// Counts the pieces of a memory that is gone no more.
    fn release(&mut self, memory: &Memory) {
        for &piece in &memory.pieces {
            if let Entry::Occupied(mut holders) = self.holders.entry(piece) {
                *holders.get_mut() -= 1;
                if *holders.get() == 0 {
                    holders.remove();
                }
            }
        }
    }

    /// Forgets it; false if nothing was known of it.
    pub fn remove(&mut self, number: u64) -> bool {
        let Some(memory) = self.memories.remove(&number) else { return false };
        self.release(&memory);
        memory.traits.keys().for_each(|key| _ = self.keys.remove(&(key, number)));
        true
    }

    /// How many memories it knows.
    pub fn len(&self) -> usize {
        self.memories.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.memories.is_empty()
    }

    /// Bytes on the heap.
    pub fn bytes(&self) -> usize {
        let pieces: usize = self.memories.values().map(|memory| size_of_val(&*memory.pieces)).sum();
        let holders = self.holders.capacity() * (size_of::<(u16, u32)>() + 1);
        // The leaves of a tree are about three quarters full.
        let keys = self.keys.len() * size_of::<(u64, u64)>() * 4 / 3;
        self.memories.capacity() * (size_of::<(u64, Memory)>() + 1) + pieces + holders + keys
    }

    /// How much it tells that a memory has a piece, as BM25 has it for words.
    fn idf(&self, piece: u16) -> f32 {
        let (all, holders) = (self.len() as f64, f64::from(self.holders.get(&piece).copied().unwrap_or(0)));
        ((all - holders + 0.5) / (holders + 0.5)).ln_1p() as f32
    }

    /// The best `limit` memories that may be found, best first, equals by number; all if `limit` is 0.
    ///
    /// The first hundred by words and those found otherwise are weighed together; the next by words follow them, a hundred at a
    /// time, so that a longer list begins as a shorter one.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for a meaning of other dimensions than the vectors, or of numbers that are none.
    pub fn rank(
        &self,
        sources: Sources,
        question: &Question,
        filter: &Filter,
        weights: &Weights,
        limit: usize,
    ) -> Result<Vec<Hit>> {
        let near = self.near(sources, question, filter)?;
        let silent = self.silent(sources.lexical, filter);
        let mut found = sources.lexical.find(question.text, &silent);
        if found.best() == 0.0 {
            found = sources.lexical.find(question.otherwise, &silent);
        }
        let unit = found.idf().max(f32::MIN_POSITIVE);
        let (scale, most) = (weights.each[LEXICAL].max(0.0) / unit, self.most(filter, weights));
        // Whole batches, also after those are taken out that are near.
        let by_words = match limit {
            0 => 0,
            1..=BY_WORDS => BY_WORDS,
            _ => limit.next_multiple_of(BY_WORDS) + near.len(),
        };
        let by_words =
            found.choose(by_words, filter.min_coverage, scale, most, self.beforehand(question, filter, weights));
        let (best, next) = by_words.split_at(by_words.len().min(BY_WORDS));
        let mut docs = best.to_vec();
        docs.extend(near.iter().filter(|doc| !best.contains(doc)));
        let first = docs.len();
        docs.extend(next.iter().filter(|doc| near.binary_search(doc).is_err()));
        let columns = Columns::new(self, sources, question, filter);
        let mut hits = Vec::with_capacity(docs.len());
        let mut rest = &docs[..];
        while !rest.is_empty() && (limit == 0 || hits.len() < limit) {
            let size = if hits.is_empty() { first } else { BY_WORDS };
            let (batch, later) = rest.split_at(size.min(rest.len()));
            hits.extend(columns.weigh(batch, &mut found, unit, weights)?);
            rest = later;
        }
        if limit > 0 {
            hits.truncate(limit);
        }
        Ok(hits)
    }

    /// The memories that a filter leaves out and nobody shall hear: what stands beside a question would pass for knowing what
    /// it asks. One that was asked before, and that somebody else spoke after, leads to its answer.
    fn silent(&self, lexical: &Index, filter: &Filter) -> Vec<u64> {
        let answered = |number: u64, asked: &Memory| {
            let next = lexical.after(number).and_then(|next| self.memories.get(&next));
            next.is_some_and(|next| next.traits.speaker != asked.traits.speaker)
        };
        let of = |&key: &u64| self.keys.range((key, 0)..=(key, u64::MAX)).map(move |&(_, number)| (key, number));
        let left_out = filter.but.iter().flat_map(of).filter_map(|(key, number)| {
            let memory = self.memories.get(&number)?;
            (key == memory.traits.message || !answered(number, memory)).then_some(number)
        });
        left_out.collect()
    }

    /// What can be said of a memory before looking closely: whether it may be found, and its shares that cost nothing.
    fn beforehand(&self, question: &Question, filter: &Filter, weights: &Weights) -> impl Fn(&Choice) -> Option<f32> {
        move |choice| {
            let class = filter.class(choice.kind)?;
            self.passes(choice, filter).then(|| {
                weights.each[SPEAKER] * class.speaker
                    + weights.each[KIND] * class.kind
                    + weights.each[RECENCY] * question.recency(choice.time)
                    + weights.each[DATE] * question.dated(choice.time)
            })
        }
    }

    /// No such shares are more.
    fn most(&self, filter: &Filter, weights: &Weights) -> f32 {
        let of = |class: &Class| weights.each[SPEAKER] * class.speaker + weights.each[KIND] * class.kind;
        let best = filter.classes.iter().flatten().map(of).fold(0.0, f32::max);
        best + weights.each[RECENCY].max(0.0) + weights.each[DATE].max(0.0)
    }

    fn passes(&self, choice: &Choice, filter: &Filter) -> bool {
        filter.class(choice.kind).is_some()
            && filter.after.is_none_or(|after| choice.time >= after)
            && filter.before.is_none_or(|before| choice.time < before)
            && filter.only.as_ref().is_none_or(|only| only.contains(&choice.doc))
            && (filter.session.is_none() && filter.but.is_empty()
                || self.memories.get(&choice.doc).is_some_and(|memory| {
                    filter.session.is_none_or(|session| memory.traits.session == session)
                        && !memory.traits.keys().any(|key| filter.but.contains(&key))
                }))
    }

    /// The nearest in meaning, and the nearest of the time that is asked for.
    fn near(&self, sources: Sources, question: &Question, filter: &Filter) -> Result<Vec<u64>> {
        let nearest = |least: f32, passes: &dyn Fn(u64) -> bool| match question.meaning {
            Meaning::Untold => Ok(Vec::new()),
            Meaning::Vector(meaning) => sources.vectors.nearest(meaning, BY_MEANING, least, passes),
            Meaning::Cosines(cosines) => Ok(best(cosines, least, passes)),
        };
        let mut near = nearest(filter.min_similarity, &|number| self.finds(sources, filter, number).is_some())?;
        if !question.spans.is_empty() {
            near.extend(nearest(f32::NEG_INFINITY, &|number| self.then(sources, question, filter, number))?);
        }
        let mut docs: Vec<u64> = near.into_iter().map(|(doc, _)| doc).collect();
        docs.sort_unstable();
        docs.dedup();
        Ok(docs)
    }

    /// The memory of this number, if it may be found.
    fn finds(&self, sources: Sources, filter: &Filter, number: u64) -> Option<Choice> {
        sources.lexical.document(number).filter(|choice| self.passes(choice, filter))
    }

    /// Whether it may be found, and is of a time that is asked for.
    fn then(&self, sources: Sources, question: &Question, filter: &Filter, number: u64) -> bool {
        self.finds(sources, filter, number).is_some_and(|choice| question.dated(choice.time) >= 0.5)
    }

    /// The memories that may be found, and those of a time that is asked for, if one is: a bit for each number, the lowest first.
    ///
    /// It is for whoever has their vectors and shall look among them alone. Of memories of a number from 2³² on nothing is told.
    pub fn passing(&self, sources: Sources, question: &Question, filter: &Filter) -> (Vec<u8>, Vec<u8>) {
        let (mut all, mut then) = (Vec::new(), Vec::new());
        for &number in self.memories.keys().filter(|&&number| number <= u64::from(u32::MAX)) {
            if self.finds(sources, filter, number).is_some() {
                mark(&mut all, number);
                if !question.spans.is_empty() && self.then(sources, question, filter, number) {
                    mark(&mut then, number);
                }
            }
        }
        (all, then)
    }

    /// Checks every invariant; slow, for tests.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming the first that does not hold.
    pub fn validate(&self, sources: Sources) -> Result<()> {
        let holds = |condition: bool, what| if condition { Ok(()) } else { Err(Error::Damaged(what)) };
        holds(self.len() == sources.lexical.len(), "what is indexed is known, and nothing else")?;
        for (&number, memory) in &self.memories {
            holds(sources.lexical.document(number).is_some(), "a memory that is known is indexed")?;
            holds(memory.pieces.is_sorted_by(|one, next| one < next), "pieces are distinct and ascend")?;
        }
        let mut holders: Numbered<u32, u16> = HashMap::default();
        for &piece in self.memories.values().flat_map(|memory| &memory.pieces) {
            *holders.entry(piece).or_default() += 1;
        }
        holds(self.holders == holders, "each piece is counted as often as memories have it")?;
        let keys = self.memories.iter().flat_map(|(&number, each)| each.traits.keys().map(move |key| (key, number)));
        holds(self.keys == keys.collect(), "memories are known by their keys, and nothing else is")?;
        Ok(())
    }
}

impl Filter {
    fn class(&self, kind: u32) -> Option<Class> {
        self.classes.get(kind as usize).copied().unwrap_or(Some(Class { speaker: 0.0, kind: 0.0 }))
    }
}

impl Question<'_> {
    /// 1 now, halved with each half-life; what is yet to come counts as now.
    fn recency(&self, time: i64) -> f32 {
        if time < self.now { (-(self.now.abs_diff(time) as f64) / self.half_life).exp2() as f32 } else { 1.0 }
    }

    /// How well a time fits those asked for: 1 within one, and after it half as much with each `delay`.
    fn dated(&self, time: i64) -> f32 {
        let fits = |&(start, end): &(i64, i64)| match time {
            _ if time < start => 0.0,
            _ if time < end => 1.0,
            _ => (-(time.abs_diff(end) as f64) / self.delay).exp2() as f32,
        };
        self.spans.iter().map(fits).fold(0.0, f32::max)
    }
}

/// The [`BY_MEANING`] greatest cosines of what `passes` and reaches `least`; equals by number.
fn best(cosines: &HashMap<u64, f32>, least: f32, passes: &dyn Fn(u64) -> bool) -> Vec<(u64, f32)> {
    let reach = cosines.iter().filter(|&(&number, &cosine)| cosine >= least && passes(number));
    let mut found: Vec<(u64, f32)> = reach.map(|(&number, &cosine)| (number, cosine)).collect();
    found.sort_unstable_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    found.truncate(BY_MEANING);
    found
}

fn mark(bits: &mut Vec<u8>, number: u64) {
    let place = (number / 8) as usize;
    if bits.len() <= place {
        bits.resize(place + 1, 0);
    }
    bits[place] |= 1 << (number % 8);
}
