//! AVX-512F: vectors of 16; with AVX512-BF16 also its dot products of bf16 pairs.

#![expect(
    unsafe_code,
    reason = "intrinsics; the token type is the proof that the processor has them"
)]

use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, __m512i, _CMP_UNORD_Q, _mm256_storeu_si256,
    _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_cmp_ps_mask, _mm512_cvtepi32_epi16, _mm512_cvtepi32_ps, _mm512_cvtepu16_epi32,
    _mm512_cvtne2ps_pbh, _mm512_cvtneps_pbh, _mm512_div_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_blend_epi32, _mm512_max_ps, _mm512_min_ps,
    _mm512_mul_ps, _mm512_or_si512, _mm512_permutex2var_epi16, _mm512_permutexvar_epi16,
    _mm512_permutexvar_ps, _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_scalef_ps,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_setr_ps, _mm512_setzero_si512, _mm512_shuffle_i32x4,
    _mm512_slli_epi32, _mm512_sllv_epi32, _mm512_srai_epi32, _mm512_srli_epi32, _mm512_srlv_epi32,
    _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_ps, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::simd::{Simd, interleave};

/// The processor has AVX-512F, and where `BF16` says so AVX512-BF16.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512<const BF16: bool>(());

impl<const BF16: bool> Avx512<BF16> {
    /// The proof, where the processor has them.
    pub(super) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && (!BF16
                || is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512bw"));
        has.then_some(Self(()))
    }
}

impl<const BF16: bool> Avx512<BF16> {
    /// Each number in bf16. The processor's own conversion takes numbers below 2^-126 for 0.
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "the token is the proof")]
    fn narrow(self, v: __m512) -> __m256i {
        // SAFETY: the token proves the instructions; both types are 256 bits.
        unsafe {
            if BF16 {
                return std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v));
            }
            // As `bf16::narrow`.
            let bits = _mm512_castps_si512(v);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
            let rounded = _mm512_add_epi32(bits, half);
            let quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x0040_0000));
            let none = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(v, v);
            let chosen = _mm512_mask_blend_epi32(none, rounded, quiet);
            _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(chosen))
        }
    }

    /// As [`Self::narrow`], all of `first` before all of `second`; only with the processor's own conversion.
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "the token is the proof")]
    fn narrow_both(self, first: __m512, second: __m512) -> __m512i {
        // SAFETY: the token proves the instruction where `BF16` says so, which every caller asks; both types are 512 bits.
        unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(second, first)) }
    }
}

/// The 16-bit lanes of one vector and of another, alternating: the lower ones, and the upper ones.
const HALF_BESIDE_HALF: [[u16; 32]; 2] = {
    let mut lanes = [[0; 32]; 2];
    let mut lane = 0;
    while lane < 32 {
        let (half, place) = (lane as usize / 16, lane as usize % 16);
        lanes[half][2 * place] = lane;
        lanes[half][2 * place + 1] = lane + 32;
        lane += 1;
    }
    lanes
};

/// The 16-bit lanes of the lower half of a vector and of its upper half, alternating.
const LANE_BESIDE_LANE: [u16; 32] = {
    let mut lanes = [0; 32];
    let mut lane = 0;
    while lane < 16 {
        lanes[2 * lane as usize] = lane;
        lanes[2 * lane as usize + 1] = lane + 16;
        lane += 1;
    }
    lanes
};

// SAFETY of every block below: a value of `Avx512` exists only where `detect` found the instructions; slices are checked
// to hold a whole vector before they are read or written, pointers are the caller's promise.
impl<const BF16: bool> Simd for Avx512<BF16> {
    type V = __m512;
    const LANES: usize = 16;
    const VECTORS: usize = 4;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> __m512 {
        let from = &from[..Self::LANES];
        // SAFETY: the token proves the instructions, the slice holds a whole vector.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], v: __m512) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the token proves the instructions, the slice holds a whole vector.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), v) };
    }
    #[inline(always)]
    unsafe fn load_at(self, from: *const f32) -> __m512 {
        // SAFETY: the token proves the instructions, the caller the pointer.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn power_of_two(self, n: __m512) -> __m512 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_scalef_ps(_mm512_set1_ps(1.0), n) }
    }
    type W = __m512i;

