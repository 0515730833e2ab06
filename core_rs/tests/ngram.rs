//! Sparse products against dense ones.

use alejo_core::ngram::{Grams, Hasher, Sparse};
use proptest::prelude::*;

const BITS: u32 = 7;

fn dense(vector: &Sparse) -> Vec<f32> {
    let mut full = vec![0.0; vector.size()];
    for (&index, &value) in vector.indices().iter().zip(vector.values()) {
        full[index as usize] = value;
    }
    full
}

fn product(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

proptest! {
    /// Whatever the texts, a sparse product is the dense one.
    #[test]
    fn products_are_those_of_full_vectors(one in ".{0,60}", other in "([a-d]{1,3} ){0,9}", words in 1..4_usize, least in 1..4_usize) {
        let hasher = Hasher::new(Grams::new(BITS, words, (least, 4)).unwrap());
        let (one, other) = (hasher.features(&one), hasher.features(&other));
        one.validate().unwrap();
        other.validate().unwrap();
        prop_assert!((one.dot(&other).unwrap() - product(&dense(&one), &dense(&other))).abs() < 1e-4);
        prop_assert_eq!(one.dot(&other).unwrap(), other.dot(&one).unwrap());

        let weights: Vec<f32> = (0..3 << BITS).map(|number| (number % 11) as f32 - 5.0).collect();
        let scores = one.scores(&weights, |&weight| weight).unwrap();
        for (column, score) in scores.iter().enumerate() {
            let column: Vec<f32> = weights.iter().skip(column).step_by(3).copied().collect();
            prop_assert!((score - product(&dense(&one), &column)).abs() < 1e-2);
        }
    }
}
