//! Causal attention with grouped queries: `out = softmax(q k^T / sqrt(D)) v`, token `t` seeing tokens `0..=t`.
//!
//! Shapes: q, out, dout, dq `[H, T, D]`, k, v `[G, T, D]`; query head `h` reads key head `h / (H / G)`. Source: Vaswani et
//! al. 2017 (arXiv:1706.03762), groups: Ainslie et al. 2023 (arXiv:2305.13245). Worked off in blocks of queries, so that
//! no `[T, T]` is ever held; the backward computes the probabilities again.

use std::ops::Range;

use crate::kernels::{
    Compute, Isa, Kernel, Left, Output, Packed, Right, Simd, Term, dot, exp, gemm_serial,
};
use crate::parallel;

/// Queries in a block: a multiple of the register tile's rows, and even; the scores of 1,024 keys then fill 196 KiB.
const BLOCK: usize = 48;

/// The layer's shape for one sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attention {
    /// `H`.
    pub(crate) heads: usize,
    /// `G`.
    pub(crate) kv_heads: usize,
    /// `D`.
    pub(crate) head_dim: usize,
    /// `T`.
    pub(crate) tokens: usize,
    /// What runs it.
    pub(crate) isa: Isa,
    /// The type of the products; what is between them is f32.
    pub(crate) compute: Compute,
}

/// Gradients, one head of queries after another: dq, dk, dv, each `[H, T, D]`.
///
/// `dk` and `dv` still hold one part for each query head; [`super::rope::Rope::to_rows`] sums those of a group.
pub(crate) type Gradients<'a> = [&'a mut [f32]; 3];

impl Attention {
    /// `out` of `[q, k, v]`.
    pub(crate) fn forward(self, [q, k, v]: [&[f32]; 3], packs: &mut Packs, out: &mut [f32]) {
        let [keys, values, ..] = &mut packs.0;
        let (keys, values) = (self.columns(k, keys), self.rows(v, self.kv_heads, values));
        let blocks = self.tokens.div_ceil(BLOCK);
        let lengths = (0..self.heads * blocks)
            .map(|index| [self.queries(index % blocks).len() * self.head_dim]);
        parallel::pieces_mut([out], lengths, |index, [out]| {
            let (head, block) = (index / blocks, index % blocks);
            let queries = self.queries(block);
            let last = queries.end;
            parallel::with_scratch(BLOCK * self.tokens, |scores| {
                let q = self.head(q, head);
                let columns = self.scores(q, &keys[self.group(head)], block, scores);
                self.softmax(block, columns, scores);
                let right = values[self.group(head)].range(0..last);
                let term = Term { left: Left::rows(scores, self.tokens), right };
                gemm_serial(self.isa, queries.len(), &[term], Output::to(out, self.head_dim));
            });
        });
    }

    /// The gradients of `dout` (overwritten).
    pub(crate) fn backward(
        self,
        [q, k, v]: [&[f32]; 3],
        dout: &[f32],
        packs: &mut Packs,
        gradients: Gradients<'_>,
    ) {
        let [turned_keys, turned_values, queries, douts, keys] = &mut packs.0;
        let turned = [self.columns(k, turned_keys), self.columns(v, turned_values)];
        let rows = [self.rows(q, self.heads, queries), self.rows(dout, self.heads, douts)];
        let keys = self.rows(k, self.kv_heads, keys);
        let size = self.tokens * self.head_dim;
        let lengths = (0..self.heads).map(|_| [size; 3]);
        parallel::pieces_mut(gradients, lengths, |head, gradients| {
            let group = self.group(head);
            let head = Head {
                layer: self,
                q: self.head(q, head),
                dout: self.head(dout, head),
                turned: [&turned[0][group], &turned[1][group]],
                query_rows: &rows[0][head],
                dout_rows: &rows[1][head],
                key_rows: &keys[group],
            };
            head.backward(gradients);
        });
    }

    /// The queries of a block.
    fn queries(self, block: usize) -> Range<usize> {
        block * BLOCK..self.tokens.min((block + 1) * BLOCK)
    }

    /// One head of `[heads, T, D]`.
    fn head(self, x: &[f32], head: usize) -> &[f32] {
        let size = self.tokens * self.head_dim;
        &x[head * size..(head + 1) * size]
    }

    /// The key head of a query head.
    fn group(self, head: usize) -> usize {
        head / (self.heads / self.kv_heads)
    }

