//! Sums of matrix products, `C = scale * sum(A_i B_i)`, in tiles that stay in the registers.
//!
//! The shape of the loops is `GotoBLAS`'s (Goto and van de Geijn, 2008) with `B` packed once for good instead of in every
//! call, and `A` read where it lies. Each number of `C` is summed over `k` in one fixed order, so neither the number of
//! threads nor the cut into tiles changes a bit of it. Where `B` is packed in bf16, `A` is brought to bf16 first, whole,
//! and the sum is f32; the products of one sum are of one type.

mod operands;
mod prepare;
mod tile;

use std::ops::Range;

use super::compute::Compute;
use super::isa::Isa;
use super::shared::{Rectangle, Shared};
use crate::parallel;
pub(crate) use operands::{Left, Output, Place, Right, Sum, Term};
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
/// Numbers of a sum that are handed over at once: what is made of them stays in the first-level cache.
const HANDED: usize = 24 * 64;
/// Pieces of work below which there are fewer rows in one, so that no thread waits long for the last.
const PIECES: usize = 16;
/// Products that may be summed.
const TERMS: usize = 6;
/// Below so many multiplications a second thread costs more than it saves.
const SERIAL: usize = 1 << 18;

/// `out = scale * sum(left * right)` for the first `rows` rows, over all threads.
pub(crate) fn gemm(isa: Isa, rows: usize, terms: &[Term<'_>], out: Output<'_>) {
    prepared(isa, rows, terms, true, |operands| {
        let Some(job) = Job::new(isa, rows, operands) else { return };
        let target = Target::new(&job, rows, out);
        spread(&job, (rows, TILE), |panel, rows| target.run(isa, &job, panel, rows));
    });
}

/// As [`gemm`], on the calling thread alone: for work that is itself one of many pieces.
pub(crate) fn gemm_serial(isa: Isa, rows: usize, terms: &[Term<'_>], out: Output<'_>) {
    alone(isa, rows, terms, |job| Target::new(job, rows, out));
}

/// As [`gemm_serial`], where the sum overwrites a part of a matrix, of whose shape it is.
pub(crate) fn gemm_part(isa: Isa, terms: &[Term<'_>], out: &mut Rectangle<'_, f32>) {
    alone(isa, out.row_count(), terms, |job| Target::part(job, out));
}

/// A whole product on the calling thread, into the target that it is given.
fn alone<'a>(
    isa: Isa,
    rows: usize,
    terms: &[Term<'_>],
    target: impl FnOnce(&Job<'_>) -> Target<'a>,
) {
    prepared(isa, rows, terms, false, |operands| {
        let Some(job) = Job::new(isa, rows, operands) else { return };
        let target = target(&job);
        for panel in 0..job.panels() {
            target.run(isa, &job, panel, 0..rows);
        }
    });
}

/// Several sums of products of one shape, `[rows, N]`, over all threads: `f` is given a place of a few rows, and each
/// sum's numbers there, row after row, while they are in the cache. Before they are made, `fetch` is given the place.
pub(crate) fn gemm_blocks<const P: usize>(
    isa: Isa,
    rows: usize,
    sums: &[Sum<'_>; P],
    fetch: impl Fn(&Place) + Send + Sync,
    f: impl Fn(&Place, [&mut [f32]; P]) + Send + Sync,
) {
    let terms: Vec<Term<'_>> = sums.iter().flat_map(|sum| &sum.terms).copied().collect();
    prepared(isa, rows, &terms, true, |operands| {
        let mut rest = operands;
        let mut jobs = Vec::with_capacity(P);
        for sum in sums {
            let (own, others) = rest.split_at(sum.terms.len());
            rest = others;
            jobs.extend(Job::new(isa, rows, own));
        }
        let Some(first) = jobs.first() else { return };
        let columns = first.columns;
        assert!(jobs.iter().all(|job| job.columns == columns), "sums of two shapes");
        // Whole tiles, and even, so that no pair of rows is of two places.
        let few = (HANDED / first.width.min(columns)).next_multiple_of(TILE);
        let unit = if few < ROWS { few } else { TILE };
        spread(first, (rows, unit), |panel, rows| {
            let columns = first.columns_of(panel);
            parallel::with_scratch(P * few * columns.len(), |numbers| {
                for from in rows.clone().step_by(few) {
                    let rows = from..rows.end.min(from + few);
                    let place = Place { rows, columns: columns.clone() };
                    fetch(&place);
                    let mut parts = numbers.chunks_exact_mut(place.rows.len() * columns.len());
                    let mut blocks: [&mut [f32]; P] =
                        std::array::from_fn(|_| parts.next().unwrap_or_default());
                    for ((job, sum), block) in jobs.iter().zip(sums).zip(&mut blocks) {
                        job.run(isa, (panel, &place), sum.base, block);
                    }
                    f(&place, blocks);
                }
            });
        });
    });
}

/// `f(panel, rows)` for all blocks of a job's output, over all threads; each begins with a multiple of `unit` rows.
///
/// Few multiplications stay on the calling thread.
/// The blocks are as high as each other within a unit and an even number where they can be, so that of two threads
/// each has half of the work.
fn spread(
    job: &Job<'_>,
    (rows, unit): (usize, usize),
    f: impl Fn(usize, Range<usize>) + Send + Sync,
) {
    let (panels, units) = (job.panels(), rows.div_ceil(unit));
    let depth: usize = job.operands.iter().map(|operand| operand.right.depth).sum();
    if rows * job.columns * depth < SERIAL || parallel::threads() == 1 {
        return (0..panels).for_each(|panel| f(panel, 0..rows));
    }
    let height = (rows * panels / PIECES).clamp(unit, ROWS);
    let mut bands = rows.div_ceil(height).min(units);
    if !(panels * bands).is_multiple_of(2) && bands < units {
        bands += 1;
    }
    let first = |band: usize| rows.min(band * units / bands * unit);
    parallel::each(panels * bands, |index| {
        let (panel, band) = (index / bands, index % bands);
        f(panel, first(band)..first(band + 1));
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
}

impl<'a> Job<'a> {
    /// Checks that every access that the operands lead to is inside its slice; `None` where there is nothing to do.
    fn new(isa: Isa, rows: usize, operands: &'a [Operand<'a>]) -> Option<Self> {
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
        Some(Self { pairs, operands, passes: passes(operands), columns, width })
    }

    fn panels(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    /// The columns of a panel.
    fn columns_of(&self, panel: usize) -> Range<usize> {
        panel * self.width..self.columns.min((panel + 1) * self.width)
    }

    /// Writes the sums of a place, with what `base`, which is as wide as the output, has there, to `block`.
    fn run(
        &self,
        isa: Isa,
        (panel, place): (usize, &Place),
        base: Option<&[f32]>,
        block: &mut [f32],
    ) {
        let (rows, wide) = (place.rows.clone(), place.columns.len());
        let base = base.map(|base| (&base[place.start(self.columns)..], self.columns));
        let out = Rectangle::of(block, [rows.len(), wide], wide);
        isa.run(Block { job: self, panel, rows, out, base, scale: 1.0, accumulate: false });
    }
}

/// The output of a job as its blocks write it.
struct Target<'a> {
    out: Shared<'a, f32>,
    stride: usize,
    scale: f32,
    accumulate: bool,
    base: Option<&'a [f32]>,
}

impl<'a> Target<'a> {
    /// Checks that all rows of the job have their place.
    fn new(job: &Job<'_>, rows: usize, out: Output<'a>) -> Self {
        let Output { data, stride, scale, accumulate, base } = out;
        assert!(stride >= job.columns, "the output's rows overlap");
        let last = (rows - 1) * stride + job.columns;
        assert!(last <= data.len(), "the output is too short");
        assert!(base.is_none_or(|base| last <= base.len()), "the output's base is too short");
        Self { out: Shared::new(data, stride), stride, scale, accumulate, base }
    }

    /// A part of a matrix that has the shape of the job.
    fn part(job: &Job<'_>, out: &'a mut Rectangle<'_, f32>) -> Self {
        assert!(out.column_count() == job.columns, "the part is of another width");
        let stride = job.columns;
        Self { out: out.share(), stride, scale: 1.0, accumulate: false, base: None }
    }

    /// Runs a block, which no other one that runs meanwhile shares a number with.
    #[expect(unsafe_code, reason = "each block of a job is run once")]
    fn run(&self, isa: Isa, job: &Job<'_>, panel: usize, rows: Range<usize>) {
        let columns = job.columns_of(panel);
        let first = rows.start * self.stride + columns.start;
        let base = self.base.map(|base| (&base[first..], self.stride));
        // SAFETY: `gemm` and `alone` run each panel of each range of rows once.
        let out = unsafe { self.out.rectangle(rows.clone(), columns) };
        let (scale, accumulate) = (self.scale, self.accumulate);
        isa.run(Block { job, panel, rows, out, base, scale, accumulate });
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
