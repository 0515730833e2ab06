//! Static embedding: a text is the direction of the sum of its tokens' rows in a table.
//!
//! A table is a folder: `table.safetensors` with `embedding` (int8, rows × dimensions) and `scale` (float32, rows), a value
//! being embedding × scale of its row; `vocab.txt` with the piece of each row. What a token counts for is the length of its
//! row, so pooling needs no weights beside it. Made by `scripts/embedding_table.py`, after Tulkens and van Dongen, "Model2Vec"
//! (2024), and trained on.

pub mod net;
mod vocabulary;
mod wordpiece;

use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use memmap2::Mmap;
use serde_json::Value;

use crate::dot::{BLOCK, fetch};
use crate::error::{Error, Result};
use wordpiece::Room;
pub use wordpiece::WordPiece;

/// How many sums are kept side by side: the order of additions is the same on every machine, and with it every bit.
const LANES: usize = 16;
/// Of more dimensions no model makes use.
const MOST_DIMENSIONS: usize = 4096;
/// Below it no sum of any text that fits into memory overflows, squared.
const LARGEST_SCALE: f32 = 1e6;
/// The numbers of a shorter vector have squares that lose digits, or all of them.
const SHORT: f32 = 1e-12;

/// Embeds texts by a table that lies memory-mapped in its file.
pub struct Embedder {
    pieces: WordPiece,
    file: Mmap,
    rows: Range<usize>,
    scales: Vec<f32>,
    shapes: OnceLock<Vec<Shape>>,
    dimensions: usize,
}

/// What is known of the numbers of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// 1 / their length, infinite for a row of zeros; below 0 if its scale is.
    pub(crate) inverse: f32,
    pub(crate) sum: i32,
}

impl Embedder {
    /// The embedder of the table in `folder`.
    ///
    /// The file must not be changed while it is open: a new table is put in place by renaming.
    ///
    /// # Errors
    /// [`Error::Table`] if a file cannot be read or they do not fit each other.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("table.safetensors");
        let file = File::open(&path).map_err(|error| Error::unreadable(&path, &error))?;
        // SAFETY: nobody writes to a table in place; whoever cuts off an open one gets SIGBUS, never a wrong memory access.
        let file = unsafe { Mmap::map(&file) }.map_err(|error| Error::unreadable(&path, &error))?;
        let table = Table::read(&file)?;
        let pieces = WordPiece::open(&folder.join("vocab.txt"), table.uncased)?;
        if pieces.len() != table.scales.len() {
            return Err(Error::Table(format!("it has {} rows for {} words", table.scales.len(), pieces.len())));
        }
        let Table { rows, scales, dimensions, .. } = table;
        Ok(Self { pieces, file, rows, scales, shapes: OnceLock::new(), dimensions })
    }

    /// How many numbers a vector has.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// How many pieces it has a row for.
    #[expect(clippy::len_without_is_empty, reason = "there is always [UNK]")]
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// The vector of a text, of length 1; a text without a token has that of `[UNK]`. All 0 if its rows cancel out.
    pub fn embed(&self, text: &str) -> Vec<f32> {
        self.embed_many([text])
    }

    /// The vectors of many texts, one after the other.
    pub fn embed_many<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Vec<f32> {
        let texts = texts.into_iter();
        let mut vectors = Vec::with_capacity(texts.size_hint().0 * self.dimensions);
        let mut room = Room::default();
        for text in texts {
            let start = vectors.len();
            vectors.resize(start + self.dimensions, 0.0);
            self.pieces.cut(text, &mut room);
            if room.ids.is_empty() {
                room.ids.push(self.pieces.unknown());
            }
            self.pool(&room.ids, &mut vectors[start..]);
        }
        vectors
    }

    /// The distinct pieces of a text, ascending. Of a table of more rows only the first 65,536 count.
    pub fn pieces(&self, text: &str) -> Vec<u16> {
        let ids = self.pieces.ids(text);
        let mut pieces: Vec<u16> = ids.into_iter().filter_map(|id| u16::try_from(id).ok()).collect();
        pieces.sort_unstable();
        pieces.dedup();
        pieces
    }

    /// The numbers of a piece's row, filled up to whole blocks.
    pub(crate) fn row(&self, piece: u32) -> Cow<'_, [i8]> {
        let at = self.rows.start + piece as usize * self.dimensions;
        let row = &self.file[at..at + self.dimensions];
        // SAFETY: a byte is a signed byte.
        let row: &[i8] = unsafe { std::slice::from_raw_parts(row.as_ptr().cast(), row.len()) };
        if row.len().is_multiple_of(BLOCK) {
            return row.into();
        }
        let mut padded = row.to_vec();
        padded.resize(row.len().next_multiple_of(BLOCK), 0);
        padded.into()
    }

    /// The shape of a piece's row; all are measured when the first is asked for.
    pub(crate) fn shape(&self, piece: u16) -> Shape {
        let shape = |(row, scale): (&[u8], &f32)| {
            let numbers = row.iter().map(|&number| i32::from(number as i8));
            let square: i32 = numbers.clone().map(|number| number * number).sum();
            Shape { inverse: (square as f32).sqrt().recip().copysign(*scale), sum: numbers.sum() }
        };
        let all = || self.file[self.rows.clone()].chunks_exact(self.dimensions).zip(&self.scales).map(shape).collect();
        self.shapes.get_or_init(all)[usize::from(piece)]
    }

    /// What a piece is worth: the length of its row.
    pub fn weight(&self, piece: u16) -> f32 {
        (self.scales[usize::from(piece)] / self.shape(piece).inverse).abs()
    }

    /// Has the caches fetch what is soon to be asked of a piece.
    pub(crate) fn fetch(&self, piece: u16) {
        fetch(&self.row(piece.into()));
        if let Some(shapes) = self.shapes.get() {
            fetch(&shapes[usize::from(piece)..=usize::from(piece)]);
        }
    }

    fn pool(&self, ids: &[u32], vector: &mut [f32]) {
        self.add(ids, vector);
        normalise(vector);
    }

    /// Adds the rows of pieces to a vector.
    fn add(&self, ids: &[u32], vector: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has what the function is compiled for.
            return unsafe { self.add_avx2(ids, vector) };
        }
        self.add_plain(ids, vector);
    }

    /// [`Self::add_plain`], compiled for eight numbers at once; no fused multiply-add, which would round otherwise.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn add_avx2(&self, ids: &[u32], vector: &mut [f32]) {
        self.add_plain(ids, vector);
    }

    #[inline(always)]
    fn add_plain(&self, ids: &[u32], vector: &mut [f32]) {
        let rows = &self.file[self.rows.clone()];
        for &id in ids {
            let row = &rows[id as usize * self.dimensions..][..self.dimensions];
            let scale = self.scales[id as usize];
            for (sum, &value) in vector.iter_mut().zip(row) {
                *sum += f32::from(value as i8) * scale;
            }
        }
    }

    /// Checks every invariant of the table and its vocabulary.
    ///
    /// # Errors
    /// [`Error::Table`] naming what does not hold.
    pub fn validate(&self) -> Result<()> {
        if self.rows.len() != self.scales.len() * self.dimensions || self.rows.end > self.file.len() {
            return Err(Error::Table("its rows do not fill it".into()));
        }
        if self.pieces.len() != self.scales.len() || !self.scales.iter().all(|scale| scale.is_finite()) {
            return Err(Error::Table("its scales do not fit its words".into()));
        }
        self.pieces.validate()
    }
}

