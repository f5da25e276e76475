//! Records that say the same, or nearly the same.

use std::collections::{HashMap, HashSet};
use std::fmt;

use twox_hash::XxHash3_128;

use crate::Record;
use crate::minhash::{BANDS, Bands, bands, jaccard};
use crate::words::{Words, hash_words, runs, shingles};

/// How many different groups a record is compared with in one band, so that boilerplate stays cheap.
const COMPARED: usize = 8;

/// A growing list of records that knows which of them repeat each other.
///
/// It holds about 200 bytes for each record, and none of the text.
///
/// # Examples
///
/// ```
/// use dataset::{Place, Record, Repeats};
///
/// let record = |question: &str| Record {
///     place: Place::default(),
///     question: question.to_owned(),
///     reasoning: "Gums bleed without collagen.".to_owned(),
///     response: "A lack of vitamin C.".to_owned(),
/// };
/// let questions = [
///     "A sailor of 40 has bleeding gums after four months at sea. What does he lack?",
///     "A sailor of 45 has bleeding gums after four months at sea. What does he lack?",
///     "A child of 2 has bowed legs after a winter indoors. What does it lack?",
/// ];
/// let mut repeats = Repeats::new();
/// for question in questions {
///     assert_eq!(repeats.add(&record(question)), None);
/// }
/// // The same but for case and punctuation is no new record.
/// assert_eq!(repeats.add(&record(&questions[0].to_uppercase())), Some(0));
/// let groups = repeats.groups(0.5, |number| Ok::<_, std::io::Error>(questions[number].to_owned()))?;
/// assert_eq!(groups.first, [0, 0, 2]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Repeats {
    /// The first record with each content, by a hash of its normalised texts.
    contents: HashMap<u128, usize>,
    bands: Vec<Bands>,
    questions: Vec<u64>,
}

/// Two records whose questions are nearly the same.
///
/// # Examples
///
/// ```
/// use dataset::{Pair, Place, Record, Repeats};
///
/// let questions = ["What is the cause of bleeding gums?", "What is the cause of bleeding gums, please?"];
/// let mut repeats = Repeats::new();
/// for question in questions.map(str::to_owned) {
///     repeats.add(&Record { place: Place::default(), question, reasoning: "R".into(), response: "S".into() });
/// }
/// let groups = repeats.groups(0.5, |number| Ok::<_, std::io::Error>(questions[number].to_owned()))?;
/// // Five runs of three words, and the later question has one more.
/// assert_eq!(groups.pairs, [Pair { first: 0, second: 1, similarity: 5.0 / 6.0 }]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The earlier one.
    pub first: usize,
    /// The later one.
    pub second: usize,
    /// The share of three-word runs that the questions have in common.
    pub similarity: f64,
}

/// Which records belong together because their questions are nearly the same.
///
/// # Examples
///
/// ```
/// use dataset::{Fraction, Groups, split_groups};
///
/// // The fourth record resembles the first, so both go to the same side.
/// let groups = Groups { first: vec![0, 1, 2, 0, 4, 5, 6, 7, 8, 9, 10, 11], ..Groups::default() };
/// let split = split_groups(&groups.first, Fraction::TENTH, 42);
/// assert_eq!(split.train.contains(&0), split.train.contains(&3));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    /// For each record the first record of its group, which may be itself.
    pub first: Vec<usize>,
    /// For each record the hash of its normalised question.
    pub questions: Vec<u64>,
    /// Each record that joined a group, with a record of the group that it resembles.
    pub pairs: Vec<Pair>,
}

impl Repeats {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// The earlier record that says the same as `record` but for case, white space and punctuation, if there is one.
    ///
    /// Otherwise `record` joins the list as the next one.
    pub fn add(&mut self, record: &Record) -> Option<usize> {
        self.insert(&Likeness::of(&Normal::of(record)))
    }

    /// As [`add`](Self::add), for a record whose likeness was found before, perhaps on another thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use dataset::{Likeness, Normal, Place, Record, Repeats};
    ///
    /// let [question, reasoning, response] = ["Why?", "Because.", "So."].map(str::to_owned);
    /// let record = Record { place: Place::default(), question, reasoning, response };
    /// let likeness = std::thread::scope(|scope| {
    ///     scope.spawn(|| Likeness::of(&Normal::of(&record))).join().expect("it does not panic")
    /// });
    /// let mut repeats = Repeats::new();
    /// assert_eq!(repeats.insert(&likeness), None);
    /// assert_eq!(repeats.add(&record), Some(0));
    /// ```
    pub fn insert(&mut self, likeness: &Likeness) -> Option<usize> {
        let next = self.bands.len();
        let first = *self.contents.entry(likeness.content).or_insert(next);
        if first < next {
            return Some(first);
        }
        self.bands.push(likeness.bands);
        self.questions.push(likeness.question);
        None
    }

