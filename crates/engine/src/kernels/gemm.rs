//! Sums of matrix products, `C = scale * sum(A_i B_i)`, in tiles that stay in the registers.
//!
//! The shape of the loops is `GotoBLAS`'s (Goto and van de Geijn, 2008) with `B` packed once for good instead of in every
//! call, and `A` read where it lies. Each number of `C` is summed over `k` in one fixed order, so neither the number of
//! threads nor the cut into tiles changes a bit of it.

mod operands;

use super::isa::{Isa, Kernel};
use super::packed::Packed;
use super::simd::Simd;
use crate::parallel;
use operands::Storage;
pub(crate) use operands::{Left, Output, Right, Term};

/// Rows of a register tile: with AVX-512, 6 x 4 sums, 4 columns of `B` and one number of `A` fill the 32 registers.
const TILE: usize = 6;
/// Depth of one pass over `B`'s panel: 2048 x 64 numbers are half of a 1 MiB second-level cache.
const DEPTH: usize = 2048;
/// Rows in one thread's piece of work, a multiple of [`TILE`].
const ROWS: usize = 96;
/// Below so many multiplications a second thread costs more than it saves.
const SERIAL: usize = 1 << 18;

/// `out = scale * sum(left * right)` for the first `rows` rows, over all threads.
pub(crate) fn gemm(isa: Isa, rows: usize, terms: &[Term<'_>], mut out: Output<'_>) {
    with_whole_vectors(isa, terms, |terms| {
        let Some(job) = Job::new(isa, rows, terms, &mut out) else { return };
        let panels = job.columns.div_ceil(job.width);
        if rows * job.columns * job.depth() < SERIAL || parallel::threads() == 1 {
            for panel in 0..panels {
                isa.run(Block { job: &job, panel, rows: 0..rows });
            }
            return;
        }
        let bands = rows.div_ceil(ROWS);
        parallel::each(panels * bands, |index| {
            let (panel, band) = (index / bands, index % bands);
            isa.run(Block { job: &job, panel, rows: band * ROWS..rows.min((band + 1) * ROWS) });
        });
    });
}

/// As [`gemm`], on the calling thread alone: for work that is itself one of many pieces.
pub(crate) fn gemm_serial(isa: Isa, rows: usize, terms: &[Term<'_>], mut out: Output<'_>) {
    with_whole_vectors(isa, terms, |terms| {
        let Some(job) = Job::new(isa, rows, terms, &mut out) else { return };
        for panel in 0..job.columns.div_ceil(job.width) {
            isa.run(Block { job: &job, panel, rows: 0..rows });
        }
    });
}

/// Calls `f` with terms whose panels may be read in whole vectors: rows that end within one are packed first.
fn with_whole_vectors(isa: Isa, terms: &[Term<'_>], f: impl FnOnce(&[Term<'_>])) {
    let ragged = |right: &Right<'_>| match right.storage {
        Storage::Rows { .. } => !right.columns.is_multiple_of(isa.lanes()),
        Storage::Packed(_) => false,
    };
    if !terms.iter().any(|term| ragged(&term.right)) {
        return f(terms);
    }
    let packed: Vec<Option<Packed>> = terms
        .iter()
        .map(|Term { right, .. }| match right.storage {
            Storage::Rows { data, stride } => {
                let shape = [right.depth, right.columns];
                Some(Packed::strided(isa, data, shape, [stride, 1]))
            }
            Storage::Packed(_) => None,
        })
        .collect();
    let whole: Vec<Term<'_>> = terms
        .iter()
        .zip(&packed)
        .map(|(term, packed)| match packed {
            Some(packed) => Term { left: term.left, right: Right::packed(packed) },
            None => *term,
        })
        .collect();
    f(&whole);
}

/// A part of a term's depth.
#[derive(Debug, Clone, Copy)]
struct Piece {
    term: usize,
    from: usize,
    to: usize,
}

/// A checked sum of products.
struct Job<'a> {
    terms: &'a [Term<'a>],
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
    /// Checks that every access that the terms lead to is inside its slice; `None` where there is nothing to do.
    fn new(isa: Isa, rows: usize, terms: &'a [Term<'a>], out: &mut Output<'_>) -> Option<Self> {
        let (columns, width) = (terms.first()?.right.columns, isa.panel());
        if rows == 0 || columns == 0 {
            return None;
        }
        for Term { left, right } in terms {
            assert!(right.columns == columns, "the products have different widths");
            assert!(right.depth > 0, "a product without depth");
            let last = (rows - 1) * left.row + (right.depth - 1) * left.column;
            assert!(last < left.data.len(), "the left operand is too short");
            match right.storage {
                Storage::Rows { data, stride } => {
                    assert!(right.columns.is_multiple_of(isa.lanes()), "a ragged right operand");
                    let last = (right.depth - 1) * stride + right.columns;
                    assert!(last <= data.len(), "the right operand is too short");
                }
                Storage::Packed(matrix) => {
                    assert!(matrix.is_for(isa), "packed for another instruction set");
                }
            }
        }
        assert!(out.stride >= columns, "the output's rows overlap");
        assert!((rows - 1) * out.stride + columns <= out.data.len(), "the output is too short");
        Some(Self {
            terms,
            passes: passes(terms),
            columns,
            width,
            out: out.data.as_mut_ptr(),
            stride: out.stride,
            scale: out.scale,
            accumulate: out.accumulate,
        })
    }

    fn depth(&self) -> usize {
        self.terms.iter().map(|term| term.right.depth).sum()
    }
}

/// Cuts the terms into passes of about [`DEPTH`], short terms joining the one before.
fn passes(terms: &[Term<'_>]) -> Vec<Vec<Piece>> {
    let mut passes: Vec<Vec<Piece>> = Vec::new();
    let mut filled = DEPTH;
    for (term, Term { right, .. }) in terms.iter().enumerate() {
        for from in (0..right.depth).step_by(DEPTH) {
            let to = right.depth.min(from + DEPTH);
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
        for piece in &self.job.passes[pass] {
            let Term { left, right } = &self.job.terms[piece.term];
            let (panel, stride) = right.panel(first, self.job.width);
            // SAFETY: `Job::new` checked that row `rows - 1` and depth `depth - 1` of the left operand are inside its
            // slice, and that the right operand holds `depth` rows of whole vectors from this panel's first column:
            // `NV * LANES <= stride` for a packed panel, and for rows `columns` is a multiple of `LANES`.
            sums = unsafe {
                let operands = Operands {
                    a: left.data.as_ptr().add(row * left.row + piece.from * left.column),
                    row: left.row,
                    column: left.column,
                    b: panel.as_ptr().add(piece.from * stride),
                    stride,
                };
                operands.accumulate(simd, piece.to - piece.from, sums)
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

/// Where a tile's operands begin.
#[derive(Clone, Copy)]
struct Operands {
    a: *const f32,
    row: usize,
    column: usize,
    b: *const f32,
    stride: usize,
}

impl Operands {
    /// The tile's sums with `depth` more products in them.
    ///
    /// By value and with constant indices, so that the sums never leave the registers.
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

#[cfg(test)]
mod tests;
