//! The arithmetic under the layers: matrix products over packed weights, and vectors of the processor at hand.
//!
//! This is the only place with `unsafe` arithmetic. What runs is chosen when the program starts ([`Isa::best`]); a layer
//! writes its row work once, as a [`Kernel`] over any [`Simd`], and [`Isa::run`] compiles it for each instruction set.

#![expect(
    clippy::inline_always,
    reason = "a vector operation that is not inlined into its instruction set's function is a call per vector"
)]

mod activations;
mod ahead;
mod compute;
mod bf16;
mod buffer;
mod gemm;
mod isa;
mod packed;
mod shared;
mod blocks;
mod thin;
mod simd;
mod turn;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(any(target_arch = "aarch64", test))]
mod neon;
#[cfg(all(test, not(target_arch = "aarch64")))]
mod neon_emulated;

pub(crate) use activations::{Activations, Forms, Window, make_of};
pub(crate) use blocks::{Blocks, Width};
pub(crate) use buffer::{Buffer, Number};
pub use compute::Compute;
pub(crate) use gemm::{Left, Output, Place, Right, Sum, Term, gemm, gemm_part, gemm_serial, ready};
pub use isa::Isa;
pub(crate) use isa::Kernel;
pub(crate) use packed::Packed;
pub(crate) use shared::{Rectangle, rectangles};
pub(crate) use simd::{Simd, dot, exp};
pub(crate) use thin::{Further, Thin, Weight, thin};
