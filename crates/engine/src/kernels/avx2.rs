//! AVX2 with FMA: vectors of 8.

#![expect(
    unsafe_code,
    reason = "intrinsics; the token type is the proof that the processor has them"
)]

use std::arch::x86_64::{
    __m256, __m256i, _CMP_UNORD_Q, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_max_ps, _mm_max_ss,
    _mm_movehdup_ps, _mm_movehl_ps, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256,
    _mm256_blendv_ps, _mm256_castps_si256, _mm256_castps256_ps128, _mm256_castsi256_ps,
    _mm256_cmp_ps, _mm256_cvtepi32_ps, _mm256_cvtps_epi32, _mm256_div_ps, _mm256_extractf128_ps,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_max_ps, _mm256_min_ps,
    _mm256_mul_ps, _mm256_or_si256, _mm256_packus_epi32, _mm256_permute4x64_epi64,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi32, _mm256_sllv_epi32, _mm256_srai_epi32,
    _mm256_srli_epi32, _mm256_srlv_epi32, _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_ps,
};

use super::simd::Simd;

/// The processor has AVX2 and FMA.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// The proof, where the processor has them.
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

impl Avx2 {
    /// Each number's bits with the upper half rounded to the nearest bf16, as `bf16::narrow`.
    #[inline(always)]
    #[expect(clippy::unused_self, reason = "the token is the proof")]
    fn rounded(self, v: __m256) -> __m256i {
        // SAFETY: the token proves the instructions.
        unsafe {
            let bits = _mm256_castps_si256(v);
            let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
            let half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
            let rounded = _mm256_castsi256_ps(_mm256_add_epi32(bits, half));
            let quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x0040_0000));
            let none = _mm256_cmp_ps::<_CMP_UNORD_Q>(v, v);
            _mm256_castps_si256(_mm256_blendv_ps(rounded, _mm256_castsi256_ps(quiet), none))
        }
    }
}

// SAFETY of every block below: a value of `Avx2` exists only where `detect` found the instructions; slices are checked
// to hold a whole vector before they are read or written, pointers are the caller's promise.
impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const VECTORS: usize = 2;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> __m256 {
        let from = &from[..Self::LANES];
        // SAFETY: the token proves the instructions, the slice holds a whole vector.
        unsafe { _mm256_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], v: __m256) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the token proves the instructions, the slice holds a whole vector.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), v) };
    }
    #[inline(always)]
    unsafe fn load_at(self, from: *const f32) -> __m256 {
        // SAFETY: the token proves the instructions, the caller the pointer.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn power_of_two(self, n: __m256) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        }
    }
    type W = __m256i;

    #[inline(always)]
    fn splat_word(self, word: u32) -> __m256i {
        // SAFETY: the token proves the instructions.
        unsafe { _mm256_set1_epi32(word.cast_signed()) }
    }
    #[inline(always)]
    unsafe fn load_words_at(self, from: *const u32) -> __m256i {
        // SAFETY: the token proves the instructions, the caller the pointer.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    fn nibble<const AT: u32>(self, words: __m256i) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe {
            let shift = _mm256_set1_epi32(AT.cast_signed());
            let nibbles = _mm256_and_si256(_mm256_srlv_epi32(words, shift), _mm256_set1_epi32(15));
            _mm256_cvtepi32_ps(nibbles)
        }
    }
    #[inline(always)]
    fn byte<const AT: u32>(self, words: __m256i) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe {
            let shift = _mm256_set1_epi32(24 - AT.cast_signed());
            _mm256_cvtepi32_ps(_mm256_srai_epi32::<24>(_mm256_sllv_epi32(words, shift)))
        }
    }
    #[inline(always)]
    fn dot_pairs(self, a: __m256i, b: __m256i, sums: __m256) -> __m256 {
        // SAFETY: the token proves the instructions.
        unsafe {
            let upper = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
            let second_a = _mm256_castsi256_ps(_mm256_and_si256(a, upper));
            let second_b = _mm256_castsi256_ps(_mm256_and_si256(b, upper));
            let first_a = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(a));
            let first_b = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(b));
            _mm256_fmadd_ps(first_a, first_b, _mm256_fmadd_ps(second_a, second_b, sums))
        }
    }
    #[inline(always)]
    fn store_pairs(self, to: &mut [u32], first: __m256, second: __m256) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the token proves the instructions, the slice holds a whole vector.
        unsafe {
            let lower = _mm256_srli_epi32::<16>(self.rounded(first));
            let upper = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
            let upper = _mm256_and_si256(self.rounded(second), upper);
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm256_or_si256(lower, upper));
        }
    }
    #[inline(always)]
    fn store_narrow(self, to: &mut [u32], first: __m256, second: __m256) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the token proves the instructions, the slice holds a whole vector.
        unsafe {
            let first = _mm256_srli_epi32::<16>(self.rounded(first));
            let second = _mm256_srli_epi32::<16>(self.rounded(second));
            // Packing takes halves of both in turn.
            let packed = _mm256_packus_epi32(first, second);
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
            _mm256_storeu_si256(to.as_mut_ptr().cast(), words);
        }
    }
    #[inline(always)]
    fn sum(self, v: __m256) -> f32 {
        // SAFETY: the token proves the instructions.
        unsafe {
            let half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
    #[inline(always)]
    fn largest(self, v: __m256) -> f32 {
        // SAFETY: the token proves the instructions.
        unsafe {
            let half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)))
        }
    }
}
