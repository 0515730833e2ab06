//! A small network over a table's rows: each token with its neighbours through a convolution, of whose channels the greatest
//! and the mean over the text are weighed (Y. Kim, "Convolutional Neural Networks for Sentence Classification", 2014).
//!
//! What a piece adds to the token before it, to itself and to the one after it depends on nothing else. That is an exact sum
//! of products of bytes, kept for the pieces that come often; a text then costs a few additions a token. Without a fused
//! multiply-add, which would round otherwise, the bits are the same on every machine.

use std::sync::{Arc, Mutex, PoisonError};

use super::Embedder;
use crate::dot::{BLOCK, ByteDot};
use crate::error::{Error, Result};
use crate::scan::{ZERO, lifted};

/// A token, the one before it and the one after it.
const REACH: usize = 3;
/// For how many pieces it is kept what they add. Each has one place; of two that share it the later one stays.
const KEPT: usize = 4096;
const NOBODY: u32 = u32::MAX;

/// The numbers of a network, as they were trained.
#[derive(Debug, Clone, Default)]
pub struct Weights {
    /// A row of the table's width for each channel of what a token adds to the next one, then to itself, then to the one before.
    pub kernel: Vec<i8>,
    /// What the numbers of each of these rows are multiplied by.
    pub scales: Vec<f32>,
    /// Of each channel.
    pub biases: Vec<f32>,
    /// A row of classes for the greatest value of each channel, then for the mean of each.
    pub heads: Vec<f32>,
    /// Of each class.
    pub offsets: Vec<f32>,
}

/// Scores texts by a network over a table.
pub struct Net {
    table: Arc<Embedder>,
    dot: ByteDot,
    /// The kernel as codes above [`ZERO`], filled up to whole blocks.
    codes: Vec<u8>,
    weights: Weights,
    kept: Mutex<Kept>,
}

/// What pieces add, `REACH` times the channels each, in places by their numbers.
struct Kept {
    pieces: Vec<u32>,
    shares: Vec<f32>,
}

impl Net {
    /// A network of such weights.
    ///
    /// # Errors
    /// [`Error::Meaningless`] if they do not fit each other or the table, or one is not a number.
    pub fn new(table: Arc<Embedder>, mut weights: Weights) -> Result<Self> {
        let Weights { kernel, scales, biases, heads, offsets } = &weights;
        let (channels, classes) = (biases.len(), offsets.len());
        let fits = kernel.len() == REACH * channels * table.dimensions && scales.len() == REACH * channels;
        if !fits || heads.len() != 2 * channels * classes || channels == 0 || classes == 0 {
            return Err(Error::Meaningless("a network's weights fit its table, its channels and its classes"));
        }
        if ![scales, biases, heads, offsets].into_iter().flatten().all(|number| number.is_finite()) {
            return Err(Error::Meaningless("a network's weights are numbers"));
        }
        let width = table.dimensions.next_multiple_of(BLOCK);
        let mut codes = Vec::with_capacity(scales.len() * width);
        for row in kernel.chunks_exact(table.dimensions) {
            codes.extend(row.iter().map(|&number| lifted(number)));
            codes.resize(codes.len().next_multiple_of(width), ZERO);
        }
        weights.kernel = Vec::new();
        let kept = Kept { pieces: vec![NOBODY; KEPT], shares: vec![0.0; KEPT * REACH * channels] };
        Ok(Self { table, dot: ByteDot::detect(), codes, weights, kept: Mutex::new(kept) })
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
        let pooled = self.pool(pieces);
        let mut scores = self.weights.offsets.clone();
        for (value, row) in pooled.iter().zip(self.weights.heads.chunks_exact(scores.len())) {
            for (score, weight) in scores.iter_mut().zip(row) {
                *score += value * weight;
            }
        }
        scores
    }

    /// Of each channel the greatest value, then the mean of each.
    #[inline(always)]
    fn pool(&self, pieces: &[u32]) -> Vec<f32> {
        let channels = self.weights.biases.len();
        let mut pooled = vec![0.0; 2 * channels];
        if pieces.is_empty() {
            return pooled;
        }
        let (greatest, sums) = pooled.split_at_mut(channels);
        let mut window = Window { here: vec![0.0; channels], next: self.weights.biases.clone(), greatest, sums };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, &piece) in pieces.iter().enumerate() {
            let share = self.share(&mut kept, piece);
            if at > 0 {
                window.close(&share[2 * channels..]);
            }
            window.open(&share[..2 * channels], &self.weights.biases);
        }
        drop(kept);
        window.close(&vec![0.0; channels]);
        let count = pieces.len() as f32;
        sums.iter_mut().for_each(|sum| *sum /= count);
        pooled
    }

    /// What a piece adds to the token after it, to itself, and to the one before it.
    fn share<'a>(&self, kept: &'a mut Kept, piece: u32) -> &'a [f32] {
        let (place, size) = (piece as usize % KEPT, self.weights.scales.len());
        let share = &mut kept.shares[place * size..][..size];
        if kept.pieces[place] != piece {
            kept.pieces[place] = NOBODY;
            self.compute(piece, share);
            kept.pieces[place] = piece;
        }
        share
    }

    fn compute(&self, piece: u32, share: &mut [f32]) {
        let row = self.table.row(piece);
        let sum: i32 = row.iter().map(|&number| i32::from(number)).sum();
        let mut products = vec![0; share.len()];
        self.dot.each(&self.codes, &row, &mut products);
        let scale = self.table.scales[piece as usize];
        for ((share, product), own) in share.iter_mut().zip(products).zip(&self.weights.scales) {
            *share = (product - i32::from(ZERO) * sum) as f32 * (own * scale);
        }
    }
}

/// Two tokens of a text at a time: one that waits for what the next one adds to it, and that next one.
struct Window<'a> {
    here: Vec<f32>,
    next: Vec<f32>,
    greatest: &'a mut [f32],
    sums: &'a mut [f32],
}

impl Window<'_> {
    /// Goes on by a token: what it adds to the next one, then to itself.
    #[inline(always)]
    fn open(&mut self, share: &[f32], biases: &[f32]) {
        let (after, own) = share.split_at(biases.len());
        for ((here, next), own) in self.here.iter_mut().zip(&self.next).zip(own) {
            *here = next + own;
        }
        for ((next, bias), after) in self.next.iter_mut().zip(biases).zip(after) {
            *next = bias + after;
        }
    }

    /// Takes in the token that waits, when it is known what the next one adds.
    #[inline(always)]
    fn close(&mut self, before: &[f32]) {
        let pooled = self.greatest.iter_mut().zip(self.sums.iter_mut());
        for ((here, before), (greatest, sum)) in self.here.iter().zip(before).zip(pooled) {
            let value = here + before;
            let value = if value > 0.0 { value } else { 0.0 };
            *greatest = if value > *greatest { value } else { *greatest };
            *sum += value;
        }
    }
}
