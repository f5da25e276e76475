//! Benchmark questions that stand in records, so that a model would be tested on what it was trained on.

use std::collections::HashMap;

use serde::Serialize;

use crate::words::{hash_words, mix, words};

/// Characters that a record and a problem may not have in common in a row: the rule of Med-PaLM 2 and `HuatuoGPT`-o1.
const CHARACTERS: usize = 64;
/// Words that they may not have in common in a row: the rule of GPT-3 and of the lm-evaluation-harness.
const WORDS: usize = 13;
/// A shorter problem is found only where it stands as a whole; one of fewer words than this is not looked for.
const FEWEST_WORDS: usize = 5;

/// How a problem was found in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// 64 characters in a row are the same.
    Characters,
    /// 13 words in a row are the same.
    Words,
    /// The whole problem, shorter than both, stands in the record.
    Whole,
}

/// A problem found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The problem's number, in the order in which problems were added.
    pub problem: usize,
    /// By which rule.
    pub rule: Rule,
}

/// The problems of benchmarks, to be looked for in texts.
///
/// Texts are compared without regard to case, white space and punctuation, by hashes of 64 bits; it holds about 12
/// bytes for each character of the problems.
#[derive(Debug, Default)]
pub struct Benchmark {
    problems: usize,
    characters: HashMap<u64, u32>,
    words: HashMap<u64, u32>,
    /// Whole short problems, by their number of words.
    whole: HashMap<usize, HashMap<u64, u32>>,
}

impl Benchmark {
    /// No problems yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many problems there are.
    pub fn len(&self) -> usize {
        self.problems
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.problems == 0
    }

    /// Adds the text of a problem.
    pub fn add(&mut self, problem: &str) {
        let number = u32::try_from(self.problems).unwrap_or(u32::MAX);
        self.problems += 1;
        let text = Text::of(problem);
        for hash in rolling(&text.characters, CHARACTERS) {
            self.characters.entry(hash).or_insert(number);
        }
        for hash in rolling(&text.words, WORDS) {
            self.words.entry(hash).or_insert(number);
        }
        let count = text.words.len();
        if text.characters.len() < CHARACTERS && (FEWEST_WORDS..WORDS).contains(&count) {
            let whole = self.whole.entry(count).or_default();
            for hash in rolling(&text.words, count) {
                whole.entry(hash).or_insert(number);
            }
        }
    }

    /// The first problem that `text` overlaps with.
    pub fn find(&self, text: &str) -> Option<Overlap> {
        let text = Text::of(text);
        let found = |known: &HashMap<u64, u32>, hashes: Vec<u64>, rule| {
            let number = hashes.iter().find_map(|hash| known.get(hash))?;
            Some(Overlap { problem: *number as usize, rule })
        };
        found(&self.characters, rolling(&text.characters, CHARACTERS), Rule::Characters)
            .or_else(|| found(&self.words, rolling(&text.words, WORDS), Rule::Words))
            .or_else(|| {
                let mut sizes: Vec<_> = self.whole.iter().collect();
                sizes.sort_unstable_by_key(|(size, _)| std::cmp::Reverse(**size));
                sizes.into_iter().find_map(|(&size, known)| {
                    found(known, rolling(&text.words, size), Rule::Whole)
                })
            })
    }
}

/// A text's normalised words and the characters of these, as numbers.
struct Text {
    words: Vec<u64>,
    characters: Vec<u64>,
}

impl Text {
    fn of(text: &str) -> Self {
        let words = words(text);
        let characters = words.iter().flat_map(|word| word.chars().chain([' ']));
        let characters = characters.map(|character| mix(u64::from(u32::from(character)) + 1));
        Self {
            characters: characters.collect(),
            words: words.iter().map(|word| hash_words(&[word])).collect(),
        }
    }
}

/// The hash of every run of `size` of `items`, each from the one before it.
fn rolling(items: &[u64], size: usize) -> Vec<u64> {
    /// Any odd number does, as the items are mixed.
    const BASE: u64 = 0x9E37_79B9_7F4A_7C15;
    if items.len() < size || size == 0 {
        return Vec::new();
    }
    let leaving = (0..size).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let mut hash = 0_u64;
    let mut hashes = Vec::with_capacity(items.len() - size + 1);
    for (index, &item) in items.iter().enumerate() {
        hash = hash.wrapping_mul(BASE).wrapping_add(item);
        if index >= size {
            hash = hash.wrapping_sub(items[index - size].wrapping_mul(leaving));
        }
        if index + 1 >= size {
            hashes.push(mix(hash));
        }
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "A 45-year-old man comes to the clinic with three days of fever, cough, and chest pain that is worse on breathing in. Which finding is most likely?";

    fn check(text: &str) -> Option<(usize, Rule)> {
        let mut benchmark = Benchmark::new();
        benchmark.add(LONG);
        benchmark.add("Which nerve is hurt when the wrist drops?");
        benchmark.add("True or false?");
        benchmark.add("a b c d e f g h i j k l m");
        benchmark.find(text).map(|overlap| (overlap.problem, overlap.rule))
    }

    #[test]
    fn a_long_overlap_is_found_wherever_it_stands() {
        assert_eq!(check(LONG), Some((0, Rule::Characters)));
        let part = "He said: COMES to the clinic with three days of fever cough and chest pain that is new.";
        assert_eq!(check(part), Some((0, Rule::Characters)));
        assert_eq!(check("x y a b c d e f g h i j k l m n"), Some((3, Rule::Words)));
    }

    #[test]
    fn a_short_problem_counts_as_a_whole_only() {
        assert_eq!(
            check("So which nerve is hurt when the wrist drops, then?"),
            Some((1, Rule::Whole))
        );
        assert_eq!(check("Which nerve is hurt when the foot drops?"), None);
        assert_eq!(check("True or false?"), None);
    }

    #[test]
    fn what_is_merely_alike_is_not_found() {
        let other =
            LONG.replace("three", "five").replace("cough", "chills").replace("worse", "better");
        assert_eq!(check(&other), None);
        assert_eq!(check(""), None);
    }

    #[test]
    fn a_rolling_hash_is_that_of_the_run_alone() {
        let items: Vec<u64> = (0..50).map(|number| mix(number % 7)).collect();
        let rolled = rolling(&items, 5);
        assert_eq!(rolled.len(), 46);
        for (start, hash) in rolled.iter().enumerate() {
            assert_eq!(rolling(&items[start..start + 5], 5), [*hash]);
        }
    }
}
