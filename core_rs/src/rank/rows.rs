//! Vectors to be compared with each other: copied once, aligned, with their lengths.

use crate::dot::{BLOCK, ByteDot, dot};
use crate::error::{Error, Result};
use crate::lines::Lines;
use crate::scan::{MOST_DIMENSIONS, ZERO, code, lifted};

/// Vectors of f32, or of a byte a number. Only their directions count.
pub struct Rows {
    dimensions: usize,
    numbers: Numbers,
    /// 1 / the length of each, 0 for one without a direction.
    inverse: Vec<f32>,
}

enum Numbers {
    Floats(Lines<f32, { BLOCK / 4 }>),
    Bytes {
        lines: Lines<i8, BLOCK>,
        /// What the product of each row with a lifted one is too large by.
        over: Vec<i32>,
        kernel: ByteDot,
    },
}

/// A row that others are compared with.
pub(super) struct Pick {
    numbers: Picked,
    inverse: f32,
}

enum Picked {
    Floats(Vec<f32>),
    Lifted(Vec<u8>),
}

impl Rows {
    /// The rows that follow each other in `numbers`.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for 0 dimensions or more than 8192, a row that is cut, and numbers that are none or too large to be
    /// squared.
    pub fn floats(numbers: &[f32], dimensions: usize) -> Result<Self> {
        let lines = lines_of(numbers, dimensions, 0.0)?;
        let inverse = (0..lines.len()).map(|at| inverse(dot(lines.row(at), lines.row(at)))).collect::<Result<_>>()?;
        Ok(Self { dimensions, numbers: Numbers::Floats(lines), inverse })
    }

    /// The rows that follow each other in `numbers`.
    ///
    /// # Errors
    /// As for [`floats`](Self::floats).
    pub fn bytes(numbers: &[i8], dimensions: usize) -> Result<Self> {
        let lines = lines_of(numbers, dimensions, 0)?;
        let kernel = ByteDot::detect();
        let ones = vec![1_u8; lines.stride()];
        let over: Vec<_> = (0..lines.len()).map(|at| i32::from(ZERO) * kernel.of(&ones, lines.row(at))).collect();
        let mut lift = vec![ZERO; lines.stride()];
        let square = |at: usize| {
            lift_into(&mut lift, lines.row(at));
            (kernel.of(&lift, lines.row(at)) - over[at]) as f32
        };
        let inverse = (0..lines.len()).map(square).map(inverse).collect::<Result<_>>()?;
        Ok(Self { dimensions, numbers: Numbers::Bytes { lines, over, kernel }, inverse })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.inverse.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.inverse.is_empty()
    }

    pub(super) fn pick(&self, place: usize) -> Pick {
        let numbers = match &self.numbers {
            Numbers::Floats(lines) => Picked::Floats(lines.row(place).to_vec()),
            Numbers::Bytes { lines, .. } => Picked::Lifted(lines.row(place).iter().map(|&step| lifted(step)).collect()),
        };
        Pick { numbers, inverse: self.inverse[place] }
    }

    /// The cosine of the angle between two vectors; 0 if one has no direction.
    pub(super) fn cosine(&self, place: usize, pick: &Pick) -> f32 {
        let product = match (&self.numbers, &pick.numbers) {
            (Numbers::Floats(lines), Picked::Floats(row)) => dot(lines.row(place), row),
            (Numbers::Bytes { lines, over, kernel }, Picked::Lifted(row)) => {
                (kernel.of(row, lines.row(place)) - over[place]) as f32
            }
            _ => unreachable!("a pick is of the rows it is compared with"),
        };
        (product * self.inverse[place] * pick.inverse).clamp(-1.0, 1.0)
    }

    /// The cosine of each to `query`, which is rounded as the rows are.
    ///
    /// # Errors
    /// [`Error::Meaningless`] for a query of other dimensions, and as for [`floats`](Self::floats).
    pub(super) fn cosines(&self, query: &[f32]) -> Result<Vec<f32>> {
        if query.len() != self.dimensions {
            return Err(Error::Meaningless("a query has the dimensions of the vectors"));
        }
        let inverse = inverse(dot(query, query))?;
        let pick = match &self.numbers {
            Numbers::Floats(_) => Pick { numbers: Picked::Floats(query.to_vec()), inverse },
            Numbers::Bytes { lines, .. } => {
                let mut row = vec![ZERO; lines.stride()];
                let coded = code(query, &mut row, lifted);
                let inverse = if coded.norm > 0.0 { coded.scale / coded.norm } else { 0.0 };
                Pick { numbers: Picked::Lifted(row), inverse }
            }
        };
        Ok((0..self.len()).map(|place| self.cosine(place, &pick)).collect())
    }
}

fn inverse(square: f32) -> Result<f32> {
    if !square.is_finite() {
        return Err(Error::Meaningless("a vector's numbers can be squared and added up"));
    }
    Ok(if square.is_normal() { square.sqrt().recip() } else { 0.0 })
}

fn lift_into(lift: &mut [u8], row: &[i8]) {
    lift.iter_mut().zip(row).for_each(|(to, &step)| *to = lifted(step));
}

/// The rows that follow each other in `numbers`, filled up with `rest`.
fn lines_of<T: Copy, const N: usize>(numbers: &[T], dimensions: usize, rest: T) -> Result<Lines<T, N>> {
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) || !numbers.len().is_multiple_of(dimensions) {
        return Err(Error::Meaningless("vectors have 1 to 8192 dimensions, each of them all"));
    }
    let mut lines = Lines::new(dimensions);
    lines.reserve(numbers.len() / dimensions);
    for row in numbers.chunks_exact(dimensions) {
        lines.push(rest)[..dimensions].copy_from_slice(row);
    }
    Ok(lines)
}
