//! Sums of matrix products, `C = scale * sum(A_i B_i)`, in tiles that stay in the registers.
//!
//! The shape of the loops is `GotoBLAS`'s (Goto and van de Geijn, 2008) with `B` packed once for good instead of in every
//! call, and `A` read where it lies. Each number of `C` is summed over `k` in one fixed order, so neither the number of
//! threads nor the cut into tiles changes a bit of it. Where `B` is packed in bf16, `A` is brought to bf16 first, whole,
//! and the sum is f32; the products of one sum are of one type.

mod operands;
mod prepare;

use super::compute::Compute;
use super::isa::{Isa, Kernel};
use super::packed::Words;
use super::simd::Simd;
use crate::parallel;
pub(crate) use operands::{Left, Output, Right, Term};
pub(crate) use prepare::ready;
use prepare::{Operand, prepared};

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
        if self.job.pairs {
            self.panel::<S, u32>(simd);
        } else {
            self.panel::<S, f32>(simd);
        }
    }
}

/// Where an operand's words begin, of the left one those of row 0 and of the right one those of a panel, and how far they are
/// apart.
#[derive(Clone, Copy)]
struct View<T> {
    left: *const T,
    row: usize,
    column: usize,
    right: *const T,
    stride: usize,
}

impl Block<'_> {
    #[inline(always)]
    fn panel<S: Simd, T: Word>(&self, simd: S) {
        let columns = self.job.width.min(self.job.columns - self.panel * self.job.width);
        let views = &self.views::<T>();
        // A panel as wide as its numbers: fewer vectors where it is the last.
        match columns.div_ceil(S::LANES) {
            1 => self.tiles::<S, T, 1, TALL>(simd, columns, views),
            // With fewer vectors in a panel there are fewer registers, too.
            2 if S::VECTORS > 2 => self.tiles::<S, T, 2, TALL>(simd, columns, views),
            2 => self.tiles::<S, T, 2, TILE>(simd, columns, views),
            3 => self.tiles::<S, T, 3, TILE>(simd, columns, views),
            _ => self.tiles::<S, T, 4, TILE>(simd, columns, views),
        }
    }

    /// The operands, with this panel of the right ones; looked up once, as the tiles have no register to spare for it.
    #[inline(never)]
    fn views<T: Word>(&self) -> [View<T>; TERMS] {
        let (none, first) = (std::ptr::null(), self.panel * self.job.width);
        let empty = View { left: none, row: 0, column: 0, right: none, stride: 0 };
        let mut views = [empty; TERMS];
        for (view, operand) in views.iter_mut().zip(self.job.operands) {
            let Operand { left, row, column, right } = *operand;
            let (panel, stride) = right.panel(self.panel, first);
            let (left, right) = (T::words(left), T::words(panel));
            *view = View { left: left.as_ptr(), row, column, right: right.as_ptr(), stride };
        }
        views
    }

    #[inline(always)]
    fn tiles<S: Simd, T: Word, const NV: usize, const MR: usize>(
        &self,
        simd: S,
        columns: usize,
        views: &[View<T>; TERMS],
    ) {
        for pass in 0..self.job.passes.len() {
            let mut row = self.rows.start;
            while MR > TILE && row + MR <= self.rows.end {
                self.tile::<S, T, NV, MR>(simd, columns, (views, pass), row);
                row += MR;
            }
            while row + TILE <= self.rows.end {
                self.tile::<S, T, NV, TILE>(simd, columns, (views, pass), row);
                row += TILE;
            }
            match self.rows.end - row {
                1 => self.tile::<S, T, NV, 1>(simd, columns, (views, pass), row),
                2 => self.tile::<S, T, NV, 2>(simd, columns, (views, pass), row),
                3 => self.tile::<S, T, NV, 3>(simd, columns, (views, pass), row),
                4 => self.tile::<S, T, NV, 4>(simd, columns, (views, pass), row),
                5 => self.tile::<S, T, NV, 5>(simd, columns, (views, pass), row),
                _ => {}
            }
        }
    }

    /// `MR` rows by `NV` vectors of columns of one pass.
    #[inline(always)]
    #[expect(unsafe_code, reason = "reads the operands without a check per number")]
    fn tile<S: Simd, T: Word, const NV: usize, const MR: usize>(
        &self,
        simd: S,
        columns: usize,
        (views, pass): (&[View<T>; TERMS], usize),
        row: usize,
    ) {
        let first = self.panel * self.job.width;
        let mut sums = [[simd.splat(0.0); NV]; MR];
        for Piece { term, from, to } in &self.job.passes[pass] {
            let View { left, row: down, column, right, stride } = views[*term];
            let (at, depth) = (row * down + from * column, to - from);
            // SAFETY: `Job::new` checked that row `rows - 1` and the last word of the depth are inside the left operand's
            // slice, and that the right operand holds its depth in rows of whole vectors from this panel's first column:
            // `NV * LANES <= stride` for a packed panel, and for rows `columns` is a multiple of `LANES`.
            sums = unsafe {
                let (a, b) = (left.add(at), right.add(from * stride));
                Walk { a, row: down, column, b, stride }.accumulate(simd, depth, sums)
            };
        }
        for (index, sums) in sums.into_iter().enumerate() {
            let at = (row + index) * self.job.stride + first;
            // SAFETY: `Job::new` checked that row `rows - 1` and column `columns - 1` are inside the output, and no other
            // block has these rows and columns.
            let to = unsafe { std::slice::from_raw_parts_mut(self.job.out.add(at), columns) };
            let base = match self.job.base {
                Some(base) if pass == 0 => Some(&base[at..at + columns]),
                _ => None,
            };
            self.write(simd, sums, (to, base), pass > 0 || self.job.accumulate);
        }
    }

    /// Brings one row of a tile to the output.
    #[inline(always)]
    fn write<S: Simd, const NV: usize>(
        &self,
        simd: S,
        sums: [S::V; NV],
        (to, base): (&mut [f32], Option<&[f32]>),
        accumulate: bool,
    ) {
        let scale = simd.splat(self.job.scale);
        for (vector, sum) in sums.into_iter().enumerate() {
            let to = &mut to[vector * S::LANES..];
            let to = if to.len() > S::LANES { &mut to[..S::LANES] } else { to };
            let whole = to.len() == S::LANES;
            let mut sum = simd.mul(sum, scale);
            let base = base.map(|base| &base[vector * S::LANES..][..to.len()]);
            if let Some(there) = base.or(accumulate.then_some(&*to)) {
                let there = if whole { simd.load(there) } else { simd.load_part(there, 0.0) };
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

impl<T: Word> Walk<T> {
    /// The tile's sums with the products of `depth` more words in them.
    ///
    /// The sums are passed by value and reached by constant indices, so that they never leave the registers.
    ///
    /// # Safety
    /// `a` has `MR` rows of `depth` words, `b` has `depth` rows of `NV` vectors.
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
            let mut columns = [T::splat(simd, T::default()); NV];
            for vector in 0..NV {
                // SAFETY: the caller's promise.
                columns[vector] = unsafe { T::load_at(simd, b.add(vector * S::LANES)) };
            }
            for row in 0..MR {
                // SAFETY: the caller's promise.
                let word = T::splat(simd, unsafe { *a.add(row * self.row) });
                for vector in 0..NV {
                    sums[row][vector] = T::sum(simd, word, columns[vector], sums[row][vector]);
                }
            }
            a = a.wrapping_add(self.column);
            b = b.wrapping_add(self.stride);
        }
        sums
    }
}

/// A 32-bit word of the depth: one f32, or a pair of bf16.
trait Word: Copy + Default {
    /// The words of an operand, which are of this type: `Operand::check` refuses others.
    fn words(words: Words<'_>) -> &[Self];
    /// A vector of them.
    type Vector<S: Simd>: Copy;
    /// All lanes `word`.
    fn splat<S: Simd>(simd: S, word: Self) -> Self::Vector<S>;
    /// Loads from a pointer.
    ///
    /// # Safety
    /// `LANES` words may be read at `from`.
    #[expect(unsafe_code, reason = "the innermost loop reads without a check per vector")]
    unsafe fn load_at<S: Simd>(simd: S, from: *const Self) -> Self::Vector<S>;
    /// `sums` and the products of each lane's numbers.
    fn sum<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, sums: S::V) -> S::V;
}

impl Word for f32 {
    fn words(words: Words<'_>) -> &[f32] {
        let Words::F32(words) = words else { unreachable!("pairs among numbers") };
        words
    }
    type Vector<S: Simd> = S::V;

    #[inline(always)]
    fn splat<S: Simd>(simd: S, number: f32) -> S::V {
        simd.splat(number)
    }
    #[inline(always)]
    #[expect(unsafe_code, reason = "the trait's contract is about a pointer")]
    unsafe fn load_at<S: Simd>(simd: S, from: *const f32) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { simd.load_at(from) }
    }
    #[inline(always)]
    fn sum<S: Simd>(simd: S, a: S::V, b: S::V, sums: S::V) -> S::V {
        simd.mul_add(a, b, sums)
    }
}

impl Word for u32 {
    fn words(words: Words<'_>) -> &[u32] {
        let Words::Bf16(words) = words else { unreachable!("numbers among pairs") };
        words
    }
    type Vector<S: Simd> = S::W;

    #[inline(always)]
    fn splat<S: Simd>(simd: S, pair: u32) -> S::W {
        simd.splat_word(pair)
    }
    #[inline(always)]
    #[expect(unsafe_code, reason = "the trait's contract is about a pointer")]
    unsafe fn load_at<S: Simd>(simd: S, from: *const u32) -> S::W {
        // SAFETY: the caller's promise.
        unsafe { simd.load_words_at(from) }
    }
    #[inline(always)]
    fn sum<S: Simd>(simd: S, a: S::W, b: S::W, sums: S::V) -> S::V {
        simd.dot_pairs(a, b, sums)
    }
}

#[cfg(test)]
mod tests;
