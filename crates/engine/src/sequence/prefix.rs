//! What several sequences begin with, worked off once for all of them: a system prompt, a prompt with several answers.
//!
//! Shapes: with P such tokens each block keeps keys and values `[P, G D]`, and gathers the gradients by them, `[G, P, D]`, of
//! every sequence that goes on after them. As no token sees a later one, the results are those of whole sequences, but for
//! the order of sums.

use super::Workspace;
use crate::error::Error;
use crate::example::Example;
use crate::kernels::Buffer;
use crate::layers::block::{Block, Pass, Scratch, Tape};
use crate::lora::{Adapter, Gradients};
use crate::model::Model;

/// Tokens that are to be saved at least, for the pass that the shared ones need for themselves: each pass turns every
/// weight, which takes as long as some 16 tokens.
const WORTH: usize = 64;

/// The shared tokens in the model.
#[derive(Debug, Default)]
pub(crate) struct Prefix {
    tokens: usize,
    kept: Kept,
    /// Of all blocks.
    tapes: Vec<Tape>,
    /// What the blocks read, `[P, C]`.
    inputs: Vec<Buffer>,
    /// The tape of a block of which less is kept.
    spare: Tape,
    /// The gradients by each block's keys and values, `[G, P, D]`.
    slopes: Vec<[Buffer; 2]>,
}

/// What is kept of the blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kept {
    /// Keys and values: there is no backward.
    #[default]
    Keys,
    /// Those, and what the blocks read: the others are computed again in the backward.
    Inputs,
    /// All that the backward needs.
    Tapes,
}

/// How many tokens `examples` begin with alike and without loss, where that is worth a pass of their own; else 0.
///
/// An even number, so that the rows of two are pairs.
pub(crate) fn shared<'a>(mut examples: impl Iterator<Item = &'a Example>) -> usize {
    let Some(first) = examples.next() else { return 0 };
    let (mut shared, mut others) = (unjudged(first), 0);
    for example in examples {
        let alike = first.tokens.iter().zip(&example.tokens).take_while(|(a, b)| a == b).count();
        shared = shared.min(alike).min(unjudged(example));
        others += 1;
    }
    shared -= shared % 2;
    if shared * others < WORTH { 0 } else { shared }
}

/// The tokens before the one whose successor is the first with loss.
fn unjudged(example: &Example) -> usize {
    let judged = example.weights.iter().skip(1).position(|weight| *weight > 0.0);
    judged.unwrap_or(example.tokens.len().saturating_sub(1))
}

impl Prefix {
    /// `P`.
    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Makes room for the tokens of `pass` and their backward, in a quarter of the limit where that can be done.
    fn make_room(&mut self, pass: &Pass<'_>, (learns, limit): (bool, Option<usize>)) {
        let (layers, tokens) = (pass.config.layers, self.tokens);
        let tapes = layers * Tape::size_bytes(pass, tokens);
        let kept = match limit {
            _ if !learns => Kept::Keys,
            Some(limit) if tapes > limit / 4 => Kept::Inputs,
            _ => Kept::Tapes,
        };
        if kept != self.kept {
            // For what they hold beside keys and values.
            self.tapes.clear();
        }
        let of = |wanted: bool| if wanted { layers } else { 0 };
        self.kept = kept;
        self.tapes.resize_with(layers, Tape::default);
        self.inputs.resize_with(of(kept == Kept::Inputs), Buffer::default);
        self.slopes.resize_with(of(learns), Default::default);
        for slopes in self.slopes.iter_mut().flatten() {
            slopes.resize(tokens * pass.config.kv_size());
            slopes.fill(0.0);
        }
    }

    /// What the blocks of the sequences after it read; none where there are no such tokens.
    pub(super) fn tapes(&self) -> Option<&[Tape]> {
        (self.tokens > 0).then_some(&self.tapes)
    }