/// Brings a vector to length 1, unless it is 0.
#[inline(always)]
fn normalise(vector: &mut [f32]) {
    let mut length = length_of(vector);
    if length < SHORT {
        let most = vector.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        if most == 0.0 {
            return;
        }
        vector.iter_mut().for_each(|value| *value /= most);
        length = length_of(vector);
    }
    vector.iter_mut().for_each(|value| *value /= length);
}

#[inline(always)]
fn length_of(vector: &[f32]) -> f32 {
    let mut squares = [0.0_f32; LANES];
    for chunk in vector.chunks(LANES) {
        for (square, value) in squares.iter_mut().zip(chunk) {
            *square += value * value;
        }
    }
    squares.iter().sum::<f32>().sqrt()
}

/// What the file says.
struct Table {
    rows: Range<usize>,
    scales: Vec<f32>,
    dimensions: usize,
    uncased: bool,
}

impl Table {
    /// Reads the header of a safetensors file: its length (8 bytes, little-endian), JSON of that length, the numbers.
    fn read(file: &[u8]) -> Result<Self> {
        let short = || Error::Table("table.safetensors is cut short".into());
        let (length, rest) = file.split_first_chunk().ok_or_else(short)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (header, data) = rest.split_at_checked(length).ok_or_else(short)?;
        let header: Value = serde_json::from_slice(header)
            .map_err(|error| Error::Table(format!("table.safetensors has no header ({error})")))?;
        let uncased = match header["__metadata__"]["tokenizer"].as_str() {
            None | Some("bert-wordpiece-uncased") => true,
            Some("bert-wordpiece-cased") => false,
            Some(_) => return Err(Error::Table("its tokenizer is not bert-wordpiece-uncased or -cased".into())),
        };
        let ([count], place) = tensor(&header, "scale", "F32")?;
        let scales: Vec<f32> =
            data.get(place).ok_or_else(short)?.as_chunks().0.iter().copied().map(f32::from_le_bytes).collect();
        let ([rows, dimensions], place) = tensor(&header, "embedding", "I8")?;
        let size = data.get(place.clone()).ok_or_else(short)?.len();
        let full = rows.checked_mul(dimensions) == Some(size);
        if !full || rows != count || scales.len() != count || !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(Error::Table(format!("its {count} scales do not fit {rows} rows of {dimensions}")));
        }
        if !scales.iter().all(|scale| scale.abs() <= LARGEST_SCALE) {
            return Err(Error::Table("a scale is not a number, or above a million".into()));
        }
        let start = 8 + length + place.start;
        Ok(Self { rows: start..start + size, scales, dimensions, uncased })
    }
}

/// Shape and place of a tensor of a type.
fn tensor<const N: usize>(header: &Value, name: &str, kind: &str) -> Result<([usize; N], Range<usize>)> {
    let about = &header[name];
    let numbers = |key: &str| -> Option<Vec<usize>> {
        about[key].as_array()?.iter().map(|one| usize::try_from(one.as_u64()?).ok()).collect()
    };
    let found = || {
        let shape = numbers("shape")?.try_into().ok()?;
        let [start, end] = numbers("data_offsets")?.try_into().ok()?;
        (about["dtype"] == kind).then_some((shape, start..end))
    };
    found().ok_or_else(|| Error::Table(format!("{name} must be {kind} of {N} dimensions")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_vector_has_a_direction_too() {
        for size in [1.0, 1e-20, 1e-30, 1e-44] {
            let mut vector = [3.0 * size, 0.0, -4.0 * size];
            normalise(&mut vector);
            assert!((vector[0] - 0.6).abs() < 0.02 && (length_of(&vector) - 1.0).abs() < 1e-6, "{vector:?}");
        }
        let mut nothing = [0.0; 3];
        normalise(&mut nothing);
        assert_eq!(nothing, [0.0; 3]);
    }
}
