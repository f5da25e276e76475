//! Rows of as many numbers each: those of one sequence, some of all, copies.

use std::ops::Range;

use crate::kernels::{Buffer, Isa, Kernel, Simd, dot};
use crate::parallel;

/// Numbers copied in one piece of work.
const PIECE: usize = 1 << 15;

/// What belongs to a sequence of numbers that are as many for each of `tokens` tokens.
pub(super) fn part<'a, T>(numbers: &'a [T], sequence: &Range<usize>, tokens: usize) -> &'a [T] {
    let width = numbers.len() / tokens;
    &numbers[sequence.start * width..sequence.end * width]
}

/// As [`part`].
pub(super) fn part_mut<'a, T>(
    numbers: &'a mut [T],
    sequence: &Range<usize>,
    tokens: usize,
) -> &'a mut [T] {
    let width = numbers.len() / tokens;
    &mut numbers[sequence.start * width..sequence.end * width]
}

/// A range of rows of `width` numbers.
pub(super) fn of<'a>(numbers: &'a [f32], rows: &Range<usize>, width: usize) -> &'a [f32] {
    &numbers[rows.start * width..rows.end * width]
}

/// Some rows of `width` numbers, in `to`.
pub(super) fn select(all: &[f32], rows: &[usize], width: usize, to: &mut Buffer) {
    to.resize(rows.len() * width);
    for (row, to) in rows.iter().zip(to.chunks_exact_mut(width)) {
        to.copy_from_slice(&all[row * width..(row + 1) * width]);
    }
}

/// Keeps only some rows of `width` numbers.
pub(super) fn gather(all: &mut Buffer, rows: &[usize], width: usize, spare: &mut Buffer) {
    select(all, rows, width, spare);
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

/// The products of every `width` numbers of one with those of the other, which are as many.
pub(super) fn products(isa: Isa, width: usize, [a, b]: [&[f32]; 2], to: &mut [f32]) {
    parallel::chunks_mut(to, PIECE / width, |index, to| {
        let first = index * (PIECE / width) * width;
        let numbers = first..first + to.len() * width;
        isa.run(Products { width, a: &a[numbers.clone()], b: &b[numbers], to });
    });
}

struct Products<'a> {
    width: usize,
    a: &'a [f32],
    b: &'a [f32],
    to: &'a mut [f32],
}

impl Kernel for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let rows = self.a.chunks_exact(self.width).zip(self.b.chunks_exact(self.width));
        for (to, (a, b)) in self.to.iter_mut().zip(rows) {
            *to = dot(simd, a, b);
        }
    }
}
