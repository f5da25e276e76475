//! How fast this machine would train a model, from a short measurement, and what training takes.
//!
//! # Examples
//!
//! ```
//! use engine::{Compute, Isa, LoraConfig, ModelConfig, rate};
//!
//! let json = std::fs::read("../../tests/golden/tiny-llama/config.json")?;
//! let config = ModelConfig::from_json(&serde_json::from_slice(&json)?)?;
//! let operations = |tokens| rate::operations_per_token(&config, &LoraConfig::default(), tokens);
//! assert!(operations(512) > operations(128), "each token looks at all before it");
//!
//! let (isa, compute) = (Isa::best(), Compute::F32);
//! let reached = rate::products_per_second(&config, isa, compute);
//! let possible = rate::peak_operations_per_second(isa, compute);
//! println!("{:.0} % of what the processor can", 100.0 * reached / possible);
//! assert!(rate::training_tokens_per_second(&config) > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::config::ModelConfig;
use crate::kernels::{Buffer, Compute, Isa, Kernel, Left, Output, Packed, Right, Simd, Term, gemm};
use crate::lora::{LoraConfig, Projection};
use crate::parallel;

/// Tokens of the sequence that is imagined: a usual question with its answer.
const TOKENS: usize = 512;
/// The part of the matrix products' speed that is left with all else around them, as `benches/` measures it.
const EFFICIENCY: f64 = 0.75;
/// How long is measured, after a first product that wakes the threads.
const MEASURED: Duration = Duration::from_millis(150);

/// Tokens of training in one second for a model of this shape, on all threads of the current pool, in the type that is
/// the fastest here.
///
/// It measures matrix products of the model's own shape for a moment and counts what one token needs: an estimate
/// to tell seconds from hours with, not a promise.
pub fn training_tokens_per_second(config: &ModelConfig) -> f64 {
    let isa = Isa::best();
    let speed = EFFICIENCY * products_per_second(config, isa, Compute::fastest(isa));
    speed / operations_per_token(config, &LoraConfig::default(), TOKENS)
}

/// Floating-point operations of one token's forward and backward in `tokens` tokens, half of which carry loss.
pub fn operations_per_token(config: &ModelConfig, lora: &LoraConfig, tokens: usize) -> f64 {
    let shapes = Projection::ALL.map(|projection| projection.shape(config).map(|size| size as f64));
    let [frozen, branches] =
        shapes.iter().fold([0.0, 0.0], |[frozen, branches], [inputs, outputs]| {
            [frozen + inputs * outputs, branches + lora.rank as f64 * (inputs + outputs)]
        });
    // Forward and backward are 2 products each of the frozen weights, 3 of the branches and of the head (forward,
    // and on half of the rows), and 7 halves of T x T in the attention; a product is 2 operations a number.
    let attention = 7.0 * (config.query_size() * tokens) as f64 / 2.0;
    let head = 2.0 * (config.hidden * config.vocab) as f64 / 2.0;
    2.0 * (config.layers as f64 * (2.0 * frozen + 3.0 * branches + attention) + head)
}

/// Floating-point operations a second in products as the MLP's.
pub fn products_per_second(config: &ModelConfig, isa: Isa, compute: Compute) -> f64 {
    let (inputs, outputs) = (config.hidden, config.intermediate);
    let x = vec![0.5; TOKENS * inputs];
    let mut weight = Packed::zeros(isa, compute, [inputs, outputs]);
    weight.fill(&vec![0.5; inputs * outputs], [outputs, 1]);
    let mut out = Buffer::zeros(TOKENS * outputs);
    let term = Term { left: Left::rows(&x, inputs), right: Right::packed(&weight) };
    gemm(isa, TOKENS, &[term], Output::to(&mut out, outputs));
    let (start, mut rounds) = (Instant::now(), 0);
    while rounds == 0 || start.elapsed() < MEASURED {
        gemm(isa, TOKENS, &[term], Output::to(&mut out, outputs));
        rounds += 1;
    }
    let operations = 2.0 * (TOKENS * inputs) as f64 * outputs as f64 * f64::from(rounds);
    operations / start.elapsed().as_secs_f64()
}

/// Floating-point operations a second of all threads when nothing is read or written: what no program can exceed.
pub fn peak_operations_per_second(isa: Isa, compute: Compute) -> f64 {
    const ROUNDS: usize = 1 << 21;
    const TIMES: usize = 20;
    let threads = parallel::threads();
    let work = || {
        let start = Instant::now();
        let operations = parallel::map(threads, |_| isa.run(Peak { compute, rounds: ROUNDS }));
        operations.into_iter().sum::<f64>() / start.elapsed().as_secs_f64()
    };
    // The best of several moments, as one in which a thread still sleeps or its core is taken shows half of it.
    (0..TIMES).map(|_| work()).fold(0.0, f64::max)
}

