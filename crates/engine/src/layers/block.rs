//! One decoder block: `x += o(attention(norm(x)))`, then `x += down(swiglu(norm(x)))`.
//!
//! Shapes: x, dx `[T, C]`. Source: `LlamaDecoderLayer` in Transformers. The tape keeps what the backward cannot cheaply make
//! again: both residuals, q, k, v after their rotation, the attention's output, gate and up.

mod backward;
mod before;
mod rows;

use std::ops::Range;

use crate::config::ModelConfig;
use crate::kernels::{Activations, Buffer, Compute, Forms, Isa, Output};
use crate::layers::attention::{Attention, Packs, Sum};
use crate::layers::linear::Linear;
use crate::layers::projection::{self, Branch, Forward, Input};
use crate::layers::rms_norm::RmsNorm;
use crate::layers::rope::Rope;
use crate::layers::split::{Places, Split};
use crate::layers::swiglu;
use crate::lora::{Adapter, Projection};
use crate::parallel::with_rows;
use before::{Before, Seen};
use rows::{gather, of, part_mut, select};

/// What reads the normed residual before the attention.
pub(crate) const ATTENTION: [Projection; 3] =
    [Projection::Query, Projection::Key, Projection::Value];

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
    /// What the blocks kept of the tokens that each sequence goes on after.
    pub(crate) prefix: Option<&'a [Tape]>,
    /// Where other sequences went on after this one, what those left of each block's gradients by its keys and values.
    pub(crate) later: Option<&'a [[Buffer; 2]]>,
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

    /// How many tokens each sequence goes on after.
    pub(crate) fn before(&self) -> usize {
        self.prefix.and_then(<[Tape]>::first).map_or(0, Tape::tokens)
    }

    fn places<'s>(&self, sequences: &'s [Range<usize>]) -> Places<'s> {
        Places { sequences, first: self.before() }
    }

    fn attention(&self, tokens: usize) -> Attention {
        let ModelConfig { heads, kv_heads, head_dim, .. } = *self.config;
        let (isa, compute, before) = (self.isa, self.compute, self.before());
        Attention { heads, kv_heads, head_dim, tokens, before, isa, compute }
    }
}

/// What a block's forward keeps for its backward.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    /// The residual before the attention, `[T, C]`.
    x: Buffer,
    /// `[T, H D]`, `[T, G D]`, `[T, G D]`; in bf16 where the products are.
    qkv: [Activations; 3],
    /// q, k and v before the normalisation of their heads, by rows; empty where there is none.
    unnormed: [Buffer; 3],
    /// What the attention's backward needs of each query, `[H, T]`.
    sums: Vec<Sum>,
    /// The attention's output, `[T, H D]`.
    attended: Buffer,
    /// The residual before the MLP, `[T, C]`.
    middle: Buffer,
    /// `[T, F]`; in bf16 where the products are.
    gate: Activations,
    /// `[T, F]`, as the gate.
    up: Activations,
    /// Each branch's `z`, `[T, R]` as both operands.
    z: [Activations; 7],
}

impl Tape {
    /// `T`.
    fn tokens(&self) -> usize {
        self.qkv[1].row_count()
    }

    /// Exchanges the keys and values with those of another.
    pub(crate) fn exchange_keys(&mut self, other: &mut Self) {
        self.qkv[1..].swap_with_slice(&mut other.qkv[1..]);
    }

    /// Bytes that one takes for a sequence of `tokens`.
    pub(crate) fn size_bytes(pass: &Pass<'_>, tokens: usize) -> usize {
        let config = pass.config;
        let rank = pass.adapter.map_or(0, |adapter| adapter.config().rank);
        let (queries, keys) = (config.query_size(), config.kv_size());
        let unnormed = if config.qk_norm { queries + keys } else { 0 };
        let sums = 2 * config.heads;
        let attention = 2 * config.hidden + queries + unnormed + sums;
        let activations = queries + 2 * keys + 2 * config.intermediate;
        let activations = match pass.compute {
            Compute::F32 => activations,
            Compute::Bf16 => activations / 2,
        };
        tokens * (attention + activations + Projection::ALL.len() * rank.next_multiple_of(16)) * 4
    }
}

/// Memory that the blocks use in turn.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The residual before the attention of the rows that go on, where they are only some.
    residual: Buffer,
    normed: Activations,
    /// What was attended, or the gradient by it: `[T, H D]`.
    attended: Activations,
    dattended: Buffer,
    /// The rows of q, k or v before they are turned.
    rows: Buffer,
    /// The gradients by q, k and v, `[H, T, D]` each: what several heads of queries have of a key is not yet summed.
    heads: [Buffer; 3],
    /// Between gate, up and down.
    inner: Activations,
    masked: Buffer,
    dnormed: Buffer,
    /// The gradients by the outputs of projections of the same input.
    douts: [Activations; 3],
    /// What the attention's output is times its gradient, of each token and head.
    means: Buffer,
    packs: Packs,
    seen: Seen,
    before: Before,
    backward: projection::Scratch,
}

