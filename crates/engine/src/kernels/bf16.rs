//! bf16, the upper half of an f32: what products read where they compute in it.
//!
//! Two numbers of the depth lie in one 32-bit word, the first in the lower half, as the processors' dot products of bf16
//! want them. Sums stay f32.

use super::isa::Kernel;
use super::shared::Rectangle;
use super::simd::Simd;

/// `x` to the nearest bf16, ties to even; what is not a number stays none.
#[inline(always)]
pub(crate) fn narrow(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    let quiet = (bits >> 16) | 0x40;
    let chosen = if bits & 0x7fff_ffff > 0x7f80_0000 { quiet } else { rounded };
    (chosen & 0xffff) as u16
}

/// The f32 of a bf16.
#[cfg(test)]
pub(crate) fn widen(x: u16) -> f32 {
    f32::from_bits(u32::from(x) << 16)
}

/// Two numbers of the depth in a word.
#[inline(always)]
pub(crate) fn pair(first: f32, second: f32) -> u32 {
    u32::from(narrow(first)) | u32::from(narrow(second)) << 16
}

/// The two numbers of a word.
#[inline(always)]
pub(crate) fn halves(word: u32) -> [f32; 2] {
    [f32::from_bits(word << 16), f32::from_bits(word & 0xffff_0000)]
}

/// Rows of f32, each `depth` numbers long and `stride` apart, to words.
pub(super) struct Rows<'a> {
    /// The first row.
    pub(super) from: &'a [f32],
    /// The distance from row to row.
    pub(super) stride: usize,
    /// Numbers of a row.
    pub(super) depth: usize,
    /// `[rows, depth / 2]`, an odd last number beside a 0.
    pub(super) to: &'a mut [u32],
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let words = self.depth.div_ceil(2);
        for (index, to) in self.to.chunks_exact_mut(words).enumerate() {
            let from = &self.from[index * self.stride..][..self.depth];
            let (to, rest) = to.split_at_mut(self.depth / (2 * S::LANES) * S::LANES);
            let from = from.chunks_exact(2 * S::LANES);
            for (to, numbers) in rest.iter_mut().zip(from.remainder().chunks(2)) {
                *to = pair(numbers[0], numbers.get(1).copied().unwrap_or_default());
            }
            for (to, from) in to.chunks_exact_mut(S::LANES).zip(from) {
                let (first, second) = from.split_at(S::LANES);
                simd.store_narrow(to, simd.load(first), simd.load(second));
            }
        }
    }
}

/// Columns of f32 that lie as rows `[depth, count]`, to words `[depth / 2, count]`.
pub(super) struct Columns<'a> {
    /// The first row.
    pub(super) from: &'a [f32],
    /// The distance from row to row.
    pub(super) stride: usize,
    /// Rows.
    pub(super) depth: usize,
    /// The distance from row to row of words.
    pub(super) width: usize,
    /// Columns.
    pub(super) count: usize,
    /// Where the words go.
    pub(super) to: &'a mut [u32],
}

impl Kernel for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (index, to) in self.to.chunks_mut(self.width).enumerate() {
            let first = &self.from[2 * index * self.stride..][..self.count];
            let to = &mut to[..self.count];
            if 2 * index + 1 == self.depth {
                for (to, first) in to.iter_mut().zip(first) {
                    *to = pair(*first, 0.0);
                }
                continue;
            }
            let second = &self.from[(2 * index + 1) * self.stride..][..self.count];
            let whole = self.count - self.count % S::LANES;
            for at in (0..whole).step_by(S::LANES) {
                let (first, second) = (simd.load(&first[at..]), simd.load(&second[at..]));
                simd.store_pairs(&mut to[at..], first, second);
            }
            for ((to, first), second) in to.iter_mut().zip(first).zip(second).skip(whole) {
                *to = pair(*first, *second);
            }
        }
    }
}

/// Rows of f32 to words, along the rows and along the columns.
pub(super) struct Pairs<'a> {
    /// One after the other; an odd last one stands beside zeros.
    pub(super) from: &'a [f32],
    /// Numbers of a row.
    pub(super) width: usize,
    /// A row of words of each, an odd last number of each beside a 0.
    pub(super) rows: Option<Rectangle<'a, u32>>,
    /// A row of words of each two of them, as many as a row has numbers.
    pub(super) columns: Option<Rectangle<'a, u32>>,
}

