//! The keys and values of the tokens that a sequence holds so far, and attention over them.
//!
//! Shapes: keys and values `[G, capacity, D]` of each block, with the first `tokens` rows of every head in use. Keys are
//! kept as attention reads them, turned by their positions.

use crate::config::ModelConfig;
use crate::kernels::{Buffer, Isa, Kernel, Simd, dot, exp};
use crate::parallel;

/// Rows that a cache begins with, and the step in which it grows at least.
const ROWS: usize = 256;

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
    pub(crate) fn attend(&self, isa: Isa, block: usize, queries: &[f32], out: &mut [f32]) {
        let [keys, values] = &self.blocks[block];
        let count = queries.len() / (self.heads * self.head_dim);
        let stride = self.capacity * self.head_dim;
        parallel::chunks_mut(out, self.head_dim, |row, out| {
            let (head, t) = (row / count, row % count);
            let first = head / (self.heads / self.kv_heads) * stride;
            let seen = first..first + (self.tokens + t + 1) * self.head_dim;
            parallel::with_scratch(self.tokens + t + 1, |scores| {
                isa.run(Query {
                    q: &queries[row * self.head_dim..][..self.head_dim],
                    keys: &keys.0[seen.clone()],
                    values: &values.0[seen],
                    scores,
                    out,
                });
            });
        });
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
    fn run<S: Simd>(self, simd: S) {
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
        self.out.fill(0.0);
        let inverse = 1.0 / sum;
        for (score, value) in self.scores.iter().zip(self.values.chunks_exact(size)) {
            let weight = simd.splat(*score * inverse);
            for (out, value) in self.out.chunks_mut(S::LANES).zip(value.chunks(S::LANES)) {
                if out.len() == S::LANES {
                    simd.store(out, simd.mul_add(weight, simd.load(value), simd.load(out)));
                } else {
                    let sum =
                        simd.mul_add(weight, simd.load_part(value, 0.0), simd.load_part(out, 0.0));
                    simd.store_part(out, sum);
                }
            }
        }
    }
}
