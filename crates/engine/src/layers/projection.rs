//! A frozen linear layer with its LoRA branch: `out = x W^T + s drop(x) A^T B^T`.
//!
//! Shapes: x `[T, in]`, out `[T, out]`, A `[R, in]`, B `[out, R]`, `s = alpha / R`. Source: Hu et al. 2021 (arXiv:2106.09685),
//! as PEFT computes it. `z = s drop(x) A^T`, `[T, R]`, is kept for the backward; the product with B is summed in the same
//! registers as the one with W. With `dz = s dout B`: `dB = dout^T z`, `dA = dz^T drop(x)`, `dx = dout W + undrop(dz A)`.

use crate::kernels::{
    Activations, Buffer, Compute, Forms, Isa, Left, Output, Packed, Place, Right, Sum, Term, gemm,
    make_of, ready,
};
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
    /// Both as they are, where products are in bf16; those in f32 read them where they lie.
    rows: Option<[Packed; 2]>,
}

impl Factors {
    /// From A, `[R, in]`, and B transposed, `[R, out]`, multiplied in the type of `compute`.
    pub(crate) fn new(isa: Isa, compute: Compute, rank: usize, [a, b]: [Vec<f32>; 2]) -> Self {
        let (inputs, outputs) = (a.len() / rank, b.len() / rank);
        let zeros = |shape| Packed::zeros(isa, compute, shape);
        let narrow = compute == Compute::Bf16;
        let rows = narrow.then(|| [zeros([rank, inputs]), zeros([rank, outputs])]);
        let (down, up) = (zeros([inputs, rank]), zeros([outputs, rank]));
        let mut factors = Self { a, b, rank, down, up, rows };
        factors.repack();
        factors
    }

    /// Packs again after `a` and `b` have changed.
    pub(crate) fn repack(&mut self) {
        let (inputs, outputs) = (self.a.len() / self.rank, self.b.len() / self.rank);
        self.down.fill(&self.a, [1, inputs]);
        self.up.fill(&self.b, [1, outputs]);
        if let Some([a, b]) = &mut self.rows {
            a.fill(&self.a, [inputs, 1]);
            b.fill(&self.b, [outputs, 1]);
        }
    }

    /// The product of `z`, `[T, R]`, with B transposed.
    fn out<'a>(&'a self, z: &'a Activations) -> Term<'a> {
        let right = match &self.rows {
            Some([_, b]) => Right::packed(b),
            None => Right::rows(&self.b, self.rank, self.b.len() / self.rank),
        };
        Term { left: z.left(), right }
    }

    /// The product of `dz`, `[T, R]`, with A.
    fn input_gradient<'a>(&'a self, dz: &'a Activations) -> Term<'a> {
        let right = match &self.rows {
            Some([a, _]) => Right::packed(a),
            None => Right::rows(&self.a, self.rank, self.a.len() / self.rank),
        };
        Term { left: dz.left(), right }
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

    /// `to = s left right`, `[rows, R]`: `z` or its gradient, as both operands.
    fn make_inner(
        &self,
        isa: Isa,
        rows: usize,
        (left, right): (Left<'_>, &Packed),
        to: &mut Activations,
    ) {
        let (compute, shape) = (right.compute(), [rows, self.rank()]);
        let sum = Sum { terms: vec![Term { left, right: Right::packed(right) }], base: None };
        make_of([(to, Forms::BOTH)], (isa, compute), shape, (&[sum], &[]), |_, [sum], [to]| {
            to.iter_mut().zip(sum).for_each(|(to, sum)| *to = self.scale * sum);
        });
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
}

/// Whole rows that one or several projections read, made ready for their products once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    /// The numbers; where a branch has dropout.
    x: &'a [f32],
    left: Left<'a>,
    rows: usize,
}

impl<'a> Input<'a> {
    /// Rows `width` long, in `words` where `compute` reads bf16.
    pub(crate) fn new(
        (isa, compute): (Isa, Compute),
        (x, width): (&'a [f32], usize),
        words: &'a mut Buffer<u32>,
    ) -> Self {
        Self { x, left: ready(isa, compute, (x, width), words), rows: x.len() / width }
    }

    /// Rows that are ready as a left operand, and their numbers where a branch has dropout.
    pub(crate) fn of(x: &'a Activations) -> Self {
        Self { x: x.numbers(), left: x.left(), rows: x.row_count() }
    }
}

/// One of several projections of the same input, in the forward.
#[derive(Debug)]
pub(crate) struct Forward<'a> {
    /// The frozen layer.
    pub(crate) linear: &'a Linear,
    /// Its branch.
    pub(crate) branch: Option<Branch<'a>>,
    /// What is kept for the backward, `[T, R]` as both operands.
    pub(crate) z: &'a mut Activations,
}

impl Forward<'_> {
    /// Writes `z`.
    fn inner(&mut self, isa: Isa, Input { x, left, rows }: Input<'_>, masked: &mut Buffer) {
        let Some(branch) = self.branch else { return };
        let left = match branch.dropout {
            None => left,
            Some(_) => Left::rows(branch.input(x, masked), self.linear.inputs()),
        };
        branch.make_inner(isa, rows, (left, &branch.factors.down), self.z);
    }

    /// What the output is the sum of, when `z` is there.
    fn terms<'t>(&'t self, left: Left<'t>, room: &'t mut Packed) -> Vec<Term<'t>> {
        let frozen = self.linear.forward_of(left, room);
        let added = self.branch.map(|branch| branch.factors.out(self.z));
        [frozen].into_iter().chain(added).collect()
    }
}

