//! Products of few rows, as decoding has them: each weight is read once, whatever number of rows there is.
//!
//! Every row is summed over `k` in the order of [`super::gemm`], so that its bits depend neither on the rows beside it
//! nor on how the weight is held, and a row may go on with the product of a branch of its own. Several products of the
//! same rows are worked off together, because starting the threads costs as much as a small product.

mod sums;
mod unpack;

use std::ops::Range;

use super::blocks::Blocks;
use super::gemm::Output;
use super::isa::{Isa, Kernel};
use super::packed::Packed;
use super::simd::Simd;
use crate::parallel;
use sums::{Rows, blocks_sums, packed_sums};
use unpack::unpack;

/// Below so many multiplications a second thread costs more than it saves.
const SERIAL: usize = 1 << 17;

/// From more rows than this on, a quantised weight is unpacked once for all of them.
const UNPACKED: usize = 2;

/// How the weight of a thin product is held.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weight<'a> {
    /// As for the products of many rows.
    Packed(&'a Packed),
    /// Quantised.
    Blocks(&'a Blocks),
}

/// What a row's sums go on with: `z B`, with B `[R, N]` row-major.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Further<'a> {
    /// `[R]`.
    pub(crate) z: &'a [f32],
    /// `[R, N]`.
    pub(crate) b: &'a [f32],
}

/// One product `out = x W`, with further terms row by row.
#[derive(Debug)]
pub(crate) struct Thin<'a> {
    /// `[K, N]`.
    pub(crate) weight: Weight<'a>,
    /// `[B, K]`.
    pub(crate) x: &'a [f32],
    /// One for each row, or none at all.
    pub(crate) further: Vec<Option<Further<'a>>>,
    /// `[B, N]`.
    pub(crate) out: Output<'a>,
}

/// Computes `products`, which all have `rows` rows.
pub(crate) fn thin(isa: Isa, rows: usize, products: Vec<Thin<'_>>) {
    let jobs: Vec<Job<'_>> =
        products.into_iter().filter_map(|product| Job::new(isa, rows, product)).collect();
    let vectors: usize = jobs.iter().map(|job| job.vectors).sum();
    let work: usize = jobs.iter().map(|job| rows * job.depth * job.columns).sum();
    let pieces = if work < SERIAL { 1 } else { parallel::threads().min(vectors).max(1) };
    // Even cuts, so that at most one pair of vectors stands alone at a cut.
    let cut =
        |piece: usize| if piece == pieces { vectors } else { (vectors * piece / pieces) & !1 };
    parallel::each(pieces, |piece| {
        let (from, to) = (cut(piece), cut(piece + 1));
        let mut first = 0;
        for job in &jobs {
            let range = from.max(first)..to.min(first + job.vectors);
            if !range.is_empty() {
                let vectors = range.start - first..range.end - first;
                parallel::with_scratch(job.scratch(isa), |scratch| {
                    isa.run(Strip { job, vectors, scratch });
                });
            }
            first += job.vectors;
        }
    });
}

/// A checked product.
struct Job<'a> {
    weight: Weight<'a>,
    x: &'a [f32],
    further: Vec<Option<Further<'a>>>,
    rows: usize,
    depth: usize,
    columns: usize,
    /// Vectors of columns.
    vectors: usize,
    out: *mut f32,
    stride: usize,
    accumulate: bool,
}

#[expect(unsafe_code, reason = "the threads write disjoint columns of one output")]
// SAFETY: the pointer is to an output that `thin` borrows exclusively for longer than its jobs live, and each `Strip`
// writes only the columns that are its own.
unsafe impl Sync for Job<'_> {}

impl<'a> Job<'a> {
    /// Checks that every access is inside its slice; `None` where there is nothing to do.
    fn new(isa: Isa, rows: usize, product: Thin<'a>) -> Option<Self> {
        let Thin { weight, x, further, out } = product;
        let (depth, columns) = match weight {
            Weight::Packed(packed) => {
                assert!(packed.is_for(isa), "packed for another instruction set");
                (packed.row_count(), packed.column_count())
            }
            Weight::Blocks(blocks) => {
                assert!(blocks.is_for(isa), "packed for another instruction set");
                (blocks.row_count(), blocks.column_count())
            }
        };
        if rows == 0 || columns == 0 || depth == 0 {
            return None;
        }
        assert!(x.len() >= rows * depth, "the left operand is too short");
        assert!(further.is_empty() || further.len() == rows, "further terms of other rows");
        for Further { z, b } in further.iter().flatten() {
            assert!(b.len() == z.len() * columns, "a further term of another width");
        }
        assert!(out.stride >= columns, "the output's rows overlap");
        assert!((rows - 1) * out.stride + columns <= out.data.len(), "the output is too short");
        let Output { data, stride, accumulate, .. } = out;
        let (out, vectors) = (data.as_mut_ptr(), columns.div_ceil(isa.lanes()));
        Some(Self { weight, x, further, rows, depth, columns, vectors, out, stride, accumulate })
    }
}