    /// Each head's transpose, `[D, T]`, packed.
    fn columns<'a>(self, x: &[f32], packs: &'a mut Vec<Packed>) -> &'a [Packed] {
        self.pack(x, (self.kv_heads, true), packs);
        packs
    }

    /// Each head's rows, `[T, D]`, as a right operand.
    fn rows<'a>(self, x: &'a [f32], heads: usize, packs: &'a mut Vec<Packed>) -> Vec<HeadRows<'a>> {
        if self.compute == Compute::F32 {
            return (0..heads)
                .map(|head| HeadRows::Plain(self.head(x, head), self.head_dim))
                .collect();
        }
        self.pack(x, (heads, false), packs);
        packs.iter().map(HeadRows::Packed).collect()
    }

    /// Packs the rows of each head of `x`, or its transpose.
    fn pack(self, x: &[f32], (heads, turned): (usize, bool), packs: &mut Vec<Packed>) {
        let (size, tokens) = (self.head_dim, self.tokens);
        let (shape, strides) =
            if turned { ([size, tokens], [1, size]) } else { ([tokens, size], [size, 1]) };
        packs.resize_with(heads, Packed::default);
        parallel::each_of(packs.iter_mut().enumerate().collect(), |(head, packed)| {
            packed.reshape(self.isa, self.compute, shape);
            packed.fill(self.head(x, head), strides);
        });
    }

    /// `x keys^T` of a block of rows of `x`, as `[rows, T]`; yields how many columns were computed.
    fn scores(self, x: &[f32], keys: &Packed, block: usize, out: &mut [f32]) -> usize {
        let queries = self.queries(block);
        let columns = queries.end.next_multiple_of(self.isa.panel()).min(self.tokens);
        let left = Left::rows(&x[queries.start * self.head_dim..], self.head_dim);
        let term = Term { left, right: Right::packed(keys).first_columns(columns) };
        gemm_serial(self.isa, queries.len(), &[term], Output::to(out, self.tokens));
        columns
    }

    /// Scores to probabilities, in place.
    fn softmax(self, block: usize, columns: usize, scores: &mut [f32]) {
        let queries = self.queries(block);
        let scale = 1.0 / (self.head_dim as f32).sqrt();
        let stride = self.tokens;
        self.isa.run(Softmax { scores, stride, columns, queries, scale });
    }
}

/// Memory for the heads that are packed anew in each pass.
#[derive(Debug, Default)]
pub(crate) struct Packs([Vec<Packed>; 5]);

/// One head's `[T, D]`, read where it lies or packed.
enum HeadRows<'a> {
    Plain(&'a [f32], usize),
    Packed(&'a Packed),
}

impl HeadRows<'_> {
    /// The rows of some tokens.
    fn range(&self, tokens: Range<usize>) -> Right<'_> {
        match self {
            Self::Plain(rows, width) => {
                Right::rows(&rows[tokens.start * width..], tokens.len(), *width)
            }
            Self::Packed(packed) => Right::packed_rows(packed, tokens),
        }
    }
}

/// One query head's backward.
struct Head<'a> {
    layer: Attention,
    q: &'a [f32],
    dout: &'a [f32],
    /// Keys and values, `[D, T]`.
    turned: [&'a Packed; 2],
    query_rows: &'a HeadRows<'a>,
    dout_rows: &'a HeadRows<'a>,
    key_rows: &'a HeadRows<'a>,
}

impl Head<'_> {
    /// With `P` the probabilities and `dP = dout v^T`: `dS = P (dP - rowsum(P dP)) / sqrt(D)`, `dq = dS k`, `dk = dS^T q`,
    /// `dv = P^T dout`.
    fn backward(&self, [dq, dk, dv]: Gradients<'_>) {
        let Attention { tokens, head_dim, isa, .. } = self.layer;
        dk.fill(0.0);
        dv.fill(0.0);
        parallel::with_scratch(2 * BLOCK * tokens, |scratch| {
            let (p, ds) = scratch.split_at_mut(BLOCK * tokens);
            for block in 0..tokens.div_ceil(BLOCK) {
                let queries = self.layer.queries(block);
                let (rows, last, at) = (queries.len(), queries.end, queries.start * head_dim);
                let columns = self.layer.scores(self.q, self.turned[0], block, p);
                self.layer.softmax(block, columns, p);
                self.layer.scores(self.dout, self.turned[1], block, ds);
                let right = self.dout_rows.range(queries.clone());
                let term = Term { left: Left::transposed(p, tokens), right };
                gemm_serial(isa, last, &[term], Output::add(dv, head_dim));
                let scale = 1.0 / (head_dim as f32).sqrt();
                let block = queries.clone();
                isa.run(Scores { p, ds, stride: tokens, columns, queries, scale });
                let right = self.key_rows.range(0..last);
                let term = Term { left: Left::rows(ds, tokens), right };
                gemm_serial(isa, rows, &[term], Output::to(&mut dq[at..], head_dim));
                let right = self.query_rows.range(block);
                let term = Term { left: Left::transposed(ds, tokens), right };
                gemm_serial(isa, last, &[term], Output::add(dk, head_dim));
            }
        });
    }
}

