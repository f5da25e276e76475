//! A block's backward: of the MLP, of the attention's output, of the attention.

use super::before::add_later;
use super::rows::{of, part, part_mut, products, scatter};
use super::{ATTENTION, Block, Pass, Scratch, Tape};
use crate::config::ModelConfig;
use crate::kernels::{Activations, Buffer, Forms};
use crate::layers::projection::{self, Backward, Pair};
use crate::layers::swiglu;
use crate::lora::{Gradients, Projection};

impl Block {
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
        if rows.is_empty() {
            scratch.means.resize(0);
            scratch.dattended.resize(0);
        } else {
            self.mlp_backward(pass, (&mut dx[..], [gate, up, down]), tape, scratch);
            self.output_backward(pass, (&dx[..], o), tape, scratch);
        }
        let Scratch { dattended, rows: spare, .. } = scratch;
        let tokens = tape.tokens();
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
        Scratch { normed, inner, dnormed, douts, backward, .. }: &mut Scratch,
    ) {
        let (runs, isa) = ((pass.isa, pass.compute), pass.isa);
        let hidden = pass.config.hidden;
        let tokens = dx.len() / hidden;
        let [dout, dgate, dup] = douts;
        dout.copy(runs, (dx, hidden), Forms::BOTH);
        let set = &mut [self.part(pass, (Projection::Down, down), dout, tape)];
        let forms = Forms::RIGHT.and_numbers(self.masks(pass, &[Projection::Down]));
        let made = [(&mut *inner, forms), (&mut *dgate, Forms::BOTH), (&mut *dup, Forms::BOTH)];
        let made = (made, &[&tape.gate, &tape.up][..]);
        projection::backward_into(runs, set, backward, made, |place, [dinner], made| {
            let [out, gate, up] = made;
            tape.gate.block(isa, place, gate);
            tape.up.block(isa, place, up);
            swiglu::backward(isa, dinner, [out, gate, up]);
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
        let Scratch { normed, attended, dattended, heads, dnormed, douts, means, packs, .. } =
            scratch;
        let (backward, seen, before) =
            (&mut scratch.backward, &mut scratch.seen, &mut scratch.before);
        let (runs, isa, hidden) = ((pass.isa, pass.compute), pass.isa, pass.config.hidden);
        let tokens = dx.len() / hidden;
        for buffer in &mut *heads {
            buffer.resize(dattended.len());
        }
        let [dq, dk, dv] = heads;
        attended.copy(runs, (dattended, pass.config.query_size()), Forms::LEFT);
        let sequences = pass.sequences(tokens);
        for sequence in &sequences {
            let (means, sums) = (part(means, sequence, tokens), part(&tape.sums, sequence, tokens));
            let known = (attended.window(sequence.clone()), means, sums);
            let slopes = [&mut *dq, &mut *dk, &mut *dv];
            let slopes = slopes.map(|heads| part_mut(heads, sequence, tokens));
            let attention = pass.attention(sequence.len());
            let qkv = seen.of(pass, self.layer, (&tape.qkv, sequence));
            before
                .collect(attention, slopes, |slopes| attention.backward(qkv, known, packs, slopes));
        }
        if let Some(later) = pass.later {
            add_later([&mut *dk, &mut *dv], &later[self.layer], pass.config.kv_heads);
        }
        let given = douts.iter_mut().zip([dq, dk, dv]).zip(&tape.unnormed);
        for (projection, ((dout, dheads), unnormed)) in ATTENTION.into_iter().zip(given) {
            let split = &self.splits[projection.index()];
            let shape = [tokens, self.projections[projection.index()].outputs()];
            let (with, dheads) = ((isa, pass.rope), (&dheads[..], pass.places(&sequences)));
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
