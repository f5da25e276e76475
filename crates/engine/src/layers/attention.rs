//! Causal attention with grouped queries: `out = softmax(q k^T / sqrt(D)) v`, token `t` seeing tokens `0..=t`.
//!
//! Shapes: q, out, dout, dq `[H, T, D]`, k, v `[G, T, D]`; query head `h` reads key head `h / (H / G)`. Source: Vaswani et
//! al. 2017 (arXiv:1706.03762), groups: Ainslie et al. 2023 (arXiv:2305.13245). Worked off in blocks of queries, so that
//! no `[T, T]` is ever held; the backward computes the probabilities again.

mod slopes;

use std::ops::Range;

use crate::kernels::{
    Buffer, Compute, Isa, Kernel, Left, Output, Packed, Right, Simd, Term, exp, gemm_serial,
};
use crate::parallel;
use slopes::{Pairs, Slopes, WIDE};

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
                let out_of_scores = Output::to(scores, self.tokens);
                let columns = self.scores(q, &keys[self.group(head)], block, out_of_scores);
                self.softmax(block, columns, scores);
                let right = values[self.group(head)].range(0..last);
                let term = Term { left: Left::rows(scores, self.tokens), right };
                gemm_serial(self.isa, queries.len(), &[term], Output::to(out, self.head_dim));
            });
        });
    }

    /// The gradients of `dout` (overwritten).
    ///
    /// A head is a piece of work. Of an odd number the middle one is two, so that two threads have as much to do each.
    pub(crate) fn backward(
        self,
        [q, k, v]: [&[f32]; 3],
        dout: &[f32],
        packs: &mut Packs,
        [dq, dk, dv]: Gradients<'_>,
    ) {
        let Packs([turned_keys, turned_values, queries, douts, keys], spare) = packs;
        let turned = [self.columns(k, turned_keys), self.columns(v, turned_values)];
        let rows = [self.rows(q, self.heads, queries), self.rows(dout, self.heads, douts)];
        let keys = self.rows(k, self.kv_heads, keys);
        let (size, blocks) = (self.tokens * self.head_dim, self.tokens.div_ceil(BLOCK));
        let half = halfway(blocks);
        let cut = (!self.heads.is_multiple_of(2) && half < blocks).then_some(self.heads / 2);
        spare.resize(2 * size);
        let mut of_keys = spare.split_at_mut(size);
        let mut pieces = Vec::with_capacity(self.heads + 1);
        let heads = dq.chunks_exact_mut(size).zip(dk.chunks_exact_mut(size));
        for (head, ((dq, dk), dv)) in heads.zip(dv.chunks_exact_mut(size)).enumerate() {
            if cut != Some(head) {
                pieces.push((head, 0..blocks, [dq, dk, dv]));
                continue;
            }
            let (before, after) = dq.split_at_mut(half * BLOCK * self.head_dim);
            let (keys, values) = std::mem::take(&mut of_keys);
            pieces.push((head, 0..half, [before, dk, dv]));
            pieces.push((head, half..blocks, [after, keys, values]));
        }
        parallel::each_of(pieces, |(head, blocks, gradients)| {
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
            head.backward(blocks, gradients);
        });
        let Some(cut) = cut else { return };
        let (keys, values) = spare.split_at(size);
        for (gradient, more) in [(dk, keys), (dv, values)] {
            let gradient = &mut gradient[cut * size..][..size];
            gradient.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
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

    /// `x keys^T` of a block of rows of `x`, each `[T]`; yields how many columns were computed.
    fn scores(self, x: &[f32], keys: &Packed, block: usize, out: Output<'_>) -> usize {
        let queries = self.queries(block);
        let columns = queries.end.next_multiple_of(self.isa.panel()).min(self.tokens);
        let left = Left::rows(&x[queries.start * self.head_dim..], self.head_dim);
        let term = Term { left, right: Right::packed(keys).first_columns(columns) };
        gemm_serial(self.isa, queries.len(), &[term], out);
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

/// Memory for the heads that are packed anew in each pass, and for a part of a head's gradients.
#[derive(Debug, Default)]
pub(crate) struct Packs([Vec<Packed>; 5], Buffer);

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
    /// Of some blocks of queries, with `P` the probabilities and `dP = dout v^T`: `dS = P (dP - rowsum(P dP)) / sqrt(D)`,
    /// `dq = dS k`, `dk = dS^T q`, `dv = P^T dout`.
    fn backward(&self, blocks: Range<usize>, [dq, dk, dv]: Gradients<'_>) {
        let Attention { tokens, head_dim, compute, .. } = self.layer;
        let stride = tokens.next_multiple_of(WIDE);
        let words = if compute == Compute::Bf16 { BLOCK * stride } else { 0 };
        dk.fill(0.0);
        dv.fill(0.0);
        let first = blocks.start * BLOCK;
        parallel::with_rows(|pairs| {
            pairs.resize(words + words / 2);
            parallel::with_scratch(2 * BLOCK * stride, |scratch| {
                for block in blocks {
                    let queries = self.layer.queries(block);
                    let dq = &mut dq[(queries.start - first) * head_dim..];
                    let numbers = scratch.split_at_mut(BLOCK * stride);
                    self.block(block, (numbers, &mut pairs[..]), [dq, &mut *dk, &mut *dv]);
                }
            });
        });
    }

    /// One block of queries.
    fn block(
        &self,
        block: usize,
        ((p, ds), words): ((&mut [f32], &mut [f32]), &mut [u32]),
        [dq, dk, dv]: Gradients<'_>,
    ) {
        let Attention { tokens, head_dim, isa, compute, .. } = self.layer;
        let (stride, queries) = (tokens.next_multiple_of(WIDE), self.layer.queries(block));
        let (rows, last) = (queries.len(), queries.end);
        self.layer.scores(self.q, self.turned[0], block, Output::to(p, stride));
        self.layer.scores(self.dout, self.turned[1], block, Output::to(ds, stride));
        let scale = 1.0 / (head_dim as f32).sqrt();
        let narrow = compute == Compute::Bf16;
        let pairs = narrow.then_some(Pairs::of(words));
        let seen = queries.clone();
        isa.run(Slopes { p, ds, stride, queries: seen, scale, pairs });
        let [by_values, by_keys, by_queries] = if narrow {
            let Pairs { p, ds, ds_rows } = Pairs::of(words);
            let turned = [p, ds].map(|words| Left::transposed_pairs(words, stride));
            [turned[0], turned[1], Left::rows_of_pairs(ds_rows, stride / 2)]
        } else {
            [Left::transposed(p, stride), Left::transposed(ds, stride), Left::rows(ds, stride)]
        };
        let of = |left, right, rows, out| gemm_serial(isa, rows, &[Term { left, right }], out);
        of(by_values, self.dout_rows.range(queries.clone()), last, Output::add(dv, head_dim));
        of(by_queries, self.key_rows.range(0..last), rows, Output::to(dq, head_dim));
        of(by_keys, self.query_rows.range(queries), last, Output::add(dk, head_dim));
    }
}

/// The block before which half of the work of `blocks` is done, where each looks at all before it.
fn halfway(blocks: usize) -> usize {
    (1..blocks).find(|cut| 2 * cut * (cut + 1) >= blocks * (blocks + 1)).unwrap_or(blocks)
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

#[cfg(test)]
mod tests;
