//! One decoder block: `x += o(attention(norm(x)))`, then `x += down(swiglu(norm(x)))`.
//!
//! Shapes: x, dx `[T, C]`. Source: `LlamaDecoderLayer` in Transformers. The tape keeps what the backward cannot cheaply make
//! again: both residuals, q, k, v after their rotation, the attention's output, gate and up.

mod rows;

use std::ops::Range;

use crate::config::ModelConfig;
use crate::kernels::{Activations, Buffer, Compute, Forms, Isa, Output, make};
use crate::layers::attention::{Attention, Packs, Sum};
use crate::layers::linear::Linear;
use crate::layers::projection::{self, Backward, Branch, Input, Pair};
use crate::layers::rms_norm::RmsNorm;
use crate::layers::rope::{Rope, Turn};
use crate::layers::split::Split;
use crate::layers::swiglu;
use crate::lora::{Adapter, Gradients, Projection};
use crate::parallel::with_rows;
use rows::{gather, of, part, part_mut, products, scatter, select};

/// What reads the normed residual before the attention.
const ATTENTION: [Projection; 3] = [Projection::Query, Projection::Key, Projection::Value];

/// The frozen weights of a block.
#[derive(Debug)]
pub(crate) struct Block {
    /// Its place, from 0.
    pub(crate) layer: usize,
    /// Before the attention.
    pub(crate) attention_norm: RmsNorm,
    /// Before the MLP.
    pub(crate) mlp_norm: RmsNorm,
    /// In the order of [`Projection::ALL`].
    pub(crate) projections: [Linear; 7],
    /// Between q, k and v and their heads.
    pub(crate) splits: [Split; 3],
}

/// What all blocks share in one pass over a sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass<'a> {
    /// What runs it.
    pub(crate) isa: Isa,
    /// The type of the frozen weights' and the attention's products.
    pub(crate) compute: Compute,
    /// The shapes.
    pub(crate) config: &'a ModelConfig,
    /// The rotary table.
    pub(crate) rope: &'a Rope,
    /// The adapter that is added to the frozen weights.
    pub(crate) adapter: Option<&'a Adapter>,
    /// The key of this pass's masks, when training.
    pub(crate) dropout: Option<u64>,
    /// How many tokens each sequence has, where several lie one after another; else empty.
    pub(crate) lengths: &'a [usize],
}

impl<'a> Pass<'a> {
    /// The branch beside a projection of a block.
    pub(crate) fn branch(&self, layer: usize, projection: Projection) -> Option<Branch<'a>> {
        self.adapter?.branch(layer, projection, self.dropout)
    }

    /// The tokens of each sequence, of all that there are.
    fn sequences(&self, tokens: usize) -> Vec<Range<usize>> {
        let mut first = 0;
        let lengths = if self.lengths.is_empty() { &[tokens][..] } else { self.lengths };
        let sequences = lengths.iter().map(|length| {
            first += length;
            first - length..first
        });
        sequences.collect()
    }

    fn attention(&self, tokens: usize) -> Attention {
        let ModelConfig { heads, kv_heads, head_dim, .. } = *self.config;
        let (isa, compute) = (self.isa, self.compute);
        Attention { heads, kv_heads, head_dim, tokens, isa, compute }
    }
}

/// What a block's forward keeps for its backward.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    /// The residual before the attention, `[T, C]`.
    x: Buffer,
    /// `[H, T, D]`, `[G, T, D]`, `[G, T, D]`.
    qkv: [Buffer; 3],
    /// q, k and v before the normalisation of their heads, by rows; empty where there is none.
    unnormed: [Buffer; 3],
    /// What the attention's backward needs of each query, `[H, T]`.
    sums: Vec<Sum>,
    /// The attention's output, `[T, H D]`.
    attended: Buffer,
    /// The residual before the MLP, `[T, C]`.
    middle: Buffer,
    /// `[T, F]`.
    gate: Buffer,
    /// `[T, F]`.
    up: Buffer,
    /// Each branch's `z`, `[T, R]`.
    z: [Buffer; 7],
}

