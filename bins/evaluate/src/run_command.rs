//! `evaluate run`: from the arguments to the reports.

use std::path::Path;
use std::sync::Arc;

use cli::{Environment, Exit, Failure, ResultExt, Terminal};
use connect::Service;
use evaluation::choice::calibration;
use evaluation::guard::Guard;
use evaluation::report::{ModelInfo, Report, agreements, model_card, page, text};
use evaluation::{Answers, Item, Recorder, Subject, measures, read_by};
use inference::Sampling;
use transport::Settings;

use crate::arguments::RunArguments;
use crate::asking::{self, Asking};
use crate::input::Input;
use crate::judging::Judges;
use crate::model::{self, Model};
use crate::{guards, measuring, output};

/// The tool and its version, for reports.
pub(crate) const TOOL: &str = concat!("medtune evaluate ", env!("CARGO_PKG_VERSION"));

pub(crate) fn run(
    arguments: &RunArguments,
    environment: &Environment,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Failure> {
    let input = Input::read(arguments)?;
    let model = model::find(&arguments.model, environment, terminal)?;
    let guard = guards::check(&input, &model.saved, &arguments.guard)?;
    let folder = arguments.out.clone().unwrap_or_else(|| output::usual_folder(&model.saved.model));
    output::folder(&folder)?;
    let answers = Answers::open(&folder.join(output::ANSWERS)).or_exit(Exit::Failed)?;
    let answers = Arc::new(answers);
    let judges = Judges::find(&arguments.judge, environment, &answers)?;
    let info = info(&model, arguments);
    writeln!(terminal.err, "{}", cli::NOT_CLINICAL)?;
    announce(&input, &model, arguments, &answers, terminal)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let run = Run { input: &input, arguments, answers };
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = run.ask(model, judges, terminal) => outcome,
            () = cli::interrupted() => {
                let failure = Failure::new(Exit::Failed, anyhow::anyhow!("interrupted"));
                Err(failure.hint("what was answered is kept: the same command goes on from there"))
            }
        }
    })?;
    let report = run.report(info, guard, outcome);
    finish(&report, &folder, arguments, terminal)
}

/// What a run is made of.
struct Run<'a> {
    input: &'a Input,
    arguments: &'a RunArguments,
    answers: Arc<Answers>,
}

/// What came of asking.
struct Outcome {
    items: Vec<Item>,
    judges: Judges,
    unmeasured: Vec<String>,
    left_out: Vec<String>,
}

