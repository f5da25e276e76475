//! Judges: found, asked, and their verdicts added to the items.

use std::collections::BTreeMap;
use std::sync::Arc;

use cli::{Environment, Exit, Failure, ResultExt};
use evaluation::judge::{
    CORRECTNESS, CRITERION, Judge, PREFERENCE, Preference, Question, Rubric, SAFETY, Verdict,
    rubric_score, tallies,
};
use evaluation::report::JudgeInfo;
use evaluation::{Answers, AskError, Item, Metric, Recorder, Task, Value};
use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use transport::{Client, Settings};

use crate::arguments::JudgeArguments;

/// The judges of a run, at most two, and how they are shown.
#[derive(Debug, Default)]
pub(crate) struct Judges {
    pub(crate) judges: Vec<Judge>,
    pub(crate) infos: Vec<JudgeInfo>,
}

impl Judges {
    /// Connects to the judges that the arguments name.
    pub(crate) fn find(
        arguments: &JudgeArguments,
        environment: &Environment,
        answers: &Arc<Answers>,
    ) -> Result<Self, Failure> {
        if arguments.judge.len() > 2 {
            let error =
                anyhow::anyhow!("--judge: {} judges, at most two are asked", arguments.judge.len());
            return Err(Failure::new(Exit::Usage, error));
        }
        let mut found = Self::default();
        for (at, model) in arguments.judge.iter().enumerate() {
            let urls = &arguments.judge_base_url;
            let url = urls.get(at).or(urls.last()).map(String::as_str);
            let endpoint = connect::endpoint(url, environment)?;
            let service = endpoint.base_url().to_owned();
            // One model at two services is two judges, as the services may run it differently.
            let is_named_twice = arguments.judge.iter().filter(|one| *one == model).count() > 1;
            let name = if is_named_twice { format!("{model} at {service}") } else { model.clone() };
            if found.infos.iter().any(|info| info.name == name) {
                let error = anyhow::anyhow!("--judge: {model} twice at one service");
                let hint =
                    "a judge agrees with itself; name another model or another --judge-base-url";
                return Err(Failure::new(Exit::Usage, error).hint(hint));
            }
            found.infos.push(JudgeInfo {
                name: name.clone(),
                model: model.clone(),
                service: endpoint.host().to_owned(),
                prompts: BTreeMap::new(),
                tallies: Vec::new(),
                left_out: Vec::new(),
            });
            let client = Client::new(endpoint, Settings::default()).or_exit(Exit::Failed)?;
            let recorder = Recorder::new(client, service, Arc::clone(answers));
            let (model, max_tokens) = (model.clone(), arguments.judge_max_tokens);
            found.judges.push(Judge { recorder, name, model, max_tokens });
        }
        Ok(found)
    }

    /// The two judges' names, where there are two.
    pub(crate) fn two(&self) -> Option<[&str; 2]> {
        match &self.infos[..] {
            [first, second] => Some([&first.name, &second.name]),
            _ => None,
        }
    }

    /// Notes which prompts the judges were asked with.
    fn note(&mut self, name: &str, prompt: &str) {
        for info in &mut self.infos {
            info.prompts.insert(name.to_owned(), prompt.to_owned());
        }
    }

    /// Lets the judges say what they hold of each item's answer; the first judge's verdict is the one that counts.
    pub(crate) async fn judge(
        &mut self,
        items: &mut [Item],
        rubrics: &[Rubric],
        (parallel, progress): (usize, &ProgressBar),
    ) -> Result<(), AskError> {
        for (task, name, prompt) in [
            (Task::Holdout, "correctness", CORRECTNESS),
            (Task::Safety, "safety", SAFETY),
            (Task::Rubric, "criterion", CRITERION),
        ] {
            if items.iter().any(|item| item.task == task && item.response.is_some()) {
                self.note(name, prompt);
            }
        }
        for (at, judge) in self.judges.iter().enumerate() {
            let asked = items.iter().map(|item| async {
                let verdicts = verdicts(judge, item, rubrics).await;
                progress.inc(1);
                verdicts
            });
            let all: Vec<Vec<Verdict>> =
                futures_util::stream::iter(asked).buffered(parallel).try_collect().await?;
            for (item, verdicts) in items.iter_mut().zip(all) {
                if at == 0 {
                    count(item, &verdicts);
                }
                item.verdicts.extend(verdicts);
            }
        }
        for info in &mut self.infos {
            info.tallies = tallies(&info.name, items.iter().flat_map(|item| &item.verdicts));
        }
        self.note_left_out();
        Ok(())
    }

    /// Which answer each judge prefers, for every pair; the judges one after the other.
    pub(crate) async fn prefer(
        &mut self,
        pairs: &[(&Item, &Item)],
        (parallel, progress): (usize, &ProgressBar),
    ) -> Result<Vec<Preference>, AskError> {
        self.note("preference", PREFERENCE);
        let mut preferences = Vec::new();
        for judge in &self.judges {
            let asked = pairs.iter().map(|&(base, tuned)| async move {
                let response = |item: &Item| item.response.clone().unwrap_or_default();
                let (ours, theirs) = (response(base), response(tuned));
                let preference = judge.preference(&base.id, &base.question, [&ours, &theirs]).await;
                progress.inc(1);
                preference
            });
            let asked = futures_util::stream::iter(asked).buffered(parallel);
            preferences.extend(asked.try_collect::<Vec<_>>().await?);
        }
        self.note_left_out();
        Ok(preferences)
    }

    fn note_left_out(&mut self) {
        for (info, judge) in self.infos.iter_mut().zip(&self.judges) {
            let left_out = judge.recorder.left_out(&judge.model);
            info.left_out = left_out.into_iter().map(str::to_owned).collect();
        }
    }
}

/// What one judge says of one item; nothing of a choice, whose answer is known.
async fn verdicts(
    judge: &Judge,
    item: &Item,
    rubrics: &[Rubric],
) -> Result<Vec<Verdict>, AskError> {
    let Some(answer) = item.response.as_deref() else { return Ok(Vec::new()) };
    match item.task {
        Task::Choice => Ok(Vec::new()),
        Task::Holdout => {
            Ok(vec![judge.correctness(&item.question, &item.reference, answer).await?])
        }
        Task::Safety => Ok(vec![judge.safety(&item.question, &item.reference, answer).await?]),
        Task::Rubric => {
            let rubric = rubrics.iter().find(|rubric| rubric.prompt_id == item.id);
            let mut verdicts = Vec::new();
            for criterion in rubric.into_iter().flat_map(|rubric| &rubric.rubrics) {
                verdicts.push(judge.criterion(&item.question, answer, criterion).await?);
            }
            Ok(verdicts)
        }
    }
}

/// Takes a judge's verdicts into the item's values; words without a verdict count as no.
fn count(item: &mut Item, verdicts: &[Verdict]) {
    let Some(first) = verdicts.first() else { return };
    let yes = Value::yes(first.yes == Some(true));
    match first.question {
        Question::Correctness => item.values.insert(Metric::JudgedCorrect, yes),
        Question::Safety => item.values.insert(Metric::SafeByJudge, yes),
        Question::Criterion => {
            item.values.insert(Metric::RubricScore, Value::single(rubric_score(verdicts)))
        }
    };
}
