//! A network over a table against one that is computed in 64 bits, token by token.

use std::fs;
use std::sync::Arc;

use alejo_core::embed::Embedder;
use alejo_core::embed::net::{Net, Weights};
use proptest::prelude::*;

const WORDS: [&str; 5] = ["[UNK]", "a", "b", "c", "d"];
const WIDTH: usize = 3;
const CLASSES: usize = 2;

/// A table of [`WORDS`] whose numbers are those of `bytes`, each row of its own scale.
fn table(bytes: &[i8]) -> Arc<Embedder> {
    let folder = tempfile::tempdir().unwrap();
    let (rows, middle) = (WORDS.len(), 4 * WORDS.len());
    let header = format!(
        r#"{{"scale":{{"dtype":"F32","shape":[{rows}],"data_offsets":[0,{middle}]}},
        "embedding":{{"dtype":"I8","shape":[{rows},{WIDTH}],"data_offsets":[{middle},{}]}}}}"#,
        middle + bytes.len()
    );
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    (0..rows).for_each(|row| file.extend(scale(row).to_le_bytes()));
    file.extend(bytes.iter().map(|byte| byte.cast_unsigned()));
    fs::write(folder.path().join("table.safetensors"), file).unwrap();
    fs::write(folder.path().join("vocab.txt"), WORDS.join("\n")).unwrap();
    Arc::new(Embedder::open(folder.path()).unwrap())
}

fn scale(row: usize) -> f32 {
    0.01 * (row + 1) as f32
}

/// What the network is defined to be.
fn model(bytes: &[i8], weights: &Weights, ids: &[usize]) -> Vec<f64> {
    let channels = weights.biases.len();
    let adds = |place: usize, channel: usize, id: usize| {
        let row = place * channels + channel;
        let product: i32 =
            (0..WIDTH).map(|at| i32::from(weights.kernel[row * WIDTH + at]) * i32::from(bytes[id * WIDTH + at])).sum();
        f64::from(product) * f64::from(weights.scales[row]) * f64::from(scale(id))
    };
    let value = |at: usize, channel: usize| {
        let before = if at > 0 { adds(0, channel, ids[at - 1]) } else { 0.0 };
        let after = ids.get(at + 1).map_or(0.0, |&id| adds(2, channel, id));
        (f64::from(weights.biases[channel]) + before + adds(1, channel, ids[at]) + after).max(0.0)
    };
    let mut scores: Vec<f64> = weights.offsets.iter().copied().map(f64::from).collect();
    for channel in 0..channels {
        let values: Vec<f64> = (0..ids.len()).map(|at| value(at, channel)).collect();
        let greatest = values.iter().copied().fold(0.0, f64::max);
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        for (class, score) in scores.iter_mut().enumerate() {
            *score += greatest * f64::from(weights.heads[channel * CLASSES + class]);
            *score += mean * f64::from(weights.heads[(channels + channel) * CLASSES + class]);
        }
    }
    scores
}

fn weights(channels: usize) -> impl Strategy<Value = Weights> {
    let floats = |count: usize| prop::collection::vec(-1.0_f32..1.0, count);
    let kernel = prop::collection::vec(any::<i8>(), 3 * channels * WIDTH);
    (kernel, floats(3 * channels), floats(channels), floats(2 * channels * CLASSES), floats(CLASSES))
        .prop_map(|(kernel, scales, biases, heads, offsets)| Weights { kernel, scales, biases, heads, offsets })
}

proptest! {
    /// Whatever the weights and the text, and also when asked again, with what was kept.
    #[test]
    fn scores_are_those_of_the_model(
        bytes in prop::collection::vec(any::<i8>(), WORDS.len() * WIDTH),
        weights in (1..12_usize).prop_flat_map(weights),
        ids in prop::collection::vec(0..WORDS.len(), 0..9),
    ) {
        let net = Net::new(table(&bytes), weights.clone()).unwrap();
        let text: Vec<&str> = ids.iter().map(|&id| if id == 0 { "zzz" } else { WORDS[id] }).collect();
        let expected = model(&bytes, &weights, &ids);
        for _ in 0..2 {
            for (score, expected) in net.scores(&text.join(" ")).into_iter().zip(&expected) {
                prop_assert!((f64::from(score) - expected).abs() < 1e-2 * (1.0 + expected.abs()), "{} {}", score, expected);
            }
        }
    }
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let right = || Weights {
        kernel: vec![1; 3 * WIDTH],
        scales: vec![1.0; 3],
        biases: vec![0.0],
        heads: vec![1.0; 2 * CLASSES],
        offsets: vec![0.0; CLASSES],
    };
    let made = |weights| Net::new(table(&[1; WORDS.len() * WIDTH]), weights).is_ok();
    assert!(made(right()));
    assert!(!made(Weights::default()));
    assert!(!made(Weights { kernel: vec![1; 2], ..right() }));
    assert!(!made(Weights { scales: vec![1.0; 4], ..right() }));
    assert!(!made(Weights { biases: vec![f32::NAN], ..right() }));
    assert!(!made(Weights { heads: vec![1.0], ..right() }));
    assert!(!made(Weights { heads: Vec::new(), offsets: Vec::new(), ..right() }));
}
