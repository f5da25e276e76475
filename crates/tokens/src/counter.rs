//! The counting path: split, look up, merge.

use std::cell::RefCell;

use crate::cache::{Cache, PHRASE, WORD};
use crate::merge::Merger;
use crate::split::{Cl100k, O200k, Rules};
use crate::vocabulary::{CL100K, O200K, Vocabulary};
use crate::{Count, Encoding};

/// Counts tokens fast, and remembers what it counted.
///
/// A counter belongs to one thread; make one for each. [`Encoding::count`] keeps one for its thread by itself.
///
/// Counts are those of `tiktoken-rs` for every text, special-token text as ordinary text. The time is linear in the
/// length of the text whatever it holds, and the memory is 6 MiB, of which only the part in use is taken.
///
/// # Examples
///
/// ```
/// use tokens::{Counter, Encoding};
///
/// let counter = Counter::new(Encoding::O200k);
/// assert_eq!(counter.count("antibiotics"), 3);
/// assert_eq!(counter.count(&" ".repeat(1_000_000)), 7_813);
/// ```
#[derive(Debug)]
pub struct Counter {
    encoding: Encoding,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    vocabulary: &'static Vocabulary,
    cache: Cache,
    merger: Merger,
}

impl Counter {
    /// A counter that has not counted anything yet.
    pub fn new(encoding: Encoding) -> Self {
        let vocabulary = match encoding {
            Encoding::Cl100k => &CL100K,
            Encoding::O200k | Encoding::O200kHarmony => &O200K,
        };
        Self {
            encoding,
            state: RefCell::new(State {
                vocabulary,
                cache: Cache::new(),
                merger: Merger::default(),
            }),
        }
    }

    /// The encoding that is counted in.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The number of tokens of `text`; special-token text counts as ordinary text.
    pub fn count(&self, text: &str) -> usize {
        let mut state = self.state.borrow_mut();
        match self.encoding {
            Encoding::Cl100k => state.count::<Cl100k>(text.as_bytes()),
            Encoding::O200k | Encoding::O200kHarmony => state.count::<O200k>(text.as_bytes()),
        }
    }
}

impl Count for Counter {
    fn count(&self, text: &str) -> usize {
        self.count(text)
    }
}

impl State {
    fn count<R: Rules>(&mut self, text: &[u8]) -> usize {
        let (mut total, mut start) = (0, 0);
        while start < text.len() {
            let end = R::piece_end(text, start);
            total += self.piece(text, start, end);
            start = end;
        }
        total
    }

    #[inline]
    fn piece(&mut self, text: &[u8], start: usize, end: usize) -> usize {
        let Self { vocabulary, cache, merger } = self;
        let piece = &text[start..end];
        match piece.len() {
            1 => 1,
            length @ ..=WORD => cache.word(text, start, length, || merger.count(vocabulary, piece)),
            ..=PHRASE => cache.phrase(piece, || merger.count(vocabulary, piece)),
            _ => merger.count(vocabulary, piece),
        }
    }
}
