//! `evaluate compare`: two runs on the same questions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use evaluation::judge::Preference;
use evaluation::report::{ComparisonReport, JudgeInfo, Report, comparison_page, comparison_text};
use evaluation::{Answers, Comparison, answered_by_both};
use futures_util::stream::{StreamExt as _, TryStreamExt as _};

use crate::arguments::CompareArguments;
use crate::judging::Judges;
use crate::run_command::TOOL;
use crate::{asking, input, output};

pub(crate) fn run(
    arguments: &CompareArguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Failure> {
    let (base, tuned) = (read(&arguments.base)?, read(&arguments.tuned)?);
    let folder = arguments.out.clone().unwrap_or_else(|| PathBuf::from("evaluation/comparison"));
    output::folder(&folder)?;
    let seed = u64::from(arguments.seed);
    let mut comparison = Comparison::of(&base.items, &tuned.items, seed);
    if comparison.differences.is_empty() {
        let error = anyhow::anyhow!("the two runs have no item in common");
        let hint = "measure both models with the same files, --limit and --seed";
        return Err(Failure::new(Exit::BadData, error).hint(hint));
    }
    let mut judge = None;
    if !arguments.judge.judge.is_empty() {
        let (preferences, info) =
            preferences(arguments, environment, (&base, &tuned), &folder, terminal)?;
        comparison.preferences = preferences;
        judge = Some(info);
    }
    let report = ComparisonReport {
        version: Report::VERSION,
        tool: TOOL.to_owned(),
        notice: cli::NOT_CLINICAL.to_owned(),
        base: base.model,
        tuned: tuned.model,
        seed,
        guards: [base.guard, tuned.guard],
        judge,
        comparison,
    };
    let json = output::json(&report)?;
    let files = [("comparison.json", json.clone()), ("comparison.html", comparison_page(&report))];
    let written = output::write(&folder, &files)?;
    if arguments.outcome.json {
        write!(terminal.out, "{json}")?;
    } else {
        write!(terminal.out, "{}", comparison_text(&report))?;
    }
    for path in written {
        writeln!(terminal.err, "wrote {}", path.display())?;
    }
    output::conditions(&arguments.outcome.fail_if, |name| report.find(name), terminal)
}

/// The report in a run's folder, or the file itself.
fn read(path: &Path) -> Result<Report, Failure> {
    let file = if path.is_dir() { path.join(output::REPORT) } else { path.to_owned() };
    let text = input::read(&file).map_err(|failure| {
        failure.hint("name a folder that `evaluate run` left, or its report.json")
    })?;
    Report::parse(&text).with_context(|| file.display().to_string()).or_exit(Exit::BadData)
}

/// Which answer the judge prefers, for every held-out record that both models answered.
fn preferences(
    arguments: &CompareArguments,
    environment: &Environment,
    (base, tuned): (&Report, &Report),
    folder: &Path,
    terminal: &mut Terminal<'_>,
) -> Result<(Vec<Preference>, JudgeInfo), Failure> {
    let answers = Arc::new(Answers::open(&folder.join(output::ANSWERS)).or_exit(Exit::Failed)?);
    let judges = Judges::find(&arguments.judge, environment, &answers)?;
    let Some((judge, info)) = judges.of_preferences() else {
        return Err(Failure::new(Exit::Usage, anyhow::anyhow!("--judge: no judge")));
    };
    let pairs = answered_by_both(&base.items, &tuned.items);
    let progress = cli::progress(terminal, pairs.len() as u64, "pairs judged");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let judge = &judge;
    let asked = pairs.iter().map(|[question, ours, theirs]| {
        let progress = progress.clone();
        async move {
            let preference = judge.preference(question, ours, theirs).await;
            progress.inc(1);
            preference
        }
    });
    let asked = futures_util::stream::iter(asked).buffered(usize::from(arguments.parallel));
    let preferences = runtime.block_on(asked.try_collect::<Vec<_>>());
    progress.finish_and_clear();
    Ok((preferences.map_err(asking::failure)?, info))
}
