//! The storage types of tensors, and how each becomes f32.
//!
//! The block layouts are those of ggml (`ggml-common.h`, `ggml-quants.c` of llama.cpp): a block holds a fixed number of
//! consecutive weights of one row with their scales. All numbers are little-endian, scales are f16.

mod parts;

use half::{bf16, f16};
use rayon::prelude::*;

pub(crate) use parts::Parts;

/// How a tensor's numbers are stored.
///
/// # Examples
///
/// ```
/// use engine::TensorType;
///
/// // A scale of 2 bytes and a byte for each of 32 weights.
/// assert_eq!((TensorType::Q8_0.block_len(), TensorType::Q8_0.block_bytes()), (32, 34));
/// assert_eq!(TensorType::Q8_0.bytes_of(64), Some(68));
/// assert_eq!(TensorType::Q8_0.bytes_of(40), None, "no whole blocks");
/// assert_eq!(TensorType::Bf16.bytes_of(40), Some(80));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorType {
    /// 32-bit floats.
    F32,
    /// IEEE 16-bit floats.
    F16,
    /// The upper half of 32-bit floats.
    Bf16,
    /// Blocks of 32: scale `d`, 32 signed bytes; `x = d q`.
    Q8_0,
    /// Blocks of 32: scale `d`, 32 nibbles; `x = d (q - 8)`.
    Q4_0,
    /// Blocks of 32: scale `d`, minimum `m`, 32 nibbles; `x = d q + m`.
    Q4_1,
    /// Blocks of 256 in eight groups with 6-bit scales and minima; `x = d s q - dmin m`.
    Q4K,
    /// Blocks of 256 in sixteen groups with 8-bit scales; `x = d s (q - 32)`.
    Q6K,
}

impl TensorType {
    /// ggml's number for it (`enum ggml_type`).
    pub(crate) fn ggml_number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q6K => 14,
            Self::Bf16 => 30,
        }
    }

    /// Weights in one block; 1 for the plain types.
    pub fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 => 32,
            Self::Q4K | Self::Q6K => 256,
        }
    }

    /// Bytes of one block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q8_0 => 34,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q4K => 144,
            Self::Q6K => 210,
        }
    }

    /// Bytes that `count` weights take; none where they are no whole number of blocks or too many.
    pub fn bytes_of(self, count: usize) -> Option<usize> {
        if !count.is_multiple_of(self.block_len()) {
            return None;
        }
        (count / self.block_len()).checked_mul(self.block_bytes())
    }

    /// One block to `block_len` numbers.
    fn block(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F32 => out[0] = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            Self::F16 => out[0] = f16_at(bytes, 0),
            Self::Bf16 => out[0] = bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
            Self::Q8_0 => q8_0(bytes, out),
            Self::Q4_0 => q4_0(bytes, out),
            Self::Q4_1 => q4_1(bytes, out),
            Self::Q4K => q4_k(bytes, out),
            Self::Q6K => q6_k(bytes, out),
        }
    }
}

/// The numbers of `bytes` as f32, in order.
///
/// # Panics
/// Where `bytes` is no whole number of blocks; the readers check that against the tensor's shape.
pub(crate) fn dequantise(kind: TensorType, bytes: &[u8]) -> Vec<f32> {
    /// Blocks that one piece of parallel work takes.
    const PIECE: usize = 4096;
    assert!(bytes.len().is_multiple_of(kind.block_bytes()), "whole blocks");
    let (block_len, block_bytes) = (kind.block_len(), kind.block_bytes());
    let mut out = vec![0.0; bytes.len() / block_bytes * block_len];
    out.par_chunks_mut(PIECE * block_len).zip(bytes.par_chunks(PIECE * block_bytes)).for_each(
        |(out, bytes)| {
            for (out, bytes) in out.chunks_exact_mut(block_len).zip(bytes.chunks_exact(block_bytes))
            {
                kind.block(bytes, out);
            }
        },
    );
    out
}

fn f16_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

fn q8_0(bytes: &[u8], out: &mut [f32]) {
    let d = f16_at(bytes, 0);
    for (out, q) in out.iter_mut().zip(&bytes[2..34]) {
        *out = d * f32::from(q.cast_signed());
    }
}

