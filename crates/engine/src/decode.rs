//! A sequence that grows token by token: each pass computes the new tokens only.

use crate::cache::Cache;
use crate::error::Error;
use crate::kernels::{Buffer, Output, gemm};
use crate::layers::block::{Block, Pass, Scratch, Tape};
use crate::layers::rope::Turn;
use crate::layers::swiglu;
use crate::lora::{Adapter, Projection};
use crate::model::Model;

/// A sequence with the keys and values of its tokens.
///
/// The adapter is applied beside the frozen weights, so that any number of sequences with any adapters share a model.
#[derive(Debug)]
pub(crate) struct Sequence<'a> {
    model: &'a Model,
    adapter: Option<&'a Adapter>,
    cache: Cache,
    memory: Memory,
    /// The logits after the last token, `[V]`.
    logits: Buffer,
}

/// What a pass needs for a while.
#[derive(Debug, Default)]
struct Memory {
    /// The residual, `[T, C]`.
    x: Buffer,
    normed: Buffer,
    /// q, k and v, `[T, heads D]` and `[heads, T, D]`.
    rows: Buffer,
    unnormed: Buffer,
    heads: [Buffer; 3],
    /// The attention's output, `[H, T, D]`.
    attended: Buffer,
    /// Gate, up and their product, `[T, F]`.
    inner: [Buffer; 3],
    z: Buffer,
    masked: Buffer,
    tape: Tape,
    scratch: Scratch,
}

impl<'a> Sequence<'a> {
    /// A sequence without tokens.
    pub(crate) fn new(model: &'a Model, adapter: Option<&'a Adapter>) -> Self {
        let cache = Cache::new(model.config());
        Self { model, adapter, cache, memory: Memory::default(), logits: Buffer::default() }
    }

    /// The model that reads it.
    pub(crate) fn model(&self) -> &'a Model {
        self.model
    }

    /// The logits after the last token.
    pub(crate) fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Tokens so far.
    pub(crate) fn tokens(&self) -> usize {
        self.cache.tokens()
    }

    /// Goes on with `tokens` and yields the logits of what follows the last of them.
    ///
    /// # Errors
    /// [`Error::NoTokens`] where there are none, [`Error::TooLong`] where the model has no position for the last,
    /// [`Error::Token`] for one outside the vocabulary.
    pub(crate) fn feed(&mut self, tokens: &[u32]) -> Result<&[f32], Error> {
        let config = self.model.config();
        let (hidden, vocabulary) = (config.hidden, config.vocab);
        let total = self.cache.tokens() + tokens.len();
        if tokens.is_empty() {
            return Err(Error::NoTokens);
        }
        if total > config.max_positions {
            return Err(Error::TooLong { tokens: total, limit: config.max_positions });
        }
        if let Some(token) = tokens.iter().find(|token| **token as usize >= vocabulary) {
            return Err(Error::Token { token: *token, vocabulary });
        }
        self.cache.reserve(tokens.len());
        self.memory.x.resize(tokens.len() * hidden);
        self.model.embed(tokens, &mut self.memory.x);
        if self.cache.tokens() == 0 {
            self.begin();
        } else {
            self.go_on(tokens.len());
        }
        self.cache.advance(tokens.len());
        Ok(self.head(hidden, vocabulary))
    }

    /// The blocks for the first tokens: as in training, with keys and values kept.
    fn begin(&mut self) {
        let pass = self.model.pass(self.adapter, None);
        let Memory { x, tape, scratch, .. } = &mut self.memory;
        let tokens = x.len() / pass.config.hidden;
        for (index, block) in self.model.blocks().iter().enumerate() {
            block.forward(&pass, x, tape, scratch);
            self.cache.put(index, tape.keys_values(), tokens);
        }
    }

    /// The blocks for tokens after others.
    fn go_on(&mut self, tokens: usize) {
        let pass = self.model.pass(self.adapter, None);
        for (index, block) in self.model.blocks().iter().enumerate() {
            self.memory.attend(&pass, (block, index), &mut self.cache, tokens);
            self.memory.mlp(&pass, block);
        }
    }

    /// The logits of the last row of the residual.
    fn head(&mut self, hidden: usize, vocabulary: usize) -> &[f32] {
        let isa = self.model.isa();
        let Memory { x, normed, .. } = &mut self.memory;
        let last = x.len() - hidden;
        normed.resize(hidden);
        self.model.norm().forward(isa, &x[last..], normed);
        self.logits.resize(vocabulary);
        let term = self.model.head().forward(normed);
        gemm(isa, 1, &[term], Output::to(&mut self.logits, vocabulary));
        &self.logits
    }
}

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
        let projections = [Projection::Query, Projection::Key, Projection::Value];
        for (projection, heads) in projections.into_iter().zip(&mut self.heads) {
            let width = block.projections[projection.index()].outputs();
            self.rows.resize(tokens * width);
            heads.resize(tokens * width);
            let memory = [&mut self.z, &mut self.masked];
            block.project(
                pass,
                (projection, &self.normed),
                memory,
                Output::to(&mut self.rows, width),
            );
            let split = &block.splits[projection.index()];
            let rows = [&mut self.rows, &mut self.unnormed];
            split.forward((pass.isa, pass.rope), rows, first..first + tokens, heads);
        }
        let [queries, keys, values] = &self.heads;
        cache.put(index, [keys, values], tokens);
        self.attended.resize(queries.len());
        cache.attend(pass.isa, index, queries, &mut self.attended);
        self.rows.resize(queries.len());
        pass.rope.to_rows(&self.attended, Turn::Not, tokens, &mut self.rows);
        let memory = [&mut self.z, &mut self.masked];
        let out = Output::add(&mut self.x, pass.config.hidden);
        block.project(pass, (Projection::Output, &self.rows), memory, out);
    }

    /// `x += down(swiglu(norm(x)))`.
    fn mlp(&mut self, pass: &Pass<'_>, block: &Block) {
        let (hidden, width) = (pass.config.hidden, pass.config.intermediate);
        block.mlp_norm.forward(pass.isa, &self.x, &mut self.normed);
        for inner in &mut self.inner {
            inner.resize(self.x.len() / hidden * width);
        }
        let [gate, up, product] = &mut self.inner;
        for (projection, out) in [(Projection::Gate, &mut *gate), (Projection::Up, &mut *up)] {
            let memory = [&mut self.z, &mut self.masked];
            block.project(pass, (projection, &self.normed), memory, Output::to(out, width));
        }
        swiglu::forward(pass.isa, gate, up, product);
        let memory = [&mut self.z, &mut self.masked];
        block.project(pass, (Projection::Down, product), memory, Output::add(&mut self.x, hidden));
    }
}

#[cfg(test)]
mod tests;
