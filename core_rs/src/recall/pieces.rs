//! What the pieces of a query find among those of a document, by what they mean.
//!
//! Each piece of the query looks for the most similar one, which counts from a cosine of [`ALIKE`] on; weighed by how few of the
//! user's memories have it, and where these are few by what the table takes it to be worth, the length of its row. After Khattab and Zaharia, "ColBERT" (2020), with a table in the place of a model, and idf as in
//! Mihalcea, Corley and Strapparava, "Corpus-based and Knowledge-based Measures of Text Semantic Similarity" (2006).

use crate::dot::{BLOCK, ByteDot};
use crate::embed::{Embedder, Shape};
use crate::scan::{ZERO, lifted};

/// Pieces that are less similar are not taken for each other.
const ALIKE: f32 = 0.4;
/// What weighs so many times less than the heaviest piece of a query is none of what it asks for.
const LIGHT: f32 = 8.0;
/// As many memories tell as much of what a piece is worth as the table does, which knows all of a language.
const PRIOR: f32 = 32.0;
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
    pub(super) fn new<'a>(table: &Embedder, query: &[(u16, f32)], documents: impl Iterator<Item = &'a [u16]>) -> Self {
        let mut places = vec![UNSEEN; table.len().min(usize::from(u16::MAX) + 1)];
        let mut all = Vec::new();
        for &piece in documents.flatten() {
            if std::mem::replace(&mut places[usize::from(piece)], UNLIKE) == UNSEEN {
                all.push(piece);
            }
        }
        let (rows, lengths) = rows(table, query);
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
        Self { places, alike, weights: query.iter().map(|&(_, weight)| weight).collect() }
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

/// A query's pieces with what each weighs, together 1; without those that weigh next to nothing.
///
/// What counts is `own`, how few of `all` memories have a piece; where there are few, that tells little, and what the piece is
/// worth by `table` counts as if it stood for [`PRIOR`] more.
pub(super) fn weighed(query: Vec<u16>, table: &Embedder, own: impl Fn(u16) -> f32, all: usize) -> Vec<(u16, f32)> {
    let share = |weigh: &dyn Fn(u16) -> f32, times: f32| {
        let weights: Vec<f32> = query.iter().map(|&piece| weigh(piece)).collect();
        let unit = times / weights.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        weights.into_iter().map(move |weight| weight * unit)
    };
    let weights =
        share(&own, all as f32).zip(share(&|piece| table.weight(piece), PRIOR)).map(|(own, table)| own + table);
    let mut query: Vec<(u16, f32)> = query.iter().copied().zip(weights).collect();
    let heaviest = query.iter().map(|&(_, weight)| weight).fold(0.0, f32::max);
    query.retain(|&(_, weight)| weight >= heaviest / LIGHT);
    let sum: f32 = query.iter().map(|&(_, weight)| weight).sum();
    query.iter_mut().for_each(|(_, weight)| *weight /= sum);
    query
}

/// The rows of a query's pieces, above 0, one after the other; and the inverse of the length of each.
fn rows(table: &Embedder, query: &[(u16, f32)]) -> (Vec<u8>, Vec<f32>) {
    let mut rows = Vec::with_capacity(query.len() * table.dimensions().next_multiple_of(BLOCK));
    query.iter().for_each(|&(piece, _)| rows.extend(table.row(piece.into()).iter().map(|&number| lifted(number))));
    (rows, query.iter().map(|&(piece, _)| table.shape(piece).inverse).collect())
}
