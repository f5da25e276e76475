//! Text as the words that count when two texts are compared.

use unicode_normalization::UnicodeNormalization;

/// How many words one shingle joins.
const SHINGLE: usize = 3;

/// The words of `text` without regard to case, white space and punctuation.
///
/// Characters are composed (NFC) and lower-cased. Scripts that are written without spaces give a word for each
/// character. Signs that change a finding (`<`, `≥`, `+`, `%`, a minus before a number) are words of their own, so that
/// "INR < 3" and "INR > 3" differ.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = text.nfc().flat_map(char::to_lowercase).peekable();
    let mut before = ' ';
    while let Some(character) = characters.next() {
        let minus = matches!(character, '-' | '\u{2212}')
            && before.is_whitespace()
            && characters.peek().is_some_and(char::is_ascii_digit);
        if is_alone(character) || minus {
            take(&mut word, &mut words);
            words.push(character.to_string());
        } else if character.is_alphanumeric() || is_mark(character) {
            word.push(character);
        } else {
            take(&mut word, &mut words);
        }
        before = character;
    }
    take(&mut word, &mut words);
    words
}

/// The hashes of all runs of three words, sorted, each once; a shorter text is one run.
pub(crate) fn shingles(words: &[String]) -> Vec<u64> {
    let runs = words.windows(SHINGLE.min(words.len()).max(1));
    let mut hashes: Vec<u64> = runs.map(hash_words).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// A hash that is the same on every machine and in every version of this program (FNV-1a, then mixed).
pub(crate) fn hash_words<W: AsRef<str>>(words: &[W]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for word in words {
        for &byte in word.as_ref().as_bytes().iter().chain(b" ") {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
    mix(hash)
}

/// Spreads every bit over all others (the finaliser of `SplitMix64`).
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

fn take(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
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
        words(text).join("|")
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
        let count = |text: &str| shingles(&words(text)).len();
        assert_eq!(
            ["", "a", "a b", "a b c", "a b c d", "a a a a a"].map(count),
            [0, 1, 1, 1, 2, 1]
        );
    }

    #[test]
    fn hashes_are_pinned() {
        // A changed hash would move records of everybody's stable split.
        assert_eq!(hash_words(&["fever", "of", "unknown"]), 2_102_804_815_319_380_146);
    }
}