    /// [`Prefix::tapes`], and where each block adds its gradients.
    pub(super) fn with_slopes(&mut self) -> (Option<&[Tape]>, &mut [[Buffer; 2]]) {
        if self.tokens == 0 { (None, &mut []) } else { (Some(&self.tapes), &mut self.slopes) }
    }

    /// Bytes that it takes beside those of `pass`, which goes on after it.
    pub(super) fn size_bytes(&self, pass: &Pass<'_>) -> usize {
        let (config, tape) = (pass.config, Tape::size_bytes(pass, self.tokens));
        let inputs = config.hidden * self.tokens * size_of::<f32>();
        // Keys, values and their gradients, as if all were f32.
        let keys = 4 * config.kv_size() * self.tokens * size_of::<f32>();
        match self.kept {
            Kept::Keys => config.layers * keys,
            Kept::Inputs => config.layers * (keys + inputs) + tape,
            Kept::Tapes => config.layers * (keys + tape),
        }
    }
}

impl Model {
    /// Brings the tokens that sequences share through the blocks, for [`Model::finish_prefix`] too where it `learns`; of none
    /// nothing is left of `prefix`.
    ///
    /// # Errors
    /// Those of [`Model::check`].
    pub(crate) fn begin_prefix(
        &self,
        adapter: Option<&Adapter>,
        tokens: &[u32],
        (prefix, learns): (&mut Prefix, bool),
        workspace: &mut Workspace,
    ) -> Result<(), Error> {
        self.check(0, tokens)?;
        prefix.tokens = tokens.len();
        if tokens.is_empty() {
            return Ok(());
        }
        let pass = self.pass(adapter, None);
        let Workspace { scratch, x, limit, .. } = workspace;
        prefix.make_room(&pass, (learns, *limit));
        let Prefix { kept, tapes, inputs, spare, .. } = prefix;
        x.resize(tokens.len() * self.config().hidden);
        self.embed(tokens, x);
        for (block, tape) in self.blocks().iter().zip(tapes) {
            if *kept == Kept::Tapes {
                self.forward_prefix((&pass, block), x, tape, scratch);
                continue;
            }
            if let Some(input) = inputs.get_mut(block.layer) {
                input.resize(x.len());
                input.copy_from_slice(x);
            }
            self.forward_prefix((&pass, block), x, spare, scratch);
            tape.exchange_keys(spare);
        }
        Ok(())
    }

    /// The backward of [`Model::begin_prefix`], when all sequences that go on after it had theirs.
    pub(crate) fn finish_prefix(
        &self,
        (adapter, gradients): (&Adapter, &mut Gradients),
        prefix: &mut Prefix,
        workspace: &mut Workspace,
    ) {
        if prefix.tokens == 0 {
            return;
        }
        let Prefix { tapes, inputs, spare, slopes, .. } = prefix;
        let pass = Pass { later: Some(slopes), ..self.pass(Some(adapter), None) };
        let Workspace { scratch, x, dx, .. } = workspace;
        dx.resize(0);
        for (block, kept) in self.blocks().iter().zip(&*tapes).rev() {
            let tape = match inputs.get(block.layer) {
                None => kept,
                Some(input) => {
                    x.resize(input.len());
                    x.copy_from_slice(input);
                    self.forward_prefix((&pass, block), x, spare, scratch);
                    &*spare
                }
            };
            if block.layer + 1 == self.blocks().len() {
                block.backward_rows(&pass, (dx, &[], gradients), tape, scratch);
            } else {
                block.backward(&pass, (&mut *dx, gradients), tape, scratch);
            }
        }
    }

    /// Brings shared tokens through a block: of the last one only keys and values are read.
    fn forward_prefix(
        &self,
        (pass, block): (&Pass<'_>, &Block),
        x: &mut Buffer,
        tape: &mut Tape,
        scratch: &mut Scratch,
    ) {
        if block.layer + 1 == self.blocks().len() {
            block.forward_rows(pass, (x, &[]), tape, scratch);
        } else {
            block.forward(pass, x, tape, scratch);
        }
    }
}
