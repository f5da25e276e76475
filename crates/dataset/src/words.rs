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
}

impl Words {
    pub(crate) fn of(text: &str) -> Self {
        let mut words = Writer::new(text.len());
        let mut rest = text;
        loop {
            let (plain, other) = rest.split_at(ascii_length(rest.as_bytes()));
            if other.is_empty() {
                words.push_ascii(plain.as_bytes(), false);
                return words.finish();
            }
            // No ASCII character combines with anything before it, so the next one is a border.
            let length = other.bytes().position(|byte| byte.is_ascii()).unwrap_or(other.len());
            let (other, after) = other.split_at(length);
            let digit_after = after.starts_with(|character: char| character.is_ascii_digit());
            if other.chars().all(is_composed) {
                words.push_ascii(plain.as_bytes(), false);
                words.push_composed(other, digit_after);
            } else {
                // A mark may combine with the character before it, so that one waits for what follows.
                let (plain, last) = plain.split_at(plain.len().saturating_sub(1));
                let digit = last.starts_with(|character: char| character.is_ascii_digit());
                words.push_ascii(plain.as_bytes(), digit);
                words.push_all(last.chars().chain(other.chars()).nfc(), digit_after);
            }
            rest = after;
        }
    }

    /// The words, each with a space after it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Each word with the space after it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split_inclusive(' ')
    }
}

/// What becomes of a byte: its lower-case letter or digit, a blank, or [`SIGN`].
static ASCII: [u8; 256] = ascii();
/// What is no ASCII letter or digit and may be a word nevertheless.
const SIGN: u8 = 0;

const fn ascii() -> [u8; 256] {
    let mut table = [SIGN; 256];
    let mut byte = 0;
    while byte < 0x80_u8 {
        table[byte as usize] = match byte {
            b'-' | b'<' | b'>' | b'=' | b'+' | b'%' | b'~' => SIGN,
            _ if byte.is_ascii_alphanumeric() => byte.to_ascii_lowercase(),
            _ => b' ',
        };
        byte += 1;
    }
    table
}

/// How many bytes are tried at once.
const BLOCK: usize = 8;

/// Where ASCII words are written, with room for all of them.
struct Out<'a> {
    bytes: &'a mut [u8],
    /// Blanks stand from here on.
    end: usize,
    open: bool,
}

impl Out<'_> {
    /// Takes a block of letters, digits and single blanks between words, as most are; else says no.
    ///
    /// Eight bytes below 0x80 are looked at together: adding carries into a byte's high bit where it is great enough.
    #[inline]
    fn push_block(&mut self, block: [u8; BLOCK]) -> bool {
        const EACH: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = EACH << 7;
        let from = |bytes: u64, least: u8| bytes + (0x80 - u64::from(least)) * EACH;
        let bytes = u64::from_le_bytes(block);
        let lower = bytes | (0x20 * EACH);
        let letters = from(lower, b'a') & !from(lower, b'z' + 1);
        let digits = from(bytes, b'0') & !from(bytes, b'9' + 1);
        let blanks = !(from(bytes ^ (0x20 * EACH), 1));
        let words = (letters | digits) & HIGH;
        let others = words ^ HIGH;
        // A blank that follows a blank would end no word.
        let doubled = others & (others << 8 | u64::from(!self.open) << 7);
        if (words | blanks) & HIGH != HIGH || doubled != 0 {
            return false;
        }
        self.bytes[self.end..self.end + BLOCK].copy_from_slice(&lower.to_le_bytes());
        self.end += BLOCK;
        self.open = words >> 63 == 1;
        true
    }

    #[inline]
    fn push_plain(&mut self, plain: u8) {
        // A blank counts where it ends a word, else the next byte takes its place.
        self.bytes[self.end] = plain;
        let is_word = plain != b' ';
        self.end += usize::from(is_word | self.open);
        self.open = is_word;
    }

    /// Takes a sign, which ends a word and is one only where it `counts`.
    fn push_sign(&mut self, sign: u8, counts: bool) {
        self.end += usize::from(std::mem::take(&mut self.open));
        if counts {
            self.bytes[self.end] = sign;
            self.end += 2;
        }
    }
}

/// Words in the making.
struct Writer {
    bytes: Vec<u8>,
    /// Whether the last word is not ended yet.
    open: bool,
    /// The character before the next one.
    before: char,
}