impl Job<'_> {
    /// Numbers of memory that a strip needs.
    fn scratch(&self, isa: Isa) -> usize {
        match self.weight {
            Weight::Blocks(blocks) if self.rows > UNPACKED => {
                (self.rows + blocks.block_len()) * isa.panel()
            }
            _ => 0,
        }
    }
}

/// Some vectors of columns of one product.
struct Strip<'a> {
    job: &'a Job<'a>,
    vectors: Range<usize>,
    scratch: &'a mut [f32],
}

impl Kernel for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let mut at = self.vectors.start;
        while at < self.vectors.end {
            // What is computed together lies in one panel of a packed weight.
            let together = (self.vectors.end - at).min(S::VECTORS - at % S::VECTORS);
            if together >= 4 {
                self.columns::<S, 4>(simd, at);
                at += 4;
            } else if together >= 2 {
                self.columns::<S, 2>(simd, at);
                at += 2;
            } else {
                self.columns::<S, 1>(simd, at);
                at += 1;
            }
        }
    }
}

impl Strip<'_> {
    #[inline(always)]
    fn columns<S: Simd, const NV: usize>(&mut self, simd: S, at: usize) {
        if let Weight::Blocks(blocks) = self.job.weight
            && self.job.rows > UNPACKED
        {
            return self.unpacked::<S, NV>(simd, blocks, at);
        }
        let mut row = 0;
        while row + 4 <= self.job.rows {
            self.tile::<S, NV, 4>(simd, at, row);
            row += 4;
        }
        match self.job.rows - row {
            1 => self.tile::<S, NV, 1>(simd, at, row),
            2 => self.tile::<S, NV, 2>(simd, at, row),
            3 => self.tile::<S, NV, 3>(simd, at, row),
            _ => {}
        }
    }

    /// All rows by `NV` vectors of columns of a quantised weight, which is unpacked block by block for all of them.
    #[inline(always)]
    fn unpacked<S: Simd, const NV: usize>(&mut self, simd: S, blocks: &Blocks, at: usize) {
        let (job, width, block) = (self.job, NV * S::LANES, blocks.block_len());
        let scratch = std::mem::take(&mut self.scratch);
        let (sums, weights) = scratch.split_at_mut(job.rows * width);
        let weights = &mut weights[..block * width];
        sums.fill(0.0);
        for index in 0..job.depth / block {
            unpack::<S, NV>(simd, blocks, (at, index), weights);
            let mut row = 0;
            while row < job.rows {
                let sums = &mut sums[row * width..];
                match job.rows - row {
                    1 => self.add::<S, NV, 1>(simd, (row, index * block), weights, sums),
                    2 => self.add::<S, NV, 2>(simd, (row, index * block), weights, sums),
                    3 => self.add::<S, NV, 3>(simd, (row, index * block), weights, sums),
                    _ => self.add::<S, NV, 4>(simd, (row, index * block), weights, sums),
                }
                row += 4;
            }
        }
        for (row, from) in sums.chunks_exact(width).enumerate() {
            let mut sums = [simd.splat(0.0); NV];
            for (vector, sum) in sums.iter_mut().enumerate() {
                *sum = simd.load(&from[vector * S::LANES..]);
            }
            if let Some(Some(further)) = job.further.get(row) {
                sums = self.further::<S, NV>(simd, at, further, sums);
            }
            self.write::<S, NV>(simd, at, row, sums);
        }
        self.scratch = scratch;
    }

    /// Adds the products of `MR` rows from `row` on, at depth `first`, with a block of weights to their sums.
    #[inline(always)]
    #[expect(unsafe_code, reason = "reads the operands without a check per number")]
    fn add<S: Simd, const NV: usize, const MR: usize>(
        &self,
        simd: S,
        (row, first): (usize, usize),
        weights: &[f32],
        to: &mut [f32],
    ) {
        let (depth, width) = (self.job.depth, NV * S::LANES);
        let block = weights.len() / width;
        let x = &self.job.x[row * depth + first..];
        assert!(x.len() >= (MR - 1) * depth + block, "the rows end early");
        let x = Rows { first: x.as_ptr(), stride: depth };
        let mut sums = [[simd.splat(0.0); NV]; MR];
        for (row, sums) in sums.iter_mut().enumerate() {
            for (vector, sum) in sums.iter_mut().enumerate() {
                *sum = simd.load(&to[row * width + vector * S::LANES..]);
            }
        }
        for (k, from) in weights.chunks_exact(width).enumerate() {
            let mut weights = [simd.splat(0.0); NV];
            for (vector, weight) in weights.iter_mut().enumerate() {
                *weight = simd.load(&from[vector * S::LANES..]);
            }
            // SAFETY: `x` has `MR` rows of `block` numbers, as was checked above.
            sums = unsafe { x.fuse(simd, k, weights, sums) };
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (vector, sum) in sums.into_iter().enumerate() {
                simd.store(&mut to[row * width + vector * S::LANES..], sum);
            }
        }
    }

    /// `MR` rows by `NV` vectors of columns.
    #[inline(always)]
    #[expect(unsafe_code, reason = "reads the operands without a check per number")]
    fn tile<S: Simd, const NV: usize, const MR: usize>(&self, simd: S, at: usize, row: usize) {
        let job = self.job;
        let x = Rows { first: job.x[row * job.depth..].as_ptr(), stride: job.depth };
        // SAFETY: `Job::new` checked that `x` has `rows` rows of `depth` numbers and that the weight is for this
        // instruction set; `at + NV` is at most the weight's vectors.
        let mut sums: [[S::V; NV]; MR] = unsafe {
            match job.weight {
                Weight::Packed(packed) => packed_sums(simd, packed, at, x),
                Weight::Blocks(blocks) => blocks_sums(simd, blocks, at, x),
            }
        };
        for (index, sums) in sums.iter_mut().enumerate() {
            if let Some(Some(further)) = job.further.get(row + index) {
                *sums = self.further::<S, NV>(simd, at, further, *sums);
            }
            self.write::<S, NV>(simd, at, row + index, *sums);
        }
    }

    /// One row's sums with its own term in them.
    #[inline(always)]
    fn further<S: Simd, const NV: usize>(
        &self,
        simd: S,
        at: usize,
        further: &Further<'_>,
        mut sums: [S::V; NV],
    ) -> [S::V; NV] {
        let columns = self.job.columns;
        for (z, b) in further.z.iter().zip(further.b.chunks_exact(columns)) {
            let z = simd.splat(*z);
            for vector in 0..NV {
                let b = &b[(at + vector) * S::LANES..];
                let b = if b.len() >= S::LANES { simd.load(b) } else { simd.load_part(b, 0.0) };
                sums[vector] = simd.mul_add(z, b, sums[vector]);
            }
        }
        sums
    }

    /// Brings one row of a tile to the output.
    #[inline(always)]
    #[expect(unsafe_code, reason = "the strips write disjoint columns of one output")]
    fn write<S: Simd, const NV: usize>(&self, simd: S, at: usize, row: usize, sums: [S::V; NV]) {
        for (vector, sum) in sums.into_iter().enumerate() {
            let first = (at + vector) * S::LANES;
            let width = S::LANES.min(self.job.columns - first);
            // SAFETY: `Job::new` checked that row `rows - 1` and column `columns - 1` are inside the output, and no other
            // strip has these columns.
            let to = unsafe {
                let to = self.job.out.add(row * self.job.stride + first);
                std::slice::from_raw_parts_mut(to, width)
            };
            let whole = width == S::LANES;
            let mut sum = sum;
            if self.job.accumulate {
                let there = if whole { simd.load(to) } else { simd.load_part(to, 0.0) };
                sum = simd.add(sum, there);
            }
            if whole {
                simd.store(to, sum);
            } else {
                simd.store_part(to, sum);
            }
        }
    }
}

#[cfg(test)]
mod tests;
