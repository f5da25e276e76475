//! Sequences that go on after tokens that were worked off before, once for several of them.
//!
//! Shapes: with P such tokens the keys and values that a sequence sees are `[P + T, G D]`, and the gradients by them
//! `[H, P + T, D]`: the first P rows of each head are summed over a group's heads and over the sequences, the others are the
//! sequence's own.

use std::ops::Range;

use super::Pass;
use crate::kernels::{Activations, Buffer, Window};
use crate::layers::attention::{Attention, Gradients};
use crate::parallel;

/// Memory for the keys and values that a sequence sees.
#[derive(Debug, Default)]
pub(super) struct Seen([Activations; 2]);

impl Seen {
    /// The queries of a sequence, and the keys and values that it sees.
    pub(super) fn of<'a>(
        &'a mut self,
        pass: &Pass<'_>,
        layer: usize,
        (qkv, sequence): (&'a [Activations; 3], &Range<usize>),
    ) -> [Window<'a>; 3] {
        let own = qkv.each_ref().map(|rows| rows.window(sequence.clone()));
        let Some(prefix) = pass.prefix else { return own };
        let (before, [q, own @ ..]) = (pass.before(), own);
        let given = prefix[layer].qkv[1..].iter().zip(own);
        for (seen, (given, own)) in self.0.iter_mut().zip(given) {
            seen.stack(pass.compute, [given.window(0..before), own]);
        }
        let [k, v] = self.0.each_ref().map(|seen| seen.window(0..before + sequence.len()));
        [q, k, v]
    }
}

/// Gradients by the keys and values before sequences.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Their sums, `[G, P, D]` each.
    pub(super) sums: [Buffer; 2],
    /// Of all that a sequence sees.
    all: [Buffer; 2],
}

impl Before {
    /// Has `backward` write the gradients of a sequence, and adds those before it to the sums.
    pub(super) fn collect(
        &mut self,
        Attention { heads, kv_heads, head_dim, tokens, before, .. }: Attention,
        [dq, dk, dv]: Gradients<'_>,
        backward: impl FnOnce(Gradients<'_>),
    ) {
        if before == 0 {
            return backward([dq, dk, dv]);
        }
        let [keys, values] = &mut self.all;
        keys.resize(heads * (before + tokens) * head_dim);
        values.resize(keys.len());
        backward([dq, &mut *keys, &mut *values]);
        for ((all, sums), own) in self.all.iter().zip(&mut self.sums).zip([dk, dv]) {
            share_out(all, [heads / kv_heads, before * head_dim], (sums, own));
        }
    }
}

/// Adds the gradients of tokens that were worked off before others, from what those left, to those of each group's first
/// head.
pub(super) fn add_later(gradients: [&mut Buffer; 2], later: &[Buffer; 2], kv_heads: usize) {
    for (gradients, later) in gradients.into_iter().zip(later) {
        let group = gradients.len() / kv_heads;
        let sums = later.chunks_exact(later.len() / kv_heads);
        for (heads, sums) in gradients.chunks_exact_mut(group).zip(sums) {
            heads.iter_mut().zip(sums).for_each(|(slope, sum)| *slope += sum);
        }
    }
}

/// Adds the first numbers of each head to its group's sums, and writes the others as the sequence's own.
fn share_out(all: &[f32], [members, first]: [usize; 2], (sums, own): (&mut [f32], &mut [f32])) {
    let kv_heads = sums.len() / first;
    let groups = sums.chunks_exact_mut(first).zip(own.chunks_exact_mut(own.len() / kv_heads));
    let groups = groups.zip(all.chunks_exact(all.len() / kv_heads));
    parallel::each_of(groups.collect(), |((sums, own), all)| {
        let heads = all.chunks_exact(all.len() / members);
        for (own, all) in own.chunks_exact_mut(own.len() / members).zip(heads) {
            let (shared, rest) = all.split_at(first);
            sums.iter_mut().zip(shared).for_each(|(sum, slope)| *sum += slope);
            own.copy_from_slice(rest);
        }
    });
}
