//! The parts of quantised blocks: whole numbers with their scales and offsets, for products that take them as they are.

use super::{TensorType, f16_at};
use crate::kernels::Width;

/// One block of a file in parts.
///
/// Number `i` is `scales[g] q + offsets[g]` of its group `g`; quants of [`Width::Bytes`] are signed. Scales times quants
/// are exact in f32 wherever there is an offset, so that it does not matter whether their product is rounded.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) scales: [f32; 16],
    pub(crate) offsets: [f32; 16],
    pub(crate) quants: [u8; 256],
}

impl Default for Parts {
    fn default() -> Self {
        Self { scales: [0.0; 16], offsets: [0.0; 16], quants: [0; 256] }
    }
}

impl TensorType {
    /// How many numbers share a scale, and their width; none for plain types.
    pub(crate) fn parted(self) -> Option<(usize, Width)> {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => None,
            Self::Q8_0 => Some((32, Width::Bytes)),
            Self::Q4_0 | Self::Q4_1 | Self::Q4K => Some((32, Width::Nibbles)),
            Self::Q6K => Some((16, Width::Bytes)),
        }
    }
}

impl Parts {
    /// Reads one block of `kind`, which has parts.
    pub(crate) fn read(&mut self, kind: TensorType, bytes: &[u8]) {
        match kind {
            TensorType::Q8_0 => {
                self.scales[0] = f16_at(bytes, 0);
                self.quants[..32].copy_from_slice(&bytes[2..34]);
            }
            TensorType::Q4_0 => {
                let d = f16_at(bytes, 0);
                (self.scales[0], self.offsets[0]) = (d, -8.0 * d);
                self.nibbles(&bytes[2..18]);
            }
            TensorType::Q4_1 => {
                (self.scales[0], self.offsets[0]) = (f16_at(bytes, 0), f16_at(bytes, 2));
                self.nibbles(&bytes[4..20]);
            }
            TensorType::Q4K => self.q4_k(bytes),
            TensorType::Q6K => self.q6_k(bytes),
            TensorType::F32 | TensorType::F16 | TensorType::Bf16 => {}
        }
    }

    /// The low nibbles are the block's first half, the high nibbles its second.
    fn nibbles(&mut self, bytes: &[u8]) {
        for (i, q) in bytes.iter().enumerate() {
            self.quants[i] = q & 15;
            self.quants[i + 16] = q >> 4;
        }
    }

    fn q4_k(&mut self, bytes: &[u8]) {
        let (d, dmin) = (f16_at(bytes, 0), f16_at(bytes, 2));
        for (group, quants) in self.quants.chunks_exact_mut(32).enumerate() {
            let (scale, min) = super::q4_k_scale_and_min(&bytes[4..16], group);
            self.scales[group] = d * f32::from(scale);
            self.offsets[group] = -(dmin * f32::from(min));
            let nibbles = &bytes[16 + 32 * (group / 2)..];
            for (quant, q) in quants.iter_mut().zip(nibbles) {
                *quant = (q >> (4 * (group % 2))) & 15;
            }
        }
    }

    fn q6_k(&mut self, bytes: &[u8]) {
        let (low, high, scales, d) =
            (&bytes[..128], &bytes[128..192], &bytes[192..208], f16_at(bytes, 208));
        for (scale, from) in self.scales.iter_mut().zip(scales) {
            *scale = d * f32::from(from.cast_signed());
        }
        for (i, quant) in self.quants.iter_mut().enumerate() {
            let (n, quarter, l) = (i / 128, i % 128 / 32, i % 32);
            let nibble = (low[64 * n + l + 32 * (quarter % 2)] >> (4 * (quarter / 2))) & 15;
            let pair = (high[32 * n + l] >> (2 * quarter)) & 3;
            *quant = (nibble | pair << 4).wrapping_sub(32);
        }
    }
}
