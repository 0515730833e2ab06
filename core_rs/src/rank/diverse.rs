//! Maximal marginal relevance, lazily: how near a candidate is to what was taken only grows as more is taken, so what was once
//! found of its worth is a bound, and only the one of the highest bound is looked at.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::Rows;

/// How many to take, and what diversity and likeness mean; see [`Ranker`](super::Ranker).
pub(super) struct Wanted {
    pub(super) limit: usize,
    pub(super) diversity: f32,
    pub(super) duplicate: f32,
}

struct Waiting {
    /// At least its worth.
    bound: f32,
    place: usize,
    /// To how many of those taken it was compared.
    seen: usize,
    /// The greatest similarity to any of these, or 0.
    nearest: f32,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bound.total_cmp(&other.bound).then(other.place.cmp(&self.place))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

/// The places taken, in order, equals by place. `left` gets the others, those that are duplicates with the place of what they
/// repeat.
pub(super) fn take(
    rows: &Rows,
    relevance: &[f32],
    places: Vec<usize>,
    wanted: &Wanted,
    mut left: impl FnMut(usize, Option<usize>),
) -> Vec<usize> {
    let best = places.iter().map(|&place| relevance[place]).fold(f32::MIN_POSITIVE, f32::max);
    let worth =
        |place: usize, nearest: f32| (1.0 - wanted.diversity) * (relevance[place] / best) - wanted.diversity * nearest;
    let mut heap: BinaryHeap<_> =
        (places.into_iter()).map(|place| Waiting { bound: worth(place, 0.0), place, seen: 0, nearest: 0.0 }).collect();
    let mut taken = Vec::new();
    let mut picked = Vec::new();
    'next: while taken.len() < wanted.limit
        && let Some(mut one) = heap.pop()
    {
        for (pick, &by) in picked[one.seen..].iter().zip(&taken[one.seen..]) {
            let similarity = rows.cosine(one.place, pick);
            one.seen += 1;
            if similarity >= wanted.duplicate {
                left(one.place, Some(by));
                continue 'next;
            }
            if similarity > one.nearest {
                one.nearest = similarity;
                one.bound = worth(one.place, similarity);
                if heap.peek().is_some_and(|other| one < *other) {
                    heap.push(one);
                    continue 'next;
                }
            }
        }
        picked.push(rows.pick(one.place));
        taken.push(one.place);
    }
    heap.into_iter().for_each(|one| left(one.place, None));
    taken
}