impl Tape {
    /// Bytes that one takes for a sequence of `tokens` and branches of `rank`.
    pub(crate) fn size_bytes(config: &ModelConfig, tokens: usize, rank: usize) -> usize {
        let (queries, keys) = (config.query_size(), config.kv_size());
        let unnormed = if config.qk_norm { queries + keys } else { 0 };
        let sums = 2 * config.heads;
        let attention = 2 * config.hidden + 2 * queries + 2 * keys + unnormed + sums;
        tokens * (attention + 2 * config.intermediate + Projection::ALL.len() * rank) * 4
    }
}

/// Memory that the blocks use in turn.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The residual before the attention of the rows that go on, where they are only some.
    before: Buffer,
    normed: Activations,
    /// What was attended, or the gradient by it: `[T, H D]`.
    attended: Activations,
    dattended: Buffer,
    /// The rows of q, k or v before they are split into heads.
    rows: Buffer,
    heads: [Buffer; 4],
    /// Between gate, up and down.
    inner: Activations,
    dinner: Buffer,
    masked: Buffer,
    dnormed: Buffer,
    /// The gradients by the outputs of projections of the same input.
    douts: [Activations; 3],
    /// What the attention's output is times its gradient, of each token and head.
    means: Buffer,
    packs: Packs,
    backward: projection::Scratch,
}

impl Block {
    /// `out` (or what is added to it) of a projection of `x`; works for any number of rows.
    pub(crate) fn project(
        &self,
        pass: &Pass<'_>,
        (projection, x): (Projection, &[f32]),
        branch: [&mut Buffer; 2],
        out: Output<'_>,
    ) {
        with_rows(|words| {
            let width = self.projections[projection.index()].inputs();
            let input = Input::new((pass.isa, pass.compute), (x, width), words);
            self.project_input(pass, (projection, input), branch, out);
        });
    }

