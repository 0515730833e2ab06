//! An exact, incremental BM25 index over the documents of one user, with fields and with neighbours.
//!
//! Everything is live: a document put in, replaced or taken out changes the number of documents, the document frequencies, the
//! average lengths and what its neighbours hear at once, and the scores are those of an index built from nothing. Meant for up
//! to some hundred thousand short documents. The index knows no lock; who shares it wraps it in one.
//!
//! Score: the sum, over the distinct terms of the query, of `idf · tf·(k1+1) / (tf + k1)` with
//! `idf = ln(1 + (N−df+½)/(df+½))`. The frequency is that of BM25F (Robertson, Zaragoza and Taylor 2004; Robertson and Zaragoza
//! 2009, 3.6): `tf = Σ w·count / (1−b + b·length/average)` over the fields, each with its weight and b. A word in two fields
//! saturates once, as it is one thing told twice; so k1 is one, and a k1 of a field's own would be its weight divided by it.
//!
//! In a window, a document of a session counts as its own what its neighbours say, times the weight of where they stand, in the
//! fields that are heard: `count`, `length` and `df` are those of documents that hold their neighbours' words so often. Only own
//! words are stored; what is heard is worked out when it is asked for, which costs no memory and is never out of date.

mod codes;
mod documents;
mod dump;
mod found;
mod lengths;
mod params;
mod rank;
mod room;
mod score;
mod sessions;
mod terms;

use std::hash::{BuildHasher, RandomState};

use siphasher::sip::SipHasher13;

use crate::error::{Error, Result};
use crate::text::{Tokenizer, Tongues, fold};
use codes::Codes;
use documents::{Document, Documents};
pub use found::{Choice, Found, Words};
use lengths::Lengths;
use params::Group;
pub use params::{Field, Params, Weight, Window};
pub use rank::{Hit, Weighing};
use sessions::Sessions;
use terms::{Term, Terms};

/// The index; see the module.
pub struct Index {
    tokenizer: Tokenizer,
    params: Params,
    groups: Vec<Group>,
    /// How far neighbours are heard; 0 without a window.
    reach: usize,
    hasher: Keyed,
    /// The languages of all documents there ever were.
    spoken: Tongues,
    terms: Terms,
    codes: Codes,
    documents: Documents,
    sessions: Sessions,
    lengths: Lengths,
}

/// SipHash-1-3 under a random key, which a dump keeps.
struct Keyed(SipHasher13);

impl Keyed {
    fn new() -> Self {
        let random = RandomState::new();
        Self::with([0, 1].map(|half| random.hash_one(half)))
    }

    fn with(keys: [u64; 2]) -> Self {
        Self(SipHasher13::new_with_keys(keys[0], keys[1]))
    }

    fn keys(&self) -> [u64; 2] {
        self.0.keys().into()
    }

    fn term(&self, term: &str) -> Term {
        self.0.hash(term.as_bytes())
    }
}

/// What is known of a document besides its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// [`Weighing`] goes by it.
    pub kind: u32,
    /// [`Weighing`] goes by it; so does the order in a session.
    pub time: i64,
    /// Whose neighbours it hears: those of the same session, in the order of their times, equals by number.
    pub session: Option<u64>,
}

impl Index {
    /// An empty index.
    pub fn new(tokenizer: Tokenizer, params: Params) -> Self {
        Self {
            tokenizer,
            groups: params.groups(),
            reach: params.window().reach(),
            hasher: Keyed::new(),
            spoken: Tongues::default(),
            terms: Terms::new(),
            codes: Codes::new(params.fields()),
            documents: Documents::new(),
            sessions: Sessions::default(),
            lengths: Lengths::new(&params),
            params,
        }
    }

    /// How many documents it holds.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes it takes on the heap; counts through all terms.
    pub fn bytes(&self) -> usize {
        self.terms.bytes() + self.codes.bytes() + self.documents.bytes() + self.sessions.bytes() + self.lengths.bytes()
    }

