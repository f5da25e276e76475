//! One example through the whole model, or several side by side: the loss, and the gradients of that by an adapter.

mod prefix;

use crate::error::Error;
use crate::example::Example;
use crate::kernels::{Buffer, Output, Packed, gemm};
use crate::layers::block::{Pass, Scratch, Tape};
use crate::layers::head::{self, Gradient, Rows, Sums};
use crate::lora::{Adapter, Gradients};
use crate::model::Model;
pub(crate) use prefix::{Prefix, shared};

/// The memory that examples pass through, kept between them.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// Of the last blocks, which keep everything for their backward; one more where others do not.
    tapes: Vec<Tape>,
    /// What the first blocks read, `[T, C]`, where they are computed again in the backward.
    inputs: Vec<Buffer>,
    scratch: Scratch,
    /// The residual, `[T, C]`.
    x: Buffer,
    dx: Buffer,
    logits: Buffer,
    /// What the examples of a batch begin with.
    pub(crate) prefix: Prefix,
    /// Bytes that tapes and inputs may take; none for no limit.
    pub(crate) limit: Option<usize>,
}

/// What is asked of a pass with gradients.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// The adapter that learns.
    pub(crate) adapter: &'a Adapter,
    /// Where its gradients are added.
    pub(crate) gradients: &'a mut Gradients,
    /// What each row's loss is multiplied by, beside its weight.
    pub(crate) scale: f32,
    /// The key of the masks of this pass.
    pub(crate) dropout: u64,
    /// The tokens of each of several examples that [`joined`] put one after another; empty for one alone.
    pub(crate) lengths: &'a [usize],
    /// The tokens that each of them goes on after.
    pub(crate) prefix: &'a mut Prefix,
}

/// Examples one after another as one, to be worked off together by their lengths: none sees another. The first `shared`
/// tokens of each are left out.
///
/// No loss is lost: that of a sequence's first token counts nowhere, and neither does that of the one after shared ones.
pub(crate) fn joined<'a>(
    examples: impl Iterator<Item = &'a Example>,
    shared: usize,
) -> (Example, Vec<usize>) {
    let (mut all, mut lengths) = (Example { tokens: Vec::new(), weights: Vec::new() }, Vec::new());
    for example in examples {
        let first = all.tokens.len();
        all.tokens.extend_from_slice(&example.tokens[shared..]);
        all.weights.extend_from_slice(&example.weights[shared..]);
        if let Some(weight) = all.weights.get_mut(first) {
            *weight = 0.0;
        }
        lengths.push(example.tokens.len() - shared);
    }
    (all, lengths)
}

/// What a forward leaves for its backward, beside what is in the workspace.
#[derive(Debug)]
pub(crate) struct Pending {
    /// The loss.
    pub(crate) sums: Sums,
    /// The rows that carry loss.
    rows: Vec<usize>,
    /// The gradient of every row's loss by the residual before the last normalisation, `[N, C]`.
    drows: Vec<f32>,
}

/// The rows that carry loss, gathered.
struct Gathered {
    rows: Vec<usize>,
    targets: Vec<u32>,
    weights: Vec<f32>,
    /// The residual of those rows, `[N, C]`.
    x: Vec<f32>,
    normed: Vec<f32>,
}

