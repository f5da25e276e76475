//! Shared beginnings: what is shared, and that losses and gradients are those of whole sequences.

use super::*;
use crate::testing::{FAMILIES, family};

/// An example of these tokens with loss from place `judged` on.
fn example(tokens: impl IntoIterator<Item = u32>, judged: usize) -> Example {
    let tokens: Vec<u32> = tokens.into_iter().collect();
    let weights = (0..tokens.len()).map(|place| if place < judged { 0.0 } else { 1.0 }).collect();
    Example { tokens, weights }
}

/// Examples that begin with the same `alike` tokens, of three lengths.
fn alike(alike: u32) -> [Example; 3] {
    [(9, 2), (30, 5), (4, 3)].map(|(more, judged)| {
        let rest = (0..more).map(|place| 2 + (place * 7 + more) % 40);
        example((0..alike).map(|place| 1 + place % 41).chain(rest), alike as usize + judged)
    })
}

#[test]
fn what_is_shared_is_even_and_before_all_that_is_judged() {
    let of = |examples: &[Example]| shared(examples.iter());
    let [a, b, c] = alike(41);
    assert_eq!(of(&[a.clone(), b.clone(), c.clone()]), 40);
    assert_eq!(of(&[a.clone(), b.clone()]), 0, "40 tokens saved once are not worth a pass");
    assert_eq!(of(&[a.clone(), b.clone(), c.clone(), example(5..60, 50)]), 0, "another beginning");
    // The first row with loss predicts place 36 from place 35, so that 35 tokens are free of it.
    let early = example(a.tokens.iter().copied(), 36);
    assert_eq!(of(&[a, b, c, early]), 34);
    assert_eq!(of(&[]), 0);
}

/// Loss sums, and the gradients of all examples in one row.
fn batch(
    (model, adapter): (&Model, &Adapter),
    examples: &[Example],
    shared: usize,
    workspace: &mut Workspace,
) -> (Sums, Vec<f32>) {
    let (mut gradients, mut prefix) = (Gradients::zeros(adapter), Prefix::default());
    let mut sums = Sums::default();
    model
        .begin_prefix(Some(adapter), &examples[0].tokens[..shared], (&mut prefix, true), workspace)
        .unwrap();
    // The first two side by side.
    for examples in [&examples[..2], &examples[2..]] {
        let (all, lengths) = joined(examples.iter(), shared);
        let (gradients, prefix) = (&mut gradients, &mut prefix);
        let (lengths, scale) = (&lengths[..], 0.1);
        let mut step = Step { adapter, gradients, scale, dropout: 0, lengths, prefix };
        sums = sums.plus(model.loss_and_gradients(&mut step, &all, workspace).unwrap());
    }
    model.finish_prefix((adapter, &mut gradients), &mut prefix, workspace);
    let pairs = gradients.pairs().flat_map(|pair| pair.a.iter().chain(&pair.b));
    (sums, pairs.copied().collect())
}

#[test]
fn losses_and_gradients_are_those_of_whole_sequences() {
    let tokens = 14;
    let examples = alike(u32::try_from(tokens).unwrap());
    for (name, compute) in
        FAMILIES.iter().flat_map(|name| [Compute::F32, Compute::Bf16].map(|kind| (name, kind)))
    {
        let folder = family(name).unwrap();
        for isa in Isa::available() {
            let model = load(folder.path(), isa, compute);
            let adapter = formula_adapter(&model, [0.5, 0.5]);
            let run = |shared, workspace: &mut Workspace| {
                batch((&model, &adapter), &examples, shared, workspace)
            };
            let mut free = Workspace::default();
            let (whole, expected) = run(0, &mut free);
            let (sums, found) = run(tokens, &mut free);
            let near = if compute == Compute::F32 { 1e-5 } else { 2e-2 };
            assert!((sums.loss / whole.loss - 1.0).abs() < near, "{name} {compute}");
            assert_eq!((sums.rows, sums.weight), (whole.rows, whole.weight));
            let far = distance(&found, &expected);
            assert!(far < near, "{name} {compute} {}: {far:e}", isa.name());
            // Without room for tapes the blocks are computed again, to the same bits.
            let mut narrow = Workspace { limit: Some(0), ..Workspace::default() };
            assert!(run(tokens, &mut narrow) == (sums, found.clone()), "{name} {compute}");
            // And without gradients.
            let mut prefix = Prefix::default();
            let first = &examples[0].tokens[..tokens];
            model.begin_prefix(Some(&adapter), first, (&mut prefix, false), &mut free).unwrap();
            let mut loss = 0.0;
            for example in &examples {
                let rest = example.after(tokens);
                loss += model.loss((Some(&adapter), &prefix), &rest, &mut free).unwrap().loss;
            }
            assert!((loss / sums.loss - 1.0).abs() < near, "{name} {compute}");
        }
    }
}
