//! A matrix that several threads write at once, each its own rectangles.

use std::marker::PhantomData;
use std::ops::Range;

use super::ahead;

/// A row-major matrix that is lent to several threads.
pub(super) struct Shared<'a, T> {
    data: *mut T,
    length: usize,
    stride: usize,
    lent: PhantomData<&'a mut [T]>,
}

#[expect(unsafe_code, reason = "the threads write disjoint rectangles of one matrix")]
// SAFETY: the numbers are borrowed exclusively for as long as this lives, and are reached only through rectangles,
// which the callers of `rectangle` keep apart.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Lends `data`, whose rows are `stride` apart.
    pub(super) fn new(data: &'a mut [T], stride: usize) -> Self {
        Self { data: data.as_mut_ptr(), length: data.len(), stride, lent: PhantomData }
    }

    /// Fetches a part of the matrix that is to be written.
    pub(super) fn fetch(&self, rows: Range<usize>, columns: Range<usize>) {
        for row in rows {
            let first = self.data.wrapping_add(row * self.stride + columns.start);
            ahead::to_write(first.cast(), columns.len() * size_of::<T>());
        }
    }

    /// A part of the matrix.
    ///
    /// # Safety
    /// As long as it lives nobody asks for one that overlaps with it.
    #[expect(unsafe_code, reason = "its callers keep rectangles apart")]
    pub(super) unsafe fn rectangle(
        &self,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Rectangle<'_, T> {
        let (high, wide) = (rows.len(), columns.len());
        assert!(columns.end <= self.stride, "a rectangle wider than its matrix");
        let first = rows.start * self.stride + columns.start;
        let end = if high == 0 { first } else { first + (high - 1) * self.stride + wide };
        assert!(end <= self.length, "a rectangle outside its matrix");
        let first = self.data.wrapping_add(first);
        Rectangle { first, stride: self.stride, high, wide, lent: PhantomData }
    }
}

/// A part of a matrix that nobody else writes meanwhile.
pub(super) struct Rectangle<'a, T> {
    first: *mut T,
    stride: usize,
    high: usize,
    wide: usize,
    lent: PhantomData<&'a mut [T]>,
}

impl<'a, T> Rectangle<'a, T> {
    /// Rows of `wide` numbers, `stride` apart, as many as `data` has.
    pub(super) fn of(data: &'a mut [T], [high, wide]: [usize; 2], stride: usize) -> Self {
        let last = high.saturating_sub(1) * stride + wide;
        assert!(wide <= stride && (high == 0 || last <= data.len()), "a matrix outside its memory");
        Self { first: data.as_mut_ptr(), stride, high, wide, lent: PhantomData }
    }

    /// A row of it.
    #[inline(always)]
    #[expect(unsafe_code, reason = "a row of the part that is this one's")]
    pub(super) fn row(&mut self, index: usize) -> &mut [T] {
        assert!(index < self.high, "a row outside the rectangle");
        // SAFETY: `of` and `rectangle` checked that all rows are inside the matrix, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(index * self.stride), self.wide) }
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "what is tested")]
mod tests {
    use super::*;

    #[test]
    fn each_rectangle_is_its_own_part() {
        let mut data = vec![0; 4 * 6 - 1];
        let shared = Shared::new(&mut data, 6);
        for (place, (rows, columns)) in
            [(0..2, 0..3), (0..2, 3..6), (2..4, 0..3), (2..4, 3..5)].into_iter().enumerate()
        {
            // SAFETY: none overlaps with another.
            let mut part = unsafe { shared.rectangle(rows, columns) };
            for row in 0..2 {
                part.row(row).fill(place + 1);
            }
        }
        let expected =
            [[1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2], [3, 3, 3, 4, 4, 0], [3, 3, 3, 4, 4, 0]];
        assert_eq!(data, expected.as_flattened()[..23]);
    }

    #[test]
    #[should_panic(expected = "outside its matrix")]
    fn none_reaches_out_of_the_matrix() {
        let mut data = vec![0; 4 * 6 - 1];
        // SAFETY: the only one.
        unsafe { Shared::new(&mut data, 6).rectangle(2..4, 3..6) };
    }
}
