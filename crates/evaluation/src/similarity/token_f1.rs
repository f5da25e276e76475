//! Words that two texts share, in any order.

use std::collections::HashMap;

/// The F1 of the words that two texts share, 0 to 1.
///
/// It is that of SQuAD's script, of `candidate` against `reference`. Rajpurkar and others, 2016. Case, ASCII
/// punctuation and the words `a`, `an` and `the` do not count; two texts without any word are alike.
///
/// # Examples
///
/// ```
/// use evaluation::similarity::token_f1;
///
/// assert_eq!(token_f1("The aspirin!", "aspirin"), 1.0);
/// assert_eq!(token_f1("aspirin", "heparin"), 0.0);
/// ```
pub fn token_f1(candidate: &str, reference: &str) -> f64 {
    let (candidate, reference) = (words(candidate), words(reference));
    if candidate.is_empty() || reference.is_empty() {
        return f64::from(u8::from(candidate.is_empty() && reference.is_empty()));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in &reference {
        *left.entry(word).or_insert(0) += 1;
    }
    let mut shared = 0_usize;
    for word in &candidate {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1;
        }
    }
    if shared == 0 {
        return 0.0;
    }
    let (precision, recall) =
        (shared as f64 / candidate.len() as f64, shared as f64 / reference.len() as f64);
    2.0 * precision * recall / (precision + recall)
}

fn words(text: &str) -> Vec<String> {
    let lower: String =
        text.to_lowercase().chars().filter(|character| !character.is_ascii_punctuation()).collect();
    // The script takes articles out where they stand between characters that are no letters, and puts a space there.
    let mut words = String::with_capacity(lower.len());
    let mut rest = lower.as_str();
    while let Some(start) = rest.find(is_letter) {
        let end = rest[start..].find(|c| !is_letter(c)).map_or(rest.len(), |length| start + length);
        words.push_str(&rest[..start]);
        let word = &rest[start..end];
        words.push_str(if matches!(word, "a" | "an" | "the") { " " } else { word });
        rest = &rest[end..];
    }
    words.push_str(rest);
    words.split_whitespace().map(str::to_owned).collect()
}

/// What Python's `\b` takes for a part of a word.
fn is_letter(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
