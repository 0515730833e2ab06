//! Rows of numbers that begin at cache lines, as a load across two of them costs twice.

/// Rows of one width, one after the other, each filled up to whole lines of `N` numbers.
pub(crate) struct Lines<T, const N: usize> {
    lines: Vec<Line<T, N>>,
    /// Lines of a row.
    stride: usize,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line<T, const N: usize>([T; N]);

impl<T: Copy, const N: usize> Lines<T, N> {
    /// No rows yet, of `width` numbers, at least 1.
    pub(crate) fn new(width: usize) -> Self {
        const { assert!(size_of::<Line<T, N>>() == size_of::<[T; N]>(), "lines follow each other without gaps") };
        Self { lines: Vec::new(), stride: width.div_ceil(N) }
    }

    /// Makes room for so many rows more.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.lines.reserve(rows * self.stride);
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.lines.len() / self.stride
    }

    /// How many bytes it takes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line<T, N>>()
    }

    /// How many numbers a row has with what fills it up.
    pub(crate) fn stride(&self) -> usize {
        self.stride * N
    }

    /// Adds a row of `rest` alone, and gives it.
    pub(crate) fn push(&mut self, rest: T) -> &mut [T] {
        let at = self.len();
        self.lines.resize(self.lines.len() + self.stride, Line([rest; N]));
        self.row_mut(at)
    }

    pub(crate) fn row(&self, at: usize) -> &[T] {
        self.rows(at..at + 1)
    }

    /// Rows that follow each other.
    pub(crate) fn rows(&self, range: std::ops::Range<usize>) -> &[T] {
        let lines = &self.lines[range.start * self.stride..range.end * self.stride];
        // SAFETY: a line is its N numbers and nothing else, as `new` asserts, and lines follow each other.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * N) }
    }

    fn row_mut(&mut self, at: usize) -> &mut [T] {
        let lines = &mut self.lines[at * self.stride..][..self.stride];
        // SAFETY: as above, and the rows are borrowed as a whole.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), self.stride * N) }
    }

    /// Takes a row out and puts the last one in its place.
    pub(crate) fn swap_remove(&mut self, at: usize) {
        let last = (self.len() - 1) * self.stride;
        self.lines.copy_within(last.., at * self.stride);
        self.lines.truncate(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned_and_filled_up() {
        let mut lines = Lines::<u8, 64>::new(70);
        for number in 1..4 {
            lines.push(9)[..70].fill(number);
        }
        lines.swap_remove(0);
        assert_eq!((lines.len(), lines.stride()), (2, 128));
        assert_eq!((lines.row(0)[69], lines.row(0)[70], lines.row(1)[0]), (3, 9, 2));
        assert!(lines.row(1).as_ptr().addr().is_multiple_of(64));
    }
}
