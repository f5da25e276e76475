//! What a training file holds, in numbers: examples, system prompts, and tokens by the halves of the answers.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use engine::{ChatMessage, Model, TrainOptions};
use plot::Bins;
use rayon::prelude::*;
use serde::Serialize;
use template::{Answer, Template};

use crate::rows::{Content, Rows};

/// How many system prompts are shown, the commonest first.
const PROMPTS_SHOWN: usize = 5;
/// How many reports are kept, so that a page that is opened again has no tokens counted again.
const REPORTS_KEPT: usize = 16;

/// The report on a training file.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `conversations`, or `preferences`: then what is told of answers is of the preferred ones.
    kind: &'static str,
    examples: usize,
    messages: usize,
    /// Messages that carry a speaker's name, which no chat template here has a place for.
    named_messages: usize,
    /// The commonest first.
    system_prompts: Vec<SystemPrompt>,
    distinct_system_prompts: usize,
    answers: Shapes,
    /// Where a model is named whose tokens are meant.
    tokens: Option<Tokens>,
}

#[derive(Debug, Serialize)]
struct SystemPrompt {
    text: String,
    examples: usize,
}

/// How many answers have which marks between reasoning and response.
#[derive(Debug, Default, Serialize)]
struct Shapes {
    headed: usize,
    think: usize,
    plain: usize,
}

#[derive(Debug, Serialize)]
struct Tokens {
    /// The base model whose tokenizer counted.
    model: String,
    /// How many tokens of an example are trained on.
    limit: usize,
    /// Examples that have more.
    cut: usize,
    /// Tokens that carry loss, in one epoch.
    trained: u64,
    parts: Parts,
}

#[derive(Debug, Serialize)]
struct Parts {
    whole: Part,
    question: Part,
    reasoning: Part,
    response: Part,
}

/// A part of all examples.
#[derive(Debug, Serialize)]
struct Part {
    total: u64,
    median: u64,
    p95: u64,
    max: u64,
    bins: Counted,
}

#[derive(Debug, Serialize)]
struct Counted {
    width: f64,
    counts: Vec<u64>,
    beyond: u64,
}

/// Tokens of one example.
struct Counts {
    whole: usize,
    trained: usize,
    question: usize,
    reasoning: usize,
    response: usize,
}

impl Report {
    /// Reports on `rows`, with the tokens of `model` where one is given.
    ///
    /// # Errors
    ///
    /// The place of the first example, counted from 1, that the model's template refuses, and why.
    pub(crate) fn new(
        rows: &Rows,
        model: Option<(&str, &Model)>,
    ) -> Result<Self, (usize, engine::Error)> {
        let (kind, conversations) = conversations(&rows.content);
        let answers: Vec<(Shape, Answer)> =
            conversations.par_iter().map(|row| split(row)).collect();
        let mut shapes = Shapes::default();
        for (shape, _) in &answers {
            *match shape {
                Shape::Headed => &mut shapes.headed,
                Shape::Think => &mut shapes.think,
                Shape::Plain => &mut shapes.plain,
            } += 1;
        }
        let (system_prompts, distinct_system_prompts) = system_prompts(&conversations);
        let tokens = model.map(|(name, model)| tokens(name, model, &conversations, &answers));
        Ok(Self {
            kind,
            examples: conversations.len(),
            messages: conversations.iter().map(Vec::len).sum(),
            named_messages: rows.noticed.named_messages,
            system_prompts,
            distinct_system_prompts,
            answers: shapes,
            tokens: tokens.transpose()?,
        })
    }
}

