//! Rows of as many numbers each: those of one sequence, some of all, copies.

use std::ops::Range;

use crate::kernels::Buffer;
use crate::parallel;

/// Numbers copied in one piece of work.
const PIECE: usize = 1 << 15;

/// What belongs to a sequence of numbers that are as many for each of `tokens` tokens.
pub(super) fn part<'a>(numbers: &'a [f32], sequence: &Range<usize>, tokens: usize) -> &'a [f32] {
    let width = numbers.len() / tokens;
    &numbers[sequence.start * width..sequence.end * width]
}

/// As [`part`].
pub(super) fn part_mut<'a>(
    numbers: &'a mut [f32],
    sequence: &Range<usize>,
    tokens: usize,
) -> &'a mut [f32] {
    let width = numbers.len() / tokens;
    &mut numbers[sequence.start * width..sequence.end * width]
}

/// Keeps only some rows of `width` numbers.
pub(super) fn gather(all: &mut Buffer, rows: &[usize], width: usize, spare: &mut Buffer) {
    spare.resize(rows.len() * width);
    for (row, to) in rows.iter().zip(spare.chunks_exact_mut(width)) {
        to.copy_from_slice(&all[row * width..(row + 1) * width]);
    }
    std::mem::swap(all, spare);
}

/// Brings rows back to where [`gather`] had them from, among zeros: `length` numbers in all.
pub(super) fn scatter(some: &mut Buffer, rows: &[usize], length: usize, spare: &mut Buffer) {
    let width = some.len() / rows.len().max(1);
    spare.resize(length);
    spare.fill(0.0);
    for (row, from) in rows.iter().zip(some.chunks_exact(width.max(1))) {
        spare[row * width..(row + 1) * width].copy_from_slice(from);
    }
    std::mem::swap(some, spare);
}

/// A copy in `to`.
pub(super) fn copy(from: &[f32], to: &mut Buffer) {
    to.resize(from.len());
    parallel::chunks_mut(to, PIECE, |index, to| {
        to.copy_from_slice(&from[index * PIECE..][..to.len()]);
    });
}
