//! Sums of matrix products, `C = scale * sum(A_i B_i)`, in tiles that stay in the registers.
//!
//! The shape of the loops is `GotoBLAS`'s (Goto and van de Geijn, 2008) with `B` packed once for good instead of in every
//! call, and `A` read where it lies. Each number of `C` is summed over `k` in one fixed order, so neither the number of
//! threads nor the cut into tiles changes a bit of it. Where `B` is packed in bf16, `A` is brought to bf16 first, whole,
//! and the sum is f32; products of both types can be summed in one tile.

mod operands;
mod prepare;

use super::isa::{Isa, Kernel};
use super::packed::Panel;
use super::simd::Simd;
use crate::parallel;
pub(crate) use operands::{Left, Output, Right, Term};
use prepare::{Operand, Source, prepared};

/// Rows of a register tile: with AVX-512, 6 x 4 sums, 4 columns of `B` and one number of `A` fill the 32 registers.
const TILE: usize = 6;
/// Depth of one pass over `B`'s panel in 32-bit words: 2048 x 64 of them are half of a 1 MiB second-level cache.
const DEPTH: usize = 2048;
/// Rows in one thread's piece of work, a multiple of [`TILE`].
const ROWS: usize = 96;
/// Below so many multiplications a second thread costs more than it saves.
const SERIAL: usize = 1 << 18;

/// `out = scale * sum(left * right)` for the first `rows` rows, over all threads.
pub(crate) fn gemm(isa: Isa, rows: usize, terms: &[Term<'_>], mut out: Output<'_>) {
    let depth: usize = terms.iter().map(|term| term.right.depth).sum();
    let columns = terms.first().map_or(0, |term| term.right.columns);
    if rows * columns * depth < SERIAL || parallel::threads() == 1 {
        return gemm_serial(isa, rows, terms, out);
    }
    prepared(isa, rows, terms, true, |operands| {
        let Some(job) = Job::new(isa, rows, operands, &mut out) else { return };
        let (panels, bands) = (job.columns.div_ceil(job.width), rows.div_ceil(ROWS));
        parallel::each(panels * bands, |index| {
            let (panel, band) = (index / bands, index % bands);
            isa.run(Block { job: &job, panel, rows: band * ROWS..rows.min((band + 1) * ROWS) });
        });
    });
}

/// As [`gemm`], on the calling thread alone: for work that is itself one of many pieces.
pub(crate) fn gemm_serial(isa: Isa, rows: usize, terms: &[Term<'_>], mut out: Output<'_>) {
    prepared(isa, rows, terms, false, |operands| {
        let Some(job) = Job::new(isa, rows, operands, &mut out) else { return };
        for panel in 0..job.columns.div_ceil(job.width) {
            isa.run(Block { job: &job, panel, rows: 0..rows });
        }
    });
}

/// A part of an operand's depth, in its 32-bit words: a number of f32, two of bf16.
#[derive(Debug, Clone, Copy)]
struct Piece {
    term: usize,
    from: usize,
    to: usize,
}

/// A checked sum of products.
struct Job<'a> {
    operands: &'a [Operand<'a>],
    /// What is summed in the registers before `C` is written, pass by pass.
    passes: Vec<Vec<Piece>>,
    columns: usize,
    /// Columns of a full panel.
    width: usize,
    out: *mut f32,
    stride: usize,
    scale: f32,
    accumulate: bool,
}

#[expect(unsafe_code, reason = "the threads write disjoint blocks of one output")]
// SAFETY: the pointer is to an output that `gemm` borrows exclusively for longer than its job lives, and each `Block`
// writes only the rows and columns that are its own.
unsafe impl Sync for Job<'_> {}

impl<'a> Job<'a> {
    /// Checks that every access that the operands lead to is inside its slice; `None` where there is nothing to do.
    fn new(
        isa: Isa,
        rows: usize,
        operands: &'a [Operand<'a>],
        out: &mut Output<'_>,
    ) -> Option<Self> {
        let (columns, width) = (operands.first()?.right.columns, isa.panel());
        if rows == 0 || columns == 0 {
            return None;
        }
        for operand in operands {
            operand.check(isa, rows, columns);
        }
        assert!(out.stride >= columns, "the output's rows overlap");
        assert!((rows - 1) * out.stride + columns <= out.data.len(), "the output is too short");
        Some(Self {
            operands,
            passes: passes(operands),
            columns,
            width,
            out: out.data.as_mut_ptr(),
            stride: out.stride,
            scale: out.scale,
            accumulate: out.accumulate,
        })
    }
}