    /// Groups the records whose questions are alike to at least `threshold`, a share of three-word runs.
    ///
    /// Whether two records that look alike are so is decided on their questions themselves, which `question` gives.
    ///
    /// # Errors
    ///
    /// What `question` fails with.
    pub fn groups<E>(
        self,
        threshold: f64,
        mut question: impl FnMut(usize) -> Result<String, E>,
    ) -> Result<Groups, E> {
        let Self { bands, questions, .. } = self;
        let mut search = Search {
            groups: Groups { first: (0..bands.len()).collect(), questions, pairs: Vec::new() },
            unlike: HashSet::new(),
        };
        // Each record's number below its band, which sort as pairs do and faster.
        let mut order: Vec<u64> = Vec::with_capacity(bands.len());
        for band in 0..BANDS {
            order.clear();
            let numbered = bands.iter().zip(0_u32..);
            order.extend(numbered.map(|(bands, at)| u64::from(bands[band]) << 32 | u64::from(at)));
            order.sort_unstable();
            for run in order.chunk_by(|a, b| a >> 32 == b >> 32) {
                search.compare(run, threshold, &mut question)?;
            }
        }
        Ok(search.finish())
    }
}

/// The record of an entry of a band.
#[expect(clippy::cast_possible_truncation, reason = "it is the lower half")]
fn record_of(entry: u64) -> usize {
    entry as u32 as usize
}

struct Search {
    groups: Groups,
    /// Pairs that were looked at and are not alike.
    unlike: HashSet<(usize, usize)>,
}

impl Search {
    /// Compares each record of `run`, in their order, with the groups before it.
    fn compare<E>(
        &mut self,
        run: &[u64],
        threshold: f64,
        question: &mut impl FnMut(usize) -> Result<String, E>,
    ) -> Result<(), E> {
        let Some((&first, rest)) = run.split_first() else { return Ok(()) };
        let mut known: Vec<(usize, Option<Vec<u64>>)> = vec![(record_of(first), None)];
        for record in rest.iter().map(|&entry| record_of(entry)) {
            let mut own = None;
            let mut joined = false;
            for (other, set) in &mut known {
                if self.root(*other) == self.root(record) {
                    joined = true;
                    continue;
                }
                if self.unlike.contains(&(*other, record)) {
                    continue;
                }
                let mut load = |record| question(record).map(|text| shingles(&Words::of(&text)));
                if set.is_none() {
                    *set = Some(load(*other)?);
                }
                if own.is_none() {
                    own = Some(load(record)?);
                }
                let similarity =
                    jaccard(set.as_deref().unwrap_or(&[]), own.as_deref().unwrap_or(&[]));
                if similarity >= threshold {
                    self.join(Pair { first: *other, second: record, similarity });
                    joined = true;
                } else {
                    self.unlike.insert((*other, record));
                }
            }
            if !joined && known.len() < COMPARED {
                known.push((record, own));
            }
        }
        Ok(())
    }

    fn root(&self, mut record: usize) -> usize {
        while self.groups.first[record] != record {
            record = self.groups.first[record];
        }
        record
    }

    fn join(&mut self, pair: Pair) {
        let (a, b) = (self.root(pair.first), self.root(pair.second));
        self.groups.first[a.max(b)] = a.min(b);
        self.groups.pairs.push(pair);
    }

    fn finish(mut self) -> Groups {
        for record in 0..self.groups.first.len() {
            // Every record before this one points at its root already.
            self.groups.first[record] = self.groups.first[self.groups.first[record]];
        }
        self.groups.pairs.sort_unstable_by_key(|pair| (pair.second, pair.first));
        self.groups
    }
}

/// A record's three texts without regard to case, white space and punctuation.
///
/// # Examples
///
/// ```
/// use dataset::{Benchmark, Likeness, Normal, Place, Record, Repeats};
///
/// let [question, reasoning, response] = ["Why?", "Because.", "So."].map(str::to_owned);
/// let record = Record { place: Place::default(), question, reasoning, response };
/// // Made once for each record, it serves the search for repeats and for problems of benchmarks.
/// let normal = Normal::of(&record);
/// assert_eq!(Repeats::new().insert(&Likeness::of(&normal)), None);
/// assert_eq!(Benchmark::new().find_in(&normal), None);
/// assert_eq!(format!("{normal:?}"), "Normal { .. }");
/// ```
pub struct Normal(pub(crate) [Words; 3]);

impl Normal {
    /// The texts of `record`.
    pub fn of(record: &Record) -> Self {
        Self([&record.question, &record.reasoning, &record.response].map(|text| Words::of(text)))
    }
}

impl fmt::Debug for Normal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A record's text is in no log.
        f.debug_struct("Normal").finish_non_exhaustive()
    }
}

