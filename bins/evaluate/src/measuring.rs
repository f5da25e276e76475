//! From what was read to items with values.

use std::collections::BTreeMap;

use evaluation::choice::likelihood::{self, Likelihoods};
use evaluation::choice::{Problem, mark, question, unanswered, with_likelihoods, with_marked};
use evaluation::holdout::{self, Holdout};
use evaluation::judge::Rubric;
use evaluation::safety::{self, SafetyQuestion};
use evaluation::{AskError, Item, Task};

use crate::arguments::By;
use crate::asking::{Asking, Offer};
use crate::input::Input;

/// The set of conversations with rubrics, in reports.
const RUBRICS: &str = "rubrics";

/// How many requests a run makes at most of the model that is measured.
pub(crate) fn requests(input: &Input, by: By) -> usize {
    let (generates, scores) = (usize::from(by.generates()), usize::from(by.scores()));
    let both = generates + scores;
    both * (input.holdout.len() + input.problems.len())
        + generates * (input.rubrics.len() + input.safety.len())
}

/// Asks everything of `input`, and notes what could not be measured in `unmeasured`.
///
/// # Errors
///
/// [`AskError`], where the service does not answer; what it answered before is kept.
pub(crate) async fn measure(
    input: &Input,
    by: By,
    asking: &Asking<'_>,
    unmeasured: &mut Vec<String>,
) -> Result<Vec<Item>, AskError> {
    let mut reasons = Reasons::default();
    let mut items = holdouts(&input.holdout, by, asking, &mut reasons).await?;
    items.extend(choices(&input.problems, by, asking, &mut reasons).await?);
    if by.generates() {
        items.extend(rubrics(&input.rubrics, asking).await?);
        items.extend(safeties(&input.safety, asking).await?);
    }
    unmeasured.extend(reasons.lines());
    Ok(items)
}

/// Why something was not measured, and for how many items.
#[derive(Debug, Default)]
struct Reasons(BTreeMap<(&'static str, String), usize>);

impl Reasons {
    fn note(&mut self, what: &'static str, reason: String) {
        *self.0.entry((what, reason)).or_insert(0) += 1;
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|((what, reason), count)| match count {
            1 => format!("{what} of 1 item: {reason}"),
            count => format!("{what} of {count} items: {reason}"),
        })
    }
}

async fn holdouts(
    records: &[Holdout],
    by: By,
    asking: &Asking<'_>,
    reasons: &mut Reasons,
) -> Result<Vec<Item>, AskError> {
    let subject = asking.subject;
    let mut items: Vec<Item> = if by.generates() {
        let replies = asking
            .each(records, async |record: &Holdout| subject.answer(record.messages.clone()).await);
        let pairs = records.iter().zip(replies.await?);
        pairs
            .map(|(record, reply)| holdout::measured(record, Some(&reply), &subject.template))
            .collect()
    } else {
        records.iter().map(|record| holdout::measured(record, None, &subject.template)).collect()
    };
    if by.scores() {
        let offer = Offer::default();
        let sums = asking.each(records, async |record: &Holdout| {
            let messages = record.with_reference();
            offer.ask(subject.token_sums(&messages, record.border(&subject.template))).await
        });
        for (item, sums) in items.iter_mut().zip(sums.await?) {
            match sums {
                Ok(sums) => holdout::with_tokens(item, sums),
                Err(reason) => reasons.note("loss and token accuracy", reason),
            }
        }
    }
    Ok(items)
}

async fn choices(
    problems: &[Problem],
    by: By,
    asking: &Asking<'_>,
    reasons: &mut Reasons,
) -> Result<Vec<Item>, AskError> {
    let subject = asking.subject;
    let mut items: Vec<Item> = problems.iter().map(unanswered).collect();
    if by.generates() {
        let replies = asking.each(problems, async |problem: &Problem| {
            subject.answer(subject.messages(&question(problem))).await
        });
        for ((item, problem), reply) in items.iter_mut().zip(problems).zip(replies.await?) {
            let marked = mark(problem.clone(), Some(&reply.text), &subject.template);
            with_marked(item, marked, Some(reply.finish));
        }
    }
    if by.scores() {
        let offer = Offer::default();
        let scored = asking.each(problems, async |problem: &Problem| {
            let prompt = likelihood::prompt(problem);
            let continuations = likelihood::continuations(problem);
            offer.ask(subject.log_likelihoods(&prompt, &continuations)).await
        });
        for ((item, problem), scored) in items.iter_mut().zip(problems).zip(scored.await?) {
            match scored {
                Ok(log_likelihoods) => {
                    let Problem { set, id, answer, .. } = problem.clone();
                    with_likelihoods(item, &Likelihoods { set, id, answer, log_likelihoods });
                }
                Err(reason) => reasons.note("likelihoods of choices", reason),
            }
        }
    }
    Ok(items)
}

async fn rubrics(rubrics: &[Rubric], asking: &Asking<'_>) -> Result<Vec<Item>, AskError> {
    let subject = asking.subject;
    let replies =
        asking.each(rubrics, async |rubric: &Rubric| subject.answer(rubric.prompt.clone()).await);
    let item = |(rubric, reply): (&Rubric, evaluation::Reply)| {
        let mut item = Item::new(Task::Rubric, RUBRICS, &rubric.prompt_id);
        item.question = rubric.conversation();
        let line =
            |one: &evaluation::judge::Criterion| format!("{:+} {}", one.points, one.criterion);
        item.reference = rubric.rubrics.iter().map(line).collect::<Vec<_>>().join("\n");
        let halves = subject.template.split(&reply.text);
        item.reasoning = halves.reasoning;
        item.response = Some(halves.response);
        item.finish = Some(reply.finish);
        item
    };
    Ok(rubrics.iter().zip(replies.await?).map(item).collect())
}

async fn safeties(
    questions: &[SafetyQuestion],
    asking: &Asking<'_>,
) -> Result<Vec<Item>, AskError> {
    let subject = asking.subject;
    let replies = asking.each(questions, async |question: &SafetyQuestion| {
        subject.answer(subject.messages(&question.question)).await
    });
    let pairs = questions.iter().zip(replies.await?);
    let item = |(question, reply): (&SafetyQuestion, evaluation::Reply)| {
        safety::measured(question, &reply, &subject.template)
    };
    Ok(pairs.map(item).collect())
}
