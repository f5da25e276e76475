//! Records that are longer than the model is trained on.

use anyhow::Context;
use dataset::{Example, Record};
use serde::Serialize;

use crate::counter::Counter;
use crate::meter::Meter;
use crate::report::RecordPlace;
use crate::tally::ExampleTokens;

/// The tokens that frame a message; the places of a cut are right to within so many.
const FRAME: usize = 3;

/// What ends a sentence.
const SENTENCE_ENDS: [char; 6] = ['.', '!', '?', '。', '！', '？'];

/// What to do about records that are longer than the model is trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlong {
    /// Leave them out.
    #[default]
    Reject,
    /// Write nothing if there is one.
    Fail,
    /// Leave the end of their reasoning out, and never any of the response.
    TrimReasoning,
}

/// How far towards its beginning an example would be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Only the end of the response is lost.
    ResponseEnd,
    /// Nothing of the response is left.
    Response,
    /// Nothing of the response is left, and not all of the reasoning.
    Reasoning,
    /// Neither reasoning nor response are left, and not all of the question.
    Question,
}

/// A record that was found too long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Excess {
    /// Its tokens as it was read.
    pub(crate) tokens: usize,
    pub(crate) loss: Loss,
    /// Whether its reasoning was shortened, so that it is too long no more.
    pub(crate) trimmed: bool,
}

/// What was found of records that are too long.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OverlongReport {
    /// The most tokens that the model is trained on, where that is known.
    pub limit: Option<usize>,
    /// What was to be done about longer ones.
    pub policy: Overlong,
    /// Whether it was done; not where the count is an estimate and no limit was given.
    pub applied: bool,
    /// How many records are longer. Cut at the limit they would lose
    pub records: u64,
    /// the end of the response only,
    pub lose_response_end: u64,
    /// the response and nothing else,
    pub lose_response: u64,
    /// the response and some of the reasoning, or all of it,
    pub lose_reasoning: u64,
    /// both and some of the question, or all of it.
    pub lose_question: u64,
    /// How many of them had their reasoning shortened.
    pub trimmed: u64,
    /// The first thousand of them.
    pub places: Vec<OverlongRecord>,
}

/// A record that is too long.
#[derive(Clone, Debug, Serialize)]
pub struct OverlongRecord {
    /// The record.
    #[serde(flatten)]
    pub record: RecordPlace,
    /// Its tokens as it was read.
    pub tokens: usize,
    /// What it would lose.
    pub loss: Loss,
    /// Whether its reasoning was shortened.
    pub trimmed: bool,
}

impl OverlongReport {
    /// Whether a record that is too long by `excess` is left out.
    pub(crate) fn rejects(&self, excess: Excess) -> bool {
        self.applied && self.policy != Overlong::Fail && !excess.trimmed
    }

    /// Counts a record, and lists it among the first `listed`.
    pub(crate) fn add(&mut self, record: RecordPlace, excess: Excess, listed: usize) {
        let Excess { tokens, loss, trimmed } = excess;
        self.records += 1;
        self.trimmed += u64::from(trimmed);
        *match loss {
            Loss::ResponseEnd => &mut self.lose_response_end,
            Loss::Response => &mut self.lose_response,
            Loss::Reasoning => &mut self.lose_reasoning,
            Loss::Question => &mut self.lose_question,
        } += 1;
        if self.places.len() < listed {
            self.places.push(OverlongRecord { record, tokens, loss, trimmed });
        }
    }
}

/// What the example made of `record`, which has `tokens`, loses where only its first `limit` tokens are kept.
pub(crate) fn loss(
    record: &Record,
    example: &Example,
    counter: &Counter,
    (tokens, limit): (usize, usize),
) -> Loss {
    let answer = example.messages.last().map_or("", |message| message.content.as_str());
    let before = |at: usize| tokens.saturating_sub(FRAME + counter.text(&answer[at..]));
    let response = answer.rfind(record.response.trim()).unwrap_or(answer.len());
    let reasoning = record.reasoning.trim();
    let reasoning_end = answer[..response].find(reasoning).map_or(0, |at| at + reasoning.len());
    if limit > before(response) {
        Loss::ResponseEnd
    } else if limit >= before(reasoning_end) {
        Loss::Response
    } else if limit >= before(0).saturating_sub(FRAME) {
        Loss::Reasoning
    } else {
        Loss::Question
    }
}

/// `record` with its reasoning cut after a sentence, or after a word, so that `count` of it is at most `limit`.
///
/// There is none where the rest alone is too long, or where nothing of the reasoning would be left.
pub(crate) fn trimmed(
    record: &Record,
    limit: usize,
    count: impl Fn(&Record) -> anyhow::Result<usize>,
) -> anyhow::Result<Option<Record>> {
    let cut = |end: usize| {
        let reasoning = record.reasoning[..end].trim_end().to_owned();
        Record { reasoning, ..record.clone() }
    };
    for ends in [sentence_ends(&record.reasoning), word_ends(&record.reasoning)] {
        let mut fitting = 0;
        let (mut low, mut high) = (0, ends.len());
        while low < high {
            let middle = low.midpoint(high);
            if count(&cut(ends[middle]))? <= limit {
                fitting = ends[middle];
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if fitting > 0 {
            return Ok(Some(cut(fitting)));
        }
    }
    Ok(None)
}

/// Where sentences and lines end in `text`, but for its own end.
fn sentence_ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut seen = false;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        seen |= !character.is_whitespace();
        let next = characters.peek().map(|&(_, next)| next);
        let ended = SENTENCE_ENDS.contains(&character)
            && (!character.is_ascii() || next.is_some_and(char::is_whitespace));
        if seen && next.is_some() && (ended || next == Some('\n')) {
            ends.push(at + character.len_utf8());
        }
    }
    ends
}

