//! Packing for Python.

use pyo3::prelude::*;

use crate::error::{Error, caught};
use crate::pack::{Item, pack as packed};

/// From this many cells on packing lets other Python threads run: some 10 µs of work.
const LARGE: u64 = 10_000;

/// The places of the items that together are worth most within a budget, and the part of the greatest worth that is at least.
#[pyfunction]
#[pyo3(signature = (tokens, worths, budget, groups = None, openings = None))]
pub(super) fn pack(
    py: Python<'_>,
    tokens: Vec<u32>,
    worths: Vec<f32>,
    budget: u64,
    groups: Option<Vec<usize>>,
    openings: Option<Vec<u32>>,
) -> PyResult<(Vec<usize>, f32)> {
    let groups = groups.unwrap_or_else(|| vec![0; tokens.len()]);
    let openings: Vec<_> = openings.map_or_else(|| vec![0], |given| given.into_iter().map(u64::from).collect());
    if worths.len() != tokens.len() || groups.len() != tokens.len() {
        return Err(Error::Meaningless("columns are of one length").into());
    }
    if groups.iter().any(|&group| group >= openings.len()) {
        return Err(Error::Meaningless("every group has an opening").into());
    }
    if worths.iter().any(|worth| !(worth.is_finite() && *worth >= 0.0)) {
        return Err(Error::Meaningless("a worth is a number and not below 0").into());
    }
    let item = |((&tokens, &worth), &group)| Item { tokens: u64::from(tokens), worth, group };
    let items: Vec<_> = tokens.iter().zip(&worths).zip(&groups).map(item).collect();
    let work = || caught(|| Ok::<_, Error>(packed(&items, &openings, budget)));
    let found = if items.len() as u64 * budget < LARGE { work()? } else { py.detach(work)? };
    let chosen = found.chosen.iter().enumerate().filter(|&(_, &taken)| taken).map(|(place, _)| place).collect();
    Ok((chosen, found.bound))
}
