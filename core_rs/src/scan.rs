//! An exact scan over vectors: the greatest dot products with a query, at the cost of reading a byte for each number.
//!
//! Every vector is kept twice, as it came (f32) and coded (a byte for each number and one scale). A search reads the codes, which
//! tell each score to within a bound: by Cauchy and Schwarz, |q·x − q̂·x̂| ≤ |q|·|x − x̂| + |q − q̂|·|x̂|. Whatever may still be among
//! the best by that bound is scored again from the vectors themselves, so the answer is the one a scan of the vectors gives.
//! A coded scan keeps four bits more of each number in their place: what its codes find is scored by all twelve.
//! The structure knows no lock; who shares it wraps it in one.

mod dump;
mod fine;

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::dot::{BLOCK, ByteDot, add, dot};
use crate::error::{Error, Result};
use crate::lines::Lines;
use crate::numbers::Numbered;
use crate::rank::Rows;
use fine::Fine;

pub(crate) const MOST_DIMENSIONS: usize = 8192;
/// Squares of such numbers, and their sums, are far from the end of f32.
const LARGEST: f32 = 1e15;
/// So many products are made at a time.
const TILE: usize = 256;
/// Codes are -127 to 127, kept above this.
pub(crate) const ZERO: u8 = 128;

/// Vectors by number; see the module.
pub struct Scan {
    dimensions: usize,
    /// What a coded scan keeps beside the codes; an exact one keeps the vectors themselves.
    fine: Option<Fine>,
    places: Numbered<u32>,
    ids: Vec<u64>,
    vectors: Vec<f32>,
    codes: Lines<u8, BLOCK>,
    bounds: Vec<Coded>,
}

/// What is known of a vector and of what its code stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Coded {
    /// What one step of the code is worth.
    pub(crate) scale: f32,
    /// The length of what the code stands for.
    pub(crate) norm: f32,
    /// The length of what the code leaves out.
    rest: f32,
}