/// The softmax of each query's scores over the keys it may see; the other computed columns become 0.
pub(crate) struct Softmax<'a> {
    /// `[queries, stride]`.
    pub(crate) scores: &'a mut [f32],
    /// From row to row.
    pub(crate) stride: usize,
    /// How many columns were computed.
    pub(crate) columns: usize,
    /// The queries' positions; each sees the keys up to its own.
    pub(crate) queries: Range<usize>,
    /// What scores are multiplied by.
    pub(crate) scale: f32,
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (row, query) in self.queries.enumerate() {
            let row = &mut self.scores[row * self.stride..][..self.columns];
            let (seen, unseen) = row.split_at_mut(query + 1);
            unseen.fill(0.0);
            let mut largest = simd.splat(f32::NEG_INFINITY);
            for x in seen.chunks(S::LANES) {
                let whole = x.len() == S::LANES;
                let x = if whole { simd.load(x) } else { simd.load_part(x, f32::NEG_INFINITY) };
                largest = simd.max(largest, x);
            }
            let largest = simd.splat(simd.largest(largest) * self.scale);
            let scale = simd.splat(self.scale);
            let mut sum = simd.splat(0.0);
            for x in seen.chunks_mut(S::LANES) {
                if x.len() == S::LANES {
                    let e = exp(simd, simd.sub(simd.mul(simd.load(x), scale), largest));
                    sum = simd.add(sum, e);
                    simd.store(x, e);
                } else {
                    let part = simd.load_part(x, 0.0);
                    simd.store_part(x, exp(simd, simd.sub(simd.mul(part, scale), largest)));
                    sum = simd.add(sum, simd.load_part(x, 0.0));
                }
            }
            let inverse = 1.0 / simd.sum(sum);
            for x in seen {
                *x *= inverse;
            }
        }
    }
}

/// `ds` from `dP` to `dS`, in place.
struct Scores<'a> {
    p: &'a [f32],
    ds: &'a mut [f32],
    stride: usize,
    columns: usize,
    queries: Range<usize>,
    scale: f32,
}

impl Kernel for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (row, query) in self.queries.enumerate() {
            let p = &self.p[row * self.stride..][..=query];
            let ds = &mut self.ds[row * self.stride..][..self.columns];
            let (seen, unseen) = ds.split_at_mut(query + 1);
            unseen.fill(0.0);
            let sum = dot(simd, p, seen);
            for (d, p) in seen.iter_mut().zip(p) {
                *d = p * (*d - sum) * self.scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{assert_within, numbers, numeric_gradient, sum_of_products, wide};

    /// From the definition, in f64, without blocks.
    fn reference(layer: Attention, [q, k, v]: [&[f64]; 3]) -> Vec<f64> {
        let Attention { tokens, head_dim, .. } = layer;
        let row = |x: &[f64], head: usize, t: usize| {
            x[(head * tokens + t) * head_dim..][..head_dim].to_vec()
        };
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

    fn check(tokens: usize, head_dim: usize, isa: Isa) {
        check_in(Compute::F32, [tokens, head_dim], isa, 2e-6);
    }

    /// Fails unless output and gradients are within a relative L2 distance of `limit` of the formula's.
    fn check_in(compute: Compute, [tokens, head_dim]: [usize; 2], isa: Isa, limit: f64) {
        let assert_near = |found: &[f32], expected: &[f64]| assert_within(found, expected, limit);
        let layer = Attention { heads: 4, kv_heads: 2, head_dim, tokens, isa, compute };
        let size = tokens * head_dim;
        let (q, k, v) = (numbers(4 * size, 1), numbers(2 * size, 2), numbers(2 * size, 3));
        let dout = numbers(4 * size, 4);
        let mut out = vec![0.0; 4 * size];
        let mut packs = Packs::default();
        layer.forward([&q, &k, &v], &mut packs, &mut out);
        let (q_64, k_64, v_64) = (wide(&q), wide(&k), wide(&v));
        assert_near(&out, &reference(layer, [&q_64, &k_64, &v_64]));
        let [mut dq, mut dk, mut dv] = [(); 3].map(|()| vec![0.0; 4 * size]);
        layer.backward([&q, &k, &v], &dout, &mut packs, [&mut dq, &mut dk, &mut dv]);
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
}