/// Writes `out` (or adds to it), and `z` for the backward.
pub(crate) fn forward(
    isa: Isa,
    mut projection: Forward<'_>,
    input: Input<'_>,
    masked: &mut Buffer,
    out: Output<'_>,
) {
    projection.inner(isa, input, masked);
    with_room(|[room, ..]| gemm(isa, input.rows, &projection.terms(input.left, room), out));
}

/// As [`forward`] of up to three projections of one shape, of whose outputs `f` makes matrices, as [`make_of`] has it.
pub(crate) fn forward_into<const P: usize, const N: usize>(
    (isa, compute): (Isa, Compute),
    mut projections: [Forward<'_>; P],
    (input, masked): (Input<'_>, &mut Buffer),
    matrices: [(&mut Activations, Forms); N],
    f: impl Fn(&Place, [&[f32]; P], [&mut [f32]; N]) + Send + Sync,
) {
    for projection in &mut projections {
        projection.inner(isa, input, masked);
    }
    let width = projections.first().map_or(0, |first| first.linear.outputs());
    with_room(|rooms| {
        let mut rooms = rooms.iter_mut();
        let sums = projections.each_ref().map(|projection| {
            let room = rooms.next().expect("there is room for three");
            Sum { terms: projection.terms(input.left, room), base: None }
        });
        make_of(matrices, (isa, compute), [input.rows, width], (&sums, &[]), f);
    });
}

/// One of several projections of the same input, in the backward.
#[derive(Debug)]
pub(crate) struct Backward<'a> {
    /// The frozen layer.
    pub(crate) linear: &'a Linear,
    /// Its branch and where that one's gradients are added.
    pub(crate) branch: Option<(Branch<'a>, &'a mut Pair)>,
    /// The gradient by its output, as both operands.
    pub(crate) dout: &'a Activations,
    /// What the forward kept.
    pub(crate) z: &'a Activations,
}

impl Backward<'_> {
    fn dropout(&self) -> Option<Dropout> {
        self.branch.as_ref().and_then(|(branch, _)| branch.dropout)
    }
}

/// Memory for the backward of up to three projections.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    dz: [Activations; 3],
    masked: Buffer,
    unmasked: Buffer,
}

