//! A frozen linear layer with its LoRA branch: `out = x W^T + s drop(x) A^T B^T`.
//!
//! Shapes: x `[T, in]`, out `[T, out]`, A `[R, in]`, B `[out, R]`, `s = alpha / R`. Source: Hu et al. 2021 (arXiv:2106.09685),
//! as PEFT computes it. `z = s drop(x) A^T`, `[T, R]`, is kept for the backward; the product with B is summed in the same
//! registers as the one with W. With `dz = s dout B`: `dB = dout^T z`, `dA = dz^T drop(x)`, `dx = dout W + undrop(dz A)`.

use crate::kernels::{Buffer, Isa, Left, Output, Packed, Right, Term, gemm};
use crate::layers::dropout::Dropout;
use crate::layers::linear::Linear;
use crate::parallel::with_room;

/// One branch's weights. `b` is held transposed, so that both factors are `R` long rows.
#[derive(Debug, Clone)]
pub(crate) struct Factors {
    /// A, `[R, in]`.
    pub(crate) a: Vec<f32>,
    /// B transposed, `[R, out]`.
    pub(crate) b: Vec<f32>,
    rank: usize,
    /// A transposed, `[in, R]`.
    down: Packed,
    /// B, `[out, R]`.
    up: Packed,
}

impl Factors {
    /// From A, `[R, in]`, and B transposed, `[R, out]`.
    pub(crate) fn new(isa: Isa, rank: usize, a: Vec<f32>, b: Vec<f32>) -> Self {
        let down = Packed::transposed(isa, &a, a.len() / rank);
        let up = Packed::transposed(isa, &b, b.len() / rank);
        Self { a, b, rank, down, up }
    }

    /// Packs again after `a` and `b` have changed.
    pub(crate) fn repack(&mut self) {
        self.down.fill(&self.a, [1, self.a.len() / self.rank]);
        self.up.fill(&self.b, [1, self.b.len() / self.rank]);
    }
}

/// The gradients by one branch's factors, or anything else of their shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pair {
    /// By A, `[R, in]`.
    pub(crate) a: Vec<f32>,
    /// By B transposed, `[R, out]`.
    pub(crate) b: Vec<f32>,
}

/// A branch in one pass over a sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Branch<'a> {
    /// The weights.
    pub(crate) factors: &'a Factors,
    /// `s`.
    pub(crate) scale: f32,
    /// The mask, when training with one.
    pub(crate) dropout: Option<Dropout>,
}

impl<'a> Branch<'a> {
    /// `R`.
    pub(crate) fn rank(&self) -> usize {
        self.factors.rank
    }

    /// B, transposed: `[R, out]`.
    pub(crate) fn b(&self) -> &'a [f32] {
        &self.factors.b
    }

    /// `z = s x A^T` of whole rows `x`, without dropout.
    pub(crate) fn inner(&self, isa: Isa, x: &[f32], z: &mut [f32]) {
        let Factors { rank, down, .. } = self.factors;
        let inputs = down.row_count();
        let term = Term { left: Left::rows(x, inputs), right: Right::packed(down) };
        gemm(isa, x.len() / inputs, &[term], Output::to(z, *rank).scaled(self.scale));
    }

    /// `drop(x)`, in `masked` where there is a mask.
    fn input<'x>(&self, x: &'x [f32], masked: &'x mut Buffer) -> &'x [f32] {
        match self.dropout {
            None => x,
            Some(dropout) => {
                masked.resize(x.len());
                dropout.forward(x, masked);
                masked
            }
        }
    }

    /// Adds `s B A` to `weight`, `[out, in]`.
    pub(crate) fn add_to(&self, isa: Isa, weight: &mut [f32]) {
        let Factors { a, b, rank, .. } = self.factors;
        let (inputs, outputs) = (a.len() / rank, b.len() / rank);
        let (left, right) = (Left::transposed(b, outputs), Right::rows(a, *rank, inputs));
        gemm(isa, outputs, &[Term { left, right }], Output::add(weight, inputs).scaled(self.scale));
    }

    fn add_term(&self, dz: &'a [f32], inputs: usize) -> Term<'a> {
        let rank = self.factors.rank;
        Term { left: Left::rows(dz, rank), right: Right::rows(&self.factors.a, rank, inputs) }
    }
}

