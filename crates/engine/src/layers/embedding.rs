//! The embedding: a row of the table for each token.
//!
//! Shapes: table `[V, C]`, out `[T, C]`. Where the head is tied to it, the head's packed copy is the table. Frozen, so
//! there is no backward.

use super::linear::Linear;
use crate::parallel;

/// Rows in one piece of work.
const ROWS: usize = 16;

/// A table of its own, or none where the head's is used.
#[derive(Debug)]
pub(crate) enum Embedding {
    /// Row-major `[V, C]`.
    Own(Vec<f32>),
    /// The head's weight.
    Tied,
}

impl Embedding {
    /// The rows of `tokens`.
    pub(crate) fn forward(&self, head: &Linear, tokens: &[u32], out: &mut [f32]) {
        let channels = head.inputs();
        parallel::chunks_mut(out, ROWS * channels, |index, out| {
            for (token, out) in tokens[index * ROWS..].iter().zip(out.chunks_exact_mut(channels)) {
                let token = *token as usize;
                match self {
                    Self::Own(table) => {
                        out.copy_from_slice(&table[token * channels..(token + 1) * channels]);
                    }
                    Self::Tied => head.row(token, out),
                }
            }
        });
    }
}