    #[inline(always)]
    fn splat_word(self, word: u32) -> __m512i {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_set1_epi32(word.cast_signed()) }
    }
    #[inline(always)]
    unsafe fn load_words_at(self, from: *const u32) -> __m512i {
        // SAFETY: the token proves the instructions, the caller the pointer.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    fn nibble<const AT: u32>(self, words: __m512i) -> __m512 {
        // SAFETY: the token proves the instructions.
        unsafe {
            // A look-up takes the lowest four bits of its indices: one instruction for masking and converting.
            let numbers = _mm512_setr_ps(
                0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0,
                15.0,
            );
            let shift = _mm512_set1_epi32(AT.cast_signed());
            _mm512_permutexvar_ps(_mm512_srlv_epi32(words, shift), numbers)
        }
    }
    #[inline(always)]
    fn byte<const AT: u32>(self, words: __m512i) -> __m512 {
        // SAFETY: the token proves the instructions.
        unsafe {
            let shift = _mm512_set1_epi32(24 - AT.cast_signed());
            _mm512_cvtepi32_ps(_mm512_srai_epi32::<24>(_mm512_sllv_epi32(words, shift)))
        }
    }
    #[inline(always)]
    fn dot_pairs(self, a: __m512i, b: __m512i, sums: __m512) -> __m512 {
        if BF16 {
            // SAFETY: the token proves the instructions; both types are 512 bits.
            return unsafe {
                let a = std::mem::transmute::<__m512i, __m512bh>(a);
                let b = std::mem::transmute::<__m512i, __m512bh>(b);
                _mm512_dpbf16_ps(sums, a, b)
            };
        }
        // SAFETY: the token proves the instructions.
        unsafe {
            let upper = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
            let second_a = _mm512_castsi512_ps(_mm512_and_si512(a, upper));
            let second_b = _mm512_castsi512_ps(_mm512_and_si512(b, upper));
            let first_a = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(a));
            let first_b = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(b));
            _mm512_fmadd_ps(first_a, first_b, _mm512_fmadd_ps(second_a, second_b, sums))
        }
    }
    #[inline(always)]
    unsafe fn turn_words(self, from: *const u32, stride: usize, to: *mut u32, to_stride: usize) {
        // SAFETY: the token proves the instructions, the caller the pointers.
        unsafe {
            let mut rows = [_mm512_setzero_si512(); 16];
            let (mut pairs, mut fours) = (rows, rows);
            for (index, row) in rows.iter_mut().enumerate() {
                *row = _mm512_loadu_si512(from.add(index * stride).cast());
            }
            // Within each quarter of a vector 4 by 4 words: first pairs of rows, then pairs of pairs.
            for i in (0..16).step_by(2) {
                pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
                pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
            }
            for i in (0..16).step_by(4) {
                fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
                fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
                fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
                fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
            }
            // Quarter `q` of `fours[4 g + j]` holds column `4 q + j` of rows `4 g` and the next three.
            for j in 0..4 {
                let (a, b) = (fours[j], fours[j + 4]);
                let (c, d) = (fours[j + 8], fours[j + 12]);
                let even_1 = _mm512_shuffle_i32x4::<0b10_00_10_00>(a, b);
                let even_2 = _mm512_shuffle_i32x4::<0b10_00_10_00>(c, d);
                let odd_1 = _mm512_shuffle_i32x4::<0b11_01_11_01>(a, b);
                let odd_2 = _mm512_shuffle_i32x4::<0b11_01_11_01>(c, d);
                let columns = [
                    _mm512_shuffle_i32x4::<0b10_00_10_00>(even_1, even_2),
                    _mm512_shuffle_i32x4::<0b10_00_10_00>(odd_1, odd_2),
                    _mm512_shuffle_i32x4::<0b11_01_11_01>(even_1, even_2),
                    _mm512_shuffle_i32x4::<0b11_01_11_01>(odd_1, odd_2),
                ];
                for (quarter, column) in columns.into_iter().enumerate() {
                    _mm512_storeu_si512(to.add((4 * quarter + j) * to_stride).cast(), column);
                }
            }
        }
    }
    #[inline(always)]
    fn store_pairs(self, to: &mut [u32], first: __m512, second: __m512) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the token proves the instructions, the slice holds a whole vector.
        unsafe {
            if BF16 {
                let lanes = _mm512_loadu_si512(LANE_BESIDE_LANE.as_ptr().cast());
                let words = _mm512_permutexvar_epi16(lanes, self.narrow_both(first, second));
                return _mm512_storeu_si512(to.as_mut_ptr().cast(), words);
            }
            let (first, second) = (self.narrow(first), self.narrow(second));
            let upper = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(second));
            let words = _mm512_or_si512(_mm512_cvtepu16_epi32(first), upper);
            _mm512_storeu_si512(to.as_mut_ptr().cast(), words);
        }
    }
    #[inline(always)]
    fn store_narrow(self, to: &mut [u32], first: __m512, second: __m512) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the token proves the instructions, the slice holds a whole vector, which is two halves.
        unsafe {
            if BF16 {
                let words = self.narrow_both(first, second);
                return _mm512_storeu_si512(to.as_mut_ptr().cast(), words);
            }
            _mm256_storeu_si256(to.as_mut_ptr().cast(), self.narrow(first));
            _mm256_storeu_si256(to[8..].as_mut_ptr().cast(), self.narrow(second));
        }
    }
    #[inline(always)]
    fn store_interleaved(self, to: &mut [u32], first: &[u32], second: &[u32]) {
        if !BF16 {
            return interleave(to, first, second);
        }
        let (to, first) = (&mut to[..2 * Self::LANES], &first[..Self::LANES]);
        let second = &second[..Self::LANES];
        // SAFETY: the token proves the instructions, the slices hold a whole vector or two.
        unsafe {
            let first = _mm512_loadu_si512(first.as_ptr().cast());
            let second = _mm512_loadu_si512(second.as_ptr().cast());
            for (half, lanes) in HALF_BESIDE_HALF.iter().enumerate() {
                let lanes = _mm512_loadu_si512(lanes.as_ptr().cast());
                let words = _mm512_permutex2var_epi16(first, lanes, second);
                _mm512_storeu_si512(to[half * Self::LANES..].as_mut_ptr().cast(), words);
            }
        }
    }
    #[inline(always)]
    fn sum(self, v: __m512) -> f32 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_reduce_add_ps(v) }
    }
    #[inline(always)]
    fn largest(self, v: __m512) -> f32 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm512_reduce_max_ps(v) }
    }
}
