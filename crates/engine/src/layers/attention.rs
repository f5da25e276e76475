//! Causal attention with grouped queries: `out = softmax(q k^T / sqrt(D)) v`, query `t` seeing keys `0..=P + t`.
//!
//! Shapes: q, out, dout `[T, H D]`, k, v `[P + T, G D]`, gradients `[H, T, D]` and `[H, P + T, D]`, where P are the tokens
//! before those that ask; query head `h` reads key head `h / (H / G)`. Source: Vaswani et al. 2017 (arXiv:1706.03762),
//! groups: Ainslie et al. 2023 (arXiv:2305.13245). Worked off in blocks of queries, so that no `[T, T]` is ever held; the
//! backward computes the probabilities again.

mod slopes;
mod weights;

use std::ops::Range;

use crate::kernels::{
    Buffer, Compute, Isa, Left, Output, Packed, Rectangle, Right, Term, Window, gemm_part,
    gemm_serial, rectangles,
};
use crate::parallel;
use slopes::{Pairs, Slopes};
pub(crate) use weights::{Sum, Weights, divide, stride};

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
    /// `P`: an even number.
    pub(crate) before: usize,
    /// What runs it.
    pub(crate) isa: Isa,
    /// The type of the products; what is between them is f32.
    pub(crate) compute: Compute,
}

/// Gradients, one head of queries after another: dq, `[H, T, D]`, dk and dv, `[H, P + T, D]`.
///
/// `dk` and `dv` still hold one part for each query head; [`super::rope::Rope::to_rows`] sums those of a group.
pub(crate) type Gradients<'a> = [&'a mut [f32]; 3];