    /// As [`Block::project`], of an input that several projections read.
    fn project_input(
        &self,
        pass: &Pass<'_>,
        (projection, input): (Projection, Input<'_>),
        [z, masked]: [&mut Buffer; 2],
        out: Output<'_>,
    ) {
        let linear = &self.projections[projection.index()];
        let branch = pass.branch(self.layer, projection);
        projection::forward((pass.isa, linear, branch), input, z, masked, out);
    }

    /// Brings the residual `x` through the block.
    pub(crate) fn forward(
        &self,
        pass: &Pass<'_>,
        x: &mut Buffer,
        tape: &mut Tape,
        scratch: &mut Scratch,
    ) {
        self.begin(pass, x, tape, scratch);
        self.end(pass, (None, x), tape, scratch);
    }

    /// As [`Block::forward`] where only some rows go on, which are then all of `x`: in the last block, those with loss.
    pub(crate) fn forward_rows(
        &self,
        pass: &Pass<'_>,
        (x, rows): (&mut Buffer, &[usize]),
        tape: &mut Tape,
        scratch: &mut Scratch,
    ) {
        self.begin(pass, x, tape, scratch);
        let ModelConfig { hidden, .. } = *pass.config;
        gather(&mut tape.attended, rows, pass.config.query_size(), &mut scratch.rows);
        let mut before = std::mem::take(&mut scratch.before);
        select(&tape.x, rows, hidden, &mut before);
        self.end(pass, (Some(&before), x), tape, scratch);
        scratch.before = before;
    }

    /// All that looks at other rows; `x` goes into the tape.
    fn begin(&self, pass: &Pass<'_>, x: &mut Buffer, tape: &mut Tape, scratch: &mut Scratch) {
        std::mem::swap(x, &mut tape.x);
        let (width, x) = (pass.config.hidden, &tape.x);
        let shape = [x.len() / width, width];
        let forms = Forms::LEFT.and_numbers(self.masks(pass, &ATTENTION));
        scratch.normed.make((pass.isa, pass.compute), shape, forms, |rows, out| {
            self.attention_norm.rows(pass.isa, of(x, &rows, width), out);
        });
        self.attend(pass, shape[0], tape, scratch);
    }

    /// What each row goes through for itself, from what was before the attention: all of the tape's, or only some rows.
    fn end(
        &self,
        pass: &Pass<'_>,
        (before, x): (Option<&[f32]>, &mut Buffer),
        tape: &mut Tape,
        scratch: &mut Scratch,
    ) {
        let width = pass.config.hidden;
        let Tape { x: all, attended, middle, z: [.., z_output, _, _, _], .. } = &mut *tape;
        let before = before.unwrap_or(all);
        middle.resize(before.len());
        let branch = [z_output, &mut scratch.masked];
        let out = Output::onto(middle, before, width);
        self.project(pass, (Projection::Output, attended), branch, out);
        let forms = Forms::LEFT.and_numbers(self.masks(pass, &[Projection::Gate, Projection::Up]));
        let shape = [middle.len() / width, width];
        scratch.normed.make((pass.isa, pass.compute), shape, forms, |rows, out| {
            self.mlp_norm.rows(pass.isa, of(middle, &rows, width), out);
        });
        self.mlp(pass, x, tape, scratch);
    }

    /// Projects the normed residual to heads and attends.
    fn attend(&self, pass: &Pass<'_>, tokens: usize, tape: &mut Tape, scratch: &mut Scratch) {
        let (runs, sequences) = ((pass.isa, pass.rope), pass.sequences(tokens));
        let kept = tape.qkv.iter_mut().zip(&mut tape.z).zip(&mut tape.unnormed);
        for (projection, ((heads, z), unnormed)) in ATTENTION.into_iter().zip(kept) {
            let width = self.projections[projection.index()].outputs();
            let rows = &mut scratch.rows;
            rows.resize(tokens * width);
            heads.resize(tokens * width);
            let (branch, out) = ([z, &mut scratch.masked], Output::to(rows, width));
            self.project_input(pass, (projection, Input::of(&scratch.normed)), branch, out);
            let split = &self.splits[projection.index()];
            split.forward_each(runs, [rows, unnormed], &sequences, heads);
        }
        let [out, ..] = &mut scratch.heads;
        out.resize(tape.qkv[0].len());
        tape.attended.resize(out.len());
        tape.sums.resize(tokens * pass.config.heads, Sum::default());
        for sequence in sequences {
            let attention = pass.attention(sequence.len());
            let qkv = tape.qkv.each_ref().map(|heads| part(heads, &sequence, tokens));
            let out = part_mut(out, &sequence, tokens);
            let sums = part_mut(&mut tape.sums, &sequence, tokens);
            attention.forward(qkv, &mut scratch.packs, (out, sums));
            let attended = part_mut(&mut tape.attended, &sequence, tokens);
            pass.rope.to_rows(out, Turn::Not, sequence.len(), attended);
        }
    }

    /// The residual in the middle and the MLP of it, normed, as `x`.
    fn mlp(&self, pass: &Pass<'_>, x: &mut Buffer, tape: &mut Tape, scratch: &mut Scratch) {
        let (hidden, width) = (pass.config.hidden, pass.config.intermediate);
        let Tape { middle, gate, up, z: [.., z_gate, z_up, z_down], .. } = tape;
        let tokens = middle.len() / hidden;
        for (projection, out, z) in
            [(Projection::Gate, &mut *gate, z_gate), (Projection::Up, &mut *up, z_up)]
        {
            out.resize(tokens * width);
            let (branch, out) = ([z, &mut scratch.masked], Output::to(out, width));
            self.project_input(pass, (projection, Input::of(&scratch.normed)), branch, out);
        }
        let forms = Forms::LEFT.and_numbers(self.masks(pass, &[Projection::Down]));
        scratch.inner.make((pass.isa, pass.compute), [tokens, width], forms, |rows, out| {
            let inputs = [of(gate, &rows, width), of(up, &rows, width)];
            swiglu::rows(pass.isa, inputs, out);
        });
        x.resize(middle.len());
        let (branch, out) = ([z_down, &mut scratch.masked], Output::onto(x, middle, hidden));
        self.project_input(pass, (Projection::Down, Input::of(&scratch.inner)), branch, out);
    }

    /// Whether the branch of one of the projections masks what it reads.
    fn masks(&self, pass: &Pass<'_>, projections: &[Projection]) -> bool {
        let branches = projections.iter().filter_map(|part| pass.branch(self.layer, *part));
        branches.into_iter().any(|branch| branch.dropout.is_some())
    }

    /// Turns `dx`, the gradient by the residual after the block, into that by the residual before it.
    ///
    /// The first block's input is frozen: of it only the gradients by the branches are made.
    pub(crate) fn backward(
        &self,
        pass: &Pass<'_>,
        (dx, gradients): (&mut [f32], &mut Gradients),
        tape: &Tape,
        scratch: &mut Scratch,
    ) {
        let [q, k, v, o, gate, up, down] = gradients.layer(self.layer);
        self.mlp_backward(pass, (dx, [gate, up, down]), tape, scratch);
        self.output_backward(pass, (&*dx, o), tape, scratch);
        self.attention_backward(pass, (dx, [q, k, v]), tape, scratch);
    }

    /// As [`Block::backward`] after [`Block::forward_rows`]: `dx` has those rows before, and all after it.
    pub(crate) fn backward_rows(
        &self,
        pass: &Pass<'_>,
        (dx, rows, gradients): (&mut Buffer, &[usize], &mut Gradients),
        tape: &Tape,
        scratch: &mut Scratch,
    ) {
        let ModelConfig { hidden, .. } = *pass.config;
        let [q, k, v, o, gate, up, down] = gradients.layer(self.layer);
        self.mlp_backward(pass, (&mut dx[..], [gate, up, down]), tape, scratch);
        self.output_backward(pass, (&dx[..], o), tape, scratch);
        let Scratch { dattended, rows: spare, .. } = scratch;
        let tokens = tape.x.len() / hidden;
        scatter(&mut scratch.means, rows, tokens * pass.config.heads, spare);
        scatter(dattended, rows, tokens * pass.config.query_size(), spare);
        scatter(dx, rows, tokens * hidden, spare);
        self.attention_backward(pass, (&mut dx[..], [q, k, v]), tape, scratch);
    }

    fn mlp_backward(
        &self,
        pass: &Pass<'_>,
        (dx, [gate, up, down]): (&mut [f32], [&mut Option<Pair>; 3]),
        tape: &Tape,
        Scratch { normed, inner, dinner, dnormed, douts, backward, .. }: &mut Scratch,
    ) {
        let (runs, isa) = ((pass.isa, pass.compute), pass.isa);
        let (hidden, width) = (pass.config.hidden, pass.config.intermediate);
        let tokens = dx.len() / hidden;
        let [dout, dgate, dup] = douts;
        dout.copy(runs, (dx, hidden), Forms::BOTH);
        let set = &mut [self.part(pass, (Projection::Down, down), dout, tape)];
        dinner.resize(tokens * width);
        projection::backward(isa, set, backward, Some(dinner));
        let forms = Forms::RIGHT.and_numbers(self.masks(pass, &[Projection::Down]));
        let made = [(&mut *inner, forms), (&mut *dgate, Forms::BOTH), (&mut *dup, Forms::BOTH)];
        make(made, runs, [tokens, width], |rows, made| {
            let [gate, up, dinner] =
                [&tape.gate, &tape.up, &*dinner].map(|numbers| of(numbers, &rows, width));
            swiglu::backward(isa, [gate, up], dinner, made);
        });
        projection::backward_inner(isa, set, inner, backward);
        let set = &mut [
            self.part(pass, (Projection::Gate, gate), dgate, tape),
            self.part(pass, (Projection::Up, up), dup, tape),
        ];
        dnormed.resize(dx.len());
        projection::backward(isa, set, backward, Some(dnormed));
        let forms = Forms::RIGHT.and_numbers(self.masks(pass, &[Projection::Gate, Projection::Up]));
        normed.make(runs, [tokens, hidden], forms, |rows, to| {
            self.mlp_norm.rows(isa, of(&tape.middle, &rows, hidden), to);
        });
        projection::backward_inner(isa, set, normed, backward);
        self.mlp_norm.backward(isa, &tape.middle, dnormed, dx);
    }

    /// Leaves the gradient by what was attended, and that times what was attended in the means.
    fn output_backward(
        &self,
        pass: &Pass<'_>,
        (dx, o): (&[f32], &mut Option<Pair>),
        tape: &Tape,
        Scratch { attended, dattended, douts: [dout, ..], means, backward, .. }: &mut Scratch,
    ) {
        let (runs, isa) = ((pass.isa, pass.compute), pass.isa);
        let (hidden, width) = (pass.config.hidden, pass.config.query_size());
        let tokens = dx.len() / hidden;
        dout.copy(runs, (dx, hidden), Forms::BOTH);
        let set = &mut [self.part(pass, (Projection::Output, o), dout, tape)];
        dattended.resize(tokens * width);
        projection::backward(isa, set, backward, Some(dattended));
        let forms = Forms::RIGHT.and_numbers(self.masks(pass, &[Projection::Output]));
        attended.copy(runs, (&tape.attended, width), forms);
        projection::backward_inner(isa, set, attended, backward);
        means.resize(tokens * pass.config.heads);
        products(isa, pass.config.head_dim, [&tape.attended, dattended], means);
    }

    fn attention_backward(
        &self,
        pass: &Pass<'_>,
        (dx, gradients): (&mut [f32], [&mut Option<Pair>; 3]),
        tape: &Tape,
        scratch: &mut Scratch,
    ) {
        let Scratch { normed, dattended, heads, dnormed, douts, means, packs, backward, .. } =
            scratch;
        let (runs, isa, hidden) = ((pass.isa, pass.compute), pass.isa, pass.config.hidden);
        let tokens = dx.len() / hidden;
        let [by_heads, dq, dk, dv] = heads;
        for buffer in [&mut *by_heads, &mut *dq, &mut *dk, &mut *dv] {
            buffer.resize(tape.qkv[0].len());
        }
        let sequences = pass.sequences(tokens);
        for sequence in &sequences {
            let (positions, attention) = (0..sequence.len(), pass.attention(sequence.len()));
            let by_heads = part_mut(by_heads, sequence, tokens);
            let by_rows = part(dattended, sequence, tokens);
            pass.rope.to_heads(by_rows, Turn::Not, positions, by_heads);
            let qkv = tape.qkv.each_ref().map(|heads| part(heads, sequence, tokens));
            let known =
                (&*by_heads, part(means, sequence, tokens), part(&tape.sums, sequence, tokens));
            let slopes = [&mut *dq, &mut *dk, &mut *dv];
            let slopes = slopes.map(|heads| part_mut(heads, sequence, tokens));
            attention.backward(qkv, known, packs, slopes);
        }
        let given = douts.iter_mut().zip([dq, dk, dv]).zip(&tape.unnormed);
        for (projection, ((dout, dheads), unnormed)) in ATTENTION.into_iter().zip(given) {
            let split = &self.splits[projection.index()];
            let shape = [tokens, self.projections[projection.index()].outputs()];
            let (with, dheads) = ((isa, pass.rope), (&dheads[..], &sequences[..]));
            dout.make(runs, shape, Forms::BOTH, |rows, to| {
                split.backward(with, dheads, unnormed, (rows, to));
            });
        }
        let mut set = Vec::with_capacity(ATTENTION.len());
        for ((projection, pair), dout) in ATTENTION.into_iter().zip(gradients).zip(&*douts) {
            set.push(self.part(pass, (projection, pair), dout, tape));
        }
        // The first block's input is frozen.
        let wanted = self.layer > 0;
        dnormed.resize(dx.len());
        projection::backward(isa, &mut set, backward, wanted.then_some(&mut **dnormed));
        let forms = Forms::RIGHT.and_numbers(self.masks(pass, &ATTENTION));
        normed.make(runs, [tokens, hidden], forms, |rows, to| {
            self.attention_norm.rows(isa, of(&tape.x, &rows, hidden), to);
        });
        projection::backward_inner(isa, &mut set, normed, backward);
        if wanted {
            self.attention_norm.backward(isa, &tape.x, dnormed, dx);
        }
    }

    /// A projection's part in a backward.
    fn part<'a>(
        &'a self,
        pass: &Pass<'a>,
        (projection, pair): (Projection, &'a mut Option<Pair>),
        dout: &'a Activations,
        tape: &'a Tape,
    ) -> Backward<'a> {
        Backward {
            linear: &self.projections[projection.index()],
            branch: pass.branch(self.layer, projection).zip(pair.as_mut()),
            dout,
            z: &tape.z[projection.index()],
        }
    }
}
