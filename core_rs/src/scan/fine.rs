//! What a code leaves out, in sixteenths of its step: four bits for each number.

use super::ZERO;

/// Sixteenths of a step.
const PARTS: f32 = 16.0;
/// Half a part below the code of 0, in parts: what stands for 0 lies in the middle of a part as everything does.
const ORIGIN: f32 = ZERO as f32 * PARTS + PARTS / 2.0 - 0.5;
/// How many sums are kept side by side: the same on every machine.
const LANES: usize = 32;

/// A row of four bits a number for each vector, the first half of the numbers below the second.
pub(super) struct Fine {
    dimensions: usize,
    rows: Vec<u8>,
}

impl Fine {
    pub(super) fn new(dimensions: usize) -> Self {
        Self { dimensions, rows: Vec::new() }
    }

    fn width(&self) -> usize {
        self.dimensions.div_ceil(2)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len() / self.width()
    }

    pub(super) fn bytes(&self) -> usize {
        self.rows.capacity()
    }

    /// Everything, for a dump and from one.
    pub(super) fn rows(&self) -> &[u8] {
        &self.rows
    }

    pub(super) fn rows_mut(&mut self) -> &mut Vec<u8> {
        &mut self.rows
    }

    /// Adds what `codes`, of steps of `scale`, leave out of a vector.
    pub(super) fn push(&mut self, vector: &[f32], codes: &[u8], scale: f32) {
        let per = if scale > 0.0 { scale.recip() } else { 0.0 };
        let part = |at: usize| {
            let rest = vector[at] * per - (f32::from(codes[at]) - f32::from(ZERO));
            ((rest + 0.5) * PARTS).clamp(0.0, PARTS - 1.0) as u8
        };
        let half = self.width();
        self.rows
            .extend((0..half).map(|at| part(at) | if half + at < vector.len() { part(half + at) << 4 } else { 0 }));
    }

    /// Takes a row out and puts the last one in its place.
    pub(super) fn swap_remove(&mut self, at: usize) {
        let (width, last) = (self.width(), (self.len() - 1) * self.width());
        self.rows.copy_within(last.., at * width);
        self.rows.truncate(last);
    }

    /// The product of a vector and what a row and its codes stand for, in steps.
    pub(super) fn product(&self, at: usize, codes: &[u8], query: &[f32]) -> f32 {
        let row = &self.rows[at * self.width()..][..self.width()];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                // SAFETY: the processor has the features.
                return unsafe { product_avx512(row, codes, query) };
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has the feature.
                return unsafe { product_avx2(row, codes, query) };
            }
        }
        product_plain(row, codes, query)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn product_avx512(row: &[u8], codes: &[u8], query: &[f32]) -> f32 {
    product_plain(row, codes, query)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn product_avx2(row: &[u8], codes: &[u8], query: &[f32]) -> f32 {
    product_plain(row, codes, query)
}

/// Compiled for each kind of processor, as [`dot`](crate::dot::dot) is.
#[inline(always)]
fn product_plain(row: &[u8], codes: &[u8], query: &[f32]) -> f32 {
    let (first, second) = (codes.split_at(row.len()), query.split_at(row.len()));
    let low = sum(row, first.0, second.0, |parts| parts & 15);
    let high = sum(row, first.1, second.1, |parts| parts >> 4);
    (low + high) / PARTS
}

#[inline(always)]
fn sum(row: &[u8], codes: &[u8], query: &[f32], of: impl Fn(u8) -> u8) -> f32 {
    let one = |parts: u8, code: u8, number: f32| {
        (i32::from(code) * PARTS as i32 + i32::from(of(parts))) as f32 * number - ORIGIN * number
    };
    let mut sums = [0.0_f32; LANES];
    let row = &row[..codes.len()];
    let (rows, codes, queries) = (row.as_chunks::<LANES>(), codes.as_chunks::<LANES>(), query.as_chunks::<LANES>());
    for ((parts, codes), numbers) in rows.0.iter().zip(codes.0).zip(queries.0) {
        for lane in 0..LANES {
            sums[lane] += one(parts[lane], codes[lane], numbers[lane]);
        }
    }
    for (sum, ((&parts, &code), &number)) in sums.iter_mut().zip(rows.1.iter().zip(codes.1).zip(queries.1)) {
        *sum += one(parts, code, number);
    }
    sums.iter().sum()
}