/// Cuts the operands into passes of about [`DEPTH`], short ones joining the one before.
fn passes(operands: &[Operand<'_>]) -> Vec<Vec<Piece>> {
    let mut passes: Vec<Vec<Piece>> = Vec::new();
    let mut filled = DEPTH;
    for (term, operand) in operands.iter().enumerate() {
        let depth = operand.words();
        for from in (0..depth).step_by(DEPTH) {
            let to = depth.min(from + DEPTH);
            let piece = Piece { term, from, to };
            match passes.last_mut() {
                Some(pass) if filled + (to - from) <= DEPTH + DEPTH / 8 => {
                    pass.push(piece);
                    filled += to - from;
                }
                _ => {
                    passes.push(vec![piece]);
                    filled = to - from;
                }
            }
        }
    }
    passes
}

/// One panel's columns of a range of rows.
struct Block<'a> {
    job: &'a Job<'a>,
    panel: usize,
    rows: std::ops::Range<usize>,
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let columns = self.job.width.min(self.job.columns - self.panel * self.job.width);
        // A panel as wide as its numbers: fewer vectors where it is the last.
        match columns.div_ceil(S::LANES) {
            1 => self.tiles::<S, 1>(simd, columns),
            2 => self.tiles::<S, 2>(simd, columns),
            3 => self.tiles::<S, 3>(simd, columns),
            _ => self.tiles::<S, 4>(simd, columns),
        }
    }
}

