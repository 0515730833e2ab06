//! A small network over a table's rows: layers of convolutions, each token with its neighbours, of whose channels the greatest
//! and the mean over the text are weighed (Y. Kim, "Convolutional Neural Networks for Sentence Classification", 2014).
//!
//! What a piece adds in the first layer to the token before it, to itself and to the one after it depends on nothing else:
//! it is kept for the pieces that come often. In the layers above it is made of what comes up from below, brought to bytes.
//! Both are exact sums of products of bytes; without a fused multiply-add, which would round otherwise, the scores are the
//! same bits on every machine.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Embedder, SHORT};
use crate::dot::{BLOCK, Matrix};
use crate::error::{Error, Result};
use crate::scan::{ZERO, lifted};

/// A token, the one before it and the one after it.
const REACH: usize = 3;
/// For how many pieces it is kept what they add. Each has one place; of two that share it the later one stays.
const KEPT: usize = 4096;
const NOBODY: u32 = u32::MAX;
/// The largest step of a byte.
const MOST: f32 = 127.0;
/// Floats from here on, 2^23, are whole numbers: what is added to it stands rounded in its last bits.
const WHOLE: f32 = 8_388_608.0;
/// How many values are compared side by side.
const LANES: usize = 16;

/// The numbers of a layer, as they were trained.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    /// A row for each channel of what a token adds to the next one, then to itself, then to the one before; as wide as the
    /// table, or as the layer below has channels.
    pub kernel: Vec<i8>,
    /// What the numbers of each of these rows are multiplied by.
    pub scales: Vec<f32>,
    /// Of each channel.
    pub biases: Vec<f32>,
}

/// Scores texts by a network over a table.
pub struct Net {
    table: Arc<Embedder>,
    layers: Vec<Coded>,
    /// For each layer a row of classes for the greatest value of each channel, then for the mean of each.
    heads: Vec<f32>,
    /// Of each class.
    offsets: Vec<f32>,
    kept: Mutex<Kept>,
}

/// A layer whose kernel is codes above [`ZERO`], filled up to whole blocks.
struct Coded {
    codes: Matrix,
    scales: Vec<f32>,
    biases: Vec<f32>,
}

/// What pieces add in the first layer, in places by their numbers.
struct Kept {
    pieces: Vec<u32>,
    shares: Vec<f32>,
}

impl Net {
    /// A network of such layers, the lowest first, and heads.
    ///
    /// # Errors
    /// [`Error::Meaningless`] if they do not fit each other or the table, or one is not a number.
    pub fn new(table: Arc<Embedder>, layers: Vec<Layer>, heads: Vec<f32>, offsets: Vec<f32>) -> Result<Self> {
        let mut width = table.dimensions;
        let mut coded = Vec::with_capacity(layers.len());
        for layer in layers {
            let channels = layer.biases.len();
            coded.push(Coded::of(layer, width)?);
            width = channels;
        }
        let channels: usize = coded.iter().map(|layer| layer.biases.len()).sum();
        if channels == 0 || offsets.is_empty() || heads.len() != 2 * channels * offsets.len() {
            return Err(Error::Meaningless("a network's heads are a row of classes for twice its channels"));
        }
        finite([&heads, &offsets])?;
        let kept = Kept { pieces: vec![NOBODY; KEPT], shares: vec![0.0; KEPT * coded[0].scales.len()] };
        Ok(Self { table, layers: coded, heads, offsets, kept: Mutex::new(kept) })
    }

    /// The score of each class; those of a text without a token are the offsets.
    pub fn scores(&self, text: &str) -> Vec<f32> {
        let pieces = self.table.pieces.ids(text);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has what the function is compiled for.
            return unsafe { self.scores_avx2(&pieces) };
        }
        self.scores_plain(&pieces)
    }

    /// [`Self::scores_plain`], compiled for eight numbers at once.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn scores_avx2(&self, pieces: &[u32]) -> Vec<f32> {
        self.scores_plain(pieces)
    }

    #[inline(always)]
    fn scores_plain(&self, pieces: &[u32]) -> Vec<f32> {
        let mut scores = self.offsets.clone();
        let mut rows = self.heads.chunks_exact(scores.len());
        let mut shares = self.shares(pieces);
        for (at, layer) in self.layers.iter().enumerate() {
            let values = layer.values(&shares);
            let pooled = pooled(&values, layer.biases.len());
            for (value, row) in pooled.iter().zip(&mut rows) {
                for (score, weight) in scores.iter_mut().zip(row) {
                    *score += value * weight;
                }
            }
            if let Some(above) = self.layers.get(at + 1) {
                shares = above.shares(&values, layer.biases.len());
            }
        }
        scores
    }

    /// What each piece adds in the first layer.
    fn shares(&self, pieces: &[u32]) -> Vec<f32> {
        let first = &self.layers[0];
        let mut shares = Vec::with_capacity(pieces.len() * first.scales.len());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for &piece in pieces {
            shares.extend_from_slice(self.share(&mut kept, piece));
        }
        shares
    }

    /// What a piece adds in the first layer.
    fn share<'a>(&self, kept: &'a mut Kept, piece: u32) -> &'a [f32] {
        let first = &self.layers[0];
        let (place, size) = (piece as usize % KEPT, first.scales.len());
        let share = &mut kept.shares[place * size..][..size];
        if kept.pieces[place] != piece {
            kept.pieces[place] = NOBODY;
            first.products(&self.table.row(piece), &[self.table.scales[piece as usize]], share);
            kept.pieces[place] = piece;
        }
        share
    }
}

