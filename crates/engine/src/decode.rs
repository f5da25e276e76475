//! Sequences that grow token by token, any number of them side by side.
//!
//! A prompt is read in chunks, as in training but with keys and values kept. After that a pass computes one token more of
//! every sequence and reads each weight once for all of them; adapters stay beside the frozen weights, each sequence with
//! its own. Every row is summed in one fixed order, so that a sequence's bits do not depend on those beside it.

use std::ops::Range;

use crate::cache::{Cache, attend_each};
use crate::error::Error;
use crate::kernels::{Activations, Buffer, Further, Output, Packed, Thin, gemm, thin};
use crate::layers::block::{ATTENTION, Block, Pass};
use crate::layers::rope::Turn;
use crate::layers::swiglu;
use crate::lora::{Adapter, Projection};
use crate::model::Model;

/// Rows of logits up to which the head's product is one of few rows.
const FEW: usize = 8;

/// Computes what follows; keeps memory between passes and no sequence.
#[derive(Debug)]
pub(crate) struct Decoder<'m> {
    model: &'m Model,
    memory: Memory,
    logits: Buffer,
}

/// A sequence that one pass gives a token to.
#[derive(Debug)]
pub(crate) struct Member<'s> {
    /// Its tokens so far.
    pub(crate) cache: &'s mut Cache,
    /// Beside the frozen weights.
    pub(crate) adapter: Option<&'s Adapter>,
    /// The token that it goes on with.
    pub(crate) token: u32,
}

/// What a pass needs for a while.
#[derive(Debug, Default)]
struct Memory {
    /// The residual, `[T, C]`.
    x: Buffer,
    normed: Buffer,
    /// q, k and v by rows, `[T, heads D]`, and by heads, `[heads, T, D]`.
    rows: [Buffer; 3],
    heads: [Buffer; 3],
    /// One row, and rows before their heads were normalised.
    row: Buffer,
    unnormed: Buffer,
    /// The attention's output, `[H, T, D]`.
    attended: Buffer,
    /// Gate, up and their product, `[T, F]`.
    inner: [Buffer; 3],
    /// The branches' part of a chunk, and of rows that are each of another sequence.
    z: Activations,
    z_each: [Buffer; 3],
    masked: Buffer,
}

impl<'m> Decoder<'m> {
    /// For sequences of `model`.
    pub(crate) fn new(model: &'m Model) -> Self {
        Self { model, memory: Memory::default(), logits: Buffer::default() }
    }

    /// The model that reads them.
    pub(crate) fn model(&self) -> &'m Model {
        self.model
    }

    /// Goes on with `tokens` in one sequence; [`Self::logits`] then tells what may follow any of them.
    ///
    /// # Errors
    /// [`Error::NoTokens`] where there are none, [`Error::TooLong`] where the model has no position for the last,
    /// [`Error::Token`] for one outside the vocabulary.
    pub(crate) fn read(
        &mut self,
        cache: &mut Cache,
        adapter: Option<&Adapter>,
        tokens: &[u32],
    ) -> Result<(), Error> {
        check(self.model, cache.tokens(), tokens)?;
        cache.reserve(tokens.len());
        self.memory.x.resize(tokens.len() * self.model.config().hidden);
        self.model.embed(tokens, &mut self.memory.x);
        let pass = self.model.pass(adapter, None);
        for (index, block) in self.model.blocks().iter().enumerate() {
            self.memory.attend(&pass, (block, index), cache, tokens.len());
            self.memory.mlp(&pass, block);
        }
        cache.advance(tokens.len());
        Ok(())
    }

    /// Goes on with one token in each of several sequences; [`Self::logits`] then has a row for each.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn step(&mut self, members: &mut [Member<'_>]) -> Result<(), Error> {
        for member in &mut *members {
            check(self.model, member.cache.tokens(), &[member.token])?;
            member.cache.reserve(1);
        }
        let tokens: Vec<u32> = members.iter().map(|member| member.token).collect();
        self.memory.x.resize(tokens.len() * self.model.config().hidden);
        self.model.embed(&tokens, &mut self.memory.x);
        for (index, block) in self.model.blocks().iter().enumerate() {
            self.memory.attend_each(self.model, (block, index), members);
            self.memory.mlp_each(self.model, block, members);
        }
        for member in members {
            member.cache.advance(1);
        }
        Ok(())
    }

    /// The logits after some tokens of the last pass, `[rows, V]`.
    pub(crate) fn logits(&mut self, rows: Range<usize>) -> &[f32] {
        let (model, isa) = (self.model, self.model.isa());
        let (hidden, vocabulary) = (model.config().hidden, model.config().vocab);
        let Memory { x, normed, .. } = &mut self.memory;
        normed.resize(rows.len() * hidden);
        model.norm().forward(isa, &x[rows.start * hidden..rows.end * hidden], normed);
        self.logits.resize(rows.len() * vocabulary);
        let out = Output::to(&mut self.logits, vocabulary);
        if rows.len() > FEW {
            let mut room = Packed::default();
            gemm(isa, rows.len(), &[model.head().forward(normed, &mut room)], out);
        } else {
            let weight = model.head().few_rows();
            thin(isa, rows.len(), vec![Thin { weight, x: normed, further: Vec::new(), out }]);
        }
        &self.logits
    }
}

