//! What was read of earlier prompts, so that one that begins alike is read only from where it differs.
//!
//! A conversation's next question begins with all that was said before, and every chat with the system prompt. Keys and
//! values are taken over in whole groups of queries, so that the rest is cut as in a prompt that is read from its start, and
//! an answer has the same bits either way.

use std::collections::VecDeque;
use std::ops::Deref;

use crate::cache::{Cache, QUERIES};
use crate::lora::Adapter;

/// Bytes of keys and values that are kept at most: some 1,400 tokens of a model of 135 million parameters.
const MOST_BYTES: usize = 64 << 20;

/// The beginnings of prompts, the one used last at the end.
#[derive(Debug)]
pub(super) struct Remembered<A> {
    prompts: VecDeque<Known<A>>,
    most_bytes: usize,
}

/// Shows no tokens, which may be about a patient.
struct Known<A> {
    /// Held, so that no other adapter comes to its address.
    adapter: Option<A>,
    tokens: Vec<u32>,
    cache: Cache,
}

impl<A> std::fmt::Debug for Known<A> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Known").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}

impl<A: Deref<Target = Adapter>> Known<A> {
    fn is_of(&self, adapter: Option<&Adapter>) -> bool {
        match (self.adapter.as_deref(), adapter) {
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl<A> Default for Remembered<A> {
    fn default() -> Self {
        Self { prompts: VecDeque::new(), most_bytes: MOST_BYTES }
    }
}

impl<A: Deref<Target = Adapter> + Clone> Remembered<A> {
    /// What was read before of the beginning of `prompt`, at least its last token left out.
    pub(super) fn recall(&mut self, adapter: Option<&Adapter>, prompt: &[u32]) -> Option<Cache> {
        let alike = |known: &Known<A>| {
            let pairs = known.tokens.iter().zip(&prompt[..prompt.len() - 1]);
            pairs.take_while(|(one, other)| one == other).count() / QUERIES * QUERIES
        };
        let known = self.prompts.iter().enumerate().filter(|(_, known)| known.is_of(adapter));
        let (tokens, index) = known.map(|(index, known)| (alike(known), index)).max()?;
        if tokens == 0 {
            return None;
        }
        let known = self.prompts.remove(index)?;
        let cache = known.cache.beginning(tokens);
        self.prompts.push_back(known);
        Some(cache)
    }

    /// Keeps what was read of `prompt`, in place of what it goes on from; drops what was not used for longest.
    pub(super) fn keep(&mut self, adapter: Option<&A>, prompt: &[u32], cache: &Cache) {
        let tokens = &prompt[..prompt.len() / QUERIES * QUERIES];
        let covered = |known: &Known<A>| {
            known.is_of(adapter.map(Deref::deref)) && known.tokens.starts_with(tokens)
        };
        if tokens.is_empty() || self.prompts.iter().any(covered) {
            return;
        }
        let cache = cache.beginning(tokens.len());
        if cache.size_bytes() > self.most_bytes {
            return;
        }
        self.prompts.retain(|known| {
            !(known.is_of(adapter.map(Deref::deref)) && tokens.starts_with(&known.tokens))
        });
        let known = Known { adapter: adapter.cloned(), tokens: tokens.to_vec(), cache };
        self.prompts.push_back(known);
        let bytes = |known: &Known<A>| known.cache.size_bytes();
        while self.prompts.iter().map(bytes).sum::<usize>() > self.most_bytes {
            self.prompts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Decoder;
    use crate::lora::LoraConfig;
    use crate::model::{LoadOptions, Model};

    fn tiny() -> anyhow::Result<Model> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama");
        Ok(Model::load(path.as_ref(), &LoadOptions::default())?)
    }

    fn read(model: &Model, prompt: &[u32]) -> anyhow::Result<Cache> {
        let mut cache = Cache::new(model.config());
        Decoder::new(model).read(&mut cache, None, prompt)?;
        Ok(cache)
    }

    fn recalled(
        remembered: &mut Remembered<&Adapter>,
        adapter: Option<&Adapter>,
        prompt: &[u32],
    ) -> Option<usize> {
        remembered.recall(adapter, prompt).map(|cache| cache.tokens())
    }

    #[test]
    fn the_longest_beginning_is_recalled_in_whole_groups_and_for_its_own_adapter()
    -> anyhow::Result<()> {
        let model = tiny()?;
        let adapters = [1, 2].map(|seed| Adapter::new(&model, &LoraConfig::default(), seed));
        let [one, other] = adapters;
        let (one, other) = (one?, other?);
        let prompt: Vec<u32> = (0..200).map(|i| i % 384).collect();
        let mut remembered = Remembered::<&Adapter>::default();
        remembered.keep(None, &prompt[..100], &read(&model, &prompt[..100])?);
        assert_eq!(recalled(&mut remembered, None, &prompt), Some(96));
        // The last token is read again, since its logits are wanted.
        assert_eq!(recalled(&mut remembered, None, &prompt[..96]), Some(48));
        assert_eq!(recalled(&mut remembered, None, &prompt[1..]), None);
        assert_eq!(recalled(&mut remembered, Some(&one), &prompt), None);
        remembered.keep(Some(&&one), &prompt, &read(&model, &prompt)?);
        assert_eq!(recalled(&mut remembered, Some(&one), &prompt), Some(192));
        assert_eq!(recalled(&mut remembered, Some(&other), &prompt), None);
        // What goes on from another takes its place.
        remembered.keep(None, &prompt, &read(&model, &prompt)?);
        assert_eq!(remembered.prompts.len(), 2);
        assert_eq!(recalled(&mut remembered, None, &prompt), Some(192));
        Ok(())
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() -> anyhow::Result<()> {
        let model = tiny()?;
        let prompts: Vec<Vec<u32>> =
            (0..3).map(|first| (0..60).map(|i| (first + i) % 384).collect()).collect();
        let most_bytes = 2 * read(&model, &prompts[0][..48])?.beginning(48).size_bytes();
        let mut remembered = Remembered::<&Adapter> { most_bytes, ..Remembered::default() };
        remembered.keep(None, &prompts[0], &read(&model, &prompts[0])?);
        remembered.keep(None, &prompts[1], &read(&model, &prompts[1])?);
        assert!(remembered.recall(None, &prompts[0]).is_some());
        remembered.keep(None, &prompts[2], &read(&model, &prompts[2])?);
        let kept: Vec<bool> =
            prompts.iter().map(|prompt| remembered.recall(None, prompt).is_some()).collect();
        assert_eq!(kept, [true, false, true]);
        Ok(())
    }
}
