//! How fast this machine would train a model, from a short measurement.

use std::time::{Duration, Instant};

use crate::config::ModelConfig;
use crate::kernels::{Buffer, Isa, Left, Output, Packed, Right, Term, gemm};
use crate::lora::{LoraConfig, Projection};

/// Tokens of the sequence that is imagined: a usual question with its answer.
const TOKENS: usize = 512;
/// The part of the matrix products' speed that is left with all else around them, as `benches/` measures it.
const EFFICIENCY: f64 = 0.75;
/// How long is measured, after a first product that wakes the threads.
const MEASURED: Duration = Duration::from_millis(150);

/// Tokens of training in one second for a model of this shape, on all threads of the current pool.
///
/// It measures matrix products of the model's own shape for a moment and counts what one token needs: an estimate
/// to tell seconds from hours with, not a promise.
pub fn training_tokens_per_second(config: &ModelConfig) -> f64 {
    EFFICIENCY * products_per_second(config) / operations_per_token(config, &LoraConfig::default())
}

/// Floating-point operations of one token's forward and backward at [`TOKENS`] tokens, half of which carry loss.
fn operations_per_token(config: &ModelConfig, lora: &LoraConfig) -> f64 {
    let shapes = Projection::ALL.map(|projection| projection.shape(config).map(|size| size as f64));
    let [frozen, branches] =
        shapes.iter().fold([0.0, 0.0], |[frozen, branches], [inputs, outputs]| {
            [frozen + inputs * outputs, branches + lora.rank as f64 * (inputs + outputs)]
        });
    // Forward and backward are 2 products each of the frozen weights, 3 of the branches and of the head (forward,
    // and on half of the rows), and 7 halves of T x T in the attention; a product is 2 operations a number.
    let attention = 7.0 * (config.query_size() * TOKENS) as f64 / 2.0;
    let head = 2.0 * (config.hidden * config.vocab) as f64 / 2.0;
    2.0 * (config.layers as f64 * (2.0 * frozen + 3.0 * branches + attention) + head)
}

/// Floating-point operations a second in the MLP's products.
fn products_per_second(config: &ModelConfig) -> f64 {
    let (isa, inputs, outputs) = (Isa::best(), config.hidden, config.intermediate);
    let x = vec![0.5; TOKENS * inputs];
    let weight = Packed::rows(isa, &vec![0.5; inputs * outputs], outputs);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Architecture, RopeScaling};

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
        let operations = operations_per_token(&config(30), &LoraConfig::default());
        assert!((5.4e8..6.0e8).contains(&operations), "{operations:e}");
    }

    #[test]
    fn this_machine_trains_at_some_rate() {
        let rate = training_tokens_per_second(&config(30));
        assert!(rate.is_finite() && rate > 0.1, "{rate}");
    }
}