/// Whether `tokens`, at least one, can follow the first `before`.
pub(crate) fn check(model: &Model, before: usize, tokens: &[u32]) -> Result<(), Error> {
    if tokens.is_empty() { Err(Error::NoTokens) } else { model.check(before, tokens) }
}

/// A chunk of one sequence.
impl Memory {
    /// `x += o(attention(norm(x)))` over the cache.
    fn attend(
        &mut self,
        pass: &Pass<'_>,
        (block, index): (&Block, usize),
        cache: &mut Cache,
        tokens: usize,
    ) {
        let first = cache.tokens();
        self.normed.resize(self.x.len());
        block.attention_norm.forward(pass.isa, &self.x, &mut self.normed);
        let (rows, z) = (&mut self.rows[0], &mut self.z);
        for (projection, heads) in ATTENTION.into_iter().zip(&mut self.heads) {
            let width = block.projections[projection.index()].outputs();
            rows.resize(tokens * width);
            heads.resize(tokens * width);
            let out = Output::to(rows, width);
            block.project(pass, (projection, &self.normed), (z, &mut self.masked), out);
            let split = &block.splits[projection.index()];
            let rows = [&mut *rows, &mut self.unnormed];
            split.forward((pass.isa, pass.rope), rows, first..first + tokens, heads);
        }
        let [queries, keys, values] = &self.heads;
        cache.put(index, [keys, values], tokens);
        self.attended.resize(queries.len());
        cache.attend(pass.isa, index, queries, &mut self.attended);
        rows.resize(queries.len());
        pass.rope.to_rows(&self.attended, Turn::Not, tokens, rows);
        let out = Output::add(&mut self.x, pass.config.hidden);
        block.project(pass, (Projection::Output, rows), (z, &mut self.masked), out);
    }

    /// `x += down(swiglu(norm(x)))`.
    fn mlp(&mut self, pass: &Pass<'_>, block: &Block) {
        let (hidden, width) = (pass.config.hidden, pass.config.intermediate);
        block.mlp_norm.forward(pass.isa, &self.x, &mut self.normed);
        let z = &mut self.z;
        let [gate, up, product] = &mut self.inner;
        for (projection, out) in [(Projection::Gate, &mut *gate), (Projection::Up, &mut *up)] {
            out.resize(self.x.len() / hidden * width);
            let out = Output::to(out, width);
            block.project(pass, (projection, &self.normed), (z, &mut self.masked), out);
        }
        product.resize(gate.len());
        swiglu::forward(pass.isa, gate, up, product);
        let out = Output::add(&mut self.x, hidden);
        block.project(pass, (Projection::Down, product), (z, &mut self.masked), out);
    }
}

