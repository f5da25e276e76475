//! From the rows of a projection to the heads of the attention: the bias, each head's normalisation, the turn by position.
//!
//! Shapes: rows `[T, heads D]`, heads the same or `[heads, T, D]`, bias `[heads D]`. Source: `Qwen2Attention` (bias) and
//! `Qwen3Attention` (normalisation) in Transformers. Bias and the norm's weight are frozen, so there are no gradients by
//! them; the norm passes the gradient on, and keeps the rows as they were before it for that.

use std::ops::Range;

use crate::kernels::{Buffer, Isa};
use crate::layers::rms_norm::RmsNorm;
use crate::layers::rope::{Rope, Turn};
use crate::parallel;

/// Rows in one piece of work.
const ROWS: usize = 16;

/// What stands between one projection and the heads.
#[derive(Debug)]
pub(crate) struct Split {
    /// Added to each row.
    pub(crate) bias: Option<Vec<f32>>,
    /// Of each head.
    pub(crate) norm: Option<RmsNorm>,
    /// Queries and keys are turned by their position, values are not.
    pub(crate) turn: Turn,
}

/// Sequences one after another, each of which goes on after as many tokens that are elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// Each one's rows.
    pub(crate) sequences: &'a [Range<usize>],
    /// The position of each one's first row.
    pub(crate) first: usize,
}

impl<'a> Places<'a> {
    /// The sequence that a row belongs to.
    fn of(self, row: usize) -> &'a Range<usize> {
        &self.sequences[self.sequences.partition_point(|other| other.end <= row)]
    }

    /// All rows.
    fn count(self) -> usize {
        self.sequences.last().map_or(0, |last| last.end)
    }
}

impl Split {
    /// `heads` of `rows`, which are used up; `before` is what the backward needs.
    pub(crate) fn forward(
        &self,
        (isa, rope): (Isa, &Rope),
        [rows, before]: [&mut Buffer; 2],
        positions: Range<usize>,
        heads: &mut [f32],
    ) {
        self.add_bias(rows);
        if let Some(norm) = &self.norm {
            std::mem::swap(rows, before);
            rows.resize(before.len());
            norm.forward(isa, before, rows);
        }
        rope.to_heads(rows, self.turn, positions, heads);
    }

    /// What is brought to heads row by row: `rows` with the bias, which are `before` where the heads are normalised.
    pub(crate) fn begin<'a>(&self, rows: &'a mut Buffer, before: &'a mut Buffer) -> &'a [f32] {
        self.add_bias(rows);
        if self.norm.is_none() {
            return rows;
        }
        std::mem::swap(rows, before);
        before
    }

