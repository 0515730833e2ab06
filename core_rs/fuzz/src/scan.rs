use std::collections::BTreeMap;

use alejo_core::scan::Scan;

use super::feed::Feed;

/// A search gives the first of what a search for everything gives, and that is everything there is.
pub(super) fn run(data: &[u8]) {
    let mut feed = Feed(data);
    let dimensions = usize::from(feed.below(80)) + 1;
    let mut scan = Scan::new(dimensions).expect("a scan has so many dimensions");
    let mut held = BTreeMap::new();
    while !feed.is_empty() {
        let (step, id) = (feed.below(8), u64::from(feed.below(24)));
        match step {
            0..=4 => {
                let vector = vector(&mut feed, dimensions);
                if scan.upsert(id, &vector).is_ok() {
                    held.insert(id, vector);
                } else {
                    assert!(!vector.iter().all(|number| number.abs() <= 1e15));
                }
            }
            5 => assert_eq!(scan.remove(id), held.remove(&id).is_some()),
            _ => {
                let (query, limit) = (vector(&mut feed, dimensions), usize::from(feed.below(5)) + 1);
                let Ok(all) = scan.search(&query, 0) else { continue };
                let best = scan.search(&query, limit).expect("it was searched for before");
                assert_eq!(best, all[..limit.min(all.len())]);
                let mut ids: Vec<u64> = all.iter().map(|(id, _)| *id).collect();
                ids.sort_unstable();
                assert!(ids.into_iter().eq(held.keys().copied()));
            }
        }
        scan.validate().expect("its invariants hold");
    }
}

/// Numbers of every size; the last one is repeated to the end.
fn vector(feed: &mut Feed<'_>, dimensions: usize) -> Vec<f32> {
    let scale = [1.0, 1e-3, 1e-38, 1e15, f32::NAN][usize::from(feed.below(9) / 2)];
    let length = feed.below(16).into();
    let mut vector: Vec<f32> =
        feed.bytes(length).iter().map(|&byte| f32::from(byte.cast_signed()) / 128.0 * scale).collect();
    vector.resize(dimensions, vector.last().copied().unwrap_or(0.0));
    vector
}