    /// Puts a document in, in the place of the one with the same number if there is one. `texts` are its fields, in their order;
    /// fields without a text are empty.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for more texts than fields, or more than 16,777,215 documents; nothing is changed then.
    pub fn upsert(&mut self, number: u64, texts: &[&str], facts: Facts) -> Result<()> {
        let fields = self.params.fields();
        if texts.len() > fields {
            return Err(Error::Meaningless("a document has no more texts than the index has fields"));
        }
        let Facts { kind, time, session } = facts;
        self.remove(number);
        let slot = self.documents.add(Document { number, time, kind })?;
        let (words, lengths) = self.words(texts);
        let mut terms: Vec<(Term, u8)> = Vec::with_capacity(words.len());
        for same in words.chunk_by(|one, next| one.0 == next.0) {
            let mut counts = [0_u16; 8];
            for &(_, field) in same {
                counts[field] = counts[field].saturating_add(1);
            }
            terms.push((same[0].0, self.codes.put(same[0].0, slot, &counts[..fields])));
        }
        self.terms.add(slot, &terms);
        self.lengths.set(slot, &lengths, self.reach > 0);
        if self.reach > 0 {
            let around = match session {
                Some(session) => self.sessions.add(&self.documents, slot, session, self.reach),
                None => vec![slot],
            };
            self.lengths.hear(&around, &self.params, &self.sessions);
        }
        Ok(())
    }

    /// Every term of the texts with its field, ascending, and how many each field has. The first tells the language of all.
    fn words(&mut self, texts: &[&str]) -> (Vec<(Term, usize)>, [u64; 8]) {
        let mut words = Vec::with_capacity(32);
        let mut lengths = [0; 8];
        let mut tongue = None;
        for (field, text) in texts.iter().enumerate() {
            let folded = fold(text);
            let cut = self.tokenizer.cut(&folded);
            tongue = tongue.or_else(|| self.tokenizer.tongue(&cut));
            self.tokenizer.tokens(&cut, tongue, |token| {
                words.push((self.hasher.term(token.term), field));
                lengths[field] += 1;
            });
        }
        tongue.into_iter().for_each(|tongue| self.spoken.add(tongue));
        words.sort_unstable();
        (words, lengths)
    }

    /// Takes a document out; false if there is none of that number.
    pub fn remove(&mut self, number: u64) -> bool {
        let Some(slot) = self.documents.find(number) else { return false };
        self.terms.remove(slot);
        self.codes.remove(slot);
        self.lengths.set(slot, &[0; 8], self.reach > 0);
        if self.reach > 0 {
            let mut around = self.sessions.remove(&self.documents, slot, self.reach);
            around.push(slot);
            self.lengths.hear(&around, &self.params, &self.sessions);
        }
        self.documents.remove(number);
        true
    }

    /// Checks every invariant; slow, for tests.
    ///
    /// # Errors
    /// [`Error::Damaged`] names the first invariant that does not hold.
    pub fn validate(&self) -> Result<()> {
        self.documents.validate()?;
        self.terms.validate()?;
        self.sessions.validate(&self.documents)?;
        self.lengths.validate(&self.params, &self.documents, &self.sessions)?;
        let mut rare = 0;
        let mut known = true;
        self.terms.each(|_, postings| {
            for posting in postings {
                let slot = posting.slot();
                known &= self.documents.find(self.documents.at(slot).number) == Some(slot);
                rare += usize::from(posting.code() == codes::RARE);
            }
        });
        holds(known, "there is no posting without a document")?;
        holds(rare == self.codes.rare(), "what is kept of a rare count is of a posting")
    }
}

/// Makes room for so many, with little to spare: there are many small indexes.
fn widen<T>(column: &mut Vec<T>, len: usize) {
    if column.capacity() < len {
        column.reserve_exact(len - column.len() + len / 8);
    }
}

fn holds(invariant: bool, name: &'static str) -> Result<()> {
    if invariant { Ok(()) } else { Err(Error::Damaged(name)) }
}