impl Workspace {
    /// How many of `layers` blocks keep no tape for a sequence of `tokens`, so that the limit holds if it can.
    fn recomputed(&self, (pass, prefix): (&Pass<'_>, &Prefix), tokens: usize) -> usize {
        let layers = pass.config.layers;
        let Some(limit) = self.limit else { return 0 };
        let limit = limit.saturating_sub(prefix.size_bytes(pass));
        let (tape, input) = (Tape::size_bytes(pass, tokens), tokens * pass.config.hidden * 4);
        if tape * layers <= limit {
            return 0;
        }
        // The first `n` blocks keep their inputs, and one tape more serves them in turn.
        let fits = |n: &usize| n * input + (layers - n + 1) * tape <= limit;
        (1..layers).find(fits).unwrap_or(layers)
    }
}

impl Model {
    /// The loss sums of an example that goes on after `prefix`, without gradients.
    pub(crate) fn loss(
        &self,
        (adapter, prefix): (Option<&Adapter>, &Prefix),
        example: &Example,
        workspace: &mut Workspace,
    ) -> Result<Sums, Error> {
        self.check(prefix.tokens(), &example.tokens)?;
        let pass = Pass { prefix: prefix.tapes(), ..self.pass(adapter, None) };
        let Workspace { tapes, scratch, x, logits, .. } = workspace;
        // One tape serves all blocks: nothing is read back.
        tapes.resize_with(tapes.len().max(1), Tape::default);
        x.resize(example.tokens.len() * self.config().hidden);
        self.embed(&example.tokens, x);
        let rows = with_loss(example);
        let (last, others) = self.blocks().split_last().expect("a model has blocks");
        for block in others {
            block.forward(&pass, x, &mut tapes[0], scratch);
        }
        last.forward_rows(&pass, (&mut *x, &rows[..]), &mut tapes[0], scratch);
        let gathered = self.gathered(example, rows, x);
        Ok(head::loss(self.isa(), self.head(), gathered.rows(), None, logits))
    }

    /// The loss sums of an example, and its gradients added.
    pub(crate) fn loss_and_gradients(
        &self,
        step: &mut Step<'_>,
        example: &Example,
        workspace: &mut Workspace,
    ) -> Result<Sums, Error> {
        let pending = self.begin(step, example, workspace)?;
        self.finish(step, &pending, 1.0, workspace);
        Ok(pending.sums)
    }

    /// The forward of [`Model::loss_and_gradients`].
    pub(crate) fn begin(
        &self,
        step: &Step<'_>,
        example: &Example,
        workspace: &mut Workspace,
    ) -> Result<Pending, Error> {
        self.check(step.prefix.tokens(), &example.tokens)?;
        let pass = self.pass(Some(step.adapter), Some(step.dropout));
        let pass = Pass { lengths: step.lengths, prefix: step.prefix.tapes(), ..pass };
        let recomputed = workspace.recomputed((&pass, step.prefix), example.tokens.len());
        let Workspace { tapes, inputs, scratch, x, logits, .. } = workspace;
        let kept = self.blocks().len() - recomputed;
        tapes.resize_with(kept + usize::from(recomputed > 0), Tape::default);
        inputs.resize_with(recomputed, Buffer::default);
        x.resize(example.tokens.len() * self.config().hidden);
        self.embed(&example.tokens, x);
        let rows = with_loss(example);
        for (index, block) in self.blocks().iter().enumerate() {
            let place = index.checked_sub(recomputed);
            if place.is_none() {
                inputs[index].resize(x.len());
                inputs[index].copy_from_slice(x);
            }
            let tape = &mut tapes[place.unwrap_or(kept)];
            if index + 1 == self.blocks().len() {
                block.forward_rows(&pass, (&mut *x, &rows[..]), tape, scratch);
            } else {
                block.forward(&pass, x, tape, scratch);
            }
        }
        let gathered = self.gathered(example, rows, x);
        let mut dnormed = vec![0.0; gathered.x.len()];
        let gradient = Gradient { dx: &mut dnormed, scale: step.scale };
        let sums = head::loss(self.isa(), self.head(), gathered.rows(), Some(gradient), logits);
        let mut drows = vec![0.0; gathered.x.len()];
        self.norm().backward(self.isa(), &gathered.x, &dnormed, &mut drows);
        Ok(Pending { sums, rows: gathered.rows, drows })
    }