    /// Writes to `heads` what [`Split::begin`] yields of the given rows, normalised and turned. On the calling thread.
    pub(crate) fn rows(
        &self,
        (isa, rope): (Isa, &Rope),
        (begun, places): (&[f32], Places<'_>),
        (rows, heads): (Range<usize>, &mut [f32]),
    ) {
        let width = heads.len() / rows.len();
        let begun = &begun[rows.start * width..rows.end * width];
        match &self.norm {
            Some(norm) => norm.rows(isa, begun, heads),
            None => heads.copy_from_slice(begun),
        }
        if self.turn == Turn::Not {
            return;
        }
        for (t, row) in rows.zip(heads.chunks_exact_mut(width)) {
            rope.turn_row(places.first + t - places.of(t).start, row);
        }
    }

    fn add_bias(&self, rows: &mut [f32]) {
        let Some(bias) = &self.bias else { return };
        parallel::chunks_mut(rows, ROWS * bias.len(), |_, rows| {
            for row in rows.chunks_exact_mut(bias.len()) {
                row.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
            }
        });
    }

    /// Writes to `drows` what `dheads` means for the given rows of the projection.
    ///
    /// Where `dheads` has several heads for one of the rows, their sum counts. On the calling thread.
    pub(crate) fn backward(
        &self,
        (isa, rope): (Isa, &Rope),
        (dheads, places): (&[f32], Places<'_>),
        before: &[f32],
        (rows, drows): (Range<usize>, &mut [f32]),
    ) {
        let (in_heads, in_row) = (dheads.len() / places.count(), drows.len() / rows.len());
        let to_rows = |to: &mut [f32]| {
            for (t, row) in rows.clone().zip(to.chunks_exact_mut(in_row)) {
                let sequence = places.of(t);
                let dheads = &dheads[sequence.start * in_heads..sequence.end * in_heads];
                let place = (t - sequence.start, sequence.len());
                rope.to_row(dheads, self.turn, place, (places.first, row));
            }
        };
        let Some(norm) = &self.norm else { return to_rows(drows) };
        let mut dnormed = vec![0.0; drows.len()];
        to_rows(&mut dnormed);
        drows.fill(0.0);
        norm.backward(isa, &before[rows.start * in_row..rows.end * in_row], &dnormed, drows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{assert_near, numbers, numeric_gradient, sum_of_products, wide};

    const TOKENS: usize = 19;
    const HEADS: usize = 2;
    const SIZE: usize = 6;
    const EPSILON: f32 = 1e-3;
    const FREQUENCIES: [f32; SIZE / 2] = [1.0, 0.05, 0.002];

    /// From the definitions, in f64.
    fn reference(rows: &[f64], bias: Option<&[f32]>, norm: Option<&[f32]>) -> Vec<f64> {
        let mut heads = vec![0.0; rows.len()];
        for t in 0..TOKENS {
            for head in 0..HEADS {
                let at = (t * HEADS + head) * SIZE;
                let mut x = rows[at..at + SIZE].to_vec();
                for (d, x) in x.iter_mut().enumerate() {
                    *x += bias.map_or(0.0, |bias| f64::from(bias[head * SIZE + d]));
                }
                if let Some(weight) = norm {
                    let mean = x.iter().map(|x| x * x).sum::<f64>() / SIZE as f64;
                    let root = (mean + f64::from(EPSILON)).sqrt();
                    x.iter_mut().zip(weight).for_each(|(x, w)| *x *= f64::from(*w) / root);
                }
                let out = &mut heads[(head * TOKENS + t) * SIZE..][..SIZE];
                for (j, frequency) in FREQUENCIES.iter().enumerate() {
                    let angle = f64::from(t as f32 * frequency);
                    let (a, b) = (x[j], x[j + SIZE / 2]);
                    out[j] = a * angle.cos() - b * angle.sin();
                    out[j + SIZE / 2] = b * angle.cos() + a * angle.sin();
                }
            }
        }
        heads
    }

    /// The first rows and the others.
    fn halves(rows: &mut [f32], first: usize) -> [&mut [f32]; 2] {
        let (first, others) = rows.split_at_mut(first * HEADS * SIZE);
        [first, others]
    }

    fn check(isa: Isa, bias: Option<&[f32]>, weight: Option<&[f32]>) {
        let rope = Rope::new(isa, TOKENS, FREQUENCIES.to_vec());
        let norm = weight.map(|weight| RmsNorm::new(weight.to_vec(), EPSILON));
        let split = Split { bias: bias.map(<[f32]>::to_vec), norm, turn: Turn::ByPosition };
        let x = numbers(TOKENS * HEADS * SIZE, 1);
        let [mut rows, mut before] = [(); 2].map(|()| Buffer::default());
        let mut drows = vec![0.0; x.len()];
        rows.resize(x.len());
        rows.copy_from_slice(&x);
        let mut heads = vec![0.0; x.len()];
        split.forward((isa, &rope), [&mut rows, &mut before], 0..TOKENS, &mut heads);
        let unnormed = before.to_vec();
        assert_near(&heads, &reference(&wide(&x), bias, weight));
        // The same by rows, of two sequences.
        let sequences = [0..4, 4..TOKENS];
        let places = Places { sequences: &sequences, first: 0 };
        rows.resize(x.len());
        rows.copy_from_slice(&x);
        let begun = split.begin(&mut rows, &mut before);
        let mut by_rows = vec![f32::NAN; x.len()];
        for (part, heads) in [0..7, 7..TOKENS].into_iter().zip(halves(&mut by_rows, 7)) {
            split.rows((isa, &rope), (begun, places), (part, heads));
        }
        for sequence in sequences.clone() {
            let place = sequence.start * HEADS * SIZE..sequence.end * HEADS * SIZE;
            let mut rows = Buffer::default();
            rows.resize(place.len());
            rows.copy_from_slice(&x[place.clone()]);
            let (tokens, mut heads) = (sequence.len(), vec![0.0; place.len()]);
            split.forward((isa, &rope), [&mut rows, &mut before], 0..tokens, &mut heads);
            for (t, row) in by_rows[place].chunks_exact(HEADS * SIZE).enumerate() {
                for (head, found) in row.chunks_exact(SIZE).enumerate() {
                    assert_eq!(found, &heads[(head * tokens + t) * SIZE..][..SIZE]);
                }
            }
        }
        let dheads = numbers(x.len(), 2);
        let places = Places { sequences: std::slice::from_ref(&(0..TOKENS)), first: 0 };
        for (rows, drows) in [0..7, 7..TOKENS].into_iter().zip(halves(&mut drows, 7)) {
            split.backward((isa, &rope), (&dheads, places), &unnormed, (rows, drows));
        }
        let slope =
            numeric_gradient(&wide(&x), |x| sum_of_products(&reference(x, bias, weight), &dheads));
        assert_near(&drows, &slope);
    }

    #[test]
    fn forward_and_backward_are_those_of_the_formula() {
        for isa in Isa::available() {
            check(isa, None, None);
            check(isa, Some(&numbers(HEADS * SIZE, 3)), None);
            check(isa, None, Some(&numbers(SIZE, 4)));
        }
    }
}
