//! Qwen2 (bias), Qwen3 (normalised heads) and Llama 3 (stretched positions) against PyTorch and PEFT.

use super::*;
use crate::testing::{FAMILIES, family};

#[test]
fn each_familys_loss_logits_and_gradients_are_those_of_the_reference() {
    for name in FAMILIES {
        let expected = read_tensors(&golden(name).join("expected.safetensors")).unwrap();
        let folder = family(name).unwrap();
        let check = |isa: Isa, compute, [logits_near, loss_near]: [f64; 2], gradients_near| {
            let model = load(folder.path(), isa, compute);
            let adapter = formula_adapter(&model, [0.5, 0.5]);
            let far = last_logits_distance(&model, &adapter, &expected);
            assert!(far < logits_near, "{name} {} logits: {far:e}", isa.name());
            let (loss, gradients) = computed(&model, &adapter, &golden_example(&expected));
            let far = (loss - f64::from(expected["loss"].1[0])).abs();
            assert!(far < loss_near, "{name} {} loss: {far:e}", isa.name());
            assert_eq!(gradients.len(), 2 * 7 * 2);
            assert_gradients(&gradients, &expected, gradients_near);
        };
        for isa in Isa::available() {
            check(isa, Compute::F32, [1e-5, 1e-5], [1e-4, 1e-4]);
            check(isa, Compute::Bf16, [2e-2, 1e-2], BF16);
        }
    }
}

#[test]
fn examples_side_by_side_compute_what_each_computes_alone() {
    for (name, compute) in
        FAMILIES.iter().flat_map(|name| [Compute::F32, Compute::Bf16].map(|kind| (name, kind)))
    {
        let expected = read_tensors(&golden(name).join("expected.safetensors")).unwrap();
        let model = load(family(name).unwrap().path(), Isa::best(), compute);
        let adapter = formula_adapter(&model, [0.5, 0.5]);
        // Of three lengths, the first with loss on its first token, which nothing predicts.
        let whole = golden_example(&expected);
        let part = |from: usize| Example {
            tokens: whole.tokens[from..].to_vec(),
            weights: whole.weights[from..].to_vec(),
        };
        let mut examples = [part(3), part(0), part(7)];
        examples[0].weights.fill(1.0);
        let of = |example: &Example, lengths: &[usize], gradients: &mut Gradients| {
            let (adapter, prefix) = (&adapter, &mut Prefix::default());
            let mut step = Step { adapter, gradients, scale: 0.1, dropout: 0, lengths, prefix };
            model.loss_and_gradients(&mut step, example, &mut Workspace::default()).unwrap()
        };
        let (mut apart, mut together) = (Gradients::zeros(&adapter), Gradients::zeros(&adapter));
        let mut sums = Sums::default();
        for example in &examples {
            sums = sums.plus(of(example, &[], &mut apart));
        }
        let (all, lengths) = joined(examples.iter(), 0);
        let found = of(&all, &lengths, &mut together);
        // Every row's loss has the same bits; only the order in which they are summed is another.
        assert!((found.loss / sums.loss - 1.0).abs() < 1e-14, "{name} {compute}");
        assert_eq!((found.correct, found.rows), (sums.correct, sums.rows));
        for (found, expected) in together.pairs().zip(apart.pairs()) {
            let far = distance(&found.a, &expected.a).max(distance(&found.b, &expected.b));
            assert!(far < 2e-6, "{name} {compute} {far:e}");
        }
    }
}

#[test]
fn each_family_gives_the_same_bits_on_one_thread_and_on_three() {
    for name in FAMILIES {
        let expected = read_tensors(&golden(name).join("expected.safetensors")).unwrap();
        let model = load(family(name).unwrap().path(), Isa::best(), Compute::F32);
        let adapter = formula_adapter(&model, [0.5, 0.5]);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| computed(&model, &adapter, &golden_example(&expected)))
        };
        let (one, three) = (on(1), on(3));
        assert_eq!((one.0.to_bits(), one.1), (three.0.to_bits(), three.1), "{name}");
    }
}