impl Kernel for Pairs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let width = self.width;
        for (pair, two) in self.from.chunks(2 * width).enumerate() {
            if let Some(rows) = &mut self.rows {
                for (row, from) in (2 * pair..).zip(two.chunks_exact(width)) {
                    Rows { from, stride: width, depth: width, to: rows.row(row) }.run(simd);
                }
            }
            if let Some(columns) = &mut self.columns {
                let (depth, to) = (two.len() / width, columns.row(pair));
                Columns { from: two, stride: width, depth, width, count: width, to }.run(simd);
            }
        }
    }
}

/// Rows of words, as [`Rows`] makes them, back to f32.
pub(super) struct Widen<'a> {
    /// The first row.
    pub(super) from: &'a [u32],
    /// The distance from row to row.
    pub(super) stride: usize,
    /// Numbers of a row.
    pub(super) width: usize,
    /// One row after the other.
    pub(super) to: &'a mut [f32],
}

impl Kernel for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let rows = self.from.chunks(self.stride);
        for (from, to) in rows.zip(self.to.chunks_exact_mut(self.width)) {
            let (whole, rest) = to.split_at_mut(self.width / 2 * 2);
            for (to, word) in whole.chunks_exact_mut(2).zip(from) {
                to.copy_from_slice(&halves(*word));
            }
            for (to, word) in rest.iter_mut().zip(&from[self.width / 2..]) {
                *to = halves(*word)[0];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use crate::layers::testing::numbers;

    #[test]
    fn numbers_go_to_the_nearest_and_back_unchanged() {
        let check = |x: f32, expected: f32| {
            assert_eq!(widen(narrow(x)).to_bits(), expected.to_bits(), "{x}");
        };
        for exact in [0.0, -0.0, 1.0, -2.5, 1e30, f32::INFINITY, f32::NEG_INFINITY] {
            check(exact, half::bf16::from_f32(exact).to_f32());
        }
        // One bf16 step from 1 is 2^-7: halves of it are ties, which go to the even neighbour.
        check(1.0 + 0.003_906_25, 1.0);
        check(1.0 + 0.011_718_75, 1.015_625);
        check(f32::MAX, f32::INFINITY);
        assert!(widen(narrow(f32::NAN)).is_nan());
        assert!(widen(narrow(f32::from_bits(0x7fff_ffff))).is_nan());
    }

    #[test]
    fn rows_and_columns_are_rounded_as_numbers_are_on_every_instruction_set() {
        // Longer than two vectors of the widest, with a rest, and an odd depth.
        let (rows, length) = (5, 71);
        let mut from = numbers(rows * length, 1);
        let tie = 1.0 + 0.003_906_25;
        let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -0.0, tie];
        for (place, special) in special.into_iter().enumerate() {
            from[7 * place] = special;
        }
        let number = |row: usize, column: usize| {
            if row < rows && column < length { from[row * length + column] } else { 0.0 }
        };
        for isa in Isa::available() {
            let words = length.div_ceil(2);
            let mut to = vec![0; rows * words];
            isa.run(Rows { from: &from, stride: length, depth: length, to: &mut to });
            for (place, word) in to.into_iter().enumerate() {
                let (row, column) = (place / words, 2 * (place % words));
                let expected = pair(number(row, column), number(row, column + 1));
                assert_eq!(word, expected, "{} {row} {column}", isa.name());
            }
            let (width, count) = (length + 1, length);
            let mut to = vec![0; rows.div_ceil(2) * width];
            let columns =
                Columns { from: &from, stride: length, depth: rows, width, count, to: &mut to };
            isa.run(columns);
            for (place, word) in to.into_iter().enumerate().filter(|(at, _)| at % width < count) {
                let (row, column) = (2 * (place / width), place % width);
                let expected = pair(number(row, column), number(row + 1, column));
                assert_eq!(word, expected, "{} {row} {column}", isa.name());
            }
        }
    }

    #[test]
    fn every_number_is_rounded_as_the_half_crate_does() {
        for bits in (0..u32::MAX - 65_521).step_by(65_521) {
            let x = f32::from_bits(bits);
            assert_eq!(narrow(x), half::bf16::from_f32(x).to_bits(), "{bits:#x}");
        }
    }
}