impl Writer {
    fn new(length: usize) -> Self {
        // The room that ASCII may need, so that nothing is moved while it is written.
        Self { bytes: Vec::with_capacity(2 * length + 2), open: false, before: ' ' }
    }

    fn finish(mut self) -> Words {
        self.end();
        Words { text: String::from_utf8(self.bytes).expect("only whole characters are pushed") }
    }

    /// As [`push`](Self::push) for each character of `text`, which is ASCII, without a guess at each word's end.
    fn push_ascii(&mut self, text: &[u8], digit_follows: bool) {
        let Some(&last) = text.last() else { return };
        let start = self.bytes.len();
        // Of two characters, of which the second is a sign, four bytes are made; a word that is open takes one more.
        self.bytes.resize(start + 2 * text.len() + 1, b' ');
        let mut out = Out { bytes: &mut self.bytes, end: start, open: self.open };
        let mut at = 0;
        while at < text.len() {
            if let Some(&block) = text[at..].first_chunk::<BLOCK>()
                && out.push_block(block)
            {
                at += BLOCK;
                continue;
            }
            let end = text.len().min(at + BLOCK);
            for (index, &byte) in (at..end).zip(&text[at..end]) {
                let plain = ASCII[usize::from(byte)];
                if plain == SIGN {
                    let digit = text.get(index + 1).map_or(digit_follows, u8::is_ascii_digit);
                    let before =
                        index.checked_sub(1).map_or(self.before, |at| char::from(text[at]));
                    out.push_sign(byte, byte != b'-' || digit && before.is_whitespace());
                } else {
                    out.push_plain(plain);
                }
            }
            at = end;
        }
        let Out { end, open, .. } = out;
        self.bytes.truncate(end);
        (self.open, self.before) = (open, char::from(last));
    }

    /// As [`push_all`](Self::push_all) for characters of which none is ASCII and each [is composed](is_composed).
    fn push_composed(&mut self, text: &str, digit_after: bool) {
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            if matches!(character, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}') {
                self.end();
                self.write(character);
                self.bytes.push(b' ');
                self.before = character;
            } else {
                let digit_follows = digit_after && characters.as_str().is_empty();
                self.push_all(std::iter::once(character), digit_follows);
            }
        }
    }

    fn push_all(&mut self, characters: impl Iterator<Item = char>, digit_after: bool) {
        let mut characters = characters.flat_map(char::to_lowercase).peekable();
        while let Some(character) = characters.next() {
            let digit = characters.peek().map_or(digit_after, char::is_ascii_digit);
            self.push(character, digit);
        }
    }

    fn push(&mut self, character: char, digit_follows: bool) {
        if is_word(character) {
            self.write(character);
            self.open = true;
        } else {
            self.end();
            let minus = matches!(character, '-' | '\u{2212}');
            if is_alone(character) || minus && digit_follows && self.before.is_whitespace() {
                self.write(character);
                self.bytes.push(b' ');
            }
        }
        self.before = character;
    }

    fn write(&mut self, character: char) {
        self.bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            self.bytes.push(b' ');
        }
    }
}

/// How many bytes `bytes` begins with before one that is not ASCII.
fn ascii_length(bytes: &[u8]) -> usize {
    let blocks = bytes.chunks_exact(32).take_while(|block| block.is_ascii()).count();
    let rest = &bytes[blocks * 32..];
    blocks * 32 + rest.iter().position(|byte| !byte.is_ascii()).unwrap_or(rest.len())
}

/// Whether a character that is not ASCII is surely composed, whatever stands around it: these ranges hold no marks, no
/// jamo, and nothing that NFC replaces.
fn is_composed(character: char) -> bool {
    matches!(u32::from(character),
        0xA0..=0x17F | 0x391..=0x3A1 | 0x3A3..=0x3C9 | 0x410..=0x44F | 0x2010..=0x205E | 0x2190..=0x22FF
            | 0x3001..=0x3029 | 0x3400..=0x9FFF | 0xFF01..=0xFFEE)
}