impl Scan {
    /// An empty scan over vectors of 1 to 8192 dimensions.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for another number of dimensions.
    pub fn new(dimensions: usize) -> Result<Self> {
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(Error::Meaningless("a vector has 1 to 8192 dimensions"));
        }
        let (ids, vectors, codes, bounds) = (Vec::new(), Vec::new(), Lines::new(dimensions), Vec::new());
        Ok(Self { dimensions, fine: None, places: Numbered::default(), ids, vectors, codes, bounds })
    }

    /// As [`new`](Self::new), but only codes are kept, of twelve bits: a third of the memory. What is best by eight of them is
    /// found, and its products are off by some 1/30,000 of the lengths.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn coded(dimensions: usize) -> Result<Self> {
        Ok(Self { fine: Some(Fine::new(dimensions)), ..Self::new(dimensions)? })
    }

    /// How many vectors it holds.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// How many bytes it takes on the heap.
    pub fn bytes(&self) -> usize {
        // An entry of the map takes its number, its place and a byte, and a seventh of the room is free.
        self.places.capacity() * (size_of::<(u64, u32)>() + 1) * 8 / 7
            + self.ids.capacity() * size_of::<u64>()
            + self.vectors.capacity() * size_of::<f32>()
            + self.codes.bytes()
            + self.fine.as_ref().map_or(0, Fine::bytes)
            + self.bounds.capacity() * size_of::<Coded>()
    }

    /// How many numbers a vector has.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Puts a vector in, in the place of the one with the same number if there is one.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for a vector of other dimensions, or with a number that is not one or beyond ±1e15.
    pub fn upsert(&mut self, id: u64, vector: &[f32]) -> Result<()> {
        self.check(vector)?;
        self.remove(id);
        let place = u32::try_from(self.len()).expect("2^32 vectors do not fit into memory");
        let codes = self.codes.push(ZERO);
        let coded = code(vector, codes, lifted);
        match &mut self.fine {
            Some(fine) => fine.push(vector, codes, coded.scale),
            None => self.vectors.extend_from_slice(vector),
        }
        self.bounds.push(coded);
        self.ids.push(id);
        self.places.insert(id, place);
        Ok(())
    }

    /// Takes a vector out; false if there is none of that number.
    pub fn remove(&mut self, id: u64) -> bool {
        let Some(place) = self.places.remove(&id) else { return false };
        let (place, last) = (place as usize, self.len() - 1);
        match &mut self.fine {
            Some(fine) => fine.swap_remove(place),
            None => {
                self.vectors.copy_within(last * self.dimensions.., place * self.dimensions);
                self.vectors.truncate(last * self.dimensions);
            }
        }
        self.codes.swap_remove(place);
        self.bounds.swap_remove(place);
        self.ids.swap_remove(place);
        if let Some(moved) = self.ids.get(place) {
            self.places.insert(*moved, place as u32);
        }
        true
    }

    /// The `limit` vectors of the greatest dot product with `query`, as (number, product), the greatest first, equals by number;
    /// all of them if `limit` is 0.
    ///
    /// # Errors
    /// As [`upsert`](Self::upsert).
    pub fn search(&self, query: &[f32], limit: usize) -> Result<Vec<(u64, f32)>> {
        self.check(query)?;
        let limit = if limit == 0 { self.len() } else { limit.min(self.len()) };
        let mut found: Vec<_> = if limit == 0 {
            Vec::new()
        } else if let Some(fine) = &self.fine {
            let best = self.coded_best(query, limit);
            best.into_iter().map(|(at, _)| (self.ids[at], self.finely(fine, at, query))).collect()
        } else {
            let places = if limit == self.len() { (0..limit).collect() } else { self.possible(query, limit) };
            places.into_iter().map(|at| (self.ids[at], dot(query, self.vector(at)))).collect()
        };
        if limit < found.len() {
            found.select_nth_unstable_by(limit - 1, order);
        }
        found.truncate(limit);
        found.sort_unstable_by(order);
        Ok(found)
    }

    /// The places of all vectors that may be among the best.
    fn possible(&self, query: &[f32], limit: usize) -> Vec<usize> {
        let asked = Asked::new(query, self.codes.stride());
        let length = asked.coded.norm + asked.coded.rest;
        // Both sums are in f32; the exact one adds up dimensions/64 products a lane.
        let rounding = (self.dimensions / 64 + 16) as f32 * 2.0 * f32::EPSILON * length;
        let (by_norm, by_rest) = (asked.coded.rest + rounding, length + rounding);
        let mut floors: BinaryHeap<Reverse<Total>> = BinaryHeap::with_capacity(limit + 1);
        let mut floor = f32::NEG_INFINITY;
        let mut possible = Vec::new();
        self.products(&asked, |at, product, bound| {
            let off = bound.norm * by_norm + bound.rest * by_rest;
            if product + off < floor {
                return;
            }
            possible.push((at, product + off));
            if floors.len() < limit || product - off > floor {
                floors.push(Reverse(Total(product - off)));
                if floors.len() > limit {
                    floors.pop();
                }
                if floors.len() == limit {
                    floor = floors.peek().map_or(floor, |least| least.0.0);
                }
            }
        });
        possible.into_iter().filter(|&(_, highest)| highest >= floor).map(|(at, _)| at).collect()
    }

    /// The places of the best by their codes, and some more, with their products.
    fn coded_best(&self, query: &[f32], limit: usize) -> Vec<(usize, f32)> {
        let mut found = Vec::new();
        let mut floor = f32::NEG_INFINITY;
        self.products(&Asked::new(query, self.codes.stride()), |at, product, _| {
            if product < floor {
                return;
            }
            found.push((at, product));
            if found.len() == 2 * limit + TILE {
                found.select_nth_unstable_by(limit - 1, |one, other| other.1.total_cmp(&one.1));
                found.truncate(limit);
                floor = found[limit - 1].1;
            }
        });
        found
    }

    /// Gives the product with each vector as the codes have it, tile by tile: what reads memory does nothing else.
    fn products(&self, asked: &Asked, mut give: impl FnMut(usize, f32, &Coded)) {
        let mut products = [0; TILE];
        for start in (0..self.len()).step_by(TILE) {
            let tile = start..self.len().min(start + TILE);
            asked.kernel.each(self.codes.rows(tile.clone()), &asked.steps, &mut products);
            for ((at, bound), product) in tile.clone().zip(&self.bounds[tile]).zip(products) {
                give(at, (product - asked.over) as f32 * (bound.scale * asked.coded.scale), bound);
            }
        }
    }

    /// The `limit` vectors of the greatest product with `query` by their codes, of those that `passes` and that reach `least`;
    /// in no order.
    ///
    /// # Errors
    /// As [`upsert`](Self::upsert).
    pub fn nearest(
        &self,
        query: &[f32],
        limit: usize,
        least: f32,
        passes: impl Fn(u64) -> bool,
    ) -> Result<Vec<(u64, f32)>> {
        self.check(query)?;
        let mut found: BinaryHeap<Reverse<(Total, Reverse<u64>)>> = BinaryHeap::new();
        let mut floor = least;
        self.products(&Asked::new(query, self.codes.stride()), |at, product, _| {
            if product >= floor && limit > 0 && passes(self.ids[at]) {
                found.push(Reverse((Total(product), Reverse(self.ids[at]))));
                if found.len() > limit {
                    found.pop();
                }
                if found.len() == limit {
                    floor = found.peek().map_or(floor, |worst| worst.0.0.0);
                }
            }
        });
        Ok(found.into_iter().map(|Reverse((Total(product), Reverse(id)))| (id, product)).collect())
    }

    /// The product of a vector with another, by all that is kept.
    pub(crate) fn product(&self, id: u64, query: &[f32]) -> Option<f32> {
        let place = *self.places.get(&id)? as usize;
        Some(match &self.fine {
            Some(fine) => self.finely(fine, place, query),
            None => dot(query, self.vector(place)),
        })
    }

    fn finely(&self, fine: &Fine, place: usize, query: &[f32]) -> f32 {
        fine.product(place, &self.codes.row(place)[..self.dimensions], query) * self.bounds[place].scale
    }

    /// The cosine of a vector with the sum of others, each times its weight, by their codes; None if there is none of them.
    pub(crate) fn together(
        &self,
        ids: impl Iterator<Item = (u64, f32)>,
        query: &[f32],
        sum: &mut Vec<f32>,
    ) -> Option<f32> {
        sum.clear();
        for (id, weight) in ids {
            if let Some(&place) = self.places.get(&id) {
                sum.resize(self.dimensions, 0.0);
                add(sum, self.codes.row(place as usize), ZERO, weight * self.bounds[place as usize].scale);
            }
        }
        let lengths = dot(sum, sum).sqrt() * dot(query, query).sqrt();
        (!sum.is_empty()).then(|| if lengths > 0.0 { dot(sum, query) / lengths } else { 0.0 })
    }

    /// The codes of vectors, to compare them with each other; zeros for a number there is no vector of.
    pub fn rows(&self, ids: &[u64]) -> Rows {
        let mut codes = vec![0_i8; ids.len() * self.dimensions];
        for (id, row) in ids.iter().zip(codes.chunks_exact_mut(self.dimensions)) {
            if let Some(&place) = self.places.get(id) {
                row.iter_mut()
                    .zip(self.codes.row(place as usize))
                    .for_each(|(step, &code)| *step = code.wrapping_sub(ZERO).cast_signed());
            }
        }
        Rows::bytes(&codes, self.dimensions).expect("codes are whole rows of bytes")
    }

    fn vector(&self, place: usize) -> &[f32] {
        &self.vectors[place * self.dimensions..][..self.dimensions]
    }

    /// # Errors
    /// As [`upsert`](Self::upsert).
    pub(crate) fn check(&self, vector: &[f32]) -> Result<()> {
        if vector.len() != self.dimensions {
            return Err(Error::Meaningless("a vector has the dimensions of the scan"));
        }
        // NaN fails the comparison too.
        if !vector.iter().all(|number| number.abs() <= LARGEST) {
            return Err(Error::Meaningless("a vector's numbers lie within ±1e15"));
        }
        Ok(())
    }

    /// Checks every invariant.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming the first that does not hold.
    pub fn validate(&self) -> Result<()> {
        let holds = |condition: bool, what| if condition { Ok(()) } else { Err(Error::Damaged(what)) };
        let rows = self.len();
        holds(self.places.len() == rows && self.bounds.len() == rows, "numbers and vectors differ in count")?;
        let kept = self.fine.as_ref().map_or(self.vectors.len() == rows * self.dimensions, |fine| fine.len() == rows);
        holds(kept && self.codes.len() == rows, "vectors are cut")?;
        for (at, id) in self.ids.iter().enumerate() {
            holds(self.places.get(id) == Some(&(at as u32)), "a number leads elsewhere")?;
            if self.fine.is_none() {
                let mut codes = vec![ZERO; self.codes.stride()];
                let bound = code(self.vector(at), &mut codes, lifted);
                holds(bound == self.bounds[at] && codes == self.codes.row(at), "a code is stale")?;
            }
        }
        Ok(())
    }
}

