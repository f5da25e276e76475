//! The keys and values of the tokens that a sequence holds so far, and attention over them.
//!
//! Shapes: keys and values `[G, capacity, D]` of each block, with the first `tokens` rows of every head in use. Keys are
//! kept as attention reads them, turned by their positions.

use crate::config::ModelConfig;
use crate::kernels::{
    Buffer, Isa, Kernel, Left, Output, Packed, Right, Simd, Term, dot, exp, gemm_serial,
};
use crate::layers::attention::{Sum, Weights, divide, stride};
use crate::parallel;

/// Rows that a cache begins with, and the step in which it grows at least.
const ROWS: usize = 256;

/// Queries of a prompt that are worked off together: a multiple of the register tile's rows.
pub(crate) const QUERIES: usize = 48;

/// One block's keys or values.
#[derive(Debug, Clone, Default)]
struct Rows(Buffer);

/// The keys and values of one sequence in all blocks.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    /// Keys and values, block by block.
    blocks: Vec<[Rows; 2]>,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    /// Rows that each head has room for.
    capacity: usize,
    tokens: usize,
}

impl Cache {
    /// An empty cache for a model of this shape.
    pub(crate) fn new(config: &ModelConfig) -> Self {
        Self {
            blocks: vec![<[Rows; 2]>::default(); config.layers],
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            capacity: 0,
            tokens: 0,
        }
    }

    /// Tokens in the cache.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// A cache of the first `tokens` tokens alone, with no room for more.
    pub(crate) fn beginning(&self, tokens: usize) -> Self {
        assert!(tokens <= self.tokens, "a cache begins with its own tokens");
        let (size, stride) = (tokens * self.head_dim, self.capacity * self.head_dim);
        let beginning = |rows: &Rows| {
            let mut copy = Buffer::zeros(self.kv_heads * size);
            for (head, copy) in copy.chunks_exact_mut(size.max(1)).enumerate() {
                copy.copy_from_slice(&rows.0[head * stride..][..size]);
            }
            Rows(copy)
        };
        let blocks = self.blocks.iter().map(|block| block.each_ref().map(beginning)).collect();
        Self { blocks, capacity: tokens, tokens, ..*self }
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        self.blocks.iter().flatten().map(|rows| rows.0.size_bytes()).sum()
    }

    /// Makes room for `more` tokens after those that are here.
    pub(crate) fn reserve(&mut self, more: usize) {
        let needed = self.tokens + more;
        if needed <= self.capacity {
            return;
        }
        // Half as much again each time, so that all growing together costs less than the tokens themselves.
        let capacity = needed.max(self.capacity + self.capacity / 2).next_multiple_of(ROWS);
        let (from, to) = (self.capacity * self.head_dim, capacity * self.head_dim);
        let used = self.tokens * self.head_dim;
        for rows in self.blocks.iter_mut().flatten() {
            let mut grown = Buffer::zeros(self.kv_heads * to);
            for head in 0..if used == 0 { 0 } else { self.kv_heads } {
                grown[head * to..head * to + used]
                    .copy_from_slice(&rows.0[head * from..head * from + used]);
            }
            rows.0 = grown;
        }
        self.capacity = capacity;
    }

    /// Puts the keys and values of `count` more tokens, each `[G, count, D]`, after those of a block.
    ///
    /// [`Cache::advance`] makes them count once every block has its own.
    pub(crate) fn put(&mut self, block: usize, keys_values: [&[f32]; 2], count: usize) {
        assert!(self.tokens + count <= self.capacity, "room was reserved");
        let (size, stride) = (count * self.head_dim, self.capacity * self.head_dim);
        let start = self.tokens * self.head_dim;
        for (rows, new) in self.blocks[block].iter_mut().zip(keys_values) {
            for (head, new) in new.chunks_exact(size).enumerate() {
                rows.0[head * stride + start..][..size].copy_from_slice(new);
            }
        }
    }

    /// Counts `count` tokens whose keys and values are put.
    pub(crate) fn advance(&mut self, count: usize) {
        self.tokens += count;
    }

    /// Attention of `count` new queries `[H, count, D]` over the tokens here and the new ones, which are put but do not
    /// count yet: query `t` sees all before it and itself. `out` is `[H, count, D]`.
    ///
    /// The bits of a query do not depend on the queries beside it.
    pub(crate) fn attend(&self, isa: Isa, block: usize, queries: &[f32], out: &mut [f32]) {
        let [keys, values] = &self.blocks[block];
        let Self { heads, kv_heads, head_dim, .. } = *self;
        let count = queries.len() / (heads * head_dim);
        let (total, of_head) = (self.tokens + count, self.capacity * head_dim);
        let keys: Vec<Packed> = parallel::map(kv_heads, |head| {
            Packed::transposed(isa, &keys.0[head * of_head..][..total * head_dim], head_dim)
        });
        let blocks = count.div_ceil(QUERIES);
        let rows = |index: usize| {
            let first = index % blocks * QUERIES;
            first..count.min(first + QUERIES)
        };
        let lengths = (0..heads * blocks).map(|index| [rows(index).len() * head_dim]);
        parallel::pieces_mut([out], lengths, |index, [out]| {
            let (head, rows) = (index / blocks, rows(index));
            let group = head / (heads / kv_heads);
            let q = &queries[(head * count + rows.start) * head_dim..];
            let positions = self.tokens + rows.start..self.tokens + rows.end;
            let columns = positions.end.next_multiple_of(isa.lanes()).min(total);
            let (beside, last, mut sums) =
                (stride(total), positions.end, [Sum::default(); QUERIES]);
            parallel::with_scratch(QUERIES * beside, |scores| {
                let right = Right::packed(&keys[group]).first_columns(columns);
                let term = Term { left: Left::rows(q, head_dim), right };
                gemm_serial(isa, rows.len(), &[term], Output::to(scores, beside));
                let (sums, scale) = (&mut sums[..rows.len()], 1.0 / (head_dim as f32).sqrt());
                let (stride, queries) = (beside, positions);
                isa.run(Weights { scores, stride, queries, scale, words: None, sums });
                let v = Right::rows(&values.0[group * of_head..], last, head_dim);
                let term = Term { left: Left::rows(scores, beside), right: v };
                gemm_serial(isa, rows.len(), &[term], Output::to(out, head_dim));
            });
            divide(out, head_dim, &sums);
        });
    }
}

