//! The layers of a Llama, one module a layer with forward and backward side by side.
//!
//! Letters: `T` tokens of one sequence, `C` channels of the residual stream, `H` query heads, `G` key and value heads, `D`
//! channels of a head, `F` channels inside the MLP, `V` vocabulary, `R` LoRA rank. Everything is f32, row-major, and
//! summed in f32. A backward takes the gradient of the loss by its output (`dout`) and yields that by its input (`dx`);
//! it recomputes from its inputs what is cheaper to compute again than to keep.

#![expect(
    clippy::inline_always,
    reason = "row work is compiled anew inside each instruction set's function"
)]

pub(crate) mod attention;
pub(crate) mod block;
pub(crate) mod dropout;
pub(crate) mod embedding;
pub(crate) mod head;
pub(crate) mod linear;
pub(crate) mod projection;
pub(crate) mod rms_norm;
pub(crate) mod rope;
pub(crate) mod split;
pub(crate) mod swiglu;
#[cfg(test)]
pub(crate) mod testing;
