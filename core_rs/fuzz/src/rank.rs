use std::collections::BTreeSet;

use alejo_core::rank::{Candidates, KINDS, Ranker, Rows, Selection};

use super::feed::Feed;

const DIMENSIONS: usize = 4;

/// Every candidate is chosen or left out, once; what is chosen fits, and its shares are its score.
pub(super) fn run(data: &[u8]) {
    let mut feed = Feed(data);
    let mut part = |low: f32, high: f32| low + f32::from(feed.byte()) / 255.0 * (high - low);
    let weights = std::array::from_fn(|_| part(-100.0, 100.0));
    let ranker = Ranker::new(weights, part(0.0, 1.0), part(-1.0, 2.0)).expect("each is within its bounds");
    let (limit, count) = (usize::from(feed.below(8)), usize::from(feed.below(20)));
    let budget = Some(u64::from(feed.byte())).filter(|&budget| budget < 200);
    let ids: Vec<u64> = (0..count as u64).collect();
    let mut column = |scale: f32| -> Option<Vec<f32>> {
        let wanted = feed.below(2) > 0;
        wanted.then(|| (0..count).map(|_| f32::from(feed.byte().cast_signed()) / 100.0 * scale).collect())
    };
    let columns: [_; KINDS] = std::array::from_fn(|kind| column(if kind == 1 { 1e30 } else { 1.0 }));
    let (factors, query) = (
        column(1.0),
        column(1.0).map(|mut query| {
            query.resize(DIMENSIONS, 1.0);
            query
        }),
    );
    let numbers: Vec<i8> = (0..count * DIMENSIONS).map(|_| feed.byte().cast_signed()).collect();
    let rows = match feed.below(3) {
        0 => None,
        1 => Some(Rows::bytes(&numbers, DIMENSIONS).expect("they fill the rows")),
        _ => {
            let scale = [1.0, 1e-30, 1e15][usize::from(feed.below(3))];
            let floats: Vec<f32> = numbers.iter().map(|&number| f32::from(number) * scale).collect();
            Rows::floats(&floats, DIMENSIONS).ok()
        }
    };
    let tokens: Vec<u32> = (0..count).map(|_| feed.byte().into()).collect();
    let hashes: Vec<u64> = (0..count).map(|_| feed.byte().into()).collect();
    let superseded: Vec<_> = (0..feed.below(4)).map(|_| (feed.below(24).into(), feed.below(24).into())).collect();
    let candidates = Candidates {
        ids: &ids,
        evidence: std::array::from_fn(|kind| columns[kind].as_deref()),
        factors: factors.as_deref(),
        vectors: rows,
        query: query.as_deref(),
        tokens: Some(&tokens),
        hashes: Some(&hashes),
        superseded: &superseded,
    };
    if let Ok(found) = ranker.rank(&candidates, limit, budget) {
        check(&found, &ids, limit, budget);
    }
}

fn check(found: &Selection, ids: &[u64], limit: usize, budget: Option<u64>) {
    let told: BTreeSet<u64> =
        found.chosen.iter().map(|one| one.id).chain(found.left_out.iter().map(|one| one.id)).collect();
    assert!(told.into_iter().eq(ids.iter().copied()));
    assert_eq!(found.chosen.len() + found.left_out.len(), ids.len());
    assert!(limit == 0 || found.chosen.len() <= limit);
    assert!(budget.is_none_or(|budget| found.tokens <= budget));
    assert!((0.5..=1.0).contains(&found.bound), "{}", found.bound);
    for one in &found.chosen {
        let sum: f32 = one.shares.iter().sum();
        let size: f32 = one.shares.iter().map(|share| share.abs()).sum();
        assert!(one.score >= 0.0 && (sum - one.score).abs() <= 1e-4 * size, "{one:?}");
    }
}