/// A token of each of several sequences.
impl Memory {
    /// `x += o(attention(norm(x)))`, each row over its own cache.
    fn attend_each(
        &mut self,
        model: &Model,
        (block, index): (&Block, usize),
        members: &mut [Member<'_>],
    ) {
        let (isa, pass) = (model.isa(), model.pass(None, None));
        self.normed.resize(self.x.len());
        block.attention_norm.forward(isa, &self.x, &mut self.normed);
        let outs = self.rows.each_mut().map(|rows| (rows, false));
        let sites = (block, &ATTENTION[..], &mut self.z_each[..]);
        project_each(model, sites, members, &self.normed, outs.into());
        for (split, (rows, heads)) in block.splits.iter().zip(self.rows.iter().zip(&mut self.heads))
        {
            // Of a single token, rows and heads lie alike.
            heads.resize(rows.len());
            let width = rows.len() / members.len();
            let rows = rows.chunks_exact(width).zip(heads.chunks_exact_mut(width));
            for ((row, heads), member) in rows.zip(&*members) {
                let position = member.cache.tokens();
                self.row.resize(width);
                self.row.copy_from_slice(row);
                let rows = [&mut self.row, &mut self.unnormed];
                split.forward((isa, pass.rope), rows, position..position + 1, heads);
            }
        }
        let [queries, keys, values] = &self.heads;
        let width = keys.len() / members.len();
        let keys_values = keys.chunks_exact(width).zip(values.chunks_exact(width));
        for (member, (keys, values)) in members.iter_mut().zip(keys_values) {
            member.cache.put(index, [keys, values], 1);
        }
        let caches: Vec<&Cache> = members.iter().map(|member| &*member.cache).collect();
        self.attended.resize(queries.len());
        attend_each(isa, index, &caches, queries, &mut self.attended);
        let sites = (block, &[Projection::Output][..], &mut self.z_each[..]);
        project_each(model, sites, members, &self.attended, vec![(&mut self.x, true)]);
    }

    /// `x += down(swiglu(norm(x)))`.
    fn mlp_each(&mut self, model: &Model, block: &Block, members: &[Member<'_>]) {
        block.mlp_norm.forward(model.isa(), &self.x, &mut self.normed);
        let [gate, up, product] = &mut self.inner;
        let sites = (block, &[Projection::Gate, Projection::Up][..], &mut self.z_each[..]);
        let outs = vec![(&mut *gate, false), (&mut *up, false)];
        project_each(model, sites, members, &self.normed, outs);
        product.resize(gate.len());
        swiglu::forward(model.isa(), gate, up, product);
        let sites = (block, &[Projection::Down][..], &mut self.z_each[..]);
        project_each(model, sites, members, product, vec![(&mut self.x, true)]);
    }
}

/// Several projections of the same rows, one of each member, with the members' branches; `true` adds to the output.
fn project_each(
    model: &Model,
    (block, projections, z): (&Block, &[Projection], &mut [Buffer]),
    members: &[Member<'_>],
    x: &[f32],
    outs: Vec<(&mut Buffer, bool)>,
) {
    let products = projections.iter().zip(z).zip(outs).map(|((projection, z), (out, add))| {
        let linear = &block.projections[projection.index()];
        if !add {
            out.resize(members.len() * linear.outputs());
        }
        let further = branches(model, (block.layer, *projection), members, x, z);
        let out = Output { accumulate: add, ..Output::to(out, linear.outputs()) };
        Thin { weight: linear.few_rows(), x, further, out }
    });
    thin(model.isa(), members.len(), products.collect());
}

/// What each row goes on with: the branch of its member, where that has one.
fn branches<'z>(
    model: &Model,
    (layer, projection): (usize, Projection),
    members: &[Member<'z>],
    x: &[f32],
    z: &'z mut Buffer,
) -> Vec<Option<Further<'z>>> {
    let branch =
        |member: &Member<'z>| member.adapter.and_then(|one| one.branch(layer, projection, None));
    let ranks = members.iter().map(|member| branch(member).map_or(0, |branch| branch.rank()));
    z.resize(ranks.sum());
    let inputs = x.len() / members.len();
    // Rows of one adapter that stand side by side are taken together.
    let mut rest = &mut z[..];
    let mut row = 0;
    for run in members.chunk_by(|one, other| same(one.adapter, other.adapter)) {
        if let Some(branch) = branch(&run[0]) {
            let (z, tail) = std::mem::take(&mut rest).split_at_mut(run.len() * branch.rank());
            branch.inner(model.isa(), &x[row * inputs..(row + run.len()) * inputs], z);
            rest = tail;
        }
        row += run.len();
    }
    let mut rest = &z[..];
    let mut further = |member| {
        let branch = branch(member)?;
        let (z, tail) = rest.split_at(branch.rank());
        rest = tail;
        Some(Further { z, b: branch.b() })
    };
    members.iter().map(&mut further).collect()
}

fn same(one: Option<&Adapter>, other: Option<&Adapter>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => std::ptr::eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
