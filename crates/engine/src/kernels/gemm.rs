//! Sums of matrix products, `C = scale * sum(A_i B_i)`, in tiles that stay in the registers.
//!
//! The shape of the loops is `GotoBLAS`'s (Goto and van de Geijn, 2008) with `B` packed once for good instead of in every
//! call, and `A` read where it lies. Each number of `C` is summed over `k` in one fixed order, so neither the number of
//! threads nor the cut into tiles changes a bit of it. Where `B` is packed in bf16, `A` is brought to bf16 first, whole,
//! and the sum is f32; the products of one sum are of one type.

mod operands;
mod prepare;
mod tile;

use super::compute::Compute;
use super::isa::Isa;
use crate::parallel;
pub(crate) use operands::{Left, Output, Right, Term};
pub(crate) use prepare::ready;
use prepare::{Operand, prepared};
use tile::Block;

/// Rows of a register tile: with AVX-512, 6 x 4 sums, 4 columns of `B` and one number of `A` fill the 32 registers.
const TILE: usize = 6;
/// Rows of a register tile of one or two vectors, which would else be too few sums to keep the processor busy.
const TALL: usize = 12;
/// Depth of one pass over `B`'s panel in 32-bit words: 2048 x 64 of them are half of a 1 MiB second-level cache.
const DEPTH: usize = 2048;
/// Rows in one thread's piece of work, a multiple of [`TILE`].
const ROWS: usize = 96;
/// Pieces of work below which there are fewer rows in one, so that no thread waits long for the last.
const PIECES: usize = 16;
/// Products that may be summed.
const TERMS: usize = 6;
/// Below so many multiplications a second thread costs more than it saves.
const SERIAL: usize = 1 << 18;

/// `out = scale * sum(left * right)` for the first `rows` rows, over all threads.
pub(crate) fn gemm(isa: Isa, rows: usize, terms: &[Term<'_>], mut out: Output<'_>) {
    let depth: usize = terms.iter().map(|term| term.right.depth).sum();
    let columns = terms.first().map_or(0, |term| term.right.columns);
    if rows * columns * depth < SERIAL || parallel::threads() == 1 {
        return gemm_serial(isa, rows, terms, out);
    }
    let base = out.base;
    prepared(isa, rows, terms, true, |operands| {
        let Some(job) = Job::new(isa, rows, operands, (&mut out, base)) else { return };
        let panels = job.columns.div_ceil(job.width);
        let height = (rows * panels / PIECES).next_multiple_of(TILE).clamp(TILE, ROWS);
        let bands = rows.div_ceil(height);
        parallel::each(panels * bands, |index| {
            let (panel, first) = (index / bands, index % bands * height);
            isa.run(Block { job: &job, panel, rows: first..rows.min(first + height) });
        });
    });
}

/// As [`gemm`], on the calling thread alone: for work that is itself one of many pieces.
pub(crate) fn gemm_serial(isa: Isa, rows: usize, terms: &[Term<'_>], mut out: Output<'_>) {
    let base = out.base;
    prepared(isa, rows, terms, false, |operands| {
        let Some(job) = Job::new(isa, rows, operands, (&mut out, base)) else { return };
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
    /// Whether the operands are pairs of bf16, else f32.
    pairs: bool,
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
    /// As long as the output.
    base: Option<&'a [f32]>,
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
        (out, base): (&mut Output<'_>, Option<&'a [f32]>),
    ) -> Option<Self> {
        let (columns, width) = (operands.first()?.right.columns, isa.panel());
        if rows == 0 || columns == 0 {
            return None;
        }
        assert!(operands.len() <= TERMS, "more products than tiles have room for");
        let pairs = operands.first()?.right.compute() == Compute::Bf16;
        for operand in operands {
            operand.check(isa, rows, columns);
            let same = pairs == (operand.right.compute() == Compute::Bf16);
            assert!(same, "products of two types in one sum");
        }
        assert!(out.stride >= columns, "the output's rows overlap");
        let last = (rows - 1) * out.stride + columns;
        assert!(last <= out.data.len(), "the output is too short");
        assert!(base.is_none_or(|base| last <= base.len()), "the output's base is too short");
        Some(Self {
            pairs,
            operands,
            passes: passes(operands),
            columns,
            width,
            out: out.data.as_mut_ptr(),
            stride: out.stride,
            scale: out.scale,
            accumulate: out.accumulate,
            base,
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

#[cfg(test)]
mod tests;
