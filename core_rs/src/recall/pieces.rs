//! What the pieces of a query find among those of a document, by what they mean.
//!
//! Each piece of the query looks for the most similar one, which counts from a cosine of [`ALIKE`] on; weighed by the length of
//! its row, which is what the table takes a piece to be worth. After Khattab and Zaharia, "ColBERT" (2020), with a table in the
//! place of a model.

use crate::dot::{BLOCK, ByteDot};
use crate::embed::Embedder;
use crate::scan::lifted;

/// Pieces that are less similar are not taken for each other.
const ALIKE: f32 = 0.4;
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
        let stride = table.dimensions().next_multiple_of(BLOCK);
        let kernel = ByteDot::detect();
        let rows: Vec<(Vec<u8>, f32)> = query.iter().map(|&piece| lift(table, piece, stride)).collect();
        let lengths: Vec<f32> = rows
            .iter()
            .zip(query)
            .map(|((row, _), &piece)| {
                let (numbers, scale) = table.row(piece);
                length(kernel, row, &padded(numbers, stride)) * scale.abs()
            })
            .collect();
        let sum: f32 = lengths.iter().sum();
        let mut alike = Vec::with_capacity(all.len() * query.len());
        let ones = vec![1_u8; stride];
        let mut lift = vec![0_u8; stride];
        for &piece in &all {
            let (numbers, scale) = table.row(piece);
            let numbers = padded(numbers, stride);
            lift.iter_mut().zip(numbers.iter()).for_each(|(to, &number)| *to = lifted(number));
            let over = 128 * kernel.of(&ones, &numbers);
            let own = ((kernel.of(&lift, &numbers) - over) as f32).sqrt();
            let sign = scale.signum();
            for ((row, query_scale), length) in rows.iter().zip(&lengths) {
                let product = (kernel.of(row, &numbers) - over) as f32 * query_scale;
                let cosine = product * sign / (own * length).max(f32::MIN_POSITIVE);
                alike.push(if cosine >= ALIKE { cosine.min(1.0) } else { 0.0 });
            }
        }
        let weights = lengths.iter().map(|length| length / sum.max(f32::MIN_POSITIVE)).collect();
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

/// A row above 0, with its scale.
fn lift(table: &Embedder, piece: u16, stride: usize) -> (Vec<u8>, f32) {
    let (numbers, scale) = table.row(piece);
    (padded(numbers, stride).iter().map(|&number| lifted(number)).collect(), scale)
}

fn length(kernel: ByteDot, lifted: &[u8], numbers: &[i8]) -> f32 {
    let over: i32 = 128 * numbers.iter().map(|&number| i32::from(number)).sum::<i32>();
    ((kernel.of(lifted, numbers) - over) as f32).sqrt()
}

fn padded(numbers: &[i8], stride: usize) -> std::borrow::Cow<'_, [i8]> {
    if numbers.len() == stride {
        return numbers.into();
    }
    let mut row = numbers.to_vec();
    row.resize(stride, 0);
    row.into()
}
