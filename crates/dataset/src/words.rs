//! Text as the words that count when two texts are compared.

use unicode_normalization::UnicodeNormalization;

/// How many words one shingle joins.
const SHINGLE: usize = 3;

/// The words of a text without regard to case, white space and punctuation.
///
/// Characters are composed (NFC) and lower-cased. Scripts that are written without spaces give a word for each
/// character. Signs that change a finding (`<`, `≥`, `+`, `%`, a minus before a number) are words of their own, so that
/// "INR < 3" and "INR > 3" differ.
pub(crate) struct Words {
    /// Each word and a space after it.
    text: String,
    /// Whether the last word is not ended yet.
    open: bool,
    /// The character before the next one.
    before: char,
}

impl Words {
    pub(crate) fn of(text: &str) -> Self {
        let text_words = String::with_capacity(text.len() + text.len() / 16);
        let mut words = Self { text: text_words, open: false, before: ' ' };
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let other = bytes[at..].iter().position(|byte| !byte.is_ascii());
            let other = other.map_or(bytes.len(), |length| at + length);
            // A mark may combine with the character before it, so that one waits for what follows.
            let plain = if other < bytes.len() { other.max(at + 1) - 1 } else { other };
            words.push_plain(&text[at..plain], bytes.get(plain).is_some_and(u8::is_ascii_digit));
            // No ASCII character combines with anything before it, so the next one is a border.
            let end = bytes[other..].iter().position(u8::is_ascii);
            at = end.map_or(bytes.len(), |length| other + length);
            let digit_after = bytes.get(at).is_some_and(u8::is_ascii_digit);
            let mut characters = text[plain..at].nfc().flat_map(char::to_lowercase).peekable();
            while let Some(character) = characters.next() {
                let digit = characters.peek().map_or(digit_after, char::is_ascii_digit);
                words.push(character, digit);
            }
        }
        words.end();
        words
    }

    /// The words in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split_terminator(' ')
    }

    /// The words, each with a space after it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// As [`push`](Self::push) for each character of `text`, which is ASCII; words are taken as a whole.
    fn push_plain(&mut self, text: &str, digit_follows: bool) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            if length == 0 {
                let digit = bytes.get(at + 1).map_or(digit_follows, u8::is_ascii_digit);
                self.push(char::from(byte), digit);
                at += 1;
                continue;
            }
            let start = self.text.len();
            self.text.push_str(&text[at..at + length]);
            self.text[start..].make_ascii_lowercase();
            self.open = true;
            at += length;
            self.before = char::from(bytes[at - 1].to_ascii_lowercase());
        }
    }

    fn push(&mut self, character: char, digit_follows: bool) {
        if is_word(character) {
            self.text.push(character);
            self.open = true;
        } else {
            self.end();
            let minus = matches!(character, '-' | '\u{2212}');
            if is_alone(character) || minus && digit_follows && self.before.is_whitespace() {
                self.text.push(character);
                self.open = true;
                self.end();
            }
        }
        self.before = character;
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            self.text.push(' ');
        }
    }
}

/// The hashes of all runs of three words, sorted, each once; a shorter text is one run.
pub(crate) fn shingles(words: &Words) -> Vec<u64> {
    let text = words.as_str().as_bytes();
    let ends: Vec<usize> = memchr::memchr_iter(b' ', text).map(|space| space + 1).collect();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let last_of_run = ends.iter().skip(SHINGLE.min(ends.len()).max(1) - 1);
    let mut hashes: Vec<u64> =
        starts.zip(last_of_run).map(|(start, &end)| hash_bytes(&text[start..end])).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// The hash of all of `words` in their order.
pub(crate) fn hash_words(words: &Words) -> u64 {
    hash_bytes(words.as_str().as_bytes())
}

/// A hash that is the same on every machine and in every version of this program (FNV-1a, then mixed).
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    mix(bytes.iter().fold(FNV_START, |hash, &byte| fnv(hash, byte)))
}

/// The hash of each word with the space after it.
pub(crate) fn word_hashes(words: &Words) -> impl Iterator<Item = u64> {
    let mut hash = FNV_START;
    words.text.bytes().filter_map(move |byte| {
        hash = fnv(hash, byte);
        (byte == b' ').then(|| mix(std::mem::replace(&mut hash, FNV_START)))
    })
}

const FNV_START: u64 = 0xCBF2_9CE4_8422_2325;

fn fnv(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
}

/// Spreads every bit over all others (the finaliser of `SplitMix64`).
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Characters that make up words together with others.
fn is_word(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric();
    }
    (character.is_alphanumeric() || is_mark(character)) && !is_alone(character)
}

/// Signs with a meaning of their own, and characters of scripts without spaces.
fn is_alone(character: char) -> bool {
    matches!(character, '<' | '>' | '=' | '+' | '%' | '°' | '±' | '≤' | '≥' | '≠' | '↑' | '↓' | '~')
        || matches!(u32::from(character),
            0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

/// Marks that belong to the letter before them, as in Thai or Hindi.
fn is_mark(character: char) -> bool {
    matches!(u32::from(character), 0x0300..=0x036F | 0x0900..=0x0DFF | 0x0E00..=0x0EFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        Words::of(text).iter().collect::<Vec<_>>().join("|")
    }

    /// The definition, without the short way that ASCII takes.
    fn plainly(text: &str) -> String {
        let mut words = Words { text: String::new(), open: false, before: ' ' };
        let mut characters = text.nfc().flat_map(char::to_lowercase).peekable();
        while let Some(character) = characters.next() {
            words.push(character, characters.peek().is_some_and(char::is_ascii_digit));
        }
        words.end();
        words.text
    }

    #[test]
    fn case_space_and_punctuation_do_not_count() {
        assert_eq!(check("  A 45-year-old man,\nwith \"Fever\"! "), "a|45|year|old|man|with|fever");
        assert_eq!(check("Cafe\u{301}"), check("CAFÉ"));
        assert_eq!(check("発熱です"), "発|熱|で|す");
    }

    #[test]
    fn signs_that_change_a_finding_count() {
        assert_ne!(check("INR < 3"), check("INR > 3"));
        assert_ne!(check("base excess of -5"), check("base excess of 5"));
        assert_ne!(check("pH 7.4"), check("pH 74"));
        assert_eq!(check("COVID-19"), "covid|19");
    }

    #[test]
    fn shingles_are_runs_of_three() {
        let count = |text: &str| shingles(&Words::of(text)).len();
        assert_eq!(
            ["", "a", "a b", "a b c", "a b c d", "a a a a a"].map(count),
            [0, 1, 1, 1, 2, 1]
        );
    }

    #[test]
    fn hashes_are_pinned() {
        // A changed hash would move records of everybody's stable split.
        let single: Vec<u64> = word_hashes(&Words::of("fever of")).collect();
        assert_eq!(single, ["fever ", "of "].map(|word| hash_bytes(word.as_bytes())));
        assert_eq!(hash_words(&Words::of("Fever of unknown")), 2_102_804_815_319_380_146);
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_gives_the_same_words(
            text in "[aA1 \\-−\u{301}\u{37e}éİſK発<°≥.\u{e31}\u{1100}\u{1161}\u{ac00}\u{11a8}]{0,40}",
            any: String,
        ) {
            proptest::prop_assert_eq!(Words::of(&text).text, plainly(&text));
            proptest::prop_assert_eq!(Words::of(&any).text, plainly(&any));
        }
    }
}
