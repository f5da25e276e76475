//! Records that say the same, or nearly the same.

use std::fmt;
use std::io;
use std::path::Path;

use twox_hash::XxHash3_128;

use crate::contents::Contents;
use crate::minhash::{BANDS, Bands, bands};
use crate::search::Search;
use crate::words::{Words, hash_words, runs};
use crate::{Column, Record};

/// A growing list of records that knows which of them repeat each other.
///
/// It holds 10 to 15 bytes of memory for each record, and none of the text; 152 bytes stand in temporary files.
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
/// let folder = tempfile::tempdir()?;
/// let mut repeats = Repeats::new_in(folder.path());
/// for question in questions {
///     assert_eq!(repeats.add(&record(question))?, None);
/// }
/// // The same but for case and punctuation is no new record.
/// assert_eq!(repeats.add(&record(&questions[0].to_uppercase()))?, Some(0));
/// let groups = repeats.groups(0.5, |number| Ok(questions[number].to_owned()))?;
/// assert_eq!(groups.first, [0, 0, 2]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Repeats {
    /// The records by their normalised texts.
    contents: Contents,
    bands: [Column<4>; BANDS],
    questions: Column<8>,
}

/// Two records whose questions are nearly the same.
///
/// # Examples
///
/// ```
/// use dataset::{Pair, Place, Record, Repeats};
///
/// let questions = ["What is the cause of bleeding gums?", "What is the cause of bleeding gums, please?"];
/// let folder = tempfile::tempdir()?;
/// let mut repeats = Repeats::new_in(folder.path());
/// for question in questions.map(str::to_owned) {
///     repeats.add(&Record { place: Place::default(), question, reasoning: "R".into(), response: "S".into() })?;
/// }
/// let groups = repeats.groups(0.5, |number| Ok(questions[number].to_owned()))?;
/// // Five runs of three words, and the later question has one more.
/// assert_eq!(groups.pairs, [Pair { first: 0, second: 1, similarity: 5.0 / 6.0 }]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The earlier one.
    pub first: u32,
    /// The later one.
    pub second: u32,
    /// The share of three-word runs that the questions have in common.
    pub similarity: f64,
}

/// Which records belong together because their questions are nearly the same.
///
/// # Examples
///
/// ```
/// use dataset::{Column, Fraction, Groups, split_groups};
///
/// // The fourth record resembles the first, so both go to the same side.
/// let first = vec![0, 1, 2, 0, 4, 5, 6, 7, 8, 9, 10, 11];
/// let groups = Groups { first, questions: Column::new_in(".".as_ref()), pairs: Vec::new() };
/// let split = split_groups(&groups.first, Fraction::TENTH, 42);
/// assert_eq!(split.train.contains(&0), split.train.contains(&3));
/// ```
#[derive(Debug)]
pub struct Groups {
    /// For each record the first record of its group, which may be itself.
    pub first: Vec<u32>,
    /// For each record the hash of its normalised question, as little-endian bytes.
    pub questions: Column<8>,
    /// Each record that joined a group, with a record of the group that it resembles.
    pub pairs: Vec<Pair>,
}

impl Repeats {
    /// An empty list, whose temporary files are made in `folder` once there are thousands of records.
    pub fn new_in(folder: &Path) -> Self {
        Self {
            contents: Contents::new_in(folder),
            bands: std::array::from_fn(|_| Column::new_in(folder)),
            questions: Column::new_in(folder),
        }
    }

    /// The earlier record that says the same as `record`, if there is one.
    ///
    /// Case, white space and punctuation make no difference. Otherwise `record` joins the list as the next one.
    ///
    /// # Errors
    ///
    /// An I/O error of a temporary file, as on a full disk, or that there are 2³² records.
    pub fn add(&mut self, record: &Record) -> io::Result<Option<usize>> {
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
    /// let folder = tempfile::tempdir()?;
    /// let mut repeats = Repeats::new_in(folder.path());
    /// assert_eq!(repeats.insert(&likeness)?, None);
    /// assert_eq!(repeats.add(&record)?, Some(0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn insert(&mut self, likeness: &Likeness) -> io::Result<Option<usize>> {
        if let Some(first) = self.contents.find_or_add(likeness.content)? {
            return Ok(Some(first));
        }
        for (column, band) in self.bands.iter_mut().zip(likeness.bands) {
            column.push(band.to_le_bytes())?;
        }
        self.questions.push(likeness.question.to_le_bytes())?;
        Ok(None)
    }

    /// Groups the records whose questions are alike to at least `threshold`, a share of three-word runs.
    ///
    /// Whether two records that look alike are so is decided on their questions themselves, which `question` gives.
    ///
    /// # Errors
    ///
    /// What `question` fails with, or an I/O error of a temporary file.
    pub fn groups(
        self,
        threshold: f64,
        question: impl FnMut(usize) -> io::Result<String>,
    ) -> io::Result<Groups> {
        let Self { contents, bands, questions } = self;
        let mut search = Search::new(contents.len(), threshold, question);
        // What exact repeats are found by is of no use any more.
        drop(contents);
        for band in bands {
            search.band(&band)?;
        }
        let (first, pairs) = search.finish();
        Ok(Groups { first, questions, pairs })
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
/// let folder = tempfile::tempdir()?;
/// assert_eq!(Repeats::new_in(folder.path()).insert(&Likeness::of(&normal))?, None);
/// assert_eq!(Benchmark::new().find_in(&normal), None);
/// assert_eq!(format!("{normal:?}"), "Normal { .. }");
/// # Ok::<(), std::io::Error>(())
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

/// What records that say the same, or nearly the same, have in common.
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
/// let folder = tempfile::tempdir()?;
/// let mut repeats = Repeats::new_in(folder.path());
/// repeats.insert(&likeness("A lack of vitamin C."))?;
/// assert_eq!(repeats.insert(&likeness("a lack of vitamin-C"))?, Some(0));
/// assert_eq!(repeats.insert(&likeness("A lack of fruit."))?, None);
/// # Ok::<(), std::io::Error>(())
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
mod tests;