impl Run<'_> {
    /// Starts the service, asks everything of the model, then of the judges.
    async fn ask(
        &self,
        model: Model,
        judges: Judges,
        terminal: &mut Terminal<'_>,
    ) -> Result<Outcome, Failure> {
        let Model { saved, place, service: name, .. } = model;
        let service = Service::start(place, Settings::default()).await?;
        let subject = Subject {
            recorder: Recorder::new(service.client(), name, Arc::clone(&self.answers)),
            model: saved.model.clone(),
            system_prompt: Some(saved.system_prompt).filter(|prompt| !prompt.is_empty()),
            template: saved.template,
            sampling: sampling(self.arguments),
        };
        let asked = self.ask_subject(&subject, judges, terminal).await;
        let stopped = service.stop().await;
        let outcome = asked?;
        stopped?;
        let recorder = &subject.recorder;
        let (asked, reused) = (recorder.asked(), recorder.reused());
        let requests = if asked == 1 { "request" } else { "requests" };
        writeln!(
            terminal.err,
            "{asked} {requests} to the model, {reused} answers from the record"
        )?;
        Ok(outcome)
    }

    async fn ask_subject(
        &self,
        subject: &Subject,
        mut judges: Judges,
        terminal: &mut Terminal<'_>,
    ) -> Result<Outcome, Failure> {
        let arguments = self.arguments;
        let by = arguments.by;
        let parallel = usize::from(arguments.asking.parallel);
        let requests = measuring::requests(self.input, by) as u64;
        let progress = cli::progress(terminal, requests, "questions");
        let asking = Asking { subject, parallel, progress: progress.clone() };
        let mut unmeasured = Vec::new();
        let items = measuring::measure(self.input, by, &asking, &mut unmeasured).await;
        progress.finish_and_clear();
        let mut items = items.map_err(asking::failure)?;
        if !judges.judges.is_empty() {
            let verdicts = items.len() * judges.judges.len();
            let progress = cli::progress(terminal, verdicts as u64, "answers judged");
            let outcome =
                judges.judge(&mut items, &self.input.rubrics, (parallel, &progress)).await;
            progress.finish_and_clear();
            outcome.map_err(asking::failure)?;
        }
        let left_out = subject.recorder.left_out(&subject.model);
        let left_out = left_out.into_iter().map(str::to_owned).collect();
        Ok(Outcome { items, judges, unmeasured, left_out })
    }

    fn report(&self, model: ModelInfo, guard: Guard, outcome: Outcome) -> Report {
        let Outcome { items, judges, unmeasured, left_out } = outcome;
        let model = ModelInfo { left_out, ..model };
        let seed = u64::from(self.arguments.seed);
        let agreement = judges.two().map(|two| agreements(&items, two)).unwrap_or_default();
        Report {
            version: Report::VERSION,
            tool: TOOL.to_owned(),
            notice: cli::NOT_CLINICAL.to_owned(),
            model,
            data: self.input.data.clone(),
            seed,
            guard,
            measures: measures(&items, seed),
            read_by: read_by(&items),
            calibration: calibration(&items),
            judges: judges.infos,
            agreement,
            unmeasured,
            items,
        }
    }
}

fn sampling(arguments: &RunArguments) -> Sampling {
    Sampling {
        temperature: Some(arguments.asking.temperature),
        max_tokens: Some(arguments.asking.max_tokens),
        seed: Some(i64::from(arguments.seed)),
        ..Sampling::default()
    }
}

fn info(model: &Model, arguments: &RunArguments) -> ModelInfo {
    let (saved, sampling) = (&model.saved, sampling(arguments));
    ModelInfo {
        id: saved.model.clone(),
        base_model: saved.base_model.clone(),
        base_on_hub: engine::models::find(&saved.base_model)
            .map(|known| format!("{}/{}", known.hub.owner, known.hub.repository)),
        service: model.shown.clone(),
        system_prompt: saved.system_prompt.clone(),
        template: saved.template.name().to_owned(),
        fingerprint: saved.fingerprint.clone(),
        temperature: sampling.temperature,
        max_tokens: sampling.max_tokens,
        sampling_seed: sampling.seed,
        left_out: Vec::new(),
    }
}

fn announce(
    input: &Input,
    model: &Model,
    arguments: &RunArguments,
    answers: &Answers,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    writeln!(
        terminal.err,
        "measuring {} at {} on {} items: at most {} questions{}",
        model.saved.model,
        model.shown,
        input.items(),
        measuring::requests(input, arguments.by),
        if answers.is_empty() {
            String::new()
        } else {
            format!(", {} answers are recorded already", answers.len())
        }
    )?;
    Ok(())
}

fn finish(
    report: &Report,
    folder: &Path,
    arguments: &RunArguments,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Failure> {
    let json = output::json(report)?;
    let files = [
        (output::REPORT, json.clone()),
        ("report.html", page(report)),
        ("MODEL_CARD.md", model_card(report)),
    ];
    let written = output::write(folder, &files)?;
    if arguments.outcome.json {
        write!(terminal.out, "{json}")?;
    } else {
        write!(terminal.out, "{}", text(report))?;
    }
    for path in written {
        writeln!(terminal.err, "wrote {}", path.display())?;
    }
    output::conditions(&arguments.outcome.fail_if, |name| report.find(name), terminal)
}
