//! Qwen2 (bias), Qwen3 (normalised heads) and Llama 3 (stretched positions) against PyTorch and PEFT.

use super::*;
use crate::testing::{FAMILIES, family};

#[test]
fn each_familys_loss_logits_and_gradients_are_those_of_the_reference() {
    for name in FAMILIES {
        let expected = read_tensors(&golden(name).join("expected.safetensors")).unwrap();
        let folder = family(name).unwrap();
        for isa in Isa::available() {
            let model = load(folder.path(), isa);
            let adapter = formula_adapter(&model, [0.5, 0.5]);
            let far = last_logits_distance(&model, &adapter, &expected);
            assert!(far < 1e-5, "{name} {} logits: {far:e}", isa.name());
            let (loss, gradients) = computed(&model, &adapter, &golden_example(&expected));
            let far = (loss - f64::from(expected["loss"].1[0])).abs();
            assert!(far < 1e-5, "{name} {} loss: {far:e}", isa.name());
            assert_eq!(gradients.len(), 2 * 7 * 2);
            assert_gradients(&gradients, &expected, 1e-4);
        }
    }
}

#[test]
fn each_family_gives_the_same_bits_on_one_thread_and_on_three() {
    for name in FAMILIES {
        let expected = read_tensors(&golden(name).join("expected.safetensors")).unwrap();
        let model = load(family(name).unwrap().path(), Isa::best());
        let adapter = formula_adapter(&model, [0.5, 0.5]);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| computed(&model, &adapter, &golden_example(&expected)))
        };
        let (one, three) = (on(1), on(3));
        assert_eq!((one.0.to_bits(), one.1), (three.0.to_bits(), three.1), "{name}");
    }
}
