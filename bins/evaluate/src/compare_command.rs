//! `evaluate compare`: two runs on the same questions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use evaluation::report::{
    ComparisonReport, Report, asked_differently, comparison_page, comparison_text,
    preference_agreement,
};
use evaluation::{Answers, Comparison, answered_by_both};

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
    let folder = folder(arguments);
    output::folder(&folder)?;
    let seed = u64::from(arguments.seed);
    let mut comparison = Comparison::of(&base.items, &tuned.items, seed);
    if comparison.differences.is_empty() {
        let error = anyhow!("the two runs have no item in common");
        let hint = "measure both models with the same files, --limit and --seed";
        return Err(Failure::new(Exit::BadData, error).hint(hint));
    }
    let judges = judged(arguments, environment, (&base, &tuned, &mut comparison), terminal)?;
    let names = judges.infos.iter().map(|info| info.name.as_str());
    let preferred = names.map(|name| comparison.preferred(name)).collect();
    let agreement = judges.two().and_then(|two| preference_agreement(&comparison.preferences, two));
    let report = ComparisonReport {
        version: Report::VERSION,
        tool: TOOL.to_owned(),
        notice: cli::NOT_CLINICAL.to_owned(),
        asked_differently: asked_differently(&base.model, &tuned.model),
        base: base.model,
        tuned: tuned.model,
        seed,
        guards: [base.guard, tuned.guard],
        judges: judges.infos,
        preferred,
        agreement,
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

/// The report in a run's folder, or the file itself; a model's id stands for its usual folder.
fn read(path: &Path) -> Result<Report, Failure> {
    let usual = path.to_str().map(output::usual_folder).filter(|_| !path.exists());
    let path = usual.filter(|usual| usual.is_dir()).unwrap_or_else(|| path.to_owned());
    let file = if path.is_dir() { path.join(output::REPORT) } else { path };
    let text = input::read(&file).map_err(|failure| {
        failure.hint("name a folder that `evaluate run` left, its report.json, or the model's id")
    })?;
    Report::parse(&text).with_context(|| file.display().to_string()).or_exit(Exit::BadData)
}

/// Lets the judges say which answer they prefer, for every held-out record that both models answered.
fn judged(
    arguments: &CompareArguments,
    environment: &Environment,
    (base, tuned, comparison): (&Report, &Report, &mut Comparison),
    terminal: &mut Terminal<'_>,
) -> Result<Judges, Failure> {
    if arguments.judge.judge.is_empty() {
        return Ok(Judges::default());
    }
    let answers = folder(arguments).join(output::ANSWERS);
    let answers = Arc::new(Answers::open(&answers).or_exit(Exit::Failed)?);
    let mut judges = Judges::find(&arguments.judge, environment, &answers)?;
    let pairs = answered_by_both(&base.items, &tuned.items);
    if pairs.is_empty() {
        let error = anyhow!("--judge: no held-out record was answered in both runs");
        let hint = "measure both with --holdout FILE and not by likelihood alone";
        return Err(Failure::new(Exit::Usage, error).hint(hint));
    }
    let count = pairs.len() * judges.judges.len();
    let progress = cli::progress(terminal, count as u64, "pairs judged");
    let parallel = usize::from(arguments.parallel);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let preferences = runtime.block_on(judges.prefer(&pairs, (parallel, &progress)));
    progress.finish_and_clear();
    comparison.preferences = preferences.map_err(asking::failure)?;
    Ok(judges)
}

fn folder(arguments: &CompareArguments) -> PathBuf {
    arguments.out.clone().unwrap_or_else(|| PathBuf::from("evaluation/comparison"))
}
