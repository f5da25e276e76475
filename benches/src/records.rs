//! Generated records of question, reasoning and response, the same for the same seed.
//!
//! Each field is a walk over the words of the same field of real records: every next word followed the one before it
//! there. One word in ten is a made-up one and numbers are drawn anew, so that a counter's caches and a search for
//! repeats meet the variety of real data. One question in fifty repeats an earlier one with a word changed.

use std::collections::HashMap;

use crate::prose::{Random, vocabulary};

/// The field names of a record, in the order that they stand in it.
pub const FIELDS: [&str; 3] = ["Question", "Complex_CoT", "Response"];

/// Sizes in bytes to stop a field after, drawn evenly between the two: about 3,000 bytes a record together.
const SIZES: [(usize, usize); 3] = [(120, 420), (1_100, 2_900), (350, 950)];

/// One question in this many is an earlier one with a word changed.
const REPEATED: usize = 50;

/// An endless source of records.
#[derive(Debug)]
pub struct Records<'a> {
    random: Random,
    words: Vec<String>,
    chains: [Chain<'a>; 3],
    question: String,
}

impl<'a> Records<'a> {
    /// Records in the manner of `samples`, whose fields are in the order of [`FIELDS`].
    ///
    /// # Panics
    ///
    /// When a field holds no word in any of the samples.
    pub fn new(samples: &'a [[String; 3]], seed: u64) -> Self {
        let mut random = Random(seed);
        let words = vocabulary(&mut random);
        let chain = |field: usize| Chain::new(samples.iter().map(move |sample| &*sample[field]));
        Self { random, words, chains: [0, 1, 2].map(chain), question: String::new() }
    }
}

impl Iterator for Records<'_> {
    type Item = [String; 3];

    fn next(&mut self) -> Option<[String; 3]> {
        let Self { random, words, chains, question } = self;
        let mut fields = [const { String::new() }; 3];
        for ((field, chain), (low, high)) in fields.iter_mut().zip(chains).zip(SIZES) {
            let size = low + random.below(high - low);
            chain.walk(field, size, random, words);
        }
        if random.below(REPEATED) == 0 && !question.is_empty() {
            fields[0] = changed(question, random, words);
        }
        question.clone_from(&fields[0]);
        Some(fields)
    }
}

/// `text` with one of its words changed.
fn changed(text: &str, random: &mut Random, words: &[String]) -> String {
    let mut list: Vec<&str> = text.split(' ').collect();
    let at = random.below(list.len());
    list[at] = &words[random.rank_below(words.len())];
    list.join(" ")
}

/// Which words follow each other.
#[derive(Debug)]
struct Chain<'a> {
    words: Vec<&'a str>,
    /// For each of the words, where it stands again.
    same: HashMap<&'a str, Vec<usize>>,
    /// The places of words that begin a sentence.
    starts: Vec<usize>,
}

impl<'a> Chain<'a> {
    fn new(texts: impl Iterator<Item = &'a str>) -> Self {
        let (mut words, mut starts) = (Vec::new(), Vec::new());
        let mut same: HashMap<&str, Vec<usize>> = HashMap::new();
        for text in texts {
            let mut begins = true;
            for word in text.split_whitespace() {
                if begins {
                    starts.push(words.len());
                }
                begins = ends(word);
                same.entry(word).or_default().push(words.len());
                words.push(word);
            }
        }
        Self { words, same, starts }
    }

    /// Appends whole sentences until there are `size` bytes.
    fn walk(&self, text: &mut String, size: usize, random: &mut Random, words: &[String]) {
        while text.len() < size {
            let mut at = self.starts[random.below(self.starts.len())];
            // A loop of words may have no end; nobody writes such sentences.
            for _ in 0..60 {
                if !text.is_empty() {
                    text.push(' ');
                }
                push_word(text, self.words[at], random, words);
                if ends(self.words[at]) {
                    break;
                }
                let places = &self.same[self.words[at]];
                at = (places[random.below(places.len())] + 1) % self.words.len();
            }
        }
    }
}

fn push_word(text: &mut String, word: &str, random: &mut Random, words: &[String]) {
    if word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        if random.below(7) == 0 {
            return text.push_str(&words[random.rank_below(words.len())]);
        }
    } else if word.bytes().any(|byte| byte.is_ascii_digit()) {
        return text.extend(word.chars().map(|character| match character {
            '0'..='9' => char::from(b"0123456789"[random.below(10)]),
            other => other,
        }));
    }
    text.push_str(word);
}

fn ends(word: &str) -> bool {
    word.ends_with(['.', '?', '!'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated(seed: u64) -> Vec<[String; 3]> {
        let sample = [
            "A man of 54 years has chest pain and dizziness today. What should be done about that?",
            "The pain points to the heart. His age of 54 makes that likely, and nothing else fits.",
            "An infarct. Take an electrocardiogram within 10 minutes and give aspirin straight away.",
        ];
        let samples = [sample.map(str::to_owned)];
        Records::new(&samples, seed).take(300).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_records() {
        assert_eq!(generated(7), generated(7));
        assert_ne!(generated(7), generated(8));
    }

    #[test]
    fn records_are_of_the_size_and_variety_of_real_ones() {
        let records = generated(42);
        let bytes: usize = records.iter().flatten().map(String::len).sum();
        let mean = bytes / records.len();
        assert!((2_700..3_300).contains(&mean), "{mean}");
        let mut questions: Vec<&String> = records.iter().map(|record| &record[0]).collect();
        questions.sort_unstable();
        questions.dedup();
        assert_eq!(questions.len(), records.len());
        let near = records.windows(2).filter(|pair| {
            let [first, second] = [&pair[0][0], &pair[1][0]].map(|text| text.split(' '));
            first.clone().count() == second.clone().count()
                && first.zip(second).filter(|(a, b)| a != b).count() == 1
        });
        assert!((1..=20).contains(&near.count()));
    }
}
