use super::*;
use crate::kernels::{Activations, Forms};
use crate::layers::testing::{assert_within, numbers, numeric_gradient, sum_of_products, wide};

/// From the definition, in f64, without blocks.
fn reference(layer: Attention, [q, k, v]: [&[f64]; 3]) -> Vec<f64> {
    let Attention { tokens, head_dim, .. } = layer;
    let row =
        |x: &[f64], head: usize, t: usize| x[(head * tokens + t) * head_dim..][..head_dim].to_vec();
    let mut out = Vec::new();
    for head in 0..layer.heads {
        let group = layer.group(head);
        for t in 0..tokens {
            let q = row(q, head, t);
            let weights: Vec<f64> = (0..=t)
                .map(|s| {
                    let dot: f64 = q.iter().zip(row(k, group, s)).map(|(q, k)| q * k).sum();
                    (dot / (head_dim as f64).sqrt()).exp()
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            out.extend((0..head_dim).map(|d| {
                let seen = weights.iter().enumerate();
                seen.map(|(s, weight)| weight / sum * row(v, group, s)[d]).sum::<f64>()
            }));
        }
    }
    out
}

/// Numbers by heads, `[heads, T, D]`, as the layer reads them.
fn given(layer: Attention, by_heads: &[f32]) -> Activations {
    let Attention { tokens, head_dim, isa, compute, .. } = layer;
    let heads = by_heads.len() / (tokens * head_dim);
    let mut activations = Activations::default();
    let shape = [tokens, heads * head_dim];
    activations.make((isa, compute), shape, Forms::LEFT, |rows, to| {
        for (t, row) in rows.zip(to.chunks_exact_mut(shape[1])) {
            for (head, to) in row.chunks_exact_mut(head_dim).enumerate() {
                to.copy_from_slice(&by_heads[(head * tokens + t) * head_dim..][..head_dim]);
            }
        }
    });
    activations
}

/// What the layer writes, `[T, H D]`, by heads.
fn by_heads(layer: Attention, rows: &[f32]) -> Vec<f32> {
    let Attention { heads, tokens, head_dim, .. } = layer;
    let places = (0..heads * tokens).map(|row| (row / tokens, row % tokens));
    places
        .flat_map(|(head, t)| &rows[(t * heads + head) * head_dim..][..head_dim])
        .copied()
        .collect()
}

/// The output, by heads, and what is known of its sums.
fn forward(layer: Attention, qkv: &[Activations; 3], packs: &mut Packs) -> (Vec<f32>, Vec<Sum>) {
    let Attention { heads, tokens, head_dim, .. } = layer;
    let mut out = vec![f32::NAN; tokens * heads * head_dim];
    let mut sums = vec![Sum::default(); heads * tokens];
    layer.forward(qkv.each_ref().map(|x| x.window(0..x.row_count())), packs, (&mut out, &mut sums));
    (by_heads(layer, &out), sums)
}

/// The gradients of `dout`, which is by heads as they are.
fn backward(
    layer: Attention,
    qkv: &[Activations; 3],
    (out, dout, sums): (&[f32], &[f32], &[Sum]),
    packs: &mut Packs,
) -> [Vec<f32>; 3] {
    let tokens = layer.tokens;
    let of_keys = layer.heads * layer.keys() * layer.head_dim;
    let [mut dq, mut dk, mut dv] = [out.len(), of_keys, of_keys].map(|size| vec![f32::NAN; size]);
    let (means, dout) = (means(layer, out, dout), given(layer, dout));
    let known = (dout.window(0..tokens), &means[..], sums);
    let qkv = qkv.each_ref().map(|x| x.window(0..x.row_count()));
    layer.backward(qkv, known, packs, [&mut dq, &mut dk, &mut dv]);
    [dq, dk, dv]
}

/// `[T, H]` of outputs and their gradients, `[H, T, D]`.
fn means(layer: Attention, out: &[f32], dout: &[f32]) -> Vec<f32> {
    let mut means = vec![0.0; layer.tokens * layer.heads];
    let rows = out.chunks(layer.head_dim).zip(dout.chunks(layer.head_dim));
    for (row, (out, dout)) in rows.enumerate() {
        let (head, token) = (row / layer.tokens, row % layer.tokens);
        means[token * layer.heads + head] = out.iter().zip(dout).map(|(a, b)| a * b).sum();
    }
    means
}

fn check(tokens: usize, head_dim: usize, isa: Isa) {
    check_in(Compute::F32, [tokens, head_dim], isa, 2e-6);
}

/// Fails unless output and gradients are within a relative L2 distance of `limit` of the formula's.
fn check_in(compute: Compute, [tokens, head_dim]: [usize; 2], isa: Isa, limit: f64) {
    let assert_near = |found: &[f32], expected: &[f64]| assert_within(found, expected, limit);
    let layer = Attention { heads: 4, kv_heads: 2, head_dim, tokens, before: 0, isa, compute };
    let size = tokens * head_dim;
    let (q, k, v) = (numbers(4 * size, 1), numbers(2 * size, 2), numbers(2 * size, 3));
    let dout = numbers(4 * size, 4);
    let mut packs = Packs::default();
    let qkv = [&q, &k, &v].map(|x| given(layer, x));
    let (out, sums) = forward(layer, &qkv, &mut packs);
    let (q_64, k_64, v_64) = (wide(&q), wide(&k), wide(&v));
    assert_near(&out, &reference(layer, [&q_64, &k_64, &v_64]));
    let [dq, dk, dv] = backward(layer, &qkv, (&out, &dout, &sums), &mut packs);
    // The parts of a group's two query heads are summed.
    let summed = |parts: &[f32]| -> Vec<f32> {
        parts
            .chunks(2 * size)
            .flat_map(|pair| pair[..size].iter().zip(&pair[size..]).map(|(a, b)| a + b))
            .collect()
    };
    let loss = |qkv: [&[f64]; 3]| sum_of_products(&reference(layer, qkv), &dout);
    assert_near(&dq, &numeric_gradient(&q_64, |q| loss([q, &k_64, &v_64])));
    assert_near(&summed(&dk), &numeric_gradient(&k_64, |k| loss([&q_64, k, &v_64])));
    assert_near(&summed(&dv), &numeric_gradient(&v_64, |v| loss([&q_64, &k_64, v])));
}

#[test]
fn forward_and_backward_are_those_of_the_formula() {
    for isa in Isa::available() {
        check(1, 2, isa);
        check(9, 6, isa);
        // More than one block of queries.
        check(BLOCK + 5, 2, isa);
        // Products of numbers with 8 bits.
        check_in(Compute::Bf16, [1, 2], isa, 1e-2);
        check_in(Compute::Bf16, [BLOCK + 5, 6], isa, 1e-2);
    }
}

#[test]
fn a_head_worked_off_in_two_pieces_has_the_gradients_of_one() {
    // Blocks enough that the middle one of an odd number of heads is cut.
    let (tokens, head_dim) = (3 * BLOCK + 5, 6);
    assert!(halfway(tokens.div_ceil(BLOCK)) < tokens.div_ceil(BLOCK));
    let size = tokens * head_dim;
    let [q, k, v, dout] = [1, 2, 3, 4].map(|seed| numbers(size, seed));
    let repeated = |numbers: &[f32], heads: usize| numbers.repeat(heads);
    for (isa, compute) in
        Isa::available().into_iter().flat_map(|isa| [(isa, Compute::F32), (isa, Compute::Bf16)])
    {
        let gradients = |heads: usize| {
            let layer =
                Attention { heads, kv_heads: heads, head_dim, tokens, before: 0, isa, compute };
            let [q, k, v, dout] = [&q, &k, &v, &dout].map(|part| repeated(part, heads));
            let (qkv, mut packs) = ([&q, &k, &v].map(|x| given(layer, x)), Packs::default());
            let (out, sums) = forward(layer, &qkv, &mut packs);
            backward(layer, &qkv, (&out, &dout, &sums), &mut packs)
                .map(|gradient| gradient[heads / 2 * size..][..size].to_vec())
        };
        let (cut, whole) = (gradients(3), gradients(2));
        assert_eq!(cut[0], whole[0], "{} {compute}", isa.name());
        for (cut, whole) in cut[1..].iter().zip(&whole[1..]) {
            assert_within(cut, &wide(whole), 1e-6);
        }
    }
}

#[test]
fn after_other_tokens_outputs_and_gradients_are_those_of_the_whole_sequence() {
    let (before, tokens, head_dim) = (BLOCK + 6, 2 * BLOCK + 5, 6);
    for (isa, compute) in
        Isa::available().into_iter().flat_map(|isa| [(isa, Compute::F32), (isa, Compute::Bf16)])
    {
        // Of an odd number of heads the middle one is cut.
        for [heads, kv_heads] in [[4, 2], [3, 3]] {
            let keys = before + tokens;
            let whole =
                Attention { heads, kv_heads, head_dim, tokens: keys, before: 0, isa, compute };
            let later = Attention { tokens, before, ..whole };
            let (size, first) = (keys * head_dim, before * head_dim);
            // The last rows of each head.
            let rest = |numbers: &[f32]| -> Vec<f32> {
                numbers.chunks(size).flat_map(|head| &head[first..]).copied().collect()
            };
            let [q, k, v] = [(heads, 1), (kv_heads, 2), (kv_heads, 3)]
                .map(|(heads, seed)| numbers(heads * size, seed));
            let mut dout = numbers(heads * size, 4);
            dout.chunks_mut(size).for_each(|head| head[..first].fill(0.0));
            let run = |layer, q: &[f32], dout: &[f32]| {
                let qkv = [given(layer, q), given(whole, &k), given(whole, &v)];
                let mut packs = Packs::default();
                let (out, sums) = forward(layer, &qkv, &mut packs);
                let [dq, dk, dv] = backward(layer, &qkv, (&out, dout, &sums), &mut packs);
                [out, dq, dk, dv]
            };
            let [out, dq, dk, dv] = run(whole, &q, &dout);
            let found = run(later, &rest(&q), &rest(&dout));
            let limit = if compute == Compute::F32 { 1e-6 } else { 1e-2 };
            for (found, expected) in found.iter().zip([rest(&out), rest(&dq), dk, dv]) {
                assert_within(found, &wide(&expected), limit);
            }
        }
    }
}
