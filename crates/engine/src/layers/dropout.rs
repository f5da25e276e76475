//! Dropout on the input of a LoRA branch: each number is 0 with chance `p`, else divided by `1 - p`.
//!
//! Shapes: x, out, dx `[T, in]`. Source: Srivastava et al. 2014, as PEFT's `lora_dropout`. The mask is a hash of a key and the
//! number's place, so it is never kept, is the same on any number of threads, and the backward makes it again.

use crate::parallel;

/// Numbers in one piece of work.
const PIECE: usize = 1 << 12;

/// One branch's mask for one sequence of one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    key: u64,
    /// Dropped where the hash's upper half is below this.
    threshold: u32,
    scale: f32,
}

impl Dropout {
    /// The mask of `key`, which drops with chance `p` (0 to below 1).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "p is from 0 to below 1, so the product fits"
    )]
    pub(crate) fn new(key: u64, p: f32) -> Self {
        let threshold = (f64::from(p) * f64::from(u32::MAX)) as u32;
        Self { key, threshold, scale: 1.0 / (1.0 - p) }
    }

    /// `x` with the mask applied.
    pub(crate) fn forward(self, x: &[f32], out: &mut [f32]) {
        parallel::chunks_mut(out, PIECE, |index, out| {
            let from = index * PIECE;
            for (i, (out, x)) in out.iter_mut().zip(&x[from..]).enumerate() {
                *out = x * self.factor(from + i);
            }
        });
    }

    /// Adds to `dx` the gradient `dout` of the masked numbers.
    pub(crate) fn backward(self, dout: &[f32], dx: &mut [f32]) {
        parallel::chunks_mut(dx, PIECE, |index, dx| {
            let from = index * PIECE;
            for (i, (dx, dout)) in dx.iter_mut().zip(&dout[from..]).enumerate() {
                *dx += dout * self.factor(from + i);
            }
        });
    }

    /// What the number at `place` is multiplied by.
    fn factor(self, place: usize) -> f32 {
        let hash = mix(self.key.wrapping_add((place as u64).wrapping_mul(GOLDEN)));
        if ((hash >> 32) as u32) < self.threshold { 0.0 } else { self.scale }
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// `SplitMix64`'s finisher (Steele, Lea and Flood 2014): every bit of the input moves every bit of the result.
pub(crate) fn mix(key: u64) -> u64 {
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

/// One key out of several numbers.
pub(crate) fn key(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |key, part| mix(key.wrapping_mul(GOLDEN) ^ mix(part.wrapping_add(GOLDEN))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_is_dropped_is_p_and_the_mean_stays() {
        let ones = vec![1.0; 100_000];
        let mut out = vec![0.0; ones.len()];
        Dropout::new(key(&[1, 2]), 0.25).forward(&ones, &mut out);
        let dropped = out.iter().filter(|x| **x == 0.0).count();
        assert!((24_500..25_500).contains(&dropped), "{dropped}");
        assert!(out.iter().all(|x| *x == 0.0 || (x - 4.0 / 3.0).abs() < 1e-6));
    }

    #[test]
    fn another_key_is_another_mask_and_the_backward_has_the_same() {
        let ones = vec![1.0; 1000];
        let mask = |key: u64| {
            let mut out = vec![0.0; ones.len()];
            Dropout::new(key, 0.5).forward(&ones, &mut out);
            out
        };
        assert_ne!(mask(key(&[1, 2])), mask(key(&[2, 1])));
        let mut dx = vec![0.0; ones.len()];
        Dropout::new(7, 0.5).backward(&ones, &mut dx);
        assert_eq!(dx, mask(7));
    }
}
