//! Benchmark questions that stand in records, so that a model would be tested on what it was trained on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use serde::Serialize;

use crate::repeats::Normal;
use crate::words::{Words, hash_bytes, mix, run_hash, word_hashes};

/// Characters that a record and a problem may not have in common in a row: the rule of Med-PaLM 2 and `HuatuoGPT`-o1.
const CHARACTERS: usize = 64;
/// Bytes of the runs that are looked for first: every run of [`CHARACTERS`] characters holds one that starts at a
/// multiple of [`STEP`].
const GLANCE: usize = CHARACTERS - STEP + 1;
/// How far apart these runs start.
const STEP: usize = 32;
/// Words that they may not have in common in a row: the rule of GPT-3 and of the lm-evaluation-harness.
const WORDS: usize = 13;
/// A shorter problem is found only where it stands as a whole; one of fewer words than this is not looked for.
const FEWEST_WORDS: usize = 5;

/// How a problem was found in a record.
///
/// # Examples
///
/// ```
/// use dataset::{Benchmark, Rule};
///
/// let mut benchmark = Benchmark::new();
/// benchmark.add("Which nerve is hurt when the wrist drops?");
/// let overlap = benchmark.find("He asked which nerve is hurt when the wrist drops, and I knew.");
/// assert_eq!(overlap.map(|overlap| overlap.rule), Some(Rule::Whole));
/// ```
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
///
/// # Examples
///
/// ```
/// use dataset::{Benchmark, Overlap, Rule};
///
/// let mut benchmark = Benchmark::new();
/// benchmark.add("Which vitamin prevents scurvy in sailors?");
/// benchmark.add("A 60-year-old man has had crushing pain in his chest for an hour and sweats. What is next?");
/// let found = benchmark.find("A 60-year-old man has had crushing pain in his chest for an hour and sweats. Aspirin?");
/// assert_eq!(found, Some(Overlap { problem: 1, rule: Rule::Characters }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The problem's number, in the order in which problems were added.
    pub problem: usize,
    /// By which rule.
    pub rule: Rule,
}

/// The problems of benchmarks, to be looked for in texts.
///
/// Texts are compared without regard to case, white space and punctuation, by hashes of 64 bits; it holds about 24
/// bytes for each character of the problems.
///
/// # Examples
///
/// ```
/// use dataset::{Benchmark, Normal, Place, Record};
///
/// let mut benchmark = Benchmark::new();
/// assert!(benchmark.is_empty());
/// benchmark.add("A 60-year-old man has had crushing pain in his chest for an hour and sweats. What is next?");
/// assert_eq!(benchmark.len(), 1);
/// let case = "Case: a 60 year old man has had CRUSHING pain in his chest for an hour, and sweats a lot.";
/// assert_eq!(benchmark.find(case).map(|overlap| overlap.problem), Some(0));
/// assert_eq!(benchmark.find("A child coughs at night."), None);
/// // A record is searched as a whole, each of its texts for itself.
/// let [question, response] = ["What is done first?", "Aspirin."].map(str::to_owned);
/// let record = Record { place: Place::default(), question, reasoning: case.to_owned(), response };
/// assert!(benchmark.find_in(&Normal::of(&record)).is_some());
/// ```
#[derive(Debug, Default)]
pub struct Benchmark {
    problems: usize,
    /// All runs of [`GLANCE`] bytes, so that most texts need no closer look at their characters.
    glances: Hashes,
    characters: Known,
    /// Where the runs of words stand, so that most texts need no closer look at their words.
    short: Short,
    /// Runs of [`WORDS`] words that are too short to be found by their characters.
    words: WordRuns,
    /// Whole short problems, by their number of words, the longest first.
    whole: BTreeMap<Reverse<usize>, WordRuns>,
}

/// Runs of one number of words.
#[derive(Debug, Default)]
struct WordRuns {
    known: Known,
    /// All runs of half as many words, rounded up: each run holds one that starts at a multiple of this number.
    halves: Hashes,
}

impl WordRuns {
    /// Adds a run of `words` as one of the problem `number`.
    fn add(&mut self, words: &[u64], number: u32) {
        for half in words.windows(words.len().div_ceil(2)) {
            self.halves.insert(run_hash(half));
        }
        self.known.entry(run_hash(words)).or_insert(number);
    }

    /// The problem of the first run of `size` of `words` that is known.
    fn find(&self, words: &[u64], size: usize) -> Option<u32> {
        let mut halves = words.chunks_exact(size.div_ceil(2)).map(run_hash);
        if self.known.is_empty() || !halves.any(|hash| self.halves.contains(hash)) {
            return None;
        }
        words.windows(size).find_map(|run| self.known.get(&run_hash(run)).copied())
    }
}

/// Bytes of the runs by which short texts are looked for.
const WINDOW: usize = 16;
/// Where a text is shorter than this, it is not looked for by its bytes.
const FEWEST_BYTES: usize = WINDOW + 4;

