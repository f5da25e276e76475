//! The NEON intrinsics that [`super::neon`] uses, number by number, so that its tests run on any processor.
//!
//! Semantics: Arm's intrinsics reference (`vfmaq_f32(a, b, c) = a + b c` with one rounding, `vcvtq_s32_f32` towards zero).

#![expect(
    unsafe_code,
    non_camel_case_types,
    reason = "they have the names and the signatures of the intrinsics"
)]

#[derive(Debug, Clone, Copy)]
pub(super) struct float32x4_t([f32; 4]);
#[derive(Debug, Clone, Copy)]
pub(super) struct uint32x4_t([u32; 4]);
#[derive(Debug, Clone, Copy)]
pub(super) struct int32x4_t([i32; 4]);

/// Intrinsics that work lane by lane.
macro_rules! lane_by_lane {
    ($($name:ident($($x:ident: $from:ident),+) -> $to:ident = $value:expr;)*) => {$(
        pub(super) unsafe fn $name($($x: $from),+) -> $to {
            $to(std::array::from_fn(|i| {
                $(let $x = $x.0[i];)+
                $value
            }))
        }
    )*};
}

lane_by_lane! {
    vaddq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t = a + b;
    vsubq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t = a - b;
    vmulq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t = a * b;
    vdivq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t = a / b;
    vmaxq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t = a.max(b);
    vminq_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t = a.min(b);
    vfmaq_f32(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t = b.mul_add(c, a);
    vaddq_s32(a: int32x4_t, b: int32x4_t) -> int32x4_t = a.wrapping_add(b);
    vandq_u32(a: uint32x4_t, b: uint32x4_t) -> uint32x4_t = a & b;
    vshlq_u32(a: uint32x4_t, n: int32x4_t) -> uint32x4_t = shifted(a, n);
    vreinterpretq_s32_u32(a: uint32x4_t) -> int32x4_t = a.cast_signed();
    vreinterpretq_f32_s32(a: int32x4_t) -> float32x4_t = f32::from_bits(a.cast_unsigned());
    vreinterpretq_f32_u32(a: uint32x4_t) -> float32x4_t = f32::from_bits(a);
}

#[expect(clippy::cast_possible_truncation, reason = "as the instruction: towards zero, saturating")]
pub(super) unsafe fn vcvtq_s32_f32(a: float32x4_t) -> int32x4_t {
    int32x4_t(a.0.map(|x| x as i32))
}

pub(super) unsafe fn vcvtq_f32_s32(a: int32x4_t) -> float32x4_t {
    float32x4_t(a.0.map(|x| x as f32))
}

pub(super) unsafe fn vcvtq_f32_u32(a: uint32x4_t) -> float32x4_t {
    float32x4_t(a.0.map(|x| x as f32))
}

/// To the left, or by a negative number to the right.
fn shifted(x: u32, n: i32) -> u32 {
    if n < 0 { x >> n.unsigned_abs() } else { x << n }
}

pub(super) unsafe fn vshrq_n_s32<const N: i32>(a: int32x4_t) -> int32x4_t {
    int32x4_t(a.0.map(|x| x >> N))
}

pub(super) unsafe fn vshlq_n_s32<const N: i32>(a: int32x4_t) -> int32x4_t {
    int32x4_t(a.0.map(|x| x << N))
}

pub(super) unsafe fn vshlq_n_u32<const N: i32>(a: uint32x4_t) -> uint32x4_t {
    uint32x4_t(a.0.map(|x| x << N))
}

pub(super) unsafe fn vdupq_n_f32(x: f32) -> float32x4_t {
    float32x4_t([x; 4])
}

pub(super) unsafe fn vdupq_n_s32(x: i32) -> int32x4_t {
    int32x4_t([x; 4])
}

pub(super) unsafe fn vdupq_n_u32(x: u32) -> uint32x4_t {
    uint32x4_t([x; 4])
}

pub(super) unsafe fn vld1q_f32(from: *const f32) -> float32x4_t {
    // SAFETY: the caller answers for four numbers at `from`.
    float32x4_t(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
}

pub(super) unsafe fn vld1q_u32(from: *const u32) -> uint32x4_t {
    // SAFETY: the caller answers for four words at `from`.
    uint32x4_t(unsafe { from.cast::<[u32; 4]>().read_unaligned() })
}

pub(super) unsafe fn vst1q_f32(to: *mut f32, a: float32x4_t) {
    // SAFETY: the caller answers for four numbers at `to`.
    unsafe { to.cast::<[f32; 4]>().write_unaligned(a.0) }
}

pub(super) unsafe fn vaddvq_f32(a: float32x4_t) -> f32 {
    (a.0[0] + a.0[1]) + (a.0[2] + a.0[3])
}

pub(super) unsafe fn vmaxvq_f32(a: float32x4_t) -> f32 {
    a.0[0].max(a.0[1]).max(a.0[2].max(a.0[3]))
}