/// What two records that say the same have in common, and what those that say nearly the same have nearly in common.
///
/// # Examples
///
/// ```
/// use dataset::{Likeness, Normal, Place, Record, Repeats};
///
/// let record = |response: &str| Record {
///     place: Place::default(),
///     question: "What causes scurvy?".to_owned(),
///     reasoning: "Gums bleed.".to_owned(),
///     response: response.to_owned(),
/// };
/// let likeness = |response| Likeness::of(&Normal::of(&record(response)));
/// let mut repeats = Repeats::new();
/// repeats.insert(&likeness("A lack of vitamin C."));
/// assert_eq!(repeats.insert(&likeness("a lack of vitamin-C")), Some(0));
/// assert_eq!(repeats.insert(&likeness("A lack of fruit.")), None);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Likeness {
    content: u128,
    bands: Bands,
    question: u64,
}

impl Likeness {
    /// The likeness of a record with these texts.
    pub fn of(Normal(texts): &Normal) -> Self {
        let [question, ..] = texts;
        Self {
            content: content(texts),
            bands: bands(&runs(question)),
            question: hash_words(question),
        }
    }
}

/// The hash of a record's normalised texts.
fn content(texts: &[Words; 3]) -> u128 {
    texts.iter().fold(0, |hash: u128, words| {
        // Each text's hash is turned by the ones behind it, so that their order counts.
        hash.rotate_left(41) ^ XxHash3_128::oneshot(words.as_str().as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    const STEM: &str = "a 45 year old man comes to the clinic with three days of fever cough and pain on breathing in";

    fn record(question: &str, response: &str) -> Record {
        Record {
            place: Place::default(),
            question: question.to_owned(),
            reasoning: "Because.".to_owned(),
            response: response.to_owned(),
        }
    }

    fn groups(questions: &[String]) -> Groups {
        let mut repeats = Repeats::new();
        for (index, question) in questions.iter().enumerate() {
            assert_eq!(repeats.add(&record(question, &format!("answer {index}"))), None);
        }
        repeats.groups::<()>(0.6, |index| Ok(questions[index].clone())).unwrap()
    }

    #[test]
    fn the_same_record_in_other_clothes_is_an_exact_repeat() {
        let mut repeats = Repeats::new();
        assert_eq!(repeats.add(&record("Fever of 39 °C?", "Rest.")), None);
        assert_eq!(repeats.add(&record("fever  of 39°C", "REST")), Some(0));
        assert_eq!(repeats.add(&record("Fever of 39 °C?", "Rest. Drink.")), None);
        assert_eq!(repeats.add(&record("Fever of 38 °C?", "Rest.")), None);
        assert_eq!(repeats.add(&record("Fever of 38 °C", "Rest")), Some(2));
    }

    #[test]
    fn nearly_the_same_questions_form_a_group() {
        let questions = [
            STEM.to_owned(),
            "which nerve is hurt when the wrist drops after a fracture of the shaft of the humerus"
                .to_owned(),
            STEM.replace("three", "four"),
            format!("{STEM} today"),
            STEM.to_uppercase(),
        ];
        let groups = groups(&questions);
        assert_eq!(groups.first, [0, 1, 0, 0, 0]);
        assert_eq!(groups.pairs.len(), 3);
        assert!(groups.pairs.iter().all(|pair| pair.first < pair.second && pair.similarity >= 0.6));
        assert_eq!(groups.questions[0], groups.questions[4]);
    }

    #[test]
    fn planted_near_repeats_are_found_and_nothing_else() {
        // Questions of 40 words; every tenth record repeats the one before it with two words changed.
        let word = |number: u64| format!("w{}", crate::words::mix(number) % 3000);
        let fresh =
            |number: u64| -> Vec<String> { (0..40).map(|at| word(number * 100 + at)).collect() };
        let mut questions: Vec<Vec<String>> = Vec::new();
        for number in 0..2000_u64 {
            let mut question = fresh(number);
            if number % 10 == 9 {
                question = questions.last().unwrap().clone();
                question[7] = "changed".to_owned();
                question[30] = "too".to_owned();
            }
            questions.push(question);
        }
        let questions: Vec<String> = questions.into_iter().map(|words| words.join(" ")).collect();
        let groups = groups(&questions);
        let found =
            groups.first.iter().enumerate().filter(|(record, first)| record != *first).count();
        let planted = groups.first.iter().enumerate();
        let wrong = planted.filter(|&(record, &first)| {
            first != record && (record % 10 != 9 || first != record - 1)
        });
        assert_eq!(wrong.count(), 0);
        // 38 runs of three each, 6 of them changed: similarity 32 / 44 = 0.73, missed with probability 1e-5.
        assert!(found >= 199, "{found} of 200");
    }

    #[test]
    fn many_equal_questions_stay_cheap() {
        let questions = vec![STEM.to_owned(); 3000];
        let mut asked = 0;
        let mut repeats = Repeats::new();
        for index in 0..questions.len() {
            repeats.add(&record(STEM, &format!("answer {index}")));
        }
        let groups = repeats.groups::<()>(0.6, |index| {
            asked += 1;
            Ok(questions[index].clone())
        });
        assert!(groups.unwrap().first.iter().all(|&first| first == 0));
        assert!(asked < 2 * questions.len(), "{asked}");
    }
}
