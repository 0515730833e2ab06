//! Dot products, the innermost loop of everything that compares vectors.
//!
//! Each has a kernel for AVX-512 and one for AVX2, chosen at run time; all equal the plain one to the bit.

use crate::lines::Lines;

/// The dot product of two vectors of one length, summed in 64 lanes and these by halves: the same on every machine.
pub(crate) fn dot(one: &[f32], other: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the feature.
            return unsafe { x86::dot_avx512(one, other) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { x86::dot_avx2(one, other) };
        }
    }
    dot_plain(one, other)
}

/// Compiled for each kind of processor: the compiler never joins a product with its sum, so the results are equal to the bit.
#[inline(always)]
fn dot_plain(one: &[f32], other: &[f32]) -> f32 {
    const LANES: usize = 64;
    let (ones, ones_rest) = one.as_chunks::<LANES>();
    let (others, others_rest) = other.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (a, b) in ones.iter().zip(others) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    for (sum, (a, b)) in sums.iter_mut().zip(ones_rest.iter().zip(others_rest)) {
        *sum += a * b;
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
    }
    sums[0]
}

/// Bytes of a row are taken this many at a time; rows and queries are padded to it.
pub(crate) const BLOCK: usize = 64;

/// The dot product of unsigned and signed bytes; both of one length, a multiple of [`BLOCK`] of at most 2^16.
#[derive(Clone, Copy)]
pub(crate) enum ByteDot {
    #[cfg(target_arch = "x86_64")]
    Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Plain,
}

impl ByteDot {
    /// The quickest this machine has.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                return Self::Vnni;
            }
            if is_x86_feature_detected!("avx2") {
                return Self::Avx2;
            }
        }
        Self::Plain
    }

    fn is_vnni(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self, Self::Vnni);
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// The products of rows that follow each other.
    pub(crate) fn each(self, rows: &[u8], query: &[i8], products: &mut [i32]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: only `detect` makes this value, and only where the processor has the features.
            Self::Vnni => unsafe { x86::each_vnni(rows, query, products) },
            _ => {
                for (row, product) in rows.chunks_exact(query.len()).zip(products) {
                    *product = self.of(row, query);
                }
            }
        }
    }

    pub(crate) fn of(self, row: &[u8], query: &[i8]) -> i32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: only `detect` makes this value, and only where the processor has the features.
            Self::Vnni => unsafe { x86::vnni(row, query) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx2 => unsafe { x86::avx2(row, query) },
            Self::Plain => row.iter().zip(query).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum(),
        }
    }
}

/// Rows of bytes that are multiplied by many queries, laid out so that no product has to be summed by itself.
pub(crate) struct Matrix {
    dot: ByteDot,
    /// [`ABREAST`] rows in each; for VNNI four bytes of each of them, then the next four.
    blocks: Lines<u8, BLOCK>,
    width: usize,
}

/// Rows of a matrix are multiplied this many at a time: of some hundred bytes they stay in the nearest cache meanwhile.
const ABREAST: usize = 128;

impl Matrix {
    /// The matrix of rows of `width` bytes, a multiple of [`BLOCK`]; filled up by rows of 0 to a multiple of [`ABREAST`].
    pub(crate) fn of(rows: &[u8], width: usize) -> Self {
        let dot = ByteDot::detect();
        let mut blocks = Lines::new(ABREAST * width);
        for rows in rows.chunks(ABREAST * width) {
            let block = blocks.push(0);
            for (row, bytes) in rows.chunks_exact(width).enumerate() {
                for (at, bytes) in bytes.as_chunks::<4>().0.iter().enumerate() {
                    let place = if dot.is_vnni() { at * ABREAST + row } else { row * width / 4 + at };
                    block[4 * place..][..4].copy_from_slice(bytes);
                }
            }
        }
        Self { dot, blocks, width }
    }

    /// How many rows it has, those that fill it up included.
    pub(crate) fn rows(&self) -> usize {
        self.blocks.len() * ABREAST
    }

    /// How wide a row is.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The products of all rows with the first query, then with the next.
    pub(crate) fn times(&self, queries: &[i8], products: &mut [i32]) {
        for at in 0..self.blocks.len() {
            let block = self.blocks.row(at);
            let each = queries.chunks_exact(self.width).zip(products.chunks_exact_mut(self.rows()));
            for (query, products) in each {
                let products = &mut products.as_chunks_mut().0[at];
                match self.dot {
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: only `detect` makes this value, and only where the processor has the features.
                    ByteDot::Vnni => unsafe { x86::abreast_vnni(block, query, products) },
                    dot => dot.each(block, query, products),
                }
            }
        }
    }
}