/// Texts that may stand in others, by all their runs of [`WINDOW`] bytes.
#[derive(Debug, Default)]
struct Short {
    windows: Hashes,
    /// The bytes of the shortest text, if there is any.
    least: Option<usize>,
}

impl Short {
    fn add(&mut self, text: &[u8]) {
        self.least = Some(self.least.map_or(text.len(), |least| least.min(text.len())));
        for window in text.windows(WINDOW) {
            self.windows.insert(glance(window));
        }
    }

    /// Whether one of the texts may stand in `text`; where one does, the answer is yes.
    fn may_stand_in(&self, text: &[u8]) -> bool {
        match self.least {
            None => false,
            Some(..FEWEST_BYTES) => true,
            // A text of `least` bytes holds a window that starts at a multiple of this step.
            Some(least) => {
                let mut windows = text.windows(WINDOW).step_by(least - WINDOW + 1).map(glance);
                windows.any(|hash| self.windows.contains(hash))
            }
        }
    }
}

/// A set of hashes that mostly tells what it does not hold by a single bit.
#[derive(Debug, Default)]
struct Hashes {
    known: HashSet<u64, BuildHasherDefault<Mixed>>,
    /// A bit for each value of the highest bits of a hash, which is set where such a hash is known.
    bits: Vec<u64>,
}

/// How many bits there are at least for each hash.
const BITS: usize = 16;

impl Hashes {
    fn insert(&mut self, hash: u64) {
        if !self.known.insert(hash) {
            return;
        }
        if self.known.len() * BITS <= self.bits.len() * 64 {
            self.set(hash);
            return;
        }
        self.bits = vec![0; (self.bits.len() * 4).max(64)];
        for hash in std::mem::take(&mut self.known) {
            self.set(hash);
            self.known.insert(hash);
        }
    }

    #[inline]
    fn contains(&self, hash: u64) -> bool {
        let (word, bit) = self.place(hash);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0) && self.known.contains(&hash)
    }

    fn set(&mut self, hash: u64) {
        let (word, bit) = self.place(hash);
        self.bits[word] |= bit;
    }

    /// The word of a hash's bit, and the bit in it.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "it is less than the number of words")]
    fn place(&self, hash: u64) -> (usize, u64) {
        let word = (u128::from(hash) * self.bits.len() as u128) >> 64;
        (word as usize, 1 << (hash & 63))
    }
}

/// The problem that each hash is from.
type Known = HashMap<u64, u32, BuildHasherDefault<Mixed>>;

/// Takes a hash that is well mixed already as it is.
#[derive(Debug, Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash_bytes(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
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
        let text = Words::of(problem);
        for window in text.as_str().as_bytes().windows(GLANCE) {
            self.glances.insert(glance(window));
        }
        for hash in character_runs(&text) {
            self.characters.entry(hash).or_insert(number);
        }
        let (words, texts) = (word_hashes(&text), text.iter().collect::<Vec<_>>());
        for (run, words) in texts.windows(WORDS).zip(words.windows(WORDS)) {
            // A longer run has so many characters in common with whatever holds it.
            if run.iter().map(|word| word.chars().count()).sum::<usize>() < CHARACTERS {
                self.short.add(run.concat().as_bytes());
                self.words.add(words, number);
            }
        }
        let (characters, count) = (text.as_str().chars().count(), words.len());
        if characters < CHARACTERS && (FEWEST_WORDS..WORDS).contains(&count) {
            self.short.add(text.as_str().as_bytes());
            self.whole.entry(Reverse(count)).or_default().add(&words, number);
        }
    }

    /// The first problem that `text` overlaps with.
    pub fn find(&self, text: &str) -> Option<Overlap> {
        self.find_words(&Words::of(text))
    }

    /// The first problem that one of a record's texts overlaps with.
    pub fn find_in(&self, Normal(texts): &Normal) -> Option<Overlap> {
        texts.iter().find_map(|text| self.find_words(text))
    }

    fn find_words(&self, text: &Words) -> Option<Overlap> {
        let overlap = |number: u32, rule| Overlap { problem: number as usize, rule };
        let bytes = text.as_str().as_bytes();
        let mut glances = bytes.windows(GLANCE).step_by(STEP).map(glance);
        if glances.any(|hash| self.glances.contains(hash))
            && let Some(&number) = character_runs(text).find_map(|hash| self.characters.get(&hash))
        {
            return Some(overlap(number, Rule::Characters));
        }
        if !self.short.may_stand_in(bytes) {
            return None;
        }
        let words = word_hashes(text);
        let mut whole = self.whole.iter();
        self.words.find(&words, WORDS).map(|number| overlap(number, Rule::Words)).or_else(|| {
            let number = whole.find_map(|(&Reverse(size), runs)| runs.find(&words, size))?;
            Some(overlap(number, Rule::Whole))
        })
    }
}

