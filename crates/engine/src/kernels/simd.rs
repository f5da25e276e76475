//! Vectors of f32, one trait over the processors' instruction sets, and the plain version.

use super::bf16::{halves, pair};

/// An instruction set's vectors of f32. A value of the type is the proof that the processor has it.
pub(crate) trait Simd: Copy + Send + Sync {
    /// A vector.
    type V: Copy;
    /// Numbers in a vector.
    const LANES: usize;
    /// Vectors side by side in a full panel of packed weights.
    const VECTORS: usize;

    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::V;
    /// The first lanes of `from`, which holds at least so many.
    fn load(self, from: &[f32]) -> Self::V;
    /// Into the first lanes of `to`, which holds at least so many.
    fn store(self, to: &mut [f32], v: Self::V);
    /// Loads from a pointer.
    ///
    /// # Safety
    /// `LANES` f32 may be read at `from`.
    #[expect(unsafe_code, reason = "the innermost loop reads without a check per vector")]
    unsafe fn load_at(self, from: *const f32) -> Self::V;
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`.
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the processor can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of each lane.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller of each lane.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `2^n` for whole `n` from -126 to 127.
    fn power_of_two(self, n: Self::V) -> Self::V;
    /// A vector of 32-bit words.
    type W: Copy;
    /// All lanes `word`.
    fn splat_word(self, word: u32) -> Self::W;
    /// Loads words from a pointer.
    ///
    /// # Safety
    /// `LANES` words may be read at `from`.
    #[expect(unsafe_code, reason = "the innermost loop reads without a check per vector")]
    unsafe fn load_words_at(self, from: *const u32) -> Self::W;
    /// The nibble at bit `AT` of each lane's word, from 0 to 15.
    fn nibble<const AT: u32>(self, words: Self::W) -> Self::V;
    /// The signed byte at bit `AT` of each lane's word.
    fn byte<const AT: u32>(self, words: Self::W) -> Self::V;
    /// `sums` and the products of both bf16 of each lane's words, in f32.
    fn dot_pairs(self, a: Self::W, b: Self::W, sums: Self::V) -> Self::V;
    /// The sum over the lanes.
    fn sum(self, v: Self::V) -> f32;
    /// The largest lane.
    fn largest(self, v: Self::V) -> f32;

    /// A vector from fewer numbers than lanes, the rest `fill`.
    #[inline(always)]
    fn load_part(self, from: &[f32], fill: f32) -> Self::V {
        let mut lanes = [fill; 16];
        lanes[..from.len()].copy_from_slice(from);
        self.load(&lanes)
    }

    /// The first `to.len()` lanes, which are fewer than all.
    #[inline(always)]
    fn store_part(self, to: &mut [f32], v: Self::V) {
        let mut lanes = [0.0; 16];
        self.store(&mut lanes, v);
        let length = to.len();
        to.copy_from_slice(&lanes[..length]);
    }

    /// Transposes `LANES` by `LANES` words: row `i`, at `from + i * stride`, becomes column `i` of rows `to_stride` apart.
    ///
    /// # Safety
    /// So many words may be read in each row of `from` and written in each of `to`, and the two do not overlap.
    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "blocks of a larger matrix, whose rows are no slices of their own"
    )]
    unsafe fn turn_words(self, from: *const u32, stride: usize, to: *mut u32, to_stride: usize) {
        for row in 0..Self::LANES {
            for column in 0..Self::LANES {
                // SAFETY: the caller's promise.
                unsafe { *to.add(column * to_stride + row) = *from.add(row * stride + column) };
            }
        }
    }

    /// Both vectors in bf16 into the first `LANES` words: lane beside lane, that of `first` in the lower half.
    #[inline(always)]
    fn store_pairs(self, to: &mut [u32], first: Self::V, second: Self::V) {
        let (mut lower, mut upper) = ([0.0; 16], [0.0; 16]);
        self.store(&mut lower, first);
        self.store(&mut upper, second);
        for ((to, lower), upper) in to[..Self::LANES].iter_mut().zip(lower).zip(upper) {
            *to = pair(lower, upper);
        }
    }

    /// The 16-bit halves of the first `LANES` words of `first` and of `second`, alternating, into twice as many words.
    #[inline(always)]
    fn store_interleaved(self, to: &mut [u32], first: &[u32], second: &[u32]) {
        interleave(&mut to[..2 * Self::LANES], &first[..Self::LANES], &second[..Self::LANES]);
    }

    /// Both vectors in bf16 into the first `LANES` words: number after number, those of `first` before all of `second`.
    #[inline(always)]
    fn store_narrow(self, to: &mut [u32], first: Self::V, second: Self::V) {
        let mut numbers = [0.0; 32];
        self.store(&mut numbers, first);
        self.store(&mut numbers[Self::LANES..], second);
        for (to, numbers) in to[..Self::LANES].iter_mut().zip(numbers.chunks_exact(2)) {
            *to = pair(numbers[0], numbers[1]);
        }
    }
}

/// The 16-bit halves of the words of `first` and of `second`, alternating, in twice as many words.
#[inline(always)]
pub(super) fn interleave(to: &mut [u32], first: &[u32], second: &[u32]) {
    for ((to, first), second) in to.chunks_exact_mut(2).zip(first).zip(second) {
        to[0] = (first & 0xffff) | second << 16;
        to[1] = first >> 16 | (second & 0xffff_0000);
    }
}

/// `e^x` with a relative error below 2e-7; `x` is clamped to where the result is a normal number.
///
/// Cephes' `expf` (Moshier): `x = n ln 2 + r`, a polynomial in `r`, times `2^n`.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::V) -> S::V {
    /// Adding and taking away 1.5 * 2^23 rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    const COEFFICIENTS: [f32; 5] =
        [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    let x = simd.min(simd.max(x, simd.splat(-87.3)), simd.splat(88.0));
    let n = simd.mul_add(x, simd.splat(std::f32::consts::LOG2_E), simd.splat(ROUND));
    let n = simd.sub(n, simd.splat(ROUND));
    // ln 2 in two parts, the first exact in few bits.
    let r = simd.mul_add(n, simd.splat(-0.693_359_4), x);
    let r = simd.mul_add(n, simd.splat(2.121_944_4e-4), r);
    let mut polynomial = simd.splat(1.987_569_2e-4);
    for coefficient in COEFFICIENTS {
        polynomial = simd.mul_add(polynomial, r, simd.splat(coefficient));
    }
    let polynomial = simd.add(simd.mul_add(polynomial, simd.mul(r, r), r), simd.splat(1.0));
    simd.mul(polynomial, simd.power_of_two(n))
}

/// The sum of `a[i] * b[i]`.
#[inline(always)]
pub(crate) fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let (whole_a, part_a) = a.split_at(a.len() - a.len() % S::LANES);
    let (whole_b, part_b) = b.split_at(whole_a.len());
    let mut sum = simd.mul(simd.load_part(part_a, 0.0), simd.load_part(part_b, 0.0));
    for (a, b) in whole_a.chunks_exact(S::LANES).zip(whole_b.chunks_exact(S::LANES)) {
        sum = simd.mul_add(simd.load(a), simd.load(b), sum);
    }
    simd.sum(sum)
}

/// No instruction set beyond what the compiler assumes: the reference, and the way on unknown processors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain;

/// A plain vector operation, lane by lane.
macro_rules! lanes {
    ($index:ident => $value:expr) => {{
        let mut out = [0.0; 4];
        let mut $index = 0;
        while $index < 4 {
            out[$index] = $value;
            $index += 1;
        }
        out
    }};
}

impl Simd for Plain {
    type V = [f32; 4];
    const LANES: usize = 4;
    const VECTORS: usize = 2;

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 4] {
        [x; 4]
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> [f32; 4] {
        [from[0], from[1], from[2], from[3]]
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], v: [f32; 4]) {
        to[..4].copy_from_slice(&v);
    }
    #[inline(always)]
    #[expect(unsafe_code, reason = "the trait's contract is about a pointer")]
    unsafe fn load_at(self, from: *const f32) -> [f32; 4] {
        // SAFETY: the caller answers for four f32 at `from`.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    fn add(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        lanes!(i => a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        lanes!(i => a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        lanes!(i => a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        lanes!(i => a[i] / b[i])
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        // Two roundings: `f32::mul_add` is a call where the processor has no such instruction.
        lanes!(i => a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn max(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        lanes!(i => if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        lanes!(i => if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "n is whole and from -126 to 127"
    )]
    fn power_of_two(self, n: [f32; 4]) -> [f32; 4] {
        lanes!(i => f32::from_bits(((n[i] as i32 + 127) as u32) << 23))
    }
    type W = [u32; 4];

    #[inline(always)]
    fn splat_word(self, word: u32) -> [u32; 4] {
        [word; 4]
    }
    #[inline(always)]
    #[expect(unsafe_code, reason = "the trait's contract is about a pointer")]
    unsafe fn load_words_at(self, from: *const u32) -> [u32; 4] {
        // SAFETY: the caller answers for four words at `from`.
        unsafe { from.cast::<[u32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    fn nibble<const AT: u32>(self, words: [u32; 4]) -> [f32; 4] {
        words.map(|word| (word >> AT & 15) as f32)
    }
    #[inline(always)]
    fn byte<const AT: u32>(self, words: [u32; 4]) -> [f32; 4] {
        words.map(|word| f32::from(word.to_le_bytes()[AT as usize / 8].cast_signed()))
    }
    #[inline(always)]
    fn dot_pairs(self, a: [u32; 4], b: [u32; 4], sums: [f32; 4]) -> [f32; 4] {
        let (a, b) = (a.map(halves), b.map(halves));
        lanes!(i => sums[i] + a[i][1] * b[i][1] + a[i][0] * b[i][0])
    }
    #[inline(always)]
    fn sum(self, v: [f32; 4]) -> f32 {
        (v[0] + v[2]) + (v[1] + v[3])
    }
    #[inline(always)]
    fn largest(self, v: [f32; 4]) -> f32 {
        v[0].max(v[1]).max(v[2].max(v[3]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Isa, Kernel};

    struct Exp<'a>(&'a mut [f32]);

    impl Kernel for Exp<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for x in self.0.chunks_mut(S::LANES) {
                let e = exp(simd, simd.load_part(x, 0.0));
                simd.store_part(x, e);
            }
        }
    }

    #[test]
    fn the_exponential_is_right_to_a_few_roundings_on_every_instruction_set() {
        for isa in Isa::available() {
            let numbers: Vec<f32> = (-8000_i16..=8000).map(|i| f32::from(i) * 0.01).collect();
            let mut results = numbers.clone();
            isa.run(Exp(&mut results));
            for (x, result) in numbers.iter().zip(&results) {
                let expected = f64::from(*x).exp();
                let far = (f64::from(*result) - expected).abs() / expected;
                assert!(far < 2e-7, "{}: e^{x}: {far:e}", isa.name());
            }
        }
    }

    #[test]
    fn the_exponential_of_extremes_is_finite() {
        for isa in Isa::available() {
            let mut extremes = [f32::NEG_INFINITY, -1e30, 1e30, f32::INFINITY];
            isa.run(Exp(&mut extremes));
            assert!(extremes[..2].iter().all(|x| (0.0..1e-37).contains(x)), "{extremes:?}");
            assert!(extremes[2..].iter().all(|x| x.is_finite() && *x > 1e38), "{extremes:?}");
        }
    }
}