/// What the rows are, and each as a conversation.
fn conversations(content: &Content) -> (&'static str, Cow<'_, [Vec<ChatMessage>]>) {
    match content {
        Content::Conversations(conversations) => ("conversations", Cow::Borrowed(conversations)),
        Content::Preferences(pairs) => {
            let preferred = pairs.iter().map(|pair| {
                let mut conversation = pair.input.clone();
                conversation.push(pair.preferred.clone());
                conversation
            });
            ("preferences", preferred.collect())
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Headed,
    Think,
    Plain,
}

/// Where the last answer of the conversation stands.
fn last_answer(conversation: &[ChatMessage]) -> usize {
    conversation.iter().rposition(|message| message.role == "assistant").unwrap_or_default()
}

/// The last answer by the marks that it holds.
fn split(conversation: &[ChatMessage]) -> (Shape, Answer) {
    let text = conversation.get(last_answer(conversation)).map_or("", |answer| &answer.content);
    for (shape, template) in [(Shape::Headed, Template::Headed), (Shape::Think, Template::Think)] {
        let answer = template.split(text);
        if answer.reasoning.is_some() {
            return (shape, answer);
        }
    }
    (Shape::Plain, Template::Plain.split(text))
}

/// The commonest system prompts, of equally common ones the earlier; and how many there are.
fn system_prompts(conversations: &[Vec<ChatMessage>]) -> (Vec<SystemPrompt>, usize) {
    let mut found: HashMap<&str, (usize, usize)> = HashMap::new();
    let first = conversations.iter().enumerate().filter_map(|(row, messages)| {
        let message = messages.first().filter(|message| message.role == "system")?;
        Some((row, message.content.as_str()))
    });
    for (row, text) in first {
        found.entry(text).or_insert((0, row)).0 += 1;
    }
    let distinct = found.len();
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_unstable_by_key(|(_, (examples, row))| (std::cmp::Reverse(*examples), *row));
    let shown = found.into_iter().take(PROMPTS_SHOWN);
    (
        shown
            .map(|(text, (examples, _))| SystemPrompt { text: text.to_owned(), examples })
            .collect(),
        distinct,
    )
}

fn tokens(
    name: &str,
    model: &Model,
    conversations: &[Vec<ChatMessage>],
    answers: &[(Shape, Answer)],
) -> Result<Tokens, (usize, engine::Error)> {
    let rows = conversations.par_iter().zip(answers).enumerate();
    let counts = rows.map(|(row, (conversation, (_, answer)))| {
        count(model, conversation, answer).map_err(|error| (row + 1, error))
    });
    let counts = counts.collect::<Result<Vec<Counts>, _>>()?;
    let limit = TrainOptions::default().max_tokens.min(model.config().max_positions);
    let part = |of: fn(&Counts) -> usize| {
        Part::new(counts.iter().map(|counts| of(counts) as u64).collect())
    };
    Ok(Tokens {
        model: name.to_owned(),
        limit,
        cut: counts.iter().filter(|counts| counts.whole > limit).count(),
        trained: counts.iter().map(|counts| counts.trained as u64).sum(),
        parts: Parts {
            whole: part(|counts| counts.whole),
            question: part(|counts| counts.question),
            reasoning: part(|counts| counts.reasoning),
            response: part(|counts| counts.response),
        },
    })
}

fn count(
    model: &Model,
    conversation: &[ChatMessage],
    answer: &Answer,
) -> Result<Counts, engine::Error> {
    let example = model.example(conversation)?;
    let tokens = |text: &str| model.tokenizer().encode(text).len();
    let before = conversation.iter().take(last_answer(conversation));
    Ok(Counts {
        whole: example.tokens.len(),
        trained: example.loss_tokens(),
        question: before
            .filter(|message| message.role != "system")
            .map(|message| tokens(&message.content))
            .sum(),
        reasoning: answer.reasoning.as_deref().map_or(0, tokens),
        response: tokens(&answer.response),
    })
}

impl Part {
    fn new(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        // The nearest rank: the smallest value that so many of a hundred do not exceed.
        let rank = |of_hundred: usize| {
            let rank = (values.len() * of_hundred).div_ceil(100);
            values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        let bins = Bins::of(&values);
        Self {
            total: values.iter().sum(),
            median: rank(50),
            p95: rank(95),
            max: bins.max,
            bins: Counted { width: bins.width, counts: bins.counts, beyond: bins.beyond },
        }
    }
}

/// The latest reports, by the content's hash and the model that counted.
#[derive(Debug, Default)]
pub(crate) struct Reports(Mutex<VecDeque<Kept>>);

type Kept = ((String, Option<String>), Arc<Report>);

impl Reports {
    /// The report on the content `sha256` by `model`, which `make` makes where it is not kept; one at a time.
    pub(crate) fn of<E>(
        &self,
        sha256: &str,
        model: Option<&str>,
        make: impl FnOnce() -> Result<Report, E>,
    ) -> Result<Arc<Report>, E> {
        // A panic while reporting left the list as it was.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (sha256.to_owned(), model.map(str::to_owned));
        if let Some((_, report)) = kept.iter().find(|(of, _)| *of == key) {
            return Ok(Arc::clone(report));
        }
        let report = Arc::new(make()?);
        kept.truncate(REPORTS_KEPT - 1);
        kept.push_front((key, Arc::clone(&report)));
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{self, Kind};

    fn check(rows: &[&str]) -> String {
        check_kind(rows, Kind::Conversations)
    }

    fn check_kind(rows: &[&str], kind: Kind) -> String {
        let rows = rows::read(rows.join("\n").as_bytes(), kind).unwrap();
        serde_json::to_string(&Report::new(&rows, None).unwrap()).unwrap()
    }

    fn row(system: &str, answer: &str) -> String {
        let messages = serde_json::json!({"messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": answer},
        ]});
        messages.to_string()
    }

    #[test]
    fn prompts_and_shapes_are_counted() {
        let rows = [
            row("rare", "## Thinking\n\na\n\n## Final Response\n\nb"),
            row("common", "<think>a</think>b"),
            row("common", "b"),
        ];
        let report = check(&rows.each_ref().map(String::as_str));
        insta::assert_snapshot!(report, @r#"{"kind":"conversations","examples":3,"messages":9,"named_messages":0,"system_prompts":[{"text":"common","examples":2},{"text":"rare","examples":1}],"distinct_system_prompts":2,"answers":{"headed":1,"think":1,"plain":1},"tokens":null}"#);
    }

    #[test]
    fn of_preferences_the_preferred_answers_are_told_of() {
        let row = r###"{"input":{"messages":[{"role":"user","content":"q"}]},"preferred_output":[{"role":"assistant","content":"## Thinking\na\n## Final Response\nb"}],"non_preferred_output":[{"role":"assistant","content":"c"}]}"###;
        insta::assert_snapshot!(check_kind(&[row], Kind::Preferences), @r#"{"kind":"preferences","examples":1,"messages":2,"named_messages":0,"system_prompts":[],"distinct_system_prompts":0,"answers":{"headed":1,"think":0,"plain":0},"tokens":null}"#);
    }

    #[test]
    fn a_file_of_blank_lines_is_a_report_of_nothing() {
        insta::assert_snapshot!(check(&["", ""]), @r#"{"kind":"conversations","examples":0,"messages":0,"named_messages":0,"system_prompts":[],"distinct_system_prompts":0,"answers":{"headed":0,"think":0,"plain":0},"tokens":null}"#);
    }

    #[test]
    fn ranks_are_values_that_occur() {
        let part = Part::new((1..=20).rev().collect());
        assert_eq!((part.median, part.p95, part.max, part.total), (10, 19, 20, 210));
        let empty = Part::new(Vec::new());
        assert_eq!((empty.median, empty.p95, empty.max, empty.total), (0, 0, 0, 0));
    }

    #[test]
    fn a_report_is_made_once_for_each_content_and_model() {
        let reports = Reports::default();
        let mut count = 0;
        for (content, model) in
            [("a", None), ("a", Some("m")), ("a", None), ("b", None), ("a", Some("m"))]
        {
            let make = || {
                count += 1;
                Report::new(&rows::read(&b""[..], Kind::Conversations).unwrap(), None)
            };
            reports.of(content, model, make).unwrap();
        }
        assert_eq!(count, 3);
    }
}
