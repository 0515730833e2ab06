//! What the pieces of a query find among those of a document, by what they mean.
//!
//! Each piece of the query looks for the most similar one, which counts from a cosine of [`ALIKE`] on; weighed by the length of
//! its row, which is what the table takes a piece to be worth. After Khattab and Zaharia, "ColBERT" (2020), with a table in the
//! place of a model.

use crate::dot::ByteDot;
use crate::embed::{Embedder, Shape};
use crate::scan::{ZERO, lifted};

/// Pieces that are less similar are not taken for each other.
const ALIKE: f32 = 0.4;
/// What weighs so many times less than the heaviest piece of a query is none of what it asks for.
const LIGHT: f32 = 8.0;
const NONE: u16 = u16::MAX;

/// The pieces of a query beside all that they are compared with.
pub(super) struct Pieces {
    /// By piece: its place among those compared, or [`NONE`].
    places: Vec<u16>,
    /// By place, a number for each piece of the query: cosines.
    alike: Vec<f32>,
    /// What each piece of the query weighs; they add up to 1.
    weights: Vec<f32>,
}

impl Pieces {
    /// Compares the pieces of a query with all that documents have.
    pub(super) fn new<'a>(table: &Embedder, query: &[u16], documents: impl Iterator<Item = &'a [u16]>) -> Self {
        let mut places = vec![NONE; usize::from(u16::MAX) + 1];
        let mut all = Vec::new();
        for &piece in documents.flatten() {
            let place = &mut places[usize::from(piece)];
            if *place == NONE && all.len() < usize::from(NONE) {
                *place = all.len() as u16;
                all.push(piece);
            }
        }
        let (rows, weights) = asked(table, query);
        let kernel = ByteDot::detect();
        let mut alike = Vec::with_capacity(all.len() * rows.len());
        for &piece in &all {
            let (numbers, Shape { inverse, sum }) = (table.row(piece), table.shape(piece));
            for (row, length) in &rows {
                let product = (kernel.of(row, &numbers) - i32::from(ZERO) * sum) as f32;
                let cosine = product * length * inverse;
                alike.push(if cosine >= ALIKE { cosine.min(1.0) } else { 0.0 });
            }
        }
        Self { places, alike, weights }
    }

    /// How much of the query a document has, 0 to 1.
    pub(super) fn found(&self, document: &[u16], best: &mut Vec<f32>) -> f32 {
        best.clear();
        best.resize(self.weights.len(), 0.0);
        for &piece in document {
            let place = usize::from(self.places[usize::from(piece)]);
            if let Some(alike) = self.alike.get(place * best.len()..(place + 1) * best.len()) {
                best.iter_mut().zip(alike).for_each(|(best, alike)| *best = best.max(*alike));
            }
        }
        best.iter().zip(&self.weights).map(|(best, weight)| best * weight).sum()
    }
}

/// The rows of a query's pieces that weigh something, above 0, each with the inverse of its length; and what each weighs.
fn asked(table: &Embedder, query: &[u16]) -> (Vec<(Vec<u8>, f32)>, Vec<f32>) {
    let heaviest = query.iter().map(|&piece| table.weight(piece)).fold(0.0, f32::max);
    let heavy = |piece: &&u16| heaviest > 0.0 && table.weight(**piece) >= heaviest / LIGHT;
    let query: Vec<u16> = query.iter().filter(heavy).copied().collect();
    let sum: f32 = query.iter().map(|&piece| table.weight(piece)).sum();
    let row = |piece: u16| table.row(piece).iter().map(|&number| lifted(number)).collect();
    let rows = query.iter().map(|&piece| (row(piece), table.shape(piece).inverse)).collect();
    (rows, query.iter().map(|&piece| table.weight(piece) / sum).collect())
}
