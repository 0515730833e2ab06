//! What recall knows as bytes and back.

use super::{Memory, Recall, Traits};
use crate::dump::{Dump, Load, sound};
use crate::embed::Embedder;
use crate::error::Result;

const MAGIC: [u8; 8] = *b"ALEJORC3";
/// Of a memory beside its pieces.
const ROOM: usize = 54;

impl Recall {
    /// Everything it knows, for [`Recall::load`].
    pub fn dump(&self) -> Vec<u8> {
        let mut dump = Dump::new(MAGIC, self.memories.values().map(|memory| ROOM + 2 * memory.pieces.len()).sum());
        dump.number(self.memories.len() as u32);
        for (&number, Memory { traits, pieces }) in &self.memories {
            let Traits {
                asks,
                dated,
                numbered,
                placed,
                names,
                tokens,
                importance,
                speaker,
                session,
                message,
                question,
            } = *traits;
            dump.column([number, session, message, question]);
            dump.column([names, tokens]);
            dump.column([asks, dated, numbered, placed].map(u8::from));
            dump.number(importance);
            dump.number(speaker);
            dump.number(pieces.len() as u32);
            dump.column(pieces.iter().copied());
        }
        dump.done()
    }

    /// The recall that was dumped; `table` is the one its pieces are of.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged) for bytes that none was dumped to.
    pub fn load(table: &Embedder, dumped: &[u8]) -> Result<Self> {
        let mut load = Load::new(MAGIC, dumped)?;
        let count = load.count()?;
        let mut recall = Self::default();
        for _ in 0..count {
            let (number, session) = (load.number()?, load.number()?);
            let (message, question) = (load.number()?, load.number()?);
            let (names, tokens) = (load.number()?, load.number()?);
            let (asks, dated) = (load.number::<u8>()? > 0, load.number::<u8>()? > 0);
            let (numbered, placed) = (load.number::<u8>()? > 0, load.number::<u8>()? > 0);
            let importance = load.number::<f32>()?;
            let speaker = load.number()?;
            let pieces = load.count()?;
            let pieces: Box<[u16]> = load.column(pieces)?.collect();
            let known = pieces.last().is_none_or(|&piece| usize::from(piece) < table.len());
            sound(known && pieces.is_sorted_by(|one, next| one < next), "pieces are of the table, and ascend")?;
            sound(importance.is_finite(), "an importance is a number")?;
            let traits = Traits {
                asks,
                dated,
                numbered,
                placed,
                names,
                tokens,
                importance,
                speaker,
                session,
                message,
                question,
            };
            recall.insert(number, Memory { traits, pieces });
        }
        load.done()?;
        sound(recall.len() == count, "each memory has a number of its own")?;
        Ok(recall)
    }
}