/// The hashes of all runs of three words, sorted, each once; a shorter text is one run.
pub(crate) fn shingles(words: &Words) -> Vec<u64> {
    let mut hashes = runs(words);
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// As [`shingles`], in the order of the text.
pub(crate) fn runs(words: &Words) -> Vec<u64> {
    let single = word_hashes(words);
    let size = SHINGLE.min(single.len()).max(1);
    single.windows(size).map(run_hash).collect()
}

/// The hash of all of `words` in their order.
pub(crate) fn hash_words(words: &Words) -> u64 {
    hash_bytes(words.as_str().as_bytes())
}

/// A hash that is the same on every machine and in every version of this program (FNV-1a, then mixed).
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    mix(bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    }))
}

/// The hash of each word in its order, the same in every run of this program.
pub(crate) fn word_hashes(words: &Words) -> Vec<u64> {
    let text = words.as_str().as_bytes();
    let mut hashes = Vec::with_capacity(text.len() / 6 + 8);
    let (mut start, mut hash) = (0, 0);
    while start < text.len() {
        let rest = &text[start..];
        let bytes = rest.first_chunk::<8>().copied().unwrap_or_else(|| {
            let mut bytes = [b' '; 8];
            bytes[..rest.len()].copy_from_slice(rest);
            bytes
        });
        let (bytes, length) = until_blank(u64::from_le_bytes(bytes));
        hash = join(hash, bytes);
        start += length;
        if length < 8 {
            start += 1;
            hashes.push(hash);
            hash = 0;
        }
    }
    hashes
}

/// The bytes before the first blank, the others zero, and how many these are.
fn until_blank(bytes: u64) -> (u64, usize) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let without = bytes ^ (EACH * 0x20);
    // The lowest bit of a byte's highest that is set here belongs to the first zero.
    let blanks = without.wrapping_sub(EACH) & !without & (EACH << 7);
    let length = blanks.trailing_zeros() as usize / 8;
    (if length < 8 { bytes & ((1 << (8 * length)) - 1) } else { bytes }, length)
}

/// The hash of several words side by side, from theirs.
pub(crate) fn run_hash(words: &[u64]) -> u64 {
    words.iter().fold(0, |hash, &word| join(hash, word))
}

/// Mixes `next` into `hash` by a product of 128 bits, of which both halves count.
#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
fn join(hash: u64, next: u64) -> u64 {
    let product =
        u128::from(hash ^ 0x9E37_79B9_7F4A_7C15) * u128::from(next ^ 0xE703_7ED1_A0B4_28DB);
    product as u64 ^ (product >> 64) as u64 ^ next
}

/// Spreads every bit over all others (the finaliser of `SplitMix64`).
pub(crate) const fn mix(mut bits: u64) -> u64 {
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
        Words::of(text).as_str().trim_end().replace(' ', "|")
    }

    /// The definition, without the short way that ASCII takes.
    fn plainly(text: &str) -> String {
        let mut words = Writer::new(text.len());
        words.push_all(text.nfc(), false);
        words.finish().text
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
        assert_eq!(hash_words(&Words::of("Fever of unknown")), 2_102_804_815_319_380_146);
    }

    #[test]
    fn what_is_called_composed_is() {
        use unicode_normalization::char::canonical_combining_class;
        use unicode_normalization::{IsNormalized, is_nfc_quick};
        for character in ('\u{80}'..=char::MAX).filter(|&character| is_composed(character)) {
            assert_eq!(canonical_combining_class(character), 0, "{character:?}");
            let quick = is_nfc_quick(std::iter::once(character));
            assert_eq!(quick, IsNormalized::Yes, "{character:?}");
        }
    }

    #[test]
    fn words_hash_alike_wherever_they_stand() {
        let text = "a fever of unknown origin otolaryngology otolaryngologist é 発熱 7";
        let words: Vec<&str> = text.split(' ').collect();
        for start in 0..words.len() {
            let hashes = word_hashes(&Words::of(&words[start..].join(" ")));
            let all = word_hashes(&Words::of(text));
            assert!(all.ends_with(&hashes), "{start}");
        }
        let mut all = word_hashes(&Words::of(text));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), words.len() + 1);
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_gives_the_same_words(
            text in "[aA1 \\-−%“，，Éα\u{301}\u{37e}éİſK発<°≥.\u{e31}\u{1100}\u{1161}\u{ac00}\u{11a8}]{0,40}",
            any: String,
        ) {
            proptest::prop_assert_eq!(Words::of(&text).text, plainly(&text));
            proptest::prop_assert_eq!(Words::of(&any).text, plainly(&any));
        }
    }
}
