//! What need not be looked at any further.

use std::collections::HashMap;

use super::{Candidates, LeftOut, Reason};
use crate::error::{Error, Result};

/// The places of the candidates that are relevant, in force, shorter than the budget, and of one hash the most relevant.
pub(super) fn standing(
    candidates: &Candidates,
    relevance: &[f32],
    budget: Option<u64>,
    left_out: &mut Vec<LeftOut>,
) -> Result<Vec<usize>> {
    let newer = newer(candidates)?;
    let budget = budget.unwrap_or(u64::MAX);
    let mut standing = Vec::with_capacity(relevance.len());
    for (place, &worth) in relevance.iter().enumerate() {
        if let Some(&by) = newer.get(&place) {
            left_out.push(candidates.left_out(place, Reason::Superseded, Some(by)));
        } else if worth < 0.0 {
            left_out.push(candidates.left_out(place, Reason::Irrelevant, None));
        } else if candidates.tokens(place) > budget {
            left_out.push(candidates.left_out(place, Reason::Budget, None));
        } else {
            standing.push(place);
        }
    }
    if let Some(hashes) = candidates.hashes {
        let mut best: HashMap<u64, usize> = HashMap::with_capacity(standing.len());
        for &place in &standing {
            let held = best.entry(hashes[place]).or_insert(place);
            if relevance[place] > relevance[*held] {
                *held = place;
            }
        }
        standing.retain(|&place| {
            let by = best[&hashes[place]];
            if by != place {
                left_out.push(candidates.left_out(place, Reason::Duplicate, Some(by)));
            }
            by == place
        });
    }
    Ok(standing)
}

/// By the place of what is superseded, the place of what supersedes it.
fn newer(candidates: &Candidates) -> Result<HashMap<usize, usize>> {
    let mut newer = HashMap::new();
    if candidates.superseded.is_empty() {
        return Ok(newer);
    }
    let places: HashMap<u64, usize> = candidates.ids.iter().enumerate().map(|(place, &id)| (id, place)).collect();
    for (old, new) in candidates.superseded {
        if let (Some(&old), Some(&new)) = (places.get(old), places.get(new)) {
            newer.insert(old, new);
        }
    }
    // What is not in force leads to what is; else it runs in a circle. Each place is walked over once.
    let mut leads = vec![false; candidates.ids.len()];
    let mut path = Vec::new();
    for &start in newer.keys() {
        let mut at = start;
        while !leads[at]
            && let Some(&next) = newer.get(&at)
        {
            if path.len() == newer.len() {
                return Err(Error::Meaningless("what supersedes something is not superseded by it"));
            }
            path.push(at);
            at = next;
        }
        path.drain(..).for_each(|at| leads[at] = true);
    }
    Ok(newer)
}
