//! The whole engine against PyTorch and PEFT; numbers and scripts in `tests/golden/`.

mod families;

use std::path::PathBuf;

use super::*;
use crate::lora::LoraConfig;
use crate::lora::{Tensors, read_tensors, sites, transpose};
use crate::model::LoadOptions;
use crate::{ChatMessage, Isa, testing};

fn golden(name: &str) -> PathBuf {
    testing::golden(name)
}

/// `|found - expected| / |expected|` in L2.
fn distance(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |x: f32| f64::from(x) * f64::from(x);
    let error: f64 = found.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    let size: f64 = expected.iter().copied().map(square).sum();
    (error / size).sqrt()
}

fn load(path: &std::path::Path, isa: Isa) -> Model {
    let options = LoadOptions { isa: Some(isa), ..LoadOptions::default() };
    Model::load(path, &options).unwrap()
}

fn tiny(isa: Isa) -> Model {
    load(&golden("tiny-llama"), isa)
}

fn conversations() -> Vec<(Vec<ChatMessage>, Example)> {
    let text = std::fs::read_to_string(golden("tiny-training/examples.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let list = |value: &serde_json::Value| -> Vec<i64> {
        value.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect()
    };
    json.as_array()
        .unwrap()
        .iter()
        .map(|conversation| {
            let messages = conversation["messages"].as_array().unwrap().iter();
            let messages = messages
                .map(|message| ChatMessage::new(text(&message["role"]), text(&message["content"])))
                .collect();
            let tokens =
                list(&conversation["ids"]).into_iter().map(|id| u32::try_from(id).unwrap());
            let labels = list(&conversation["labels"]);
            let weights = labels.iter().map(|label| f32::from(u8::from(*label >= 0)));
            (messages, Example { tokens: tokens.collect(), weights: weights.collect() })
        })
        .collect()
}

/// Loss and gradients of `example`, the latter by PEFT's names and in PEFT's shapes.
fn computed(model: &Model, adapter: &Adapter, example: &Example) -> (f64, Tensors) {
    let mut gradients = Gradients::zeros(adapter);
    let scale = 1.0 / example.loss_tokens() as f32;
    let mut step = Step { adapter, gradients: &mut gradients, scale, dropout: 0 };
    let sums = model.loss_and_gradients(&mut step, example, &mut Workspace::default()).unwrap();
    let mut named = Tensors::new();
    for ((layer, projection), pair) in sites(model.config()).zip(gradients.pairs()) {
        let prefix = format!(
            "base_model.model.model.layers.{layer}.{}.{projection}.lora_",
            projection.module()
        );
        let [inputs, outputs] = projection.shape(model.config());
        let rank = adapter.config().rank;
        named.insert(format!("{prefix}A.weight"), (vec![rank, inputs], pair.a.clone()));
        let b = transpose(&pair.b, outputs);
        named.insert(format!("{prefix}B.weight"), (vec![outputs, rank], b));
    }
    (sums.loss / sums.weight, named)
}

/// Fails unless all gradients together are within 1e-4 of those expected, and each alone within `each`.
fn assert_gradients(computed: &Tensors, expected: &Tensors, each: f64) {
    let (mut all_found, mut all_expected) = (Vec::new(), Vec::new());
    for (name, (shape, found)) in computed {
        let (expected_shape, expected) = &expected[&format!("gradient.{name}")];
        assert_eq!(shape, expected_shape, "{name}");
        let far = distance(found, expected);
        assert!(far < each, "{name}: {far:e}");
        all_found.extend_from_slice(found);
        all_expected.extend_from_slice(expected);
    }
    let far = distance(&all_found, &all_expected);
    assert!(far < 1e-4, "all gradients: {far:e}");
}

#[test]
fn conversations_become_the_tokens_and_labels_of_the_reference() {
    let model = tiny(Isa::best());
    for (messages, expected) in conversations() {
        let example = model.example(&messages).unwrap();
        assert_eq!(example.tokens, expected.tokens);
        assert_eq!(example.weights, expected.weights);
    }
}

#[test]
fn loss_logits_and_gradients_are_those_of_the_reference_on_every_instruction_set() {
    let expected = read_tensors(&golden("tiny-training/expected.safetensors")).unwrap();
    let (_, example) = conversations().swap_remove(0);
    for isa in Isa::available() {
        let model = tiny(isa);
        let adapter = Adapter::load(&golden("tiny-training/adapter"), &model).unwrap();
        let logits = model.logits(Some(&adapter), &example.tokens).unwrap();
        let far = distance(&logits, &expected["logits"].1);
        assert!(far < 1e-5, "{}: {far:e}", isa.name());
        let (loss, gradients) = computed(&model, &adapter, &example);
        assert!((loss - f64::from(expected["loss"].1[0])).abs() < 1e-5, "{loss}");
        assert_eq!(gradients.len(), 2 * 7 * 2);
        assert_gradients(&gradients, &expected, 1e-4);
    }
}

#[test]
fn the_gguf_file_computes_what_the_safetensors_compute() {
    let (_, example) = conversations().swap_remove(1);
    let options = LoadOptions::default();
    let gguf = Model::load(&golden("tiny-llama/model.gguf"), &options).unwrap();
    let folder = Model::load(&golden("tiny-llama"), &options).unwrap();
    let logits = |model: &Model| model.logits(None, &example.tokens).unwrap();
    assert_eq!(logits(&gguf), logits(&folder));
}

#[test]
fn one_thread_and_three_give_the_same_bits() {
    let (_, example) = conversations().swap_remove(1);
    let model = tiny(Isa::best());
    let adapter = Adapter::load(&golden("tiny-training/adapter"), &model).unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| computed(&model, &adapter, &example))
    };
    let (one, three) = (on(1), on(3));
    assert_eq!(one.0.to_bits(), three.0.to_bits());
    assert_eq!(one.1, three.1);
}

