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

/// The rectangles of at most `high` by `wide` numbers of a matrix whose rows are `stride` long: of its first columns
/// all from top to bottom, then of the next.
pub(crate) fn rectangles<T>(
    data: &mut [T],
    stride: usize,
    [high, wide]: [usize; 2],
) -> Vec<Rectangle<'_, T>> {
    let rows = data.len() / stride;
    let first = data.as_mut_ptr();
    let mut all = Vec::with_capacity(rows.div_ceil(high) * stride.div_ceil(wide));
    for column in (0..stride).step_by(wide) {
        for row in (0..rows).step_by(high) {
            // Inside `data`, and none overlaps with another.
            let first = first.wrapping_add(row * stride + column);
            let (high, wide) = (high.min(rows - row), wide.min(stride - column));
            all.push(Rectangle { first, stride, high, wide, lent: PhantomData });
        }
    }
    all
}

/// A part of a matrix that nobody else writes meanwhile.
pub(crate) struct Rectangle<'a, T> {
    first: *mut T,
    stride: usize,
    high: usize,
    wide: usize,
    lent: PhantomData<&'a mut [T]>,
}

#[expect(unsafe_code, reason = "a rectangle goes to the thread that writes it")]
// SAFETY: the numbers are this rectangle's alone for as long as it lives, as those of a `&mut [T]` would be.
unsafe impl<T: Send> Send for Rectangle<'_, T> {}

impl<'a, T> Rectangle<'a, T> {
    /// Rows of `wide` numbers, `stride` apart, as many as `data` has.
    pub(super) fn of(data: &'a mut [T], [high, wide]: [usize; 2], stride: usize) -> Self {
        let last = high.saturating_sub(1) * stride + wide;
        assert!(wide <= stride && (high == 0 || last <= data.len()), "a matrix outside its memory");
        Self { first: data.as_mut_ptr(), stride, high, wide, lent: PhantomData }
    }

    /// Rows.
    pub(super) fn row_count(&self) -> usize {
        self.high
    }

    /// Columns.
    pub(super) fn column_count(&self) -> usize {
        self.wide
    }

    /// Lends it to several threads.
    pub(super) fn share(&mut self) -> Shared<'_, T> {
        let length = if self.high == 0 { 0 } else { (self.high - 1) * self.stride + self.wide };
        Shared { data: self.first, length, stride: self.stride, lent: PhantomData }
    }

    /// A row of it.
    #[inline(always)]
    #[expect(unsafe_code, reason = "a row of the part that is this one's")]
    pub(crate) fn row(&mut self, index: usize) -> &mut [T] {
        assert!(index < self.high, "a row outside the rectangle");
        // SAFETY: `of`, `rectangle` and `rectangles` saw to it that all rows are inside the matrix and nobody else's.
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
    fn rectangles_cover_a_matrix_and_none_overlaps() {
        let mut data = vec![0; 5 * 7];
        let mut all = rectangles(&mut data, 7, [2, 3]);
        assert_eq!(all.len(), 9);
        for (index, part) in all.iter_mut().enumerate() {
            for row in 0..part.high {
                part.row(row).iter_mut().for_each(|number| *number += index + 1);
            }
        }
        let rows = [
            [1, 1, 1, 4, 4, 4, 7],
            [1, 1, 1, 4, 4, 4, 7],
            [2, 2, 2, 5, 5, 5, 8],
            [2, 2, 2, 5, 5, 5, 8],
            [3, 3, 3, 6, 6, 6, 9],
        ];
        assert_eq!(data, rows.as_flattened());
    }

    #[test]
    #[should_panic(expected = "outside its matrix")]
    fn none_reaches_out_of_the_matrix() {
        let mut data = vec![0; 4 * 6 - 1];
        // SAFETY: the only one.
        unsafe { Shared::new(&mut data, 6).rectangle(2..4, 3..6) };
    }
}