/// `out` of `x`, whose rows are whole; `z` is what the backward needs.
pub(crate) fn forward(
    (isa, linear, branch): (Isa, &Linear, Option<Branch<'_>>),
    x: &[f32],
    z: &mut Buffer,
    masked: &mut Buffer,
    out: Output<'_>,
) {
    let rows = x.len() / linear.inputs();
    let Some(branch) = branch else {
        return with_room(|[room, ..]| gemm(isa, rows, &[linear.forward(x, room)], out));
    };
    let Factors { rank, down, b, .. } = branch.factors;
    z.resize(rows * rank);
    let input = branch.input(x, masked);
    let term = Term { left: Left::rows(input, linear.inputs()), right: Right::packed(down) };
    gemm(isa, rows, &[term], Output::to(z, *rank).scaled(branch.scale));
    let up = Term { left: Left::rows(z, *rank), right: Right::rows(b, *rank, linear.outputs()) };
    with_room(|[room, ..]| gemm(isa, rows, &[linear.forward(x, room), up], out));
}

/// One of several projections of the same input, in the backward.
#[derive(Debug)]
pub(crate) struct Backward<'a> {
    /// The frozen layer.
    pub(crate) linear: &'a Linear,
    /// Its branch and where that one's gradients are added.
    pub(crate) branch: Option<(Branch<'a>, &'a mut Pair)>,
    /// The gradient by its output.
    pub(crate) dout: &'a [f32],
    /// What the forward kept.
    pub(crate) z: &'a [f32],
}

/// Memory for [`backward`].
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    dz: [Buffer; 3],
    masked: Buffer,
}

/// Adds the gradients by the factors of up to three projections of `x`, and writes their sum by `x` where it is asked for.
pub(crate) fn backward(
    isa: Isa,
    mut projections: Vec<Backward<'_>>,
    x: &[f32],
    scratch: &mut Scratch,
    dx: Option<&mut [f32]>,
) {
    for (projection, dz) in projections.iter_mut().zip(&mut scratch.dz) {
        let (inputs, outputs) = (projection.linear.inputs(), projection.linear.outputs());
        let rows = x.len() / inputs;
        let Some((branch, pair)) = &mut projection.branch else { continue };
        let rank = branch.factors.rank;
        dz.resize(rows * rank);
        let up = Right::packed(&branch.factors.up);
        let term = Term { left: Left::rows(projection.dout, outputs), right: up };
        gemm(isa, rows, &[term], Output::to(dz, rank).scaled(branch.scale));
        let dout = Right::rows(projection.dout, rows, outputs);
        let term = Term { left: Left::transposed(projection.z, rank), right: dout };
        gemm(isa, rank, &[term], Output::add(&mut pair.b, outputs));
        let input = Right::rows(branch.input(x, &mut scratch.masked), rows, inputs);
        let term = Term { left: Left::transposed(dz, rank), right: input };
        gemm(isa, rank, &[term], Output::add(&mut pair.a, inputs));
    }
    let Some(dx) = dx else { return };
    input_gradient(isa, &projections, scratch, dx);
}

/// The sum of `dout W + undrop(dz A)`.
fn input_gradient(
    isa: Isa,
    projections: &[Backward<'_>],
    Scratch { dz, masked }: &mut Scratch,
    dx: &mut [f32],
) {
    let Some(first) = projections.first() else { return };
    let inputs = first.linear.inputs();
    let rows = dx.len() / inputs;
    with_room(|rooms| {
        let mut terms = Vec::with_capacity(2 * projections.len());
        for ((projection, dz), room) in projections.iter().zip(&*dz).zip(rooms) {
            terms.push(projection.linear.backward(projection.dout, room));
            if let Some((branch, _)) = &projection.branch
                && branch.dropout.is_none()
            {
                terms.push(branch.add_term(dz, inputs));
            }
        }
        gemm(isa, rows, &terms, Output::to(dx, inputs));
    });
    for (projection, dz) in projections.iter().zip(&*dz) {
        if let Some((branch, _)) = &projection.branch
            && let Some(dropout) = branch.dropout
        {
            masked.resize(dx.len());
            gemm(isa, rows, &[branch.add_term(dz, inputs)], Output::to(masked, inputs));
            dropout.backward(masked, dx);
        }
    }
}

#[cfg(test)]
mod tests;