/// A register tile's sums, again and again; yields how many operations that was.
struct Peak {
    compute: Compute,
    rounds: usize,
}

impl Kernel for Peak {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        const SUMS: usize = 12;
        let mut sums = [simd.splat(0.0); SUMS];
        let small = black_box(1e-3_f32);
        let (number, word) = (simd.splat(small), simd.splat_word(small.to_bits()));
        for _ in 0..self.rounds {
            // Constant indices, so that the sums stay in registers.
            #[expect(clippy::needless_range_loop, reason = "as in the tiles")]
            for index in 0..SUMS {
                sums[index] = match self.compute {
                    Compute::F32 => simd.mul_add(number, number, sums[index]),
                    Compute::Bf16 => simd.dot_pairs(word, word, sums[index]),
                };
            }
        }
        let mut total = 0.0;
        for sum in sums {
            total += simd.sum(sum);
        }
        black_box(total);
        let a_lane = if self.compute == Compute::Bf16 { 4 } else { 2 };
        (a_lane * self.rounds * SUMS * S::LANES) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Architecture, RopeScaling};
    use crate::kernels::{gemm_serial, ready};

    fn config(layers: usize) -> ModelConfig {
        ModelConfig {
            architecture: Architecture::Llama,
            hidden: 576,
            layers,
            heads: 9,
            kv_heads: 3,
            head_dim: 64,
            intermediate: 1536,
            vocab: 49_152,
            rope_theta: 1e5,
            rope_scaling: RopeScaling::None,
            rms_eps: 1e-5,
            tied_head: true,
            max_positions: 8192,
            bos: None,
            eos: vec![2],
            qkv_bias: false,
            qk_norm: false,
        }
    }

    #[test]
    fn a_token_of_smollm2_takes_about_570_million_operations() {
        // Counted by hand for 512 tokens, half of them with loss: 425 M in the frozen layers, 57 M in the head, 29 M in
        // the branches, 62 M in the attention.
        let operations = operations_per_token(&config(30), &LoraConfig::default(), TOKENS);
        assert!((5.4e8..6.0e8).contains(&operations), "{operations:e}");
    }

    /// Sums that leave the registers, or operands that are looked up within the innermost loop, cost half of the speed, and
    /// no other test would see it. Both rates are of one thread and of the same moment, the best of several counts: what
    /// else the machine does takes from both.
    #[test]
    fn the_tiles_of_every_instruction_set_reach_half_of_their_registers_peak() {
        const DEPTH: usize = 576;
        const ROWS: usize = 96;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        // What compilers make of plain Rust, and NEON where it is emulated, is a reference and not made for speed.
        let neon = if cfg!(target_arch = "aarch64") { "" } else { "neon" };
        let made_for_speed = |isa: &Isa| !["plain", neon].contains(&isa.name());
        for isa in Isa::available().into_iter().filter(made_for_speed) {
            let compute = Compute::fastest(isa);
            let columns = isa.panel();
            let x = vec![0.5; ROWS * DEPTH];
            let mut weight = Packed::zeros(isa, compute, [DEPTH, columns]);
            weight.fill(&vec![0.5; DEPTH * columns], [columns, 1]);
            let (mut out, mut words) = (vec![0.0; ROWS * columns], Buffer::default());
            let left = ready(isa, compute, (&x, DEPTH), &mut words);
            let term = Term { left, right: Right::packed(&weight) };
            let mut share = || {
                const TIMES: u32 = 100;
                let start = Instant::now();
                for _ in 0..TIMES {
                    gemm_serial(isa, ROWS, &[term], Output::to(&mut out, columns));
                }
                let operations = 2.0 * (ROWS * DEPTH * columns) as f64 * f64::from(TIMES);
                let reached = operations / start.elapsed().as_secs_f64();
                reached / pool.install(|| peak_operations_per_second(isa, compute))
            };
            let best = (0..5).map(|_| share()).fold(0.0, f64::max);
            assert!(best > 0.5, "{} {compute}: {best:.2} of the registers' peak", isa.name());
        }
    }

    #[test]
    fn this_machine_trains_at_some_rate() {
        let rate = training_tokens_per_second(&config(30));
        assert!(rate.is_finite() && rate > 0.1, "{rate}");
    }
}