impl Coded {
    fn of(layer: Layer, width: usize) -> Result<Self> {
        let Layer { kernel, scales, biases } = layer;
        let rows = REACH * biases.len();
        if rows == 0 || scales.len() != rows || kernel.len() != rows * width {
            return Err(Error::Meaningless("a layer's kernel and scales fit its channels and what is below it"));
        }
        finite([&scales, &biases])?;
        let padded = width.next_multiple_of(BLOCK);
        let mut codes = Vec::with_capacity(rows * padded);
        for row in kernel.chunks_exact(width) {
            codes.extend(row.iter().map(|&number| lifted(number)));
            codes.resize(codes.len().next_multiple_of(padded), ZERO);
        }
        Ok(Self { codes: Matrix::of(&codes, padded), scales, biases })
    }

    /// The values of each token's channels, from what tokens add to each other; what is below 0 is 0.
    #[inline(always)]
    fn values(&self, shares: &[f32]) -> Vec<f32> {
        let channels = self.biases.len();
        let shares: Vec<_> = shares.chunks_exact(REACH * channels).collect();
        let mut values = Vec::with_capacity(shares.len() * channels);
        let nothing = vec![0.0; channels];
        for (at, share) in shares.iter().enumerate() {
            let before = if at > 0 { &shares[at - 1][..channels] } else { &nothing };
            let own = &share[channels..2 * channels];
            let after = shares.get(at + 1).map_or(&nothing[..], |share| &share[2 * channels..]);
            let sums = self.biases.iter().zip(before).zip(own).zip(after);
            values.extend(sums.map(|(((bias, before), own), after)| {
                let value = bias + before + own + after;
                if value > 0.0 { value } else { 0.0 }
            }));
        }
        values
    }

    /// What tokens add here, by their `channels` values in the layer below, each token's brought to bytes.
    #[inline(always)]
    fn shares(&self, values: &[f32], channels: usize) -> Vec<f32> {
        let width = channels.next_multiple_of(BLOCK);
        let tokens = values.chunks_exact(channels);
        let mut rows = vec![0; tokens.len() * width];
        let mut steps = Vec::with_capacity(tokens.len());
        for (values, row) in tokens.zip(rows.chunks_exact_mut(width)) {
            let most = greatest(values).max(SHORT);
            for (step, value) in row.iter_mut().zip(values) {
                *step = ((value * (MOST / most) + WHOLE).to_bits() & 0x7f) as i8;
            }
            steps.push(most / MOST);
        }
        let mut shares = vec![0.0; steps.len() * self.scales.len()];
        self.products(&rows, &steps, &mut shares);
        shares
    }

    /// What tokens add, whose numbers are those of their rows times their steps.
    #[inline(always)]
    fn products(&self, rows: &[i8], steps: &[f32], shares: &mut [f32]) {
        let mut products = vec![0; steps.len() * self.codes.rows()];
        self.codes.times(rows, &mut products);
        let each = rows.chunks_exact(self.codes.width()).zip(steps).zip(products.chunks_exact(self.codes.rows()));
        for (((row, step), products), shares) in each.zip(shares.chunks_exact_mut(self.scales.len())) {
            let over = i32::from(ZERO) * row.iter().map(|&number| i32::from(number)).sum::<i32>();
            for ((share, product), scale) in shares.iter_mut().zip(products).zip(&self.scales) {
                *share = (product - over) as f32 * (scale * step);
            }
        }
    }
}

/// Of each channel the greatest value, then the mean of each; all 0 without a token.
#[inline(always)]
fn pooled(values: &[f32], channels: usize) -> Vec<f32> {
    let mut pooled = vec![0.0; 2 * channels];
    let (most, sums) = pooled.split_at_mut(channels);
    for values in values.chunks_exact(channels) {
        for ((most, sum), &value) in most.iter_mut().zip(&mut *sums).zip(values) {
            *most = if value > *most { value } else { *most };
            *sum += value;
        }
    }
    let count = (values.len() / channels).max(1) as f32;
    sums.iter_mut().for_each(|sum| *sum /= count);
    pooled
}

/// The greatest of values, at least 0.
#[inline(always)]
fn greatest(values: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (most, &value) in lanes.iter_mut().zip(chunk) {
            *most = if value > *most { value } else { *most };
        }
    }
    for (most, &value) in lanes.iter_mut().zip(rest) {
        *most = most.max(value);
    }
    lanes.into_iter().fold(0.0, f32::max)
}

fn finite<const N: usize>(numbers: [&[f32]; N]) -> Result<()> {
    let all = numbers.into_iter().flatten().all(|number| number.is_finite());
    all.then_some(()).ok_or(Error::Meaningless("a network's weights are numbers"))
}