/// Adds the gradients by the B of up to three projections of one input, and writes their sum by that where it is asked for.
pub(crate) fn backward(
    isa: Isa,
    projections: &mut [Backward<'_>],
    Scratch { dz, masked, .. }: &mut Scratch,
    dx: Option<&mut [f32]>,
) {
    outer_gradients(isa, projections, dz);
    let Some(dx) = dx else { return };
    let Some(first) = projections.first() else { return };
    let (rows, inputs) = (first.dout.row_count(), first.linear.inputs());
    with_room(|rooms| {
        let terms = input_gradient(projections, dz, rooms);
        gemm(isa, rows, &terms, Output::to(dx, inputs));
    });
    add_masked(isa, projections, (dz, masked), dx);
}

/// As [`backward`], where `f` makes matrices of the gradient by the input, as [`make_of`] has it.
pub(crate) fn backward_into<const N: usize>(
    (isa, compute): (Isa, Compute),
    projections: &mut [Backward<'_>],
    Scratch { dz, masked, unmasked }: &mut Scratch,
    (matrices, others): ([(&mut Activations, Forms); N], &[&Activations]),
    f: impl Fn(&Place, [&[f32]; 1], [&mut [f32]; N]) + Send + Sync,
) {
    outer_gradients(isa, projections, dz);
    let Some(first) = projections.first() else { return };
    let shape = [first.dout.row_count(), first.linear.inputs()];
    let masks = projections.iter().any(|projection| projection.dropout().is_some());
    if masks {
        unmasked.resize(shape[0] * shape[1]);
        unmasked.fill(0.0);
        add_masked(isa, projections, (dz, masked), unmasked);
    }
    with_room(|rooms| {
        let terms = input_gradient(projections, dz, rooms);
        let sum = Sum { terms, base: masks.then_some(&unmasked[..]) };
        make_of(matrices, (isa, compute), shape, (&[sum], others), f);
    });
}

/// Adds the gradients by the A of projections of `x`, after their [`backward`].
///
/// `x` is a right operand, or has its numbers where a branch has dropout.
pub(crate) fn backward_inner(
    isa: Isa,
    projections: &mut [Backward<'_>],
    x: &Activations,
    Scratch { dz, masked, .. }: &mut Scratch,
) {
    for (projection, dz) in projections.iter_mut().zip(dz) {
        let Some((branch, pair)) = &mut projection.branch else { continue };
        let (rank, inputs) = (branch.factors.rank, projection.linear.inputs());
        let right = match branch.dropout {
            None => x.right(),
            Some(_) => Right::rows(branch.input(x.numbers(), masked), x.row_count(), inputs),
        };
        let term = Term { left: dz.left_transposed(), right };
        gemm(isa, rank, &[term], Output::add(&mut pair.a, inputs));
    }
}

/// Adds the gradients by B, and writes `dz`.
fn outer_gradients(isa: Isa, projections: &mut [Backward<'_>], dz: &mut [Activations; 3]) {
    for (projection, dz) in projections.iter_mut().zip(dz) {
        let Some((branch, pair)) = &mut projection.branch else { continue };
        let (dout, outputs) = (projection.dout, projection.linear.outputs());
        let Factors { rank, up, .. } = branch.factors;
        branch.make_inner(isa, dout.row_count(), (dout.left(), up), dz);
        let term = Term { left: projection.z.left_transposed(), right: dout.right() };
        gemm(isa, *rank, &[term], Output::add(&mut pair.b, outputs));
    }
}

/// What the gradient by the input is the sum of, but for branches with dropout: `dout W + dz A`.
fn input_gradient<'a>(
    projections: &'a [Backward<'_>],
    dz: &'a [Activations; 3],
    rooms: &'a mut [Packed; 3],
) -> Vec<Term<'a>> {
    let mut terms = Vec::with_capacity(2 * projections.len());
    for ((projection, dz), room) in projections.iter().zip(dz).zip(rooms) {
        terms.push(projection.linear.backward_of(projection.dout.left(), room));
        if let Some((branch, _)) = &projection.branch
            && branch.dropout.is_none()
        {
            terms.push(branch.factors.input_gradient(dz));
        }
    }
    terms
}

/// Adds `undrop(dz A)` of the branches with dropout to `dx`.
fn add_masked(
    isa: Isa,
    projections: &[Backward<'_>],
    (dz, masked): (&[Activations; 3], &mut Buffer),
    dx: &mut [f32],
) {
    for (projection, dz) in projections.iter().zip(dz) {
        let Some((branch, _)) = &projection.branch else { continue };
        let Some(dropout) = branch.dropout else { continue };
        let (rows, inputs) = (projection.dout.row_count(), projection.linear.inputs());
        masked.resize(dx.len());
        let term = branch.factors.input_gradient(dz);
        gemm(isa, rows, &[term], Output::to(masked, inputs));
        dropout.backward(masked, dx);
    }
}

#[cfg(test)]
mod tests;
