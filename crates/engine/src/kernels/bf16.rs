//! bf16, the upper half of an f32: what products read where they compute in it.
//!
//! Two numbers of the depth lie in one 32-bit word, the first in the lower half, as the processors' dot products of bf16
//! want them. Sums stay f32.

use super::isa::Kernel;
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
    fn run<S: Simd>(self, _: S) {
        let words = self.depth.div_ceil(2);
        for (index, to) in self.to.chunks_exact_mut(words).enumerate() {
            let from = &self.from[index * self.stride..][..self.depth];
            let pairs = from.chunks_exact(2);
            if let [last] = pairs.remainder() {
                to[words - 1] = pair(*last, 0.0);
            }
            for (to, from) in to.iter_mut().zip(pairs) {
                *to = pair(from[0], from[1]);
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
    fn run<S: Simd>(self, _: S) {
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
            for ((to, first), second) in to.iter_mut().zip(first).zip(second) {
                *to = pair(*first, *second);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn every_number_is_rounded_as_the_half_crate_does() {
        for bits in (0..u32::MAX - 65_521).step_by(65_521) {
            let x = f32::from_bits(bits);
            assert_eq!(narrow(x), half::bf16::from_f32(x).to_bits(), "{bits:#x}");
        }
    }
}