    /// The backward of the example that [`Model::begin`] brought through `workspace`, its gradients times `factor`.
    pub(crate) fn finish(
        &self,
        step: &mut Step<'_>,
        pending: &Pending,
        factor: f32,
        workspace: &mut Workspace,
    ) {
        let pass = self.pass(Some(step.adapter), Some(step.dropout));
        let (prefix, slopes) = step.prefix.with_slopes();
        let pass = Pass { lengths: step.lengths, prefix, ..pass };
        let Workspace { tapes, inputs, scratch, x, dx, .. } = workspace;
        dx.resize(pending.drows.len());
        for (dx, drow) in dx.iter_mut().zip(&pending.drows) {
            *dx = factor * drow;
        }
        let kept = self.blocks().len() - inputs.len();
        for (index, block) in self.blocks().iter().enumerate().rev() {
            let place = index.checked_sub(inputs.len());
            let last = index + 1 == self.blocks().len();
            if place.is_none() {
                x.resize(inputs[index].len());
                x.copy_from_slice(&inputs[index]);
                if last {
                    let kept = &mut tapes[kept];
                    block.forward_rows(&pass, (&mut *x, &pending.rows[..]), kept, scratch);
                } else {
                    block.forward(&pass, x, &mut tapes[kept], scratch);
                }
            }
            let tape = &tapes[place.unwrap_or(kept)];
            let mut slopes = slopes.get_mut(index);
            if let Some(slopes) = &mut slopes {
                scratch.exchange(slopes);
            }
            if last {
                let gradients = (&mut *dx, &pending.rows[..], &mut *step.gradients);
                block.backward_rows(&pass, gradients, tape, scratch);
            } else {
                block.backward(&pass, (&mut *dx, step.gradients), tape, scratch);
            }
            if let Some(slopes) = &mut slopes {
                scratch.exchange(slopes);
            }
        }
    }

    /// The logits after each token of a sequence, `[T, V]`.
    ///
    /// For short sequences and for checks: the whole `[T, V]` stands in memory.
    ///
    /// # Errors
    /// [`Error::TooLong`] and [`Error::Token`] where the tokens do not fit the model.
    pub fn logits(&self, adapter: Option<&Adapter>, tokens: &[u32]) -> Result<Vec<f32>, Error> {
        self.check(0, tokens)?;
        let pass = self.pass(adapter, None);
        let (mut tape, mut scratch) = (Tape::default(), Scratch::default());
        let mut x = Buffer::zeros(tokens.len() * self.config().hidden);
        self.embed(tokens, &mut x);
        for block in self.blocks() {
            block.forward(&pass, &mut x, &mut tape, &mut scratch);
        }
        let mut normed = Buffer::zeros(x.len());
        self.norm().forward(self.isa(), &x, &mut normed);
        let mut logits = vec![0.0; tokens.len() * self.config().vocab];
        let out = Output::to(&mut logits, self.config().vocab);
        gemm(
            self.isa(),
            tokens.len(),
            &[self.head().forward(&normed, &mut Packed::default())],
            out,
        );
        Ok(logits)
    }

    /// Whether `tokens` can follow the first `before`: refuses what no kernel could work off.
    pub(crate) fn check(&self, before: usize, tokens: &[u32]) -> Result<(), Error> {
        let (total, limit) = (before + tokens.len(), self.config().max_positions);
        if total > limit {
            return Err(Error::TooLong { tokens: total, limit });
        }
        let vocabulary = self.config().vocab;
        match tokens.iter().find(|token| **token as usize >= vocabulary) {
            Some(token) => Err(Error::Token { token: *token, vocabulary }),
            None => Ok(()),
        }
    }

    /// The rows with loss and the last block's residual of them, as the head needs them.
    fn gathered(&self, example: &Example, rows: Vec<usize>, residual: &[f32]) -> Gathered {
        let x = residual.to_vec();
        let mut normed = vec![0.0; x.len()];
        self.norm().forward(self.isa(), &x, &mut normed);
        Gathered {
            targets: rows.iter().map(|row| example.tokens[row + 1]).collect(),
            weights: rows.iter().map(|row| example.weights[row + 1]).collect(),
            rows,
            x,
            normed,
        }
    }
}

/// The rows whose next token carries loss.
fn with_loss(example: &Example) -> Vec<usize> {
    let next = (1..example.tokens.len()).filter(|next| example.weights[*next] > 0.0);
    next.map(|next| next - 1).collect()
}

impl Gathered {
    fn rows(&self) -> Rows<'_> {
        Rows { x: &self.normed, targets: &self.targets, weights: &self.weights }
    }
}

#[cfg(test)]
mod tests;