/// The low nibbles are the block's first half, the high nibbles its second.
fn q4_0(bytes: &[u8], out: &mut [f32]) {
    let d = f16_at(bytes, 0);
    for (i, q) in bytes[2..18].iter().enumerate() {
        out[i] = d * (f32::from(q & 15) - 8.0);
        out[i + 16] = d * (f32::from(q >> 4) - 8.0);
    }
}

fn q4_1(bytes: &[u8], out: &mut [f32]) {
    let (d, m) = (f16_at(bytes, 0), f16_at(bytes, 2));
    for (i, q) in bytes[4..20].iter().enumerate() {
        out[i] = d * f32::from(q & 15) + m;
        out[i + 16] = d * f32::from(q >> 4) + m;
    }
}

/// Layout: d, dmin, 12 bytes of packed 6-bit scales and minima, 128 bytes of nibbles (64 weights per 32 bytes).
fn q4_k(bytes: &[u8], out: &mut [f32]) {
    let (d, dmin) = (f16_at(bytes, 0), f16_at(bytes, 2));
    for (pair, (out, q)) in
        out.chunks_exact_mut(64).zip(bytes[16..144].chunks_exact(32)).enumerate()
    {
        for half in 0..2 {
            let (scale, min) = q4_k_scale_and_min(&bytes[4..16], 2 * pair + half);
            let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
            for (out, q) in out[32 * half..32 * half + 32].iter_mut().zip(q) {
                *out = scale * f32::from((q >> (4 * half)) & 15) - min;
            }
        }
    }
}

/// The 6-bit scale and minimum of group `j` of eight.
fn q4_k_scale_and_min(packed: &[u8], j: usize) -> (u8, u8) {
    if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (
            (packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4),
            (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4),
        )
    }
}

/// Layout: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales, d.
fn q6_k(bytes: &[u8], out: &mut [f32]) {
    let (low, high, scales, d) =
        (&bytes[..128], &bytes[128..192], &bytes[192..208], f16_at(bytes, 208));
    for (n, out) in out.chunks_exact_mut(128).enumerate() {
        let (low, high, scales) = (&low[64 * n..], &high[32 * n..], &scales[8 * n..]);
        for quarter in 0..4 {
            for l in 0..32 {
                let nibble = (low[l + 32 * (quarter % 2)] >> (4 * (quarter / 2))) & 15;
                let q = nibble | (((high[l] >> (2 * quarter)) & 3) << 4);
                let scale = f32::from(scales[l / 16 + 2 * quarter].cast_signed());
                out[32 * quarter + l] = d * scale * (f32::from(q) - 32.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes and weights from gguf-py: `tests/golden/make_quant_blocks.py`.
    const GOLDEN: &str = include_str!("../../../tests/golden/quant_blocks.json");

    #[test]
    fn quantised_blocks_become_the_weights_that_gguf_py_reads() -> anyhow::Result<()> {
        let golden: serde_json::Value = serde_json::from_str(GOLDEN)?;
        let kinds = [
            ("Q8_0", TensorType::Q8_0),
            ("Q4_0", TensorType::Q4_0),
            ("Q4_1", TensorType::Q4_1),
            ("Q4_K", TensorType::Q4K),
            ("Q6_K", TensorType::Q6K),
        ];
        for (name, kind) in kinds {
            let hex = golden[name]["hex"].as_str().unwrap();
            let bytes: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|i| u8::from_str_radix(&hex[i..i + 2], 16))
                .collect::<Result<_, _>>()?;
            let weights: Vec<f64> = serde_json::from_value(golden[name]["weights"].clone())?;
            let found = dequantise(kind, &bytes);
            assert_eq!(found.len(), weights.len(), "{name}");
            for (found, expected) in found.iter().zip(&weights) {
                // Both compute in f32 from the same products; the order of two operations may differ.
                assert!(
                    (f64::from(*found) - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                    "{name}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn plain_types_keep_their_numbers() {
        let numbers = [0.0, 1.5, -2.0, 0.25];
        let f32s: Vec<u8> = numbers.iter().flat_map(|x: &f32| x.to_le_bytes()).collect();
        let f16s: Vec<u8> = numbers.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect();
        let bf16s: Vec<u8> =
            numbers.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect();
        assert_eq!(dequantise(TensorType::F32, &f32s), numbers);
        assert_eq!(dequantise(TensorType::F16, &f16s), numbers);
        assert_eq!(dequantise(TensorType::Bf16, &bf16s), numbers);
    }
}
