//! Numbers as the bytes of a storage type.

use half::{bf16, f16};

use super::ExportError;
use crate::quant::TensorType;

/// The bytes of the numbers of tensor `name`; 16-bit types round to the nearest.
pub(super) fn encode(
    kind: TensorType,
    numbers: &[f32],
    name: &str,
) -> Result<Vec<u8>, ExportError> {
    let range = || ExportError::Range(name.to_owned());
    match kind {
        TensorType::F32 => Ok(numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
        TensorType::F16 => {
            let halves = numbers.iter().map(|number| f16::from_f32(*number));
            if !halves.clone().all(f16::is_finite) {
                return Err(range());
            }
            Ok(halves.flat_map(f16::to_le_bytes).collect())
        }
        TensorType::Bf16 => {
            let halves = numbers.iter().map(|number| bf16::from_f32(*number));
            if !halves.clone().all(bf16::is_finite) {
                return Err(range());
            }
            Ok(halves.flat_map(bf16::to_le_bytes).collect())
        }
        TensorType::Q8_0 => {
            let mut bytes = Vec::with_capacity(numbers.len() / 32 * 34);
            for block in numbers.chunks_exact(32) {
                q8_0(block, &mut bytes).ok_or_else(range)?;
            }
            Ok(bytes)
        }
        _ => Err(ExportError::WeightType { format: "a model", kind }),
    }
}

/// One block: `d = max |x| / 127`, `q = round(x / d)` away from zero at halves, as `quantize_row_q8_0_ref` of ggml.
fn q8_0(block: &[f32], bytes: &mut Vec<u8>) -> Option<()> {
    let largest = block.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let scale = largest / 127.0;
    let stored = f16::from_f32(scale);
    if !stored.is_finite() {
        return None;
    }
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    bytes.extend(stored.to_le_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "no larger than 127")]
    bytes.extend(block.iter().map(|x| ((x * inverse).round() as i8).cast_unsigned()));
    Some(())
}
