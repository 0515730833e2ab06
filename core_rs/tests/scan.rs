//! The scan against a model that multiplies everything, in 64 bits.

use std::collections::BTreeMap;

use alejo_core::scan::Scan;
use proptest::prelude::*;

const DIMENSIONS: usize = 70;

#[derive(Debug, Clone)]
enum Step {
    Upsert(u64, Vec<f32>),
    Remove(u64),
    Search(Vec<f32>, usize),
}

/// Small whole numbers make ties, the others need the bound; a tiny one has no scale, a large one dwarfs the rest.
fn vector() -> impl Strategy<Value = Vec<f32>> {
    let number = prop_oneof![
        8 => -1.0_f32..1.0,
        2 => (-2..3_i8).prop_map(f32::from),
        1 => prop::sample::select(vec![0.0, 1e-40, -1e-20, 1e4, -1e15]),
    ];
    prop_oneof![
        3 => prop::collection::vec(-1.0_f32..1.0, DIMENSIONS),
        1 => prop::collection::vec((-1..2_i8).prop_map(f32::from), DIMENSIONS),
        1 => prop::collection::vec(number, DIMENSIONS),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..40_u64, vector()).prop_map(|(id, vector)| Step::Upsert(id, vector)),
        1 => (0..40_u64).prop_map(Step::Remove),
        2 => (vector(), 0..6_usize).prop_map(|(query, limit)| Step::Search(query, limit)),
    ];
    prop::collection::vec(step, 1..90)
}

proptest! {
    #[test]
    fn it_finds_what_a_scan_of_the_vectors_finds(steps in steps()) {
        let mut scan = Scan::new(DIMENSIONS).unwrap();
        let mut model: BTreeMap<u64, Vec<f32>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Upsert(id, vector) => {
                    scan.upsert(id, &vector).unwrap();
                    model.insert(id, vector);
                }
                Step::Remove(id) => prop_assert_eq!(scan.remove(id), model.remove(&id).is_some()),
                Step::Search(query, limit) => {
                    let all = scan.search(&query, 0).unwrap();
                    prop_assert_eq!(all.len(), model.len());
                    for (id, score) in &all {
                        let pairs = || model[id].iter().zip(&query).map(|(a, b)| f64::from(*a) * f64::from(*b));
                        let off = (f64::from(*score) - pairs().sum::<f64>()).abs();
                        prop_assert!(off <= 1e-6 * pairs().map(f64::abs).sum::<f64>() + 1e-30);
                    }
                    let best = if limit == 0 { &all[..] } else { &all[..limit.min(all.len())] };
                    prop_assert_eq!(scan.search(&query, limit).unwrap(), best);
                }
            }
            prop_assert_eq!(scan.len(), model.len());
        }
        scan.validate().unwrap();
    }
}

#[test]
fn what_is_no_vector_changes_nothing() {
    let mut scan = Scan::new(2).unwrap();
    scan.upsert(1, &[1.0, 0.0]).unwrap();
    for wrong in [&[1.0][..], &[1.0, 2.0, 3.0], &[f32::NAN, 0.0], &[f32::INFINITY, 0.0], &[2e15, 0.0]] {
        assert!(scan.upsert(1, wrong).is_err());
        assert!(scan.search(wrong, 1).is_err());
    }
    assert_eq!(scan.search(&[1.0, 1.0], 5), Ok(vec![(1, 1.0)]));
    assert!(Scan::new(0).is_err() && Scan::new(8193).is_err());
}

proptest! {
    /// What is kept of a number is off by half a sixteenth of a step, which is 1/127 of the largest number.
    #[test]
    fn codes_alone_find_what_is_near_the_best(
        vectors in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, DIMENSIONS), 1..30),
        query in prop::collection::vec(-1.0_f32..1.0, DIMENSIONS),
        limit in 0..9_usize,
    ) {
        let (mut exact, mut coded) = (Scan::new(DIMENSIONS).unwrap(), Scan::coded(DIMENSIONS).unwrap());
        for (id, vector) in vectors.iter().enumerate() {
            exact.upsert(id as u64, vector).unwrap();
            coded.upsert(id as u64, vector).unwrap();
        }
        coded.remove(0);
        exact.remove(0);
        coded.validate().unwrap();
        let truth: BTreeMap<u64, f32> = exact.search(&query, 0).unwrap().into_iter().collect();
        let found = coded.search(&query, limit).unwrap();
        prop_assert_eq!(found.len(), if limit == 0 { truth.len() } else { limit.min(truth.len()) });
        prop_assert!(found.is_sorted_by(|one, other| one.1 >= other.1));
        let all = coded.search(&query, 0).unwrap();
        prop_assert_eq!(&found[..], &all[..found.len()]);
        for (id, score) in all {
            prop_assert!((score - truth[&id]).abs() <= DIMENSIONS as f32 * (1.0 / 32.0 / 127.0 + 1e-5));
        }
    }
}

proptest! {
    #[test]
    fn what_is_dumped_is_what_is_loaded(
        vectors in prop::collection::vec(vector(), 0..30),
        gone in prop::collection::vec(0..30_u64, 0..9),
        query in vector(),
        exact in any::<bool>(),
    ) {
        let mut scan = if exact { Scan::new(DIMENSIONS) } else { Scan::coded(DIMENSIONS) }.unwrap();
        vectors.iter().zip(0..).for_each(|(vector, id)| scan.upsert(id, vector).unwrap());
        for id in gone {
            scan.remove(id);
        }
        let mut loaded = Scan::load(&scan.dump()).unwrap();
        loaded.validate().unwrap();
        prop_assert_eq!(loaded.search(&query, 0).unwrap(), scan.search(&query, 0).unwrap());
        loaded.upsert(99, &query).unwrap();
        scan.upsert(99, &query).unwrap();
        prop_assert_eq!(loaded.search(&query, 5).unwrap(), scan.search(&query, 5).unwrap());
        prop_assert_eq!(loaded.dump(), scan.dump());
    }

    /// Its checksum is made right, so that what is in it is looked at.
    #[test]
    fn hostile_bytes_are_an_error_or_a_sound_scan(
        exact in any::<bool>(),
        count in 0..5_u64,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut scan = if exact { Scan::new(3) } else { Scan::coded(3) }.unwrap();
        (0..count).for_each(|id| scan.upsert(id, &[0.5, -1.0, id as f32]).unwrap());
        if let Ok(mut loaded) = Scan::load(&hostile(scan.dump(), &changes, cut)) {
            loaded.validate().unwrap();
            let query = vec![1.0; loaded.dimensions()];
            assert_eq!(loaded.search(&query, 0).unwrap().len(), loaded.len());
            loaded.upsert(1, &query).unwrap();
            loaded.validate().unwrap();
        }
    }
}

/// A dump with some bytes changed, cut perhaps, under the checksum of what it is then.
fn hostile(mut dumped: Vec<u8>, changes: &[(prop::sample::Index, u8)], cut: Option<prop::sample::Index>) -> Vec<u8> {
    dumped.truncate(dumped.len() - 4);
    for (at, byte) in changes {
        let at = at.index(dumped.len());
        dumped[at] = *byte;
    }
    if let Some(cut) = cut {
        dumped.truncate(cut.index(dumped.len()));
    }
    let checksum = crc32fast::hash(&dumped);
    dumped.extend(checksum.to_le_bytes());
    dumped
}
