//! Places at which a text can be cut without any effect on its tokens.
//!
//! GPT-2's pattern, `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, cuts a text into
//! pieces that are tokenised one by one, and SmolLM's tokenizer first sets each digit apart. Between some pairs of ASCII
//! characters a piece always ends, whatever stands around them: no alternative holds both, and the one that ends there
//! neither looks at nor depends on what follows. The pattern keeps no state, so what follows is cut as if it were a text
//! of its own. Only such places are used here, and none beside a character beyond ASCII, so no table of Unicode's can be
//! wrong.

use serde_json::Value;

/// Which places of a text are certain to lie between two pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// None is known.
    Whole,
    /// Those of GPT-2's pattern.
    Gpt2,
    /// Those of GPT-2's pattern, behind a cut around each digit.
    Gpt2Digits,
}

impl Rule {
    /// The rule of a tokenizer as `tokenizer.json` describes it.
    pub(super) fn of(described: &Value) -> Self {
        let is_null = |key: &str| described.get(key).is_none_or(Value::is_null);
        let affix = |key: &str| match described["model"].get(key) {
            Some(Value::String(text)) => text.is_empty(),
            other => other.is_none_or(Value::is_null),
        };
        let added = described["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
        let plain = ["normalizer", "truncation", "padding"].into_iter().all(is_null)
            && described["model"]["type"] == "BPE"
            && ["dropout", "continuing_subword_prefix", "end_of_word_suffix"].into_iter().all(affix)
            // Tokens that are found even in ordinary text can reach over a place.
            && added.iter().all(|token| token["special"] == true);
        let pre_tokenizer = &described["pre_tokenizer"];
        let parts = pre_tokenizer["pretokenizers"].as_array().map_or(&[][..], Vec::as_slice);
        match parts {
            _ if !plain => Self::Whole,
            [] if is_gpt2(pre_tokenizer) => Self::Gpt2,
            [digits, rest] if pre_tokenizer["type"] == "Sequence" && is_gpt2(rest) => {
                let apart = digits["type"] == "Digits" && digits["individual_digits"] == true;
                if apart { Self::Gpt2Digits } else { Self::Whole }
            }
            _ => Self::Whole,
        }
    }

    /// For each kind of a byte a bit for each kind of the next: whether a piece always ends between such two.
    const fn ends(self) -> [u8; KINDS_OF_BYTES] {
        const fn bits<const N: usize>(kinds: [Kind; N]) -> u8 {
            let (mut bits, mut index) = (0, 0);
            while index < N {
                bits |= 1 << kinds[index] as u8;
                index += 1;
            }
            bits
        }
        use Kind::{Apostrophe, Digit, Letter, Punctuation, Space};
        let digits = match self {
            Self::Whole => return [0; KINDS_OF_BYTES],
            Self::Gpt2 => 0,
            Self::Gpt2Digits => bits([Digit]),
        };
        let mut ends = [0; KINDS_OF_BYTES];
        // White space leads what follows it; runs of letters and of punctuation are one piece, as is a contraction.
        ends[Letter as usize] = bits([Space, Digit, Apostrophe, Punctuation]);
        ends[Digit as usize] = bits([Space, Letter, Apostrophe, Punctuation]) | digits;
        ends[Apostrophe as usize] = bits([Space, Digit]);
        ends[Punctuation as usize] = bits([Space, Letter, Digit]);
        ends
    }
}

fn is_gpt2(pre_tokenizer: &Value) -> bool {
    // The pattern is used unless the description says otherwise.
    pre_tokenizer["type"] == "ByteLevel"
        && pre_tokenizer["add_prefix_space"] == false
        && pre_tokenizer.get("use_regex").is_none_or(|used| used == true)
}

/// What the rules ask of a byte.
#[derive(Clone, Copy)]
enum Kind {
    /// A part of a character beyond ASCII, or a control character.
    Other,
    Space,
    Letter,
    Digit,
    Apostrophe,
    Punctuation,
}

/// How many kinds there are.
const KINDS_OF_BYTES: usize = 6;

/// The kind of each byte.
static KINDS: [Kind; 256] = kinds();

const fn kinds() -> [Kind; 256] {
    let mut kinds = [Kind::Other; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => Kind::Space,
            b'\'' => Kind::Apostrophe,
            _ if byte.is_ascii_alphabetic() => Kind::Letter,
            _ if byte.is_ascii_digit() => Kind::Digit,
            _ if byte.is_ascii_punctuation() => Kind::Punctuation,
            _ => Kind::Other,
        };
        byte += 1;
    }
    kinds
}

/// The parts of a text that are tokenised as if each were a text of its own.
///
/// Made by [`Tokenizer::cut`](super::Tokenizer::cut).
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use engine::{Cut, Tokenizer, Weights};
///
/// let tokenizer = Tokenizer::of(&Weights::open(Path::new("../../tests/golden/tiny-llama"))?)?;
/// let cut: Cut<'_> = tokenizer.cut("a cough at night");
/// assert_eq!(format!("{cut:?}"), "Cut { rest_bytes: 16, .. }"); // never a record's text
/// assert_eq!(cut.collect::<String>(), "a cough at night");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Cut<'t> {
    ends: [u8; KINDS_OF_BYTES],
    rest: &'t str,
}

impl<'t> Cut<'t> {
    pub(super) fn new(rule: Rule, text: &'t str) -> Self {
        Self { ends: rule.ends(), rest: text }
    }
}

impl<'t> Iterator for Cut<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let bytes = self.rest.as_bytes();
        let mut before = KINDS[usize::from(*bytes.first()?)];
        let ends_before = |&byte: &u8| {
            let after = KINDS[usize::from(byte)];
            let ends = self.ends[before as usize] >> after as u8 & 1 == 1;
            before = after;
            ends
        };
        let place = bytes[1..].iter().position(ends_before);
        // A place lies between two ASCII characters, so it is a character's border.
        let (part, rest) = self.rest.split_at(place.map_or(bytes.len(), |place| place + 1));
        self.rest = rest;
        Some(part)
    }
}

/// Shows how much is left and never the text.
impl std::fmt::Debug for Cut<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Cut").field("rest_bytes", &self.rest.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