/// Attention of one new query of each head of several sequences, `[B, H, D]`, each over its own tokens and the new one,
/// which is put but does not count yet. `out` is `[B, H, D]`.
pub(crate) fn attend_each(
    isa: Isa,
    block: usize,
    caches: &[&Cache],
    queries: &[f32],
    out: &mut [f32],
) {
    /// Below so many multiplications a second thread costs more than it saves.
    const SERIAL: usize = 1 << 16;
    let Some(Cache { heads, kv_heads, head_dim, .. }) = caches.first() else { return };
    let attend = |row: usize, out: &mut [f32]| {
        let (cache, head) = (caches[row / heads], row % heads);
        let [keys, values] = &cache.blocks[block];
        let first = head / (heads / kv_heads) * cache.capacity * head_dim;
        let seen = first..first + (cache.tokens + 1) * head_dim;
        parallel::with_scratch(cache.tokens + 1, |scores| {
            isa.run(Query {
                q: &queries[row * head_dim..][..*head_dim],
                keys: &keys.0[seen.clone()],
                values: &values.0[seen],
                scores,
                out,
            });
        });
    };
    let tokens: usize = caches.iter().map(|cache| cache.tokens + 1).sum();
    if tokens * heads * head_dim < SERIAL {
        out.chunks_exact_mut(*head_dim).enumerate().for_each(|(row, out)| attend(row, out));
    } else {
        parallel::heavy_chunks_mut(out, *head_dim, attend);
    }
}

/// One query of one head: `out = softmax(q k^T / sqrt(D)) v`.
struct Query<'a> {
    q: &'a [f32],
    /// `[T, D]`.
    keys: &'a [f32],
    /// `[T, D]`.
    values: &'a [f32],
    /// `[T]`.
    scores: &'a mut [f32],
    out: &'a mut [f32],
}

impl Kernel for Query<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "vector code must be compiled with its caller's instruction set"
    )]
    fn run<S: Simd>(mut self, simd: S) {
        let size = self.q.len();
        let scale = 1.0 / (size as f32).sqrt();
        let mut largest = f32::NEG_INFINITY;
        for (score, key) in self.scores.iter_mut().zip(self.keys.chunks_exact(size)) {
            *score = dot(simd, self.q, key) * scale;
            largest = largest.max(*score);
        }
        let mut sum = 0.0;
        let largest = simd.splat(largest);
        for scores in self.scores.chunks_mut(S::LANES) {
            if scores.len() == S::LANES {
                simd.store(scores, exp(simd, simd.sub(simd.load(scores), largest)));
            } else {
                let part = simd.load_part(scores, 0.0);
                simd.store_part(scores, exp(simd, simd.sub(part, largest)));
            }
            for score in &*scores {
                sum += *score;
            }
        }
        let inverse = 1.0 / sum;
        let mut at = 0;
        while at < size {
            at += match (size - at) / S::LANES {
                0 => self.weigh_part(simd, inverse, at),
                1 => self.weigh::<S, 1>(simd, inverse, at),
                2 | 3 => self.weigh::<S, 2>(simd, inverse, at),
                _ => self.weigh::<S, 4>(simd, inverse, at),
            };
        }
    }
}

impl Query<'_> {
    /// `NV` vectors of the output from channel `at` on, which stay in the registers; yields how many channels they are.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn weigh<S: Simd, const NV: usize>(&mut self, simd: S, inverse: f32, at: usize) -> usize {
        let size = self.q.len();
        let mut sums = [simd.splat(0.0); NV];
        for (score, value) in self.scores.iter().zip(self.values.chunks_exact(size)) {
            let weight = simd.splat(*score * inverse);
            let value = &value[at..at + NV * S::LANES];
            for (sum, value) in sums.iter_mut().zip(value.chunks_exact(S::LANES)) {
                *sum = simd.mul_add(weight, simd.load(value), *sum);
            }
        }
        let out = &mut self.out[at..at + NV * S::LANES];
        for (sum, out) in sums.into_iter().zip(out.chunks_exact_mut(S::LANES)) {
            simd.store(out, sum);
        }
        NV * S::LANES
    }

    /// The last channels, where they fill no vector.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn weigh_part<S: Simd>(&mut self, simd: S, inverse: f32, at: usize) -> usize {
        let size = self.q.len();
        let mut sum = simd.splat(0.0);
        for (score, value) in self.scores.iter().zip(self.values.chunks_exact(size)) {
            let weight = simd.splat(*score * inverse);
            sum = simd.mul_add(weight, simd.load_part(&value[at..], 0.0), sum);
        }
        simd.store_part(&mut self.out[at..], sum);
        size - at
    }
}