impl Block<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const NV: usize>(&self, simd: S, columns: usize) {
        for pass in 0..self.job.passes.len() {
            let mut row = self.rows.start;
            while row + TILE <= self.rows.end {
                self.tile::<S, NV, TILE>(simd, columns, pass, row);
                row += TILE;
            }
            match self.rows.end - row {
                1 => self.tile::<S, NV, 1>(simd, columns, pass, row),
                2 => self.tile::<S, NV, 2>(simd, columns, pass, row),
                3 => self.tile::<S, NV, 3>(simd, columns, pass, row),
                4 => self.tile::<S, NV, 4>(simd, columns, pass, row),
                5 => self.tile::<S, NV, 5>(simd, columns, pass, row),
                _ => {}
            }
        }
    }

    /// `MR` rows by `NV` vectors of columns of one pass.
    #[inline(always)]
    #[expect(unsafe_code, reason = "reads the operands without a check per number")]
    fn tile<S: Simd, const NV: usize, const MR: usize>(
        &self,
        simd: S,
        columns: usize,
        pass: usize,
        row: usize,
    ) {
        let first = self.panel * self.job.width;
        let mut sums = [[simd.splat(0.0); NV]; MR];
        for Piece { term, from, to } in &self.job.passes[pass] {
            let Operand { left, row: down, column, right } = &self.job.operands[*term];
            let (panel, stride) = right.panel(first, self.job.width);
            let (at, depth) = (row * down + from * column, to - from);
            // SAFETY: `Job::new` checked that row `rows - 1` and the last word of the depth are inside the left operand's
            // slice, and that the right operand holds its depth in rows of whole vectors from this panel's first column:
            // `NV * LANES <= stride` for a packed panel, and for rows `columns` is a multiple of `LANES`.
            sums = unsafe {
                match (left, panel) {
                    (Source::F32(left), Panel::F32(panel)) => {
                        let (a, b) = (left.as_ptr().add(at), panel.as_ptr().add(from * stride));
                        let walk = Walk { a, row: *down, column: *column, b, stride };
                        walk.accumulate(simd, depth, sums)
                    }
                    (Source::Words(left), Panel::Bf16(panel)) => {
                        let (a, b) = (left.as_ptr().add(at), panel.as_ptr().add(from * stride));
                        let walk = Walk { a, row: *down, column: *column, b, stride };
                        walk.accumulate_pairs(simd, depth, sums)
                    }
                    _ => unreachable!("`Operand::check` refuses operands of two types"),
                }
            };
        }
        for (index, sums) in sums.into_iter().enumerate() {
            let at = (row + index) * self.job.stride + first;
            // SAFETY: `Job::new` checked that row `rows - 1` and column `columns - 1` are inside the output, and no other
            // block has these rows and columns.
            let to = unsafe { std::slice::from_raw_parts_mut(self.job.out.add(at), columns) };
            self.write(simd, sums, to, pass > 0 || self.job.accumulate);
        }
    }

    /// Brings one row of a tile to the output.
    #[inline(always)]
    fn write<S: Simd, const NV: usize>(
        &self,
        simd: S,
        sums: [S::V; NV],
        to: &mut [f32],
        accumulate: bool,
    ) {
        let scale = simd.splat(self.job.scale);
        for (vector, sum) in sums.into_iter().enumerate() {
            let to = &mut to[vector * S::LANES..];
            let to = if to.len() > S::LANES { &mut to[..S::LANES] } else { to };
            let whole = to.len() == S::LANES;
            let mut sum = simd.mul(sum, scale);
            if accumulate {
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

/// Where a tile's operands begin and how far apart their words lie.
#[derive(Clone, Copy)]
struct Walk<T> {
    a: *const T,
    row: usize,
    column: usize,
    b: *const T,
    stride: usize,
}

// The sums are passed by value and reached by constant indices, so that they never leave the registers.
impl Walk<f32> {
    /// The tile's sums with `depth` more products in them.
    ///
    /// # Safety
    /// `a` has `MR` rows of `depth` numbers, `b` has `depth` rows of `NV` vectors.
    #[inline(always)]
    #[expect(unsafe_code, clippy::needless_range_loop, reason = "the innermost loop")]
    unsafe fn accumulate<S: Simd, const NV: usize, const MR: usize>(
        self,
        simd: S,
        depth: usize,
        mut sums: [[S::V; NV]; MR],
    ) -> [[S::V; NV]; MR] {
        let (mut a, mut b) = (self.a, self.b);
        for _ in 0..depth {
            let mut columns = [simd.splat(0.0); NV];
            for vector in 0..NV {
                // SAFETY: the caller's promise.
                columns[vector] = unsafe { simd.load_at(b.add(vector * S::LANES)) };
            }
            for row in 0..MR {
                // SAFETY: the caller's promise.
                let number = simd.splat(unsafe { *a.add(row * self.row) });
                for vector in 0..NV {
                    sums[row][vector] = simd.mul_add(number, columns[vector], sums[row][vector]);
                }
            }
            a = a.wrapping_add(self.column);
            b = b.wrapping_add(self.stride);
        }
        sums
    }
}

impl Walk<u32> {
    /// The tile's sums with the products of `depth` more pairs of bf16 in them.
    ///
    /// # Safety
    /// `a` has `MR` rows of `depth` words, `b` has `depth` rows of `NV` vectors.
    #[inline(always)]
    #[expect(unsafe_code, clippy::needless_range_loop, reason = "the innermost loop")]
    unsafe fn accumulate_pairs<S: Simd, const NV: usize, const MR: usize>(
        self,
        simd: S,
        depth: usize,
        mut sums: [[S::V; NV]; MR],
    ) -> [[S::V; NV]; MR] {
        let (mut a, mut b) = (self.a, self.b);
        for _ in 0..depth {
            let mut columns = [simd.splat_word(0); NV];
            for vector in 0..NV {
                // SAFETY: the caller's promise.
                columns[vector] = unsafe { simd.load_words_at(b.add(vector * S::LANES)) };
            }
            for row in 0..MR {
                // SAFETY: the caller's promise.
                let word = simd.splat_word(unsafe { *a.add(row * self.row) });
                for vector in 0..NV {
                    sums[row][vector] = simd.dot_pairs(word, columns[vector], sums[row][vector]);
                }
            }
            a = a.wrapping_add(self.column);
            b = b.wrapping_add(self.stride);
        }
        sums
    }
}

#[cfg(test)]
mod tests;