/// Adds `scale` times what a row of codes above `zero` stands for.
pub(crate) fn add(sum: &mut [f32], row: &[u8], zero: u8, scale: f32) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the feature.
        return unsafe { x86::add_avx2(sum, row, zero, scale) };
    }
    add_plain(sum, row, zero, scale);
}

/// As [`dot_plain`], the same on every machine.
#[inline(always)]
fn add_plain(sum: &mut [f32], row: &[u8], zero: u8, scale: f32) {
    sum.iter_mut().zip(row).for_each(|(sum, &code)| *sum += scale * (i32::from(code) - i32::from(zero)) as f32);
}

/// Has the caches fetch what is soon to be read, where that can be asked for.
pub(crate) fn fetch<T>(row: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..size_of_val(row)).step_by(BLOCK) {
        let place = row.as_ptr().cast::<i8>().wrapping_add(line);
        // SAFETY: every x86_64 processor can, and nothing is read.
        unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(place) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{ABREAST, BLOCK, add_plain, dot_plain};

    #[target_feature(enable = "avx2")]
    pub(super) fn add_avx2(sum: &mut [f32], row: &[u8], zero: u8, scale: f32) {
        add_plain(sum, row, zero, scale);
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn dot_avx512(one: &[f32], other: &[f32]) -> f32 {
        dot_plain(one, other)
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn dot_avx2(one: &[f32], other: &[f32]) -> f32 {
        dot_plain(one, other)
    }

    /// How far ahead of their use rows are fetched; memory is slower than the products.
    const AHEAD: usize = 4096;

    /// Four rows at a time, whose lanes are added up together.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn each_vnni(rows: &[u8], query: &[i8], products: &mut [i32]) {
        let width = query.len();
        let fours = rows.len() / (4 * width);
        for (rows, products) in rows.chunks_exact(4 * width).zip(products.as_chunks_mut::<4>().0) {
            for line in rows.as_chunks::<BLOCK>().0 {
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
            }
            let mut sums = [_mm512_setzero_si512(); 4];
            for (at, line) in query.as_chunks::<BLOCK>().0.iter().enumerate() {
                let line = load(line);
                for (place, sum) in sums.iter_mut().enumerate() {
                    let lines = rows[place * width..][..width].as_chunks::<BLOCK>().0;
                    *sum = _mm512_dpbusd_epi32(*sum, load(&lines[at]), line);
                }
            }
            *products = four(sums);
        }
        for (row, product) in rows.chunks_exact(width).zip(products).skip(4 * fours) {
            *product = vnni(row, query);
        }
    }

    /// A block of a `Matrix`.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn abreast_vnni(block: &[u8], query: &[i8], products: &mut [i32; ABREAST]) {
        const LINES: usize = 4 * ABREAST / BLOCK;
        let mut sums = [_mm512_setzero_si512(); LINES];
        let lines = block.as_chunks::<BLOCK>().0.as_chunks::<LINES>().0;
        for (four, lines) in query.as_chunks::<4>().0.iter().zip(lines) {
            let four = _mm512_set1_epi32(i32::from_ne_bytes(four.map(i8::cast_unsigned)));
            for (sum, line) in sums.iter_mut().zip(lines) {
                *sum = _mm512_dpbusd_epi32(*sum, load(line), four);
            }
        }
        for (sum, products) in sums.iter().zip(products.as_chunks_mut::<16>().0) {
            // SAFETY: sixteen numbers are 64 bytes, and the store asks for no alignment.
            unsafe { _mm512_storeu_si512(products.as_mut_ptr().cast(), *sum) };
        }
    }

    #[target_feature(enable = "avx512f")]
    fn load<T>(line: &[T; BLOCK]) -> __m512i {
        const { assert!(size_of::<T>() == 1, "a line is 64 bytes") };
        // SAFETY: a line is 64 bytes, and the load asks for no alignment.
        unsafe { _mm512_loadu_si512(line.as_ptr().cast()) }
    }

    /// The sums of the lanes of four.
    #[target_feature(enable = "avx512f")]
    fn four([a, b, c, d]: [__m512i; 4]) -> [i32; 4] {
        let pairs = |one, other| _mm512_add_epi32(_mm512_unpacklo_epi32(one, other), _mm512_unpackhi_epi32(one, other));
        let (ab, cd) = (pairs(a, b), pairs(c, d));
        let quarters = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        let halves = _mm256_add_epi32(_mm512_castsi512_si256(quarters), _mm512_extracti64x4_epi64::<1>(quarters));
        let whole = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves));
        [
            _mm_cvtsi128_si32(whole),
            _mm_extract_epi32::<1>(whole),
            _mm_extract_epi32::<2>(whole),
            _mm_extract_epi32::<3>(whole),
        ]
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn vnni(row: &[u8], query: &[i8]) -> i32 {
        let mut sum = _mm512_setzero_si512();
        for (a, b) in row.as_chunks::<BLOCK>().0.iter().zip(query.as_chunks::<BLOCK>().0) {
            sum = _mm512_dpbusd_epi32(sum, load(a), load(b));
        }
        _mm512_reduce_add_epi32(sum)
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2(row: &[u8], query: &[i8]) -> i32 {
        let mut sum = _mm256_setzero_si256();
        for (a, b) in row.as_chunks::<16>().0.iter().zip(query.as_chunks::<16>().0) {
            // SAFETY: both chunks are 16 bytes, and the loads ask for no alignment.
            let (a, b) = unsafe { (_mm_loadu_si128(a.as_ptr().cast()), _mm_loadu_si128(b.as_ptr().cast())) };
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepu8_epi16(a), _mm256_cvtepi8_epi16(b)));
        }
        let half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        let quarter = _mm_add_epi32(half, _mm_shuffle_epi32::<0b01_00_11_10>(half));
        _mm_cvtsi128_si32(_mm_add_epi32(quarter, _mm_shuffle_epi32::<0b10_11_00_01>(quarter)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_kernel_equals_the_plain_one(pairs in prop::collection::vec((any::<u8>(), any::<i8>()), BLOCK * 6)) {
            let (row, query): (Vec<u8>, Vec<i8>) = pairs.into_iter().unzip();
            let plain = ByteDot::Plain.of(&row, &query);
            prop_assert_eq!(ByteDot::detect().of(&row, &query), plain);
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                prop_assert_eq!(ByteDot::Avx2.of(&row, &query), plain);
            }
        }
    }

    proptest! {
        #[test]
        fn rows_at_once_are_as_one_by_one(rows in prop::collection::vec(any::<[u8; 32]>(), 0..40), query in any::<[i8; 32]>()) {
            let rows: Vec<u8> = rows.iter().flat_map(|row| row.repeat(2 * BLOCK / row.len())).collect();
            let query = query.repeat(2 * BLOCK / query.len());
            let mut products = vec![0; rows.len() / query.len()];
            ByteDot::detect().each(&rows, &query, &mut products);
            let plain: Vec<i32> = rows.chunks_exact(query.len()).map(|row| ByteDot::Plain.of(row, &query)).collect();
            prop_assert_eq!(products, plain);
        }
    }

    proptest! {
        #[test]
        fn a_matrix_has_the_products_of_its_rows(rows in prop::collection::vec(any::<[u8; 32]>(), 0..200), query in any::<[i8; 32]>()) {
            let rows: Vec<u8> = rows.iter().flat_map(|row| row.repeat(2 * BLOCK / row.len())).collect();
            let query = query.repeat(2 * BLOCK / query.len());
            let matrix = Matrix::of(&rows, query.len());
            let mut products = vec![0; 2 * matrix.rows()];
            matrix.times(&query.repeat(2), &mut products);
            for (at, row) in rows.chunks_exact(query.len()).enumerate() {
                prop_assert_eq!(products[at], ByteDot::Plain.of(row, &query));
                prop_assert_eq!(products[matrix.rows() + at], products[at]);
            }
        }
    }

    proptest! {
        #[test]
        fn every_kernel_of_floats_equals_the_plain_one(pairs in prop::collection::vec((-9.0_f32..9.0, -9.0_f32..9.0), 0..300)) {
            let (one, other): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let exact: f64 = pairs.iter().map(|&(a, b)| f64::from(a) * f64::from(b)).sum();
            let plain = dot_plain(&one, &other);
            prop_assert!((f64::from(plain) - exact).abs() < 1e-2);
            prop_assert_eq!(dot(&one, &other).to_bits(), plain.to_bits());
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has the feature.
                prop_assert_eq!(unsafe { x86::dot_avx2(&one, &other) }.to_bits(), plain.to_bits());
            }
        }
    }

    #[test]
    fn the_largest_bytes_do_not_overflow() {
        let (row, query) = (vec![u8::MAX; 1 << 16], vec![i8::MIN + 1; 1 << 16]);
        assert_eq!(ByteDot::detect().of(&row, &query), ByteDot::Plain.of(&row, &query));
    }
}