/// Numbers from -scale / 2 to scale / 2, as `formula` of `make_smollm2_training.py`.
fn formula(count: usize, first: &mut u64, scale: f64) -> Vec<f32> {
    let numbers = (*first..*first + count as u64)
        .map(|place| {
            let hash = place.wrapping_mul(2_654_435_761) % (1 << 32);
            #[expect(clippy::cast_possible_truncation, reason = "the adapter is f32")]
            let number = ((hash as f64 / 4_294_967_296.0 - 0.5) * scale) as f32;
            number
        })
        .collect();
    *first += count as u64;
    numbers
}

/// An adapter of rank 2 whose weights follow from a formula, as the golden scripts have it.
fn formula_adapter(model: &Model, [a, b]: [f64; 2]) -> Adapter {
    let config = LoraConfig { rank: 2, alpha: 4.0, ..LoraConfig::default() };
    let mut adapter = Adapter::new(model, &config, 0).unwrap();
    let mut first = 0;
    for factors in adapter.factors_mut() {
        factors.a = formula(factors.a.len(), &mut first, a);
        factors.b = transpose(&formula(factors.b.len(), &mut first, b), 2);
        factors.repack();
    }
    adapter
}

/// Token ids and labels of a golden file as an example.
fn golden_example(expected: &Tensors) -> Example {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole numbers")]
    let tokens: Vec<u32> = expected["ids"].1.iter().map(|id| *id as u32).collect();
    let weights = expected["labels"].1.iter().map(|label| f32::from(u8::from(*label >= 0.0)));
    Example { tokens, weights: weights.collect() }
}

/// How far the logits of the last rows are from those of a golden file.
fn last_logits_distance(model: &Model, adapter: &Adapter, expected: &Tensors) -> f64 {
    let logits = model.logits(Some(adapter), &golden_example(expected).tokens).unwrap();
    let last = &expected["last_logits"].1;
    distance(&logits[logits.len() - last.len()..], last)
}

#[test]
#[ignore = "needs the base model: .ci/run fetches it"]
fn smollm2_computes_on_a_real_record_what_the_reference_computes() {
    let expected = read_tensors(&golden("smollm2-training.safetensors")).unwrap();
    let model = Model::load(&testing::base_model(), &LoadOptions::default()).unwrap();
    let adapter = formula_adapter(&model, [0.08, 0.04]);
    let far = last_logits_distance(&model, &adapter, &expected);
    assert!(far < 1e-4, "logits: {far:e}");
    let (loss, gradients) = computed(&model, &adapter, &golden_example(&expected));
    assert!((loss - f64::from(expected["loss"].1[0])).abs() < 1e-4, "{loss}");
    assert_eq!(gradients.len(), 420);
    // The worst of the reference's own tensors is 1.1e-3 off its f64, and all together are 1.3e-4 off.
    assert_gradients(&gradients, &expected, 5e-4);
}