impl Scratch {
    /// Exchanges the sums to which a backward adds the gradients by the keys and values before its sequences, `[G, P, D]`.
    pub(crate) fn exchange(&mut self, before: &mut [Buffer; 2]) {
        std::mem::swap(&mut self.before.sums, before);
    }
}

impl Block {
    /// `out` (or what is added to it) of a projection of `x`; works for any number of rows.
    pub(crate) fn project(
        &self,
        pass: &Pass<'_>,
        (projection, x): (Projection, &[f32]),
        branch: (&mut Activations, &mut Buffer),
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
        (z, masked): (&mut Activations, &mut Buffer),
        out: Output<'_>,
    ) {
        let projection = self.of(pass, projection, z);
        projection::forward(pass.isa, projection, input, masked, out);
    }

    /// A projection's part in a forward.
    fn of<'a>(
        &'a self,
        pass: &Pass<'a>,
        projection: Projection,
        z: &'a mut Activations,
    ) -> Forward<'a> {
        let branch = pass.branch(self.layer, projection);
        Forward { linear: &self.projections[projection.index()], branch, z }
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

    /// As [`Block::forward`] where only some rows go on, or none, which are then all of `x`: in the last block, those
    /// with loss.
    pub(crate) fn forward_rows(
        &self,
        pass: &Pass<'_>,
        (x, rows): (&mut Buffer, &[usize]),
        tape: &mut Tape,
        scratch: &mut Scratch,
    ) {
        self.begin(pass, x, tape, scratch);
        if rows.is_empty() {
            return x.resize(0);
        }
        let ModelConfig { hidden, .. } = *pass.config;
        gather(&mut tape.attended, rows, pass.config.query_size(), &mut scratch.rows);
        let mut before = std::mem::take(&mut scratch.residual);
        select(&tape.x, rows, hidden, &mut before);
        self.end(pass, (Some(&before), x), tape, scratch);
        scratch.residual = before;
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
        let branch = (z_output, &mut scratch.masked);
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
        let (runs, sequences) = ((pass.isa, pass.compute), pass.sequences(tokens));
        let places = pass.places(&sequences);
        let kept = tape.qkv.iter_mut().zip(&mut tape.z).zip(&mut tape.unnormed);
        for (projection, ((heads, z), unnormed)) in ATTENTION.into_iter().zip(kept) {
            let width = self.projections[projection.index()].outputs();
            let rows = &mut scratch.rows;
            rows.resize(tokens * width);
            let (branch, out) = ((z, &mut scratch.masked), Output::to(rows, width));
            self.project_input(pass, (projection, Input::of(&scratch.normed)), branch, out);
            let split = &self.splits[projection.index()];
            let begun = split.begin(rows, unnormed);
            heads.make(runs, [tokens, width], Forms::LEFT, |rows, to| {
                split.rows((pass.isa, pass.rope), (begun, places), (rows, to));
            });
        }
        tape.attended.resize(tokens * pass.config.query_size());
        tape.sums.resize(tokens * pass.config.heads, Sum::default());
        for sequence in sequences {
            let attention = pass.attention(sequence.len());
            let qkv = scratch.seen.of(pass, self.layer, (&tape.qkv, &sequence));
            let out = part_mut(&mut tape.attended, &sequence, tokens);
            let sums = part_mut(&mut tape.sums, &sequence, tokens);
            attention.forward(qkv, &mut scratch.packs, (out, sums));
        }
    }

    /// The residual in the middle and the MLP of it, normed, as `x`.
    fn mlp(&self, pass: &Pass<'_>, x: &mut Buffer, tape: &mut Tape, scratch: &mut Scratch) {
        let hidden = pass.config.hidden;
        let Tape { middle, gate, up, z: [.., z_gate, z_up, z_down], .. } = tape;
        let Scratch { normed, inner, masked, .. } = scratch;
        let both = [self.of(pass, Projection::Gate, z_gate), self.of(pass, Projection::Up, z_up)];
        let forms = Forms::LEFT.and_numbers(self.masks(pass, &[Projection::Down]));
        let made = [(&mut *inner, forms), (gate, Forms::LEFT), (up, Forms::LEFT)];
        let input = (Input::of(normed), &mut *masked);
        let runs = (pass.isa, pass.compute);
        projection::forward_into(runs, both, input, made, |_, sums, [out, gate, up]| {
            swiglu::rows(pass.isa, sums, out);
            gate.copy_from_slice(sums[0]);
            up.copy_from_slice(sums[1]);
        });
        x.resize(middle.len());
        let (branch, out) = ((z_down, masked), Output::onto(x, middle, hidden));
        self.project_input(pass, (Projection::Down, Input::of(inner)), branch, out);
    }

    /// Whether the branch of one of the projections masks what it reads.
    fn masks(&self, pass: &Pass<'_>, projections: &[Projection]) -> bool {
        let branches = projections.iter().filter_map(|part| pass.branch(self.layer, *part));
        branches.into_iter().any(|branch| branch.dropout.is_some())
    }
}
