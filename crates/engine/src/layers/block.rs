//! One decoder block: `x += o(attention(norm(x)))`, then `x += down(swiglu(norm(x)))`.
//!
//! Shapes: x, dx `[T, C]`. Source: `LlamaDecoderLayer` in Transformers. The tape keeps what the backward cannot cheaply make
//! again: both residuals, q, k, v after their rotation, the attention's output, gate and up.

mod rows;

use std::ops::Range;

use crate::config::ModelConfig;
use crate::kernels::{Buffer, Compute, Isa, Output};
use crate::layers::attention::{Attention, Packs, Sum};
use crate::layers::linear::Linear;
use crate::layers::projection::{self, Backward, Branch, Input, Pair};
use crate::layers::rms_norm::RmsNorm;
use crate::layers::rope::{Rope, Turn};
use crate::layers::split::Split;
use crate::layers::swiglu;
use crate::lora::{Adapter, Gradients, Projection};
use crate::parallel::with_rows;
use rows::{copy, gather, part, part_mut, products, scatter};

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
    normed: Buffer,
    /// Widths of the heads.
    rows: [Buffer; 3],
    heads: [Buffer; 4],
    /// Widths of the MLP.
    inner: [Buffer; 4],
    masked: Buffer,
    dnormed: Buffer,
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

    /// Brings the residual `x` through the block, in place.
    pub(crate) fn forward(
        &self,
        pass: &Pass<'_>,
        x: &mut [f32],
        tape: &mut Tape,
        scratch: &mut Scratch,
    ) {
        self.begin(pass, x, tape, scratch);
        self.end(pass, x, tape, scratch);
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
        gather(&mut tape.attended, rows, pass.config.query_size(), &mut scratch.rows[0]);
        gather(x, rows, hidden, &mut scratch.rows[0]);
        self.end(pass, x, tape, scratch);
    }

    /// All that looks at other rows.
    fn begin(&self, pass: &Pass<'_>, x: &[f32], tape: &mut Tape, scratch: &mut Scratch) {
        copy(x, &mut tape.x);
        scratch.normed.resize(x.len());
        self.attention_norm.forward(pass.isa, x, &mut scratch.normed);
        self.attend(pass, x.len() / pass.config.hidden, tape, scratch);
    }

    /// What each row goes through for itself.
    fn end(&self, pass: &Pass<'_>, x: &mut [f32], tape: &mut Tape, scratch: &mut Scratch) {
        let [.., z_output, _, _, _] = &mut tape.z;
        let branch = [z_output, &mut scratch.masked];
        let out = Output::add(x, pass.config.hidden);
        self.project(pass, (Projection::Output, &tape.attended), branch, out);
        copy(x, &mut tape.middle);
        scratch.normed.resize(x.len());
        self.mlp_norm.forward(pass.isa, x, &mut scratch.normed);
        self.mlp(pass, x, tape, scratch);
    }

    /// Projects the normed residual to heads and attends.
    fn attend(&self, pass: &Pass<'_>, tokens: usize, tape: &mut Tape, scratch: &mut Scratch) {
        let (runs, sequences) = ((pass.isa, pass.rope), pass.sequences(tokens));
        let projections = [Projection::Query, Projection::Key, Projection::Value];
        let kept = tape.qkv.iter_mut().zip(&mut tape.z).zip(&mut tape.unnormed);
        with_rows(|words| {
            let normed = (&scratch.normed[..], pass.config.hidden);
            let input = Input::new((pass.isa, pass.compute), normed, words);
            for (projection, ((heads, z), unnormed)) in projections.into_iter().zip(kept) {
                let width = self.projections[projection.index()].outputs();
                let rows = &mut scratch.rows[0];
                rows.resize(tokens * width);
                heads.resize(tokens * width);
                let (branch, out) = ([z, &mut scratch.masked], Output::to(rows, width));
                self.project_input(pass, (projection, input), branch, out);
                let split = &self.splits[projection.index()];
                split.forward_each(runs, [rows, unnormed], &sequences, heads);
            }
        });
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

    /// Adds the MLP of the normed residual to `x`.
    fn mlp(&self, pass: &Pass<'_>, x: &mut [f32], tape: &mut Tape, scratch: &mut Scratch) {
        let (hidden, width) = (pass.config.hidden, pass.config.intermediate);
        let size = x.len() / hidden * width;
        let Tape { gate, up, z: [.., z_gate, z_up, z_down], .. } = tape;
        with_rows(|words| {
            let input = Input::new((pass.isa, pass.compute), (&scratch.normed[..], hidden), words);
            for (projection, out, z) in
                [(Projection::Gate, &mut *gate, z_gate), (Projection::Up, &mut *up, z_up)]
            {
                out.resize(size);
                let (branch, out) = ([z, &mut scratch.masked], Output::to(out, width));
                self.project_input(pass, (projection, input), branch, out);
            }
        });
        let inner = &mut scratch.inner[0];
        inner.resize(size);
        swiglu::forward(pass.isa, gate, up, inner);
        let branch = [z_down, &mut scratch.masked];
        self.project(pass, (Projection::Down, inner), branch, Output::add(x, hidden));
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
        let [dattended, spare, _] = &mut scratch.rows;
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
        Scratch { normed, inner, dnormed, backward, .. }: &mut Scratch,
    ) {
        let isa = pass.isa;
        normed.resize(dx.len());
        dnormed.resize(dx.len());
        let [out, dout, dgate, dup] = inner;
        for buffer in [&mut *out, &mut *dout, &mut *dgate, &mut *dup] {
            buffer.resize(tape.gate.len());
        }
        swiglu::forward(isa, &tape.gate, &tape.up, out);
        let set = vec![self.part(pass, (Projection::Down, down), dx, tape)];
        projection::backward(isa, set, out, backward, Some(dout));
        swiglu::backward(isa, [&tape.gate, &tape.up], dout, [dgate, dup]);
        self.mlp_norm.forward(isa, &tape.middle, normed);
        let set = vec![
            self.part(pass, (Projection::Gate, gate), dgate, tape),
            self.part(pass, (Projection::Up, up), dup, tape),
        ];
        projection::backward(isa, set, normed, backward, Some(dnormed));
        self.mlp_norm.backward(isa, &tape.middle, dnormed, dx);
    }

    /// Leaves the gradient by what was attended in the first of the rows, and that times what was attended in the means.
    fn output_backward(
        &self,
        pass: &Pass<'_>,
        (dx, o): (&[f32], &mut Option<Pair>),
        tape: &Tape,
        Scratch { rows, means, backward, .. }: &mut Scratch,
    ) {
        let dattended = &mut rows[0];
        dattended.resize(tape.attended.len());
        let set = vec![self.part(pass, (Projection::Output, o), dx, tape)];
        projection::backward(pass.isa, set, &tape.attended, backward, Some(dattended));
        let width = pass.config.head_dim;
        means.resize(dattended.len() / width);
        products(pass.isa, width, [&tape.attended, dattended], means);
    }

    fn attention_backward(
        &self,
        pass: &Pass<'_>,
        (dx, [q, k, v]): (&mut [f32], [&mut Option<Pair>; 3]),
        tape: &Tape,
        Scratch { normed, rows, heads, dnormed, means, packs, backward, .. }: &mut Scratch,
    ) {
        let (isa, tokens) = (pass.isa, dx.len() / pass.config.hidden);
        normed.resize(dx.len());
        dnormed.resize(dx.len());
        let [dattended, dq, dk, dv] = heads;
        for buffer in [&mut *dattended, &mut *dq, &mut *dk, &mut *dv] {
            buffer.resize(tape.qkv[0].len());
        }
        let by_rows = &rows[0];
        let sequences = pass.sequences(tokens);
        for sequence in &sequences {
            let (positions, attention) = (0..sequence.len(), pass.attention(sequence.len()));
            let dattended = part_mut(dattended, sequence, tokens);
            let by_rows = part(by_rows, sequence, tokens);
            pass.rope.to_heads(by_rows, Turn::Not, positions, dattended);
            let qkv = tape.qkv.each_ref().map(|heads| part(heads, sequence, tokens));
            let by_heads = [&mut *dq, &mut *dk, &mut *dv];
            let by_heads = by_heads.map(|heads| part_mut(heads, sequence, tokens));
            let (means, sums) =
                (part(means, sequence, tokens), part(&tape.sums, sequence, tokens));
            attention.backward(qkv, (dattended, means, sums), packs, by_heads);
        }
        let projections = [Projection::Query, Projection::Key, Projection::Value];
        let given = rows.iter_mut().zip([dq, dk, dv]).zip(&tape.unnormed);
        for (projection, ((rows, heads), unnormed)) in projections.into_iter().zip(given) {
            rows.resize(tokens * self.projections[projection.index()].outputs());
            let split = &self.splits[projection.index()];
            let runs = (isa, pass.rope);
            split.backward(runs, (heads, &sequences), unnormed, [rows, dattended]);
        }
        self.attention_norm.forward(isa, &tape.x, normed);
        let set = projections
            .into_iter()
            .zip([q, k, v])
            .zip(&*rows)
            .map(|(part, dout)| self.part(pass, part, dout, tape))
            .collect();
        let wanted = self.layer > 0;
        projection::backward(isa, set, normed, backward, wanted.then_some(&mut **dnormed));
        if wanted {
            self.attention_norm.backward(isa, &tape.x, dnormed, dx);
        }
    }

    /// A projection's part in a backward.
    fn part<'a>(
        &'a self,
        pass: &Pass<'a>,
        (projection, pair): (Projection, &'a mut Option<Pair>),
        dout: &'a [f32],
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
