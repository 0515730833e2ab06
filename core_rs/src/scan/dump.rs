//! The scan as bytes and back. An exact one keeps its vectors and is coded anew; a coded one keeps its codes, coarse and fine.

use super::{Coded, Scan, ZERO, code, lifted, norm};
use crate::dump::{Dump, Load, sound};
use crate::error::{Error, Result};

const MAGIC: [u8; 8] = *b"ALEJOVS2";

impl Scan {
    /// Everything it holds, for [`Scan::load`].
    pub fn dump(&self) -> Vec<u8> {
        let Self { dimensions, fine, places: _, ids, vectors, codes, bounds } = self;
        let mut dump = Dump::new(MAGIC, ids.len() * (dimensions * if fine.is_none() { 4 } else { 2 } + 20));
        dump.number(*dimensions as u32);
        dump.number(u8::from(fine.is_none()));
        dump.number(ids.len() as u32);
        dump.column(ids.iter().copied());
        if let Some(fine) = fine {
            dump.column(bounds.iter().map(|bound| bound.scale));
            dump.column(bounds.iter().map(|bound| bound.rest));
            (0..ids.len()).for_each(|place| dump.bytes(&codes.row(place)[..*dimensions]));
            dump.bytes(fine.rows());
        } else {
            dump.column(vectors.iter().copied());
        }
        dump.done()
    }

    /// The scan that was dumped.
    ///
    /// # Errors
    /// [`Error::Damaged`] for bytes that no scan was dumped to.
    pub fn load(dumped: &[u8]) -> Result<Self> {
        let mut load = Load::new(MAGIC, dumped)?;
        let dimensions = load.count()?;
        let exact = load.number::<u8>()? > 0;
        let count = load.count()?;
        let ids: Vec<u64> = load.column(count)?.collect();
        let mut scan = if exact { Self::new(dimensions) } else { Self::coded(dimensions) }
            .map_err(|_| Error::Damaged("a vector has 1 to 8192 dimensions"))?;
        scan.places = ids.iter().copied().zip(0..).collect();
        sound(scan.places.len() == count, "each vector has a number of its own")?;
        if exact {
            let numbers = count.checked_mul(dimensions).ok_or(Error::Damaged("vectors are cut"))?;
            scan.vectors = load.column(numbers)?.collect();
            scan.codes.reserve(count);
            for vector in scan.vectors.chunks_exact(dimensions) {
                scan.check(vector).map_err(|_| Error::Damaged("a vector's numbers lie within their bounds"))?;
                scan.bounds.push(code(vector, scan.codes.push(ZERO), lifted));
            }
        } else {
            let scales = load.column::<f32>(count)?;
            let rests = load.column::<f32>(count)?;
            let codes = load.bytes(count.checked_mul(dimensions).ok_or(Error::Damaged("codes are cut"))?)?;
            // -128 is no step: the kernels that multiply bytes count on it.
            sound(!codes.contains(&lifted(i8::MIN)), "a code is a step")?;
            scan.codes.reserve(count);
            for ((row, scale), rest) in codes.chunks_exact(dimensions).zip(scales).zip(rests) {
                sound((0.0..=f32::MAX).contains(&scale) && rest >= 0.0, "a code has its scale")?;
                scan.codes.push(ZERO)[..dimensions].copy_from_slice(row);
                scan.bounds.push(Coded::of(row, scale, rest));
            }
            if let Some(fine) = &mut scan.fine {
                fine.rows_mut().extend_from_slice(load.bytes(count * dimensions.div_ceil(2))?);
            }
        }
        scan.ids = ids;
        load.done()?;
        Ok(scan)
    }
}

impl Coded {
    /// What is known of a code that was kept.
    fn of(codes: &[u8], scale: f32, rest: f32) -> Self {
        let squares = codes.iter().map(|&code| i32::from(code.wrapping_sub(ZERO).cast_signed()).pow(2)).sum();
        Self { scale, norm: norm(squares, scale), rest }
    }
}
