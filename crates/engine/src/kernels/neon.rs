//! NEON: vectors of 4.

#![expect(
    unsafe_code,
    reason = "intrinsics; the token type is the proof that the processor has them"
)]

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64 as intrinsics;

#[cfg(not(target_arch = "aarch64"))]
use super::neon_emulated as intrinsics;
use super::simd::Simd;
use intrinsics::{
    float32x4_t, uint32x4_t, vaddq_f32, vaddq_s32, vaddvq_f32, vandq_u32, vcvtq_f32_s32,
    vcvtq_f32_u32, vcvtq_s32_f32, vdivq_f32, vdupq_n_f32, vdupq_n_s32, vdupq_n_u32, vfmaq_f32,
    vld1q_f32, vld1q_u32, vmaxq_f32, vmaxvq_f32, vminq_f32, vmulq_f32, vreinterpretq_f32_s32,
    vreinterpretq_f32_u32, vreinterpretq_s32_u32, vshlq_n_s32, vshlq_n_u32, vshlq_u32, vshrq_n_s32,
    vst1q_f32, vsubq_f32,
};

/// The processor has NEON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neon(());

impl Neon {
    /// The proof, where the processor has them.
    #[cfg(target_arch = "aarch64")]
    pub(super) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    /// The proof for the emulated instructions, which every processor has.
    #[cfg(not(target_arch = "aarch64"))]
    #[expect(clippy::unnecessary_wraps, reason = "as where it is a question")]
    pub(super) fn detect() -> Option<Self> {
        Some(Self(()))
    }
}

// SAFETY of every block below: a value of `Neon` exists only where `detect` found the instructions; slices are checked
// to hold a whole vector before they are read or written, pointers are the caller's promise.
impl Simd for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;
    const VECTORS: usize = 4;

    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> float32x4_t {
        let from = &from[..Self::LANES];
        // SAFETY: the token proves the instructions, the slice holds a whole vector.
        unsafe { vld1q_f32(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32], v: float32x4_t) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the token proves the instructions, the slice holds a whole vector.
        unsafe { vst1q_f32(to.as_mut_ptr(), v) };
    }
    #[inline(always)]
    unsafe fn load_at(self, from: *const f32) -> float32x4_t {
        // SAFETY: the token proves the instructions, the caller the pointer.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    fn div(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe { vdivq_f32(a, b) }
    }
    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe { vmaxq_f32(a, b) }
    }
    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe { vminq_f32(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    fn power_of_two(self, n: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe {
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127))))
        }
    }
    type W = uint32x4_t;

    #[inline(always)]
    fn splat_word(self, word: u32) -> uint32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe { vdupq_n_u32(word) }
    }
    #[inline(always)]
    unsafe fn load_words_at(self, from: *const u32) -> uint32x4_t {
        // SAFETY: the token proves the instructions, the caller the pointer.
        unsafe { vld1q_u32(from) }
    }
    #[inline(always)]
    fn nibble<const AT: u32>(self, words: uint32x4_t) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe {
            // Shifts to the left by a negative number go to the right.
            let shifted = vshlq_u32(words, vdupq_n_s32(-AT.cast_signed()));
            vcvtq_f32_u32(vandq_u32(shifted, vdupq_n_u32(15)))
        }
    }
    #[inline(always)]
    fn byte<const AT: u32>(self, words: uint32x4_t) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe {
            let shifted = vshlq_u32(words, vdupq_n_s32(24 - AT.cast_signed()));
            vcvtq_f32_s32(vshrq_n_s32::<24>(vreinterpretq_s32_u32(shifted)))
        }
    }
    #[inline(always)]
    fn dot_pairs(self, a: uint32x4_t, b: uint32x4_t, sums: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves the instructions.
        unsafe {
            let upper = vdupq_n_u32(0xffff_0000);
            let sums = vfmaq_f32(
                sums,
                vreinterpretq_f32_u32(vandq_u32(a, upper)),
                vreinterpretq_f32_u32(vandq_u32(b, upper)),
            );
            vfmaq_f32(
                sums,
                vreinterpretq_f32_u32(vshlq_n_u32::<16>(a)),
                vreinterpretq_f32_u32(vshlq_n_u32::<16>(b)),
            )
        }
    }
    #[inline(always)]
    fn sum(self, v: float32x4_t) -> f32 {
        // SAFETY: the token proves the instructions.
        unsafe { vaddvq_f32(v) }
    }
    #[inline(always)]
    fn largest(self, v: float32x4_t) -> f32 {
        // SAFETY: the token proves the instructions.
        unsafe { vmaxvq_f32(v) }
    }
}
