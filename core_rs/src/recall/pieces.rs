//! What the pieces of a query find among those of a document, by what they mean.
//!
//! Each piece of the query looks for the most similar one, which counts from a cosine of [`ALIKE`] on; weighed by the length of
//! its row, which is what the table takes a piece to be worth. After Khattab and Zaharia, "ColBERT" (2020), with a table in the
//! place of a model.

use crate::dot::{BLOCK, ByteDot};
use crate::embed::{Embedder, Shape};
use crate::scan::{ZERO, lifted};

/// Pieces that are less similar are not taken for each other.
const ALIKE: f32 = 0.4;
/// What weighs so many times less than the heaviest piece of a query is none of what it asks for.
const LIGHT: f32 = 8.0;
/// How many pieces ahead of its use a row is fetched: they lie anywhere in the table, which no cache near by holds.
const AHEAD: usize = 16;
/// Places of pieces that were not compared, and of those like none of the query's.
const UNSEEN: u16 = 0;
const UNLIKE: u16 = 1;

/// The pieces of a query beside all that they are compared with.
pub(super) struct Pieces {
    /// By piece: [`UNSEEN`], [`UNLIKE`], or beyond these its place among those that are like one of the query's.
    places: Vec<u16>,
    /// By place, a number for each piece of the query: cosines.
    alike: Vec<f32>,
    /// What each piece of the query weighs; they add up to 1.
    weights: Vec<f32>,
}

impl Pieces {
    /// Compares the pieces of a query with all that documents have.
    pub(super) fn new<'a>(table: &Embedder, query: &[u16], documents: impl Iterator<Item = &'a [u16]>) -> Self {
        let mut places = vec![UNSEEN; table.len().min(usize::from(u16::MAX) + 1)];
        let mut all = Vec::new();
        for &piece in documents.flatten() {
            if std::mem::replace(&mut places[usize::from(piece)], UNLIKE) == UNSEEN {
                all.push(piece);
            }
        }
        let (rows, lengths, weights) = asked(table, query);
        let kernel = ByteDot::detect();
        let mut alike: Vec<f32> = Vec::new();
        let mut products = vec![0; lengths.len()];
        let mut next = UNLIKE + 1;
        for (at, &piece) in all.iter().enumerate() {
            if let Some(&later) = all.get(at + AHEAD) {
                table.fetch(later);
            }
            let Shape { inverse, sum } = table.shape(piece);
            kernel.each(&rows, &table.row(piece.into()), &mut products);
            let cosine = |(product, length): (&i32, &f32)| (product - i32::from(ZERO) * sum) as f32 * length * inverse;
            let cosines = || products.iter().zip(&lengths).map(cosine);
            if next < u16::MAX && cosines().any(|cosine| cosine >= ALIKE) {
                alike.extend(cosines().map(|cosine| if cosine >= ALIKE { cosine.min(1.0) } else { 0.0 }));
                places[usize::from(piece)] = next;
                next += 1;
            }
        }
        Self { places, alike, weights }
    }

    /// How much of the query a document has, 0 to 1.
    pub(super) fn found(&self, document: &[u16], best: &mut Vec<f32>) -> f32 {
        best.clear();
        best.resize(self.weights.len(), 0.0);
        for &piece in document {
            let place = self.places[usize::from(piece)];
            if place > UNLIKE {
                let at = usize::from(place - UNLIKE - 1) * best.len();
                let alike = &self.alike[at..at + best.len()];
                best.iter_mut().zip(alike).for_each(|(best, alike)| *best = best.max(*alike));
            }
        }
        best.iter().zip(&self.weights).map(|(best, weight)| best * weight).sum()
    }
}

/// The rows of a query's pieces that weigh something, above 0, one after the other; the inverse of the length of each; and
/// what each weighs.
fn asked(table: &Embedder, query: &[u16]) -> (Vec<u8>, Vec<f32>, Vec<f32>) {
    let heaviest = query.iter().map(|&piece| table.weight(piece)).fold(0.0, f32::max);
    let heavy = |piece: &&u16| heaviest > 0.0 && table.weight(**piece) >= heaviest / LIGHT;
    let query: Vec<u16> = query.iter().filter(heavy).copied().collect();
    let sum: f32 = query.iter().map(|&piece| table.weight(piece)).sum();
    let mut rows = Vec::with_capacity(query.len() * table.dimensions().next_multiple_of(BLOCK));
    query.iter().for_each(|&piece| rows.extend(table.row(piece.into()).iter().map(|&number| lifted(number))));
    let lengths = query.iter().map(|&piece| table.shape(piece).inverse).collect();
    (rows, lengths, query.iter().map(|&piece| table.weight(piece) / sum).collect())
}
