//! Splitting text into the pieces that are tokenised one by one.
//!
//! The pieces are those of the patterns that tiktoken gives its regex engine. Those patterns need no engine: each
//! alternative can be told by the classes of the first characters, and what backtracking does in them is said in words
//! where it happens. A piece is found in time linear in its length, and no stack or step limit exists.

mod cl100k;
mod o200k;
mod run;

/// The rules of one encoding: where the piece ends that starts at a place within a text.
pub(crate) trait Rules {
    /// The end of the piece that starts at `start`, which is a character boundary before the end of UTF-8 `text`.
    fn piece_end(text: &[u8], start: usize) -> usize;
}

/// The rules of `cl100k_base`.
#[derive(Debug)]
pub(crate) struct Cl100k;

/// The rules of `o200k_base`.
#[derive(Debug)]
pub(crate) struct O200k;