impl Attention {
    /// `out` of `[q, k, v]`, and what the backward needs to know of each query's sum, `[H, T]`.
    pub(crate) fn forward(
        self,
        [q, k, v]: [Window<'_>; 3],
        packs: &mut Packs,
        (out, sums): (&mut [f32], &mut [Sum]),
    ) {
        let [keys, values, ..] = &mut packs.0;
        self.pack((k, self.kv_heads, true), keys);
        self.pack((v, self.kv_heads, false), values);
        let outs = rectangles(out, self.heads * self.head_dim, [BLOCK, self.head_dim]);
        let sums = sums.chunks_exact_mut(self.tokens).flat_map(|sums| sums.chunks_mut(BLOCK));
        let blocks = self.tokens.div_ceil(BLOCK);
        let pieces = outs.into_iter().zip(sums).enumerate();
        parallel::each_of(pieces.collect(), |(index, made)| {
            let (head, block) = (index / blocks, index % blocks);
            let group = self.group(head);
            self.attend(self.head(q, head), [&keys[group], &values[group]], block, made);
        });
    }

    /// One head's block of queries.
    fn attend(
        self,
        q: Window<'_>,
        [keys, values]: [&Packed; 2],
        block: usize,
        (mut out, sums): (Rectangle<'_, f32>, &mut [Sum]),
    ) {
        let Self { isa, compute, .. } = self;
        let (seeing, stride) = (self.seeing(block), stride(self.keys()));
        let last = seeing.end;
        let narrow = compute == Compute::Bf16;
        parallel::with_rows(|words| {
            words.resize(if narrow { BLOCK * stride / 2 } else { 0 });
            parallel::with_scratch(BLOCK * stride, |scores| {
                self.scores(q, keys, block, Output::to(scores, stride));
                let (scale, sums) = (self.scale(), &mut *sums);
                let pairs = narrow.then_some(&mut words[..]);
                isa.run(Weights { scores, stride, queries: seeing, scale, words: pairs, sums });
                let left = if narrow {
                    Left::rows_of_pairs(words, stride / 2)
                } else {
                    Left::rows(scores, stride)
                };
                let term = Term { left, right: Right::packed_rows(values, 0..last) };
                gemm_part(isa, &[term], &mut out);
            });
        });
        for (index, sum) in sums.iter().enumerate() {
            divide(out.row(index), self.head_dim, std::slice::from_ref(sum));
        }
    }

    /// The gradients of `dout`, with the `sums` of the forward and of each token and head the product of the output
    /// with `dout`, `[T, H]`.
    ///
    /// A head is a piece of work. Of an odd number the middle one is two, so that two threads have as much to do each.
    pub(crate) fn backward(
        self,
        [q, k, v]: [Window<'_>; 3],
        (dout, means, sums): (Window<'_>, &[f32], &[Sum]),
        packs: &mut Packs,
        [dq, dk, dv]: Gradients<'_>,
    ) {
        let Packs([turned_keys, turned_values, queries, douts, keys], spare) = packs;
        self.pack((k, self.kv_heads, true), turned_keys);
        self.pack((v, self.kv_heads, true), turned_values);
        self.pack((q, self.heads, false), queries);
        self.pack((dout, self.heads, false), douts);
        self.pack((k, self.kv_heads, false), keys);
        let (size, blocks) = (self.keys() * self.head_dim, self.tokens.div_ceil(BLOCK));
        let half = halfway(blocks);
        let cut = (!self.heads.is_multiple_of(2) && half < blocks).then_some(self.heads / 2);
        spare.resize(2 * size);
        let mut of_keys = spare.split_at_mut(size);
        let mut pieces = Vec::with_capacity(self.heads + 1);
        let of_queries = dq.chunks_exact_mut(self.tokens * self.head_dim);
        let heads = of_queries.zip(dk.chunks_exact_mut(size));
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
                means: &means[head..],
                sums: &sums[head * self.tokens..][..self.tokens],
                turned: [&turned_keys[group], &turned_values[group]],
                query_rows: &queries[head],
                dout_rows: &douts[head],
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

    /// `P + T`.
    fn keys(self) -> usize {
        self.before + self.tokens
    }

    /// The queries of a block.
    fn queries(self, block: usize) -> Range<usize> {
        block * BLOCK..self.tokens.min((block + 1) * BLOCK)
    }

    /// The positions of a block's queries among the keys.
    fn seeing(self, block: usize) -> Range<usize> {
        let Range { start, end } = self.queries(block);
        self.before + start..self.before + end
    }

    /// The columns of one head, `[T, D]`.
    fn head(self, x: Window<'_>, head: usize) -> Window<'_> {
        x.columns(head * self.head_dim..(head + 1) * self.head_dim)
    }

    /// The key head of a query head.
    fn group(self, head: usize) -> usize {
        head / (self.heads / self.kv_heads)
    }

    /// Packs each head's rows, `[T, D]`, or where it says so their transpose, `[D, T]`.
    fn pack(self, (x, heads, transposed): (Window<'_>, usize, bool), packs: &mut Vec<Packed>) {
        packs.resize_with(heads, Packed::default);
        parallel::each_of(packs.iter_mut().enumerate().collect(), |(head, packed)| {
            packed.become_window(self.isa, self.head(x, head), transposed);
        });
    }

    /// `x keys^T` of a block of rows of `x`, of the keys that one of them sees.
    fn scores(self, x: Window<'_>, keys: &Packed, block: usize, out: Output<'_>) {
        let queries = self.queries(block);
        let seen = self.seeing(block).end;
        let columns = seen.next_multiple_of(self.isa.lanes()).min(self.keys());
        let left = x.rows(queries.clone()).left();
        let term = Term { left, right: Right::packed(keys).first_columns(columns) };
        gemm_serial(self.isa, queries.len(), &[term], out);
    }

    /// What scores are multiplied by.
    fn scale(self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }
}

/// Memory for the heads that are packed anew in each pass, and for a part of a head's gradients.
#[derive(Debug, Default)]
pub(crate) struct Packs([Vec<Packed>; 5], Buffer);

/// One query head's backward.
struct Head<'a> {
    layer: Attention,
    q: Window<'a>,
    dout: Window<'a>,
    /// `rowsum(P dP)` of each token, `H` apart.
    means: &'a [f32],
    /// Of each token.
    sums: &'a [Sum],
    /// Keys and values, `[D, T]`.
    turned: [&'a Packed; 2],
    /// `[T, D]`.
    query_rows: &'a Packed,
    dout_rows: &'a Packed,
    key_rows: &'a Packed,
}

impl Head<'_> {
    /// Of some blocks of queries, with `P` the probabilities and `dP = dout v^T`: `dS = P (dP - rowsum(P dP)) / sqrt(D)`,
    /// `dq = dS k`, `dk = dS^T q`, `dv = P^T dout`.
    fn backward(&self, blocks: Range<usize>, [dq, dk, dv]: Gradients<'_>) {
        let Attention { head_dim, compute, .. } = self.layer;
        let stride = stride(self.layer.keys());
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
        let Attention { head_dim, isa, compute, .. } = self.layer;
        let (stride, queries) = (stride(self.layer.keys()), self.layer.queries(block));
        let seeing = self.layer.seeing(block);
        let (rows, last) = (queries.len(), seeing.end);
        self.layer.scores(self.q, self.turned[0], block, Output::to(p, stride));
        self.layer.scores(self.dout, self.turned[1], block, Output::to(ds, stride));
        let narrow = compute == Compute::Bf16;
        let (pairs, scale) = (narrow.then_some(Pairs::of(words)), self.layer.scale());
        let heads = self.layer.heads;
        let means = (&self.means[queries.start * heads..], heads);
        let sums = &self.sums[queries.clone()];
        isa.run(Slopes { p, ds, stride, queries: seeing, scale, sums, means, pairs });
        let [by_values, by_keys, by_queries] = if narrow {
            let Pairs { p, ds, ds_rows } = Pairs::of(words);
            let turned = [p, ds].map(|words| Left::transposed_pairs(words, stride));
            [turned[0], turned[1], Left::rows_of_pairs(ds_rows, stride / 2)]
        } else {
            [Left::transposed(p, stride), Left::transposed(ds, stride), Left::rows(ds, stride)]
        };
        let of = |left, (right, tokens), rows, out| {
            let term = Term { left, right: Right::packed_rows(right, tokens) };
            gemm_serial(isa, rows, &[term], out);
        };
        of(by_values, (self.dout_rows, queries.clone()), last, Output::add(dv, head_dim));
        of(by_queries, (self.key_rows, 0..last), rows, Output::to(dq, head_dim));
        of(by_keys, (self.query_rows, queries), last, Output::add(dk, head_dim));
    }
}

/// The block before which half of the work of `blocks` is done, where each looks at all before it.
fn halfway(blocks: usize) -> usize {
    (1..blocks).find(|cut| 2 * cut * (cut + 1) >= blocks * (blocks + 1)).unwrap_or(blocks)
}

#[cfg(test)]
mod tests;
