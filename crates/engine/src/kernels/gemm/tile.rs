//! The register tiles of one panel: the innermost loops, which read without a check per number what `Job::new` checked.

use std::ops::Range;

use super::prepare::Operand;
use super::{Job, Piece, TALL, TERMS, TILE};
use crate::kernels::isa::Kernel;
use crate::kernels::packed::Words;
use crate::kernels::shared::Rectangle;
use crate::kernels::simd::Simd;

/// One panel's columns of a range of rows.
pub(super) struct Block<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) panel: usize,
    pub(super) rows: Range<usize>,
    /// Where the sums go.
    pub(super) out: Rectangle<'a, f32>,
    /// What the sums are added to, from the block's first number on, and how far its rows are apart.
    pub(super) base: Option<(&'a [f32], usize)>,
    /// What the sums are multiplied by.
    pub(super) scale: f32,
    /// Whether they are added to what is in `out`.
    pub(super) accumulate: bool,
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
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
    fn panel<S: Simd, T: Word>(&mut self, simd: S) {
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
        &mut self,
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
        &mut self,
        simd: S,
        columns: usize,
        (views, pass): (&[View<T>; TERMS], usize),
        row: usize,
    ) {
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
        let (first, accumulate) = (row - self.rows.start, pass > 0 || self.accumulate);
        let scale = simd.splat(self.scale);
        for (index, sums) in (first..).zip(sums) {
            let base = match self.base {
                Some((base, stride)) if pass == 0 => Some(&base[index * stride..][..columns]),
                _ => None,
            };
            write(simd, sums, scale, (self.out.row(index), base), accumulate);
        }
    }
}

/// Brings one row of a tile to the output.
#[inline(always)]
fn write<S: Simd, const NV: usize>(
    simd: S,
    sums: [S::V; NV],
    scale: S::V,
    (to, base): (&mut [f32], Option<&[f32]>),
    accumulate: bool,
) {
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
