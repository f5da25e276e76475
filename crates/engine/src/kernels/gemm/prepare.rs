//! Operands as the tiles read them: right ones in whole vectors, left ones in the type of the right.

use super::operands::{Left, Right, Storage, Term};
use crate::kernels::packed::{Packed, Words};
use crate::kernels::{Buffer, Compute, Isa, bf16};
use crate::parallel;

/// Words brought to bf16 in one piece of work.
const PIECE: usize = 1 << 13;

/// A term that is ready to be multiplied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operand<'a> {
    /// `A`: the word at (m, k) is `left[m * row + k * column]`.
    pub(super) left: Words<'a>,
    pub(super) row: usize,
    pub(super) column: usize,
    /// `B`.
    pub(super) right: Right<'a>,
}

impl<'a> Operand<'a> {
    fn plain(Term { left, right }: &Term<'a>) -> Self {
        Self { left: left.data, row: left.row, column: left.column, right: *right }
    }

    /// The depth in 32-bit words.
    pub(super) fn words(&self) -> usize {
        match self.left {
            Words::F32(_) => self.right.depth,
            Words::Bf16(_) => self.right.depth.div_ceil(2),
        }
    }

    /// Fails where a tile of `rows` rows and `columns` columns would read outside a slice.
    pub(super) fn check(&self, isa: Isa, rows: usize, columns: usize) {
        let Self { left, row, column, right } = self;
        assert!(right.columns == columns, "the products have different widths");
        assert!(right.depth > 0, "a product without depth");
        let length = match left {
            Words::F32(left) => left.len(),
            Words::Bf16(left) => left.len(),
        };
        let last = (rows - 1) * row + (self.words() - 1) * column;
        assert!(last < length, "the left operand is too short");
        match right.storage {
            Storage::Rows { data, stride } => {
                assert!(right.columns.is_multiple_of(isa.lanes()), "a ragged right operand");
                let last = (right.depth - 1) * stride + right.columns;
                assert!(last <= data.len(), "the right operand is too short");
            }
            Storage::Pairs { words, stride } => {
                let last = (self.words() - 1) * stride + columns.next_multiple_of(isa.lanes());
                assert!(last <= words.len(), "the right operand is too short");
            }
            Storage::Packed(matrix) => {
                assert!(matrix.is_for(isa), "packed for another instruction set");
                let rows = right.first + right.depth;
                let holds = rows <= matrix.row_count() && columns <= matrix.column_count();
                assert!(holds, "the right operand is too short");
                let pairs = right.compute() == Compute::Bf16;
                assert!(!pairs || right.first.is_multiple_of(2), "rows that begin within a pair");
                // Half of a pair would bring in the row behind the last.
                let whole = rows == matrix.row_count() || right.depth.is_multiple_of(2);
                assert!(!pairs || whole, "rows that end within a pair");
            }
        }
        let same = matches!(
            (left, right.panel(0, 0).0),
            (Words::F32(_), Words::F32(_)) | (Words::Bf16(_), Words::Bf16(_))
        );
        assert!(same, "the operands are of two types");
    }
}

/// Rows `width` long as products in the type of `compute` read them: where they lie, or brought to bf16 in `words`, once for
/// several products.
pub(crate) fn ready<'a>(
    isa: Isa,
    compute: Compute,
    (data, width): (&'a [f32], usize),
    words: &'a mut Buffer<u32>,
) -> Left<'a> {
    if compute == Compute::F32 {
        return Left::rows(data, width);
    }
    let in_row = width.div_ceil(2);
    words.resize(data.len() / width * in_row);
    let rows = PIECE.div_ceil(in_row);
    parallel::chunks_mut(words, rows * in_row, |index, to| {
        let from = &data[index * rows * width..];
        isa.run(bf16::Rows { from, stride: width, depth: width, to });
    });
    Left::rows_of_pairs(words, in_row)
}

/// Calls `f` with the terms made ready; with `spread` over all threads.
pub(super) fn prepared(
    isa: Isa,
    rows: usize,
    terms: &[Term<'_>],
    spread: bool,
    f: impl FnOnce(&[Operand<'_>]),
) {
    with_whole_vectors(isa, terms, |terms| {
        let narrow = |term: &Term<'_>| {
            term.right.compute() == Compute::Bf16 && matches!(term.left.data, Words::F32(_))
        };
        let sizes = terms
            .iter()
            .map(|term| if narrow(term) { rows * term.right.depth.div_ceil(2) } else { 0 });
        let total = sizes.clone().sum();
        if total == 0 {
            return f(&terms.iter().map(Operand::plain).collect::<Vec<_>>());
        }
        parallel::with_words(total, |mut words| {
            let mut operands = Vec::with_capacity(terms.len());
            for (term, size) in terms.iter().zip(sizes) {
                let (part, rest) = words.split_at_mut(size);
                words = rest;
                operands.push(if narrow(term) {
                    brought_to_bf16(isa, (rows, term), part, spread)
                } else {
                    Operand::plain(term)
                });
            }
            f(&operands);
        });
    });
}

/// The left operand of a term as pairs of bf16 in `words`.
fn brought_to_bf16<'a>(
    isa: Isa,
    (rows, term): (usize, &Term<'a>),
    words: &'a mut [u32],
    spread: bool,
) -> Operand<'a> {
    let Term { left: Left { data, row, column }, right } = *term;
    let Words::F32(data) = data else { unreachable!("what is in bf16 is not brought to it") };
    let depth = right.depth;
    assert!(column == 1 || row == 1, "neither rows nor columns of the left operand are whole");
    // Rows of words: those of the operand, or of its transpose, which is kept.
    let width = if column == 1 { depth.div_ceil(2) } else { rows };
    let in_piece = if spread { PIECE.div_ceil(width) } else { words.len().div_ceil(width) };
    let piece = |index: usize, to: &mut [u32]| {
        let first = index * in_piece;
        if column == 1 {
            isa.run(bf16::Rows { from: &data[first * row..], stride: row, depth, to });
        } else {
            let (from, depth) = (&data[2 * first * column..], depth - 2 * first);
            isa.run(bf16::Columns { from, stride: column, depth, width, count: rows, to });
        }
    };
    parallel::chunks_mut(words, in_piece * width, piece);
    let [row, column] = if column == 1 { [width, 1] } else { [1, width] };
    Operand { left: Words::Bf16(words), row, column, right }
}

/// Calls `f` with terms whose panels may be read in whole vectors: rows that end within one are packed first.
fn with_whole_vectors(isa: Isa, terms: &[Term<'_>], f: impl FnOnce(&[Term<'_>])) {
    let ragged = |right: &Right<'_>| match right.storage {
        Storage::Rows { .. } => !right.columns.is_multiple_of(isa.lanes()),
        Storage::Packed(_) | Storage::Pairs { .. } => false,
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
            Storage::Packed(_) | Storage::Pairs { .. } => None,
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
