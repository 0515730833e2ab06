//! Evidence becomes relevance.

use std::borrow::Cow;

use super::{Candidates, DENSE, KINDS, LEXICAL, MOST};
use crate::error::{Error, Result};

/// The columns of evidence, what one of each counts, and their sums.
pub(super) struct Fused<'a> {
    columns: [Option<Cow<'a, [f32]>>; KINDS],
    scales: [f32; KINDS],
    factors: Option<&'a [f32]>,
    pub(super) relevance: Vec<f32>,
}

impl Fused<'_> {
    /// What each kind of evidence adds to the relevance of a candidate.
    pub(super) fn shares(&self, place: usize) -> [f32; KINDS] {
        let factor = self.factors.map_or(1.0, |factors| factors[place]);
        std::array::from_fn(|kind| {
            self.columns[kind].as_ref().map_or(0.0, |column| self.scales[kind] * column[place] * factor)
        })
    }
}

/// Adds up what there is.
pub(super) fn fuse<'a>(candidates: &Candidates<'a>, weights: &[f32; KINDS]) -> Result<Fused<'a>> {
    check(candidates)?;
    let mut columns = candidates.evidence.map(|column| column.map(Cow::Borrowed));
    if let (None, Some(rows), Some(query)) = (&columns[DENSE], &candidates.vectors, candidates.query) {
        columns[DENSE] = Some(Cow::Owned(rows.cosines(query)?));
    }
    let mut scales = *weights;
    let mut relevance = vec![0.0; candidates.ids.len()];
    for (kind, column) in columns.iter().enumerate() {
        let Some(column) = column else { continue };
        let most = column.iter().fold(0.0_f32, |most, value| most.max(*value));
        let sound = match kind {
            // NaN fails the comparisons too.
            LEXICAL => most.is_finite() && column.iter().all(|value| *value >= 0.0),
            _ => column.iter().all(|value| value.abs() <= 1.0),
        };
        if !sound {
            return Err(Error::Meaningless("lexical evidence is 0 or more, and every other lies within -1 to 1"));
        }
        if kind == LEXICAL && most > 0.0 {
            scales[kind] /= most;
        }
        for (sum, value) in relevance.iter_mut().zip(column.iter()) {
            *sum += scales[kind] * value;
        }
    }
    if let Some(factors) = candidates.factors {
        if !factors.iter().all(|factor| (0.0..=MOST).contains(factor)) {
            return Err(Error::Meaningless("a factor is 0 to 100"));
        }
        relevance.iter_mut().zip(factors).for_each(|(sum, factor)| *sum *= factor);
    }
    Ok(Fused { columns, scales, factors: candidates.factors, relevance })
}

fn check(candidates: &Candidates) -> Result<()> {
    let columns = candidates.evidence.iter().chain([&candidates.factors]).flatten().map(|column| column.len());
    let others = [
        candidates.vectors.as_ref().map(super::Rows::len),
        candidates.tokens.map(<[u32]>::len),
        candidates.hashes.map(<[u64]>::len),
    ];
    if columns.chain(others.into_iter().flatten()).any(|len| len != candidates.ids.len()) {
        return Err(Error::Meaningless("every column has a place for each candidate"));
    }
    Ok(())
}
