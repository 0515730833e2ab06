//! A network over a table against one that is computed in 64 bits, by its definition.

use std::fs;
use std::sync::Arc;

use alejo_core::Result;
use alejo_core::embed::Embedder;
use alejo_core::embed::net::{Layer, Net};
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

/// A layer of the network by its definition: the values of each token's channels.
fn values(layer: &Layer, below: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let channels = layer.biases.len();
    let adds = |place: usize, channel: usize, at: usize| {
        let row = place * channels + channel;
        let kernel = layer.kernel[row * below[at].len()..].iter();
        kernel.zip(&below[at]).map(|(&weight, value)| f64::from(weight) * value).sum::<f64>()
            * f64::from(layer.scales[row])
    };
    let value = |at: usize, channel: usize| {
        let before = if at > 0 { adds(0, channel, at - 1) } else { 0.0 };
        let after = if at + 1 < below.len() { adds(2, channel, at + 1) } else { 0.0 };
        (f64::from(layer.biases[channel]) + before + adds(1, channel, at) + after).max(0.0)
    };
    (0..below.len()).map(|at| (0..channels).map(|channel| value(at, channel)).collect()).collect()
}

/// By how much a channel changes at most, if each value below changes by 1.
fn gain(layer: &Layer) -> f64 {
    let rows = layer.kernel.chunks(layer.kernel.len() / layer.scales.len()).zip(&layer.scales);
    let sum = |row: &[i8]| row.iter().map(|&weight| f64::from(weight).abs()).sum::<f64>();
    let changes: Vec<f64> = rows.map(|(row, &scale)| sum(row) * f64::from(scale).abs()).collect();
    let channels = layer.biases.len();
    (0..channels).map(|channel| changes.iter().skip(channel).step_by(channels).sum()).fold(0.0, f64::max)
}

/// The scores by their definition, and how far bytes between the layers may take each from it.
fn model(bytes: &[i8], network: &Network, ids: &[usize]) -> Vec<(f64, f64)> {
    let row = |&id: &usize| -> Vec<f64> {
        bytes[id * WIDTH..][..WIDTH].iter().map(|&byte| f64::from(byte) * f64::from(scale(id))).collect()
    };
    let mut below: Vec<Vec<f64>> = ids.iter().map(row).collect();
    let (mut pooled, mut steps, mut step) = (Vec::new(), Vec::new(), 0.0);
    for (at, layer) in network.layers.iter().enumerate() {
        let most = below.iter().flatten().copied().fold(0.0, f64::max);
        step = if at > 0 { gain(layer) * (step + (most + step) / 127.0) } else { 0.0 };
        below = values(layer, &below);
        let column = |channel: usize| below.iter().map(move |token| token[channel]);
        pooled.extend((0..layer.biases.len()).map(|channel| column(channel).fold(0.0, f64::max)));
        let count = ids.len().max(1) as f64;
        pooled.extend((0..layer.biases.len()).map(|channel| column(channel).sum::<f64>() / count));
        steps.resize(pooled.len(), step);
    }
    let weigh = |class: usize| {
        let column = || network.heads.iter().skip(class).step_by(CLASSES).map(|&weight| f64::from(weight));
        let score = pooled.iter().zip(column()).map(|(value, weight)| value * weight).sum::<f64>();
        let away = steps.iter().zip(column()).map(|(step, weight)| step * weight.abs()).sum::<f64>();
        (f64::from(network.offsets[class]) + score, away)
    };
    (0..CLASSES).map(weigh).collect()
}

#[derive(Debug, Clone)]
struct Network {
    layers: Vec<Layer>,
    heads: Vec<f32>,
    offsets: Vec<f32>,
}

impl Network {
    fn made(self, bytes: &[i8]) -> Result<Net> {
        Net::new(table(bytes), self.layers, self.heads, self.offsets)
    }
}

fn floats(count: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-1.0_f32..1.0, count)
}

fn layer(width: usize, channels: usize) -> impl Strategy<Value = Layer> {
    let kernel = prop::collection::vec(any::<i8>(), 3 * channels * width);
    let scales = prop::collection::vec(-0.01_f32..0.01, 3 * channels);
    (kernel, scales, floats(channels)).prop_map(|(kernel, scales, biases)| Layer { kernel, scales, biases })
}

fn network(channels: &[usize]) -> impl Strategy<Value = Network> + use<> {
    let widths = [WIDTH].into_iter().chain(channels.iter().copied());
    let layers: Vec<_> = widths.zip(channels).map(|(width, &channels)| layer(width, channels)).collect();
    (layers, floats(2 * channels.iter().sum::<usize>() * CLASSES), floats(CLASSES))
        .prop_map(|(layers, heads, offsets)| Network { layers, heads, offsets })
}

proptest! {
    /// Whatever the weights and the text, and also when asked again, with what was kept.
    #[test]
    fn scores_are_those_of_the_model(
        bytes in prop::collection::vec(any::<i8>(), WORDS.len() * WIDTH),
        network in prop::collection::vec(1..9_usize, 1..4).prop_flat_map(|channels| network(&channels)),
        ids in prop::collection::vec(0..WORDS.len(), 0..9),
    ) {
        let net = network.clone().made(&bytes).unwrap();
        let text: Vec<&str> = ids.iter().map(|&id| if id == 0 { "zzz" } else { WORDS[id] }).collect();
        let expected = model(&bytes, &network, &ids);
        for _ in 0..2 {
            for (score, &(expected, away)) in net.scores(&text.join(" ")).into_iter().zip(&expected) {
                let allowed = away + 1e-3 * (1.0 + expected.abs());
                prop_assert!((f64::from(score) - expected).abs() <= allowed, "{} {} ± {}", score, expected, allowed);
            }
        }
    }
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let right = || Layer { kernel: vec![1; 3 * WIDTH], scales: vec![1.0; 3], biases: vec![0.0] };
    let second = || Layer { kernel: vec![1; 6], scales: vec![1.0; 6], biases: vec![0.0; 2] };
    let made = |layers: Vec<Layer>, heads: usize, offsets| {
        let network = Network { layers, heads: vec![1.0; heads], offsets };
        network.made(&[1; WORDS.len() * WIDTH]).is_ok()
    };
    let none = || vec![0.0; CLASSES];
    assert!(made(vec![right()], 2 * CLASSES, none()));
    assert!(made(vec![right(), second()], 6 * CLASSES, none()));
    assert!(!made(vec![second()], 4 * CLASSES, none()));
    assert!(!made(vec![right(), right(), second()], 4 * CLASSES, none()));
    assert!(!made(Vec::new(), 0, none()));
    assert!(!made(vec![Layer::default()], 0, none()));
    assert!(!made(vec![right()], 0, Vec::new()));
    assert!(!made(vec![Layer { kernel: vec![1; 2], ..right() }], 2 * CLASSES, none()));
    assert!(!made(vec![Layer { scales: vec![1.0; 4], ..right() }], 2 * CLASSES, none()));
    assert!(!made(vec![Layer { biases: vec![f32::NAN], ..right() }], 2 * CLASSES, none()));
    assert!(!made(vec![right()], 2 * CLASSES, vec![f32::INFINITY; CLASSES]));
}