/// Where words end in `text`, but for its own end.
fn word_ends(text: &str) -> Vec<usize> {
    let end = text.trim_end().len();
    let mut before = true;
    let ends = text.char_indices().filter_map(|(at, character)| {
        let space = character.is_whitespace();
        let ended = space && !before && at < end;
        before = space;
        ended.then_some(at)
    });
    ends.collect()
}

/// An example within the limit, or what it is too long by.
pub(crate) struct Measured {
    /// The record with shorter reasoning, where that was asked for and helped.
    pub(crate) trimmed: Option<Record>,
    pub(crate) example: Example,
    pub(crate) tokens: ExampleTokens,
    pub(crate) excess: Option<Excess>,
}

/// Makes the example of `record` by `make`, and shortens its reasoning where `policy` says so.
pub(crate) fn measure(
    record: &Record,
    meter: &Meter<'_>,
    (limit, policy): (Option<usize>, Option<Overlong>),
    make: impl Fn(&Record) -> anyhow::Result<Example>,
) -> anyhow::Result<Measured> {
    let example = make(record)?;
    let tokens = meter.example(record, &example)?;
    let total = tokens.total();
    let Some(limit) = limit.filter(|&limit| total > limit) else {
        return Ok(Measured { trimmed: None, example, tokens, excess: None });
    };
    let loss = loss(record, &example, meter.counter, (total, limit));
    let mut excess = Excess { tokens: total, loss, trimmed: false };
    let shorter = match policy {
        Some(Overlong::TrimReasoning) => {
            trimmed(record, limit, |record| meter.counter.chat(&make(record)?))?
        }
        _ => None,
    };
    let Some(record) = shorter else {
        return Ok(Measured { trimmed: None, example, tokens, excess: Some(excess) });
    };
    excess.trimmed = true;
    let example = make(&record)?;
    let tokens = meter.example(&record, &example).context("the shorter record")?;
    Ok(Measured { trimmed: Some(record), example, tokens, excess: Some(excess) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataset::Place;
    use template::Template;

    fn record(question: &str, reasoning: &str, response: &str) -> Record {
        let [question, reasoning, response] = [question, reasoning, response].map(str::to_owned);
        Record { place: Place::default(), question, reasoning, response }
    }

    fn counter() -> Counter {
        Counter::for_model("gpt-4.1", std::path::Path::new("unused")).unwrap()
    }

    #[test]
    fn a_cut_reaches_the_halves_one_after_another() {
        let text = |word: &str, count: usize| vec![word; count].join(" ");
        let record = record(&text("fever", 40), &text("because", 40), &text("rest", 20));
        let counter = counter();
        let example = Example::new(&record, &Template::Headed, "Be brief.").unwrap();
        let total = counter.chat(&example).unwrap();
        let losses: Vec<Loss> = (1..total)
            .rev()
            .map(|limit| loss(&record, &example, &counter, (total, limit)))
            .collect();
        assert!(losses.is_sorted(), "{losses:?}");
        let count = |loss| losses.iter().filter(|&&found| found == loss).count();
        // The response and the end mark; the heading; the reasoning and its heading; the rest.
        assert_eq!(count(Loss::ResponseEnd), 20 + FRAME - 1);
        assert!((40..50).contains(&count(Loss::Reasoning)), "{losses:?}");
        assert!((3..8).contains(&count(Loss::Response)), "{losses:?}");
        assert!(count(Loss::Question) >= 40, "{losses:?}");
    }

    #[test]
    fn reasoning_is_cut_after_sentences_before_words() {
        let words = |record: &Record| Ok(record.reasoning.split_whitespace().count());
        let check = |reasoning: &str, limit| {
            let cut = trimmed(&record("q", reasoning, "r"), limit, words).unwrap();
            cut.map(|record| record.reasoning)
        };
        let text = "At 37.5 no fever.  So what? \nThink again, and longer. End.";
        assert_eq!(check(text, 7).as_deref(), Some("At 37.5 no fever.  So what?"));
        assert_eq!(check(text, 5).as_deref(), Some("At 37.5 no fever."));
        assert_eq!(check(text, 3).as_deref(), Some("At 37.5 no"));
        assert_eq!(check(text, 0), None);
        assert_eq!(check("一。二。三。", 0), None);
        let characters = |record: &Record| Ok(record.reasoning.chars().count());
        let cut = trimmed(&record("q", "一。二。三。", "r"), 5, characters).unwrap();
        assert_eq!(cut.map(|record| record.reasoning).as_deref(), Some("一。二。"));
    }

    proptest::proptest! {
        #[test]
        fn a_trimmed_record_fits_and_begins_as_before(reasoning in "[a-c .!\n。é]{1,80}", limit in 0usize..40) {
            let count = |record: &Record| Ok(record.reasoning.chars().count());
            let whole = record("q", &reasoning, "r");
            if let Some(cut) = trimmed(&whole, limit, count).unwrap() {
                proptest::prop_assert!(count(&cut).unwrap() <= limit);
                proptest::prop_assert!(reasoning.starts_with(&cut.reasoning));
                proptest::prop_assert!(!cut.reasoning.trim().is_empty());
                proptest::prop_assert_eq!(&cut.response, "r");
            }
        }
    }
}