/// The greatest product first, equals by number.
fn order(one: &(u64, f32), other: &(u64, f32)) -> Ordering {
    other.1.total_cmp(&one.1).then(one.0.cmp(&other.0))
}

/// A query, coded.
struct Asked {
    steps: Vec<i8>,
    coded: Coded,
    /// What every product has too much, as codes are kept above [`ZERO`].
    over: i32,
    kernel: ByteDot,
}

impl Asked {
    fn new(query: &[f32], stride: usize) -> Self {
        let mut steps = vec![0_i8; stride];
        let coded = code(query, &mut steps, |step| step);
        let over = i32::from(ZERO) * steps.iter().map(|&step| i32::from(step)).sum::<i32>();
        Self { steps, coded, over, kernel: ByteDot::detect() }
    }
}

/// Codes a vector: `codes` gets each step, -127 to 127, as `keep` makes it. Lengths are rounded up.
pub(crate) fn code<T>(vector: &[f32], codes: &mut [T], keep: impl Fn(i8) -> T) -> Coded {
    /// Added to a small number this rounds it, and leaves the whole in the last bits: quicker than asking for it.
    const ROUND: f32 = (3 << 22) as f32;
    let scale = vector.iter().fold(0.0_f32, |most, number| most.max(number.abs())) / 127.0;
    let scale = if scale.is_normal() { scale } else { 0.0 };
    let per = if scale > 0.0 { scale.recip() } else { 0.0 };
    let (mut squares, mut rests) = (0_i32, [0.0_f32; 16]);
    for (numbers, codes) in vector.chunks(rests.len()).zip(codes.chunks_mut(rests.len())) {
        for ((&number, code), rest) in numbers.iter().zip(codes).zip(&mut rests) {
            let round = number * per + ROUND;
            let (step, whole) = (round - ROUND, round.to_bits().wrapping_sub(ROUND.to_bits()).cast_signed());
            *code = keep(whole as i8);
            squares += whole * whole;
            // In steps, so that squares of very small numbers do not vanish.
            *rest += (number * per - step).powi(2);
        }
    }
    let norm = norm(squares, scale);
    let rest = rests.iter().sum::<f32>().sqrt() * scale * 1.000_1 + norm * 1e-6;
    // Without a scale nothing stands for the numbers.
    let all = || vector.iter().map(|&number| f64::from(number).powi(2)).sum::<f64>().sqrt() as f32 * 1.000_01;
    Coded { scale, norm, rest: if scale > 0.0 { rest } else { all() } }
}

/// The length of what a code stands for, rounded up: what f32 loses is below a millionth of it.
fn norm(squares: i32, scale: f32) -> f32 {
    (squares as f32).sqrt() * scale * 1.000_001
}

/// A step as it is kept.
pub(crate) fn lifted(step: i8) -> u8 {
    step.cast_unsigned().wrapping_add(ZERO)
}

#[derive(PartialEq)]
struct Total(f32);

impl Eq for Total {}

impl Ord for Total {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Total {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
