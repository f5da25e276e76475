//! What an answer to a held-out record came to.

use template::Template;

use super::compliance::Compliance;
use super::record::Holdout;
use crate::item::{Item, Task, Value};
use crate::metric::Metric;
use crate::similarity::{chrf, rouge_l, token_f1};
use crate::subject::{Reply, TokenSums};

/// The name of the set of held-out records.
const SET: &str = "holdout";

/// `record` as an item, with what `reply` comes to.
///
/// That is the reply's form, its length, and how alike its response is to the reference's. An empty response is alike
/// to nothing, and counts with its zeros; the half of an answer that was cut before a response was reached does not
/// stand in for one.
///
/// # Examples
///
/// ```
/// use evaluation::holdout::{measured, read_holdout};
/// use evaluation::{Metric, Reply};
/// use template::Template;
///
/// let chat = r###"{"messages": [{"role": "user", "content": "What causes scurvy?"},
/// {"role": "assistant", "content": "## Thinking\n\nGums bleed.\n\n## Final Response\n\nA lack of vitamin C."}]}"###;
/// let record = &read_holdout(chat.replace('\n', " ").as_bytes())?[0];
/// let text = "## Thinking\n\nSailors.\n\n## Final Response\n\nA lack of vitamin C.".to_owned();
/// let item = measured(record, Some(&Reply { text, finish: "stop".to_owned() }), &Template::Headed);
/// assert_eq!(item.values[&Metric::FormatCompliance].mean(), 1.0);
/// assert_eq!(item.values[&Metric::RougeL].mean(), 1.0, "the response is the reference's");
/// assert_eq!(item.values[&Metric::ResponseWords].mean(), 5.0);
/// # Ok::<(), evaluation::holdout::HoldoutError>(())
/// ```
pub fn measured(record: &Holdout, reply: Option<&Reply>, template: &Template) -> Item {
    let mut item = Item::new(Task::Holdout, SET, &record.id);
    item.question = record.question();
    let theirs = template.split(&record.reference);
    item.reference.clone_from(&theirs.response);
    item.reference_reasoning = theirs.reasoning;
    let Some(reply) = reply else { return item };
    let form = Compliance::of(&reply.text, template, reply.ended_itself());
    let ours = template.split(&reply.text);
    let count = |text: &str| text.split_whitespace().count() as f64;
    let likeness = [
        (Metric::RougeL, rouge_l(&ours.response, &item.reference)),
        (Metric::Chrf, chrf(&ours.response, &item.reference)),
        (Metric::TokenF1, token_f1(&ours.response, &item.reference)),
    ];
    let mut set = |metric, value| item.values.insert(metric, value);
    set(Metric::FormatCompliance, Value::yes(form.is_full()));
    if let (Some(both), Some(in_order)) = (form.both_headings, form.in_order) {
        set(Metric::BothHeadings, Value::yes(both));
        set(Metric::InOrder, Value::yes(in_order));
    }
    set(Metric::ResponseGiven, Value::yes(form.response_given));
    set(Metric::EndedItself, Value::yes(form.ended_itself));
    for (metric, value) in likeness {
        set(metric, Value::single(value));
    }
    set(Metric::ResponseWords, Value::single(count(&ours.response)));
    set(Metric::ReasoningWords, Value::single(count(ours.reasoning.as_deref().unwrap_or(""))));
    item.reasoning = ours.reasoning;
    item.response = Some(ours.response);
    item.finish = Some(reply.finish.clone());
    item
}

/// Adds the losses and accuracies of the reference's tokens.
///
/// The first sums are those of the reasoning, the second those of the response.
///
/// # Examples
///
/// ```
/// use evaluation::holdout::with_tokens;
/// use evaluation::{Item, Metric, Task, TokenSums};
///
/// let mut item = Item::new(Task::Holdout, "holdout", "5f");
/// let reasoning = TokenSums { loss: 42.0, correct: 21, tokens: 30 };
/// let response = TokenSums { loss: 8.0, correct: 9, tokens: 10 };
/// with_tokens(&mut item, [reasoning, response]);
/// assert_eq!(item.values[&Metric::Loss].mean(), 1.25);
/// assert_eq!(item.values[&Metric::ResponseTokenAccuracy].mean(), 0.9);
/// ```
pub fn with_tokens(item: &mut Item, [reasoning, response]: [TokenSums; 2]) {
    let halves = [
        (reasoning.plus(response), Metric::Loss, Metric::TokenAccuracy),
        (reasoning, Metric::ReasoningLoss, Metric::ReasoningTokenAccuracy),
        (response, Metric::ResponseLoss, Metric::ResponseTokenAccuracy),
    ];
    for (sums, loss, accuracy) in halves.into_iter().filter(|(sums, ..)| sums.tokens > 0) {
        let whole = sums.tokens as f64;
        item.values.insert(loss, Value { part: sums.loss, whole });
        item.values.insert(accuracy, Value { part: sums.correct as f64, whole });
    }
}
