//! The index as bytes and back: documents in the order of their slots without gaps, then what each term is held by. What
//! follows from these, from the neighbours to the averages, is worked out anew.

use std::collections::HashMap;

use super::codes::Codes;
use super::documents::{Document, Slot};
use super::sessions::Sessions;
use super::terms::Terms;
use super::{Index, Keyed, Params};
use crate::dump::{Dump, Load, sound};
use crate::error::{Error, Result};
use crate::text::{Tokenizer, Tongues};

const MAGIC: [u8; 8] = *b"ALEJOLX2";

impl Index {
    /// Everything it holds, for [`Index::load`]. Of words only hashes are in it, under a key that is in it too.
    pub fn dump(&self) -> Vec<u8> {
        let Self {
            tokenizer: _,
            params,
            groups: _,
            reach: _,
            hasher,
            spoken,
            terms,
            codes,
            documents,
            sessions,
            lengths,
        } = self;
        let mut slots: Vec<Slot> = documents.all().collect();
        slots.sort_unstable();
        let mut renumbered = vec![0; documents.end()];
        slots.iter().zip(1..).for_each(|(&slot, new)| renumbered[slot as usize] = new);
        let mut dump = Dump::new(MAGIC, 64 * slots.len());
        dump.column(hasher.keys());
        dump.number(spoken.bits());
        dump.number(params.fields() as u8);
        dump.number(slots.len() as u32);
        dump.column(slots.iter().map(|&slot| documents.at(slot).number));
        dump.column(slots.iter().map(|&slot| documents.at(slot).time));
        dump.column(slots.iter().map(|&slot| documents.at(slot).kind));
        dump.column(slots.iter().map(|&slot| u8::from(sessions.of(slot).is_some())));
        dump.column(slots.iter().filter_map(|&slot| sessions.of(slot)));
        lengths.dump(&slots, &mut dump);
        codes.dump(&renumbered, &mut dump);
        terms.dump(&renumbered, &mut dump);
        dump.done()
    }

    /// The index that was dumped. `tokenizer` and `params` are those it was made with; its owner sees to that.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) for bytes that no index of so many fields was dumped to.
    pub fn load(tokenizer: Tokenizer, params: Params, dumped: &[u8]) -> Result<Self> {
        let mut load = Load::new(MAGIC, dumped)?;
        let mut index = Self::new(tokenizer, params);
        index.hasher = Keyed::with([load.number()?, load.number()?]);
        index.spoken = Tongues::new(load.number()?);
        sound(usize::from(load.number::<u8>()?) == index.params.fields(), "a document has the fields of the index")?;
        let count = load.count()?;
        let sessions = index.documents(count, &mut load)?;
        index.lengths.load(count, index.reach > 0, &mut load)?;
        index.codes = Codes::load(index.params.fields(), &mut load)?;
        index.terms = Terms::load(count, &index.codes, &mut load)?;
        load.done()?;
        index.seat(count, sessions);
        Ok(index)
    }

    /// Takes the documents, and returns who is in which session.
    fn documents(&mut self, count: usize, load: &mut Load<'_>) -> Result<HashMap<u64, Vec<Slot>>> {
        let (numbers, times) = (load.column(count)?, load.column(count)?);
        let kinds = load.column(count)?;
        for ((number, time), kind) in numbers.zip(times).zip(kinds) {
            sound(self.documents.find(number).is_none(), "each document has a number of its own")?;
            self.documents
                .add(Document { number, time, kind })
                .map_err(|_| Error::Damaged("an index holds at most 16,777,215 documents"))?;
        }
        let placed = load.bytes(count)?;
        let in_sessions = placed.iter().filter(|&&placed| placed > 0).count();
        let mut sessions: HashMap<u64, Vec<Slot>> = HashMap::new();
        let slots = (1..).zip(placed).filter(|(_, placed)| **placed > 0);
        for ((slot, _), session) in slots.zip(load.column(in_sessions)?) {
            sessions.entry(session).or_default().push(slot);
        }
        Ok(sessions)
    }

    /// Lets every document hear its neighbours.
    fn seat(&mut self, count: usize, sessions: HashMap<u64, Vec<Slot>>) {
        if self.reach > 0 {
            self.sessions = Sessions::of_all(&self.documents, sessions);
            let all: Vec<Slot> = (1..=count as Slot).collect();
            self.lengths.hear(&all, &self.params, &self.sessions);
        }
    }
}
