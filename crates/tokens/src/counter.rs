//! The counting path: split, look up, merge.

use std::cell::RefCell;
use std::ops::Range;

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
/// assert_eq!(counter.encoding().name(), "o200k_base");
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

    /// The number of tokens of `text`, and those of each of its `parts`.
    ///
    /// Both cost little more than the first alone. The parts are in order and do not overlap. Their counts are those of
    /// [`count`](Self::count) for each part by itself, which together are not that of the whole: at a border tokens may
    /// reach over.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokens::{Counter, Encoding};
    ///
    /// let counter = Counter::new(Encoding::O200k);
    /// let (whole, [head, tail]) = counter.count_with_parts("A fever, antibiotics", [0..8, 8..20]);
    /// assert_eq!((whole, head, tail), (4, 3, 1));
    /// assert_eq!(tail, counter.count(" antibiotics"));
    /// ```
    ///
    /// # Panics
    ///
    /// Panics where a part is out of order or does not begin and end between characters of `text`.
    pub fn count_with_parts<const N: usize>(
        &self,
        text: &str,
        parts: [Range<usize>; N],
    ) -> (usize, [usize; N]) {
        let mut from = 0;
        for part in &parts {
            let in_order = from <= part.start && text.get(part.clone()).is_some();
            assert!(in_order, "parts are in order and between characters");
            from = part.end;
        }
        let mut state = self.state.borrow_mut();
        match self.encoding {
            Encoding::Cl100k => state.count_with_parts::<Cl100k, N>(text.as_bytes(), parts),
            Encoding::O200k | Encoding::O200kHarmony => {
                state.count_with_parts::<O200k, N>(text.as_bytes(), parts)
            }
        }
    }
}

impl Count for Counter {
    fn count(&self, text: &str) -> usize {
        self.count(text)
    }
}

/// How far a count has come.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// Where the next piece starts.
    start: usize,
    /// The tokens before it.
    tokens: usize,
}

/// How far before the end of a part the place is looked for from where on it is counted again by itself.
const TAIL: usize = 64;

impl State {
    fn count<R: Rules>(&mut self, text: &[u8]) -> usize {
        self.advance::<R>(text, Progress::default(), text.len()).tokens
    }

    /// Goes on to the first piece that starts at `until` or after it.
    #[inline]
    fn advance<R: Rules>(&mut self, text: &[u8], from: Progress, until: usize) -> Progress {
        let Progress { mut start, mut tokens } = from;
        while start < until {
            let end = R::piece_end(text, start);
            tokens += self.piece(text, start, end);
            start = end;
        }
        Progress { start, tokens }
    }

    fn count_with_parts<R: Rules, const N: usize>(
        &mut self,
        text: &[u8],
        parts: [Range<usize>; N],
    ) -> (usize, [usize; N]) {
        let mut at = Progress::default();
        let counts = parts.map(|part| {
            let begin = self.advance::<R>(text, at, part.start);
            let (end, settled) = self.settled::<R>(text, begin, &part);
            at = end;
            match settled.filter(|_| begin.start == part.start) {
                Some(settled) => {
                    let rest = self.count::<R>(&text[settled.start..part.end]);
                    settled.tokens - begin.tokens + rest
                }
                None => self.count::<R>(&text[part]),
            }
        });
        (self.advance::<R>(text, at, text.len()).tokens, counts)
    }

    /// Goes on to the end of `part`; and a late place within it up to which the pieces of the part alone are these,
    /// if those begin together.
    ///
    /// The end of a piece is told from the text behind its start. Where a piece begins with a blank and a letter of
    /// ASCII, no piece before it was told from more than these two bytes, so the end of the part does not matter yet.
    fn settled<R: Rules>(
        &mut self,
        text: &[u8],
        from: Progress,
        part: &Range<usize>,
    ) -> (Progress, Option<Progress>) {
        let mut at = self.advance::<R>(text, from, part.end.saturating_sub(TAIL));
        let mut settled = None;
        while at.start < part.end {
            if let [b' ', letter, ..] = text[at.start..part.end]
                && letter.is_ascii_alphabetic()
            {
                settled = Some(at);
            }
            at = self.advance::<R>(text, at, at.start + 1);
        }
        (at, settled)
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