/// The hash of some bytes, eight at a time.
#[inline]
fn glance(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let last = rest.iter().fold(0, |last, &byte| last << 8 | u64::from(byte));
    words.iter().fold(last, |hash, &word| {
        (hash.rotate_left(29) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}

/// The hash of every run of [`CHARACTERS`] characters.
fn character_runs(text: &Words) -> impl Iterator<Item = u64> {
    let characters = text.as_str().chars();
    rolling::<CHARACTERS>(
        characters.map(|character| u64::from(u32::from(character)) + 1),
        CHARACTERS,
    )
}

/// The hash of every run of `size` of `items`, at most `MOST`, each from the one before it.
fn rolling<const MOST: usize>(
    items: impl Iterator<Item = u64>,
    size: usize,
) -> impl Iterator<Item = u64> {
    /// Any odd number does, as the items are mixed.
    const BASE: u64 = 0x9E37_79B9_7F4A_7C15;
    let leaving = (0..size).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    // The items of the run that ends, as a ring.
    let mut run = [0_u64; MOST];
    let (mut at, mut seen, mut hash) = (0, 0, 0_u64);
    items.filter_map(move |item| {
        let item = mix(item);
        hash = hash.wrapping_mul(BASE).wrapping_add(item);
        hash = hash.wrapping_sub(run[at].wrapping_mul(leaving));
        run[at] = item;
        at = if at + 1 == size { 0 } else { at + 1 };
        seen += 1;
        (seen >= size).then(|| mix(hash))
    })
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
    fn an_overlap_of_64_characters_is_found_at_every_place_and_one_of_63_at_none() {
        let mut benchmark = Benchmark::new();
        let problem: String =
            (0..300_u32).map(|at| char::from(b'a' + (mix(at.into()) % 26) as u8)).collect();
        benchmark.add(&problem);
        for start in 0..80 {
            let text = |length: usize| {
                format!("{}é{}é", "x".repeat(start % 37), &problem[start..start + length])
            };
            assert_eq!(
                benchmark.find(&text(64)).map(|found| found.rule),
                Some(Rule::Characters),
                "{start}"
            );
            assert_eq!(benchmark.find(&text(63)), None, "{start}");
        }
    }

    /// The first problem by the rules as they are told, each problem and each run of the text on its own.
    fn plainly(problems: &[String], text: &str) -> Option<(usize, Rule)> {
        let words =
            |text: &str| -> Vec<String> { Words::of(text).iter().map(str::to_owned).collect() };
        let text = words(text);
        // What stands before a text tells whether a run in it must begin with a word.
        let first_of = |before: &str, runs: Vec<String>| {
            let holds = |run: &String| {
                let whole = |problem: &String| before.to_owned() + &words(problem).concat();
                problems.iter().position(|problem| whole(problem).contains(run))
            };
            runs.iter().find_map(holds)
        };
        let characters: Vec<char> = text.concat().chars().collect();
        let runs = characters.windows(CHARACTERS).map(|run| run.iter().collect()).collect();
        if let Some(problem) = first_of("", runs) {
            return Some((problem, Rule::Characters));
        }
        let run = |words: &[String]| format!(" {}", words.concat());
        if let Some(problem) = first_of(" ", text.windows(WORDS).map(run).collect()) {
            return Some((problem, Rule::Words));
        }
        let whole = |size: usize| {
            let short = |problem: &&String| words(problem).len() == size;
            let found = |run: &[String]| {
                let same = |problem: &String| words(problem) == *run;
                problems.iter().position(|problem| short(&problem) && same(problem))
            };
            text.windows(size).find_map(found)
        };
        (FEWEST_WORDS..WORDS).rev().find_map(whole).map(|problem| (problem, Rule::Whole))
    }

    proptest::proptest! {
        #[test]
        fn what_is_found_is_what_the_rules_say(
            problems in proptest::collection::vec("[a-c]( [a-c]| é| 發){0,20}|[ab]( [ab]| 2{5,9}){0,20}", 0..4),
            before in "( x){0,40}",
            (from, length) in (0usize..20, 0usize..60),
            after in "( [a-c]){0,20}",
        ) {
            let part: String = problems.first().map_or("", |problem| problem.as_str())
                .chars().skip(from / 2 * 2).take(length).collect();
            let text = format!("{before} {part} {after}");
            let mut benchmark = Benchmark::new();
            for problem in &problems {
                benchmark.add(problem);
            }
            let found = benchmark.find(&text).map(|overlap| (overlap.problem, overlap.rule));
            proptest::prop_assert_eq!(found, plainly(&problems, &text));
        }
    }

    #[test]
    fn a_rolling_hash_is_that_of_the_run_alone() {
        let items: Vec<u64> = (0..50).map(|number| number % 7).collect();
        let hashes = |items: &[u64]| rolling::<8>(items.iter().copied(), 5).collect::<Vec<_>>();
        let rolled = hashes(&items);
        assert_eq!(rolled.len(), 46);
        for (start, hash) in rolled.iter().enumerate() {
            assert_eq!(hashes(&items[start..start + 5]), [*hash]);
        }
    }
}
