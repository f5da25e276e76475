//! The questions of a file, asked as fast as the service takes them or by its batches.

use std::time::Duration;

use anyhow::anyhow;
use cli::{Exit, Failure, Terminal};
use indicatif::ProgressBar;
use inference::{
    AnswerFile, AnswerFileError, Assistant, BatchError, BatchOptions, ManyOptions, Tally,
};
use tokens::{ModelRow, PriceTable, Usd};
use wire::Batch;

use crate::config::Many;
use crate::refusal;

/// What came of a run, beside the file.
struct Run<'a> {
    many: &'a Many,
    assistant: Assistant,
    row: Option<&'a ModelRow>,
    bar: ProgressBar,
}

/// Asks what is not answered yet, and leaves the answers in the questions' order.
pub(crate) async fn ask(
    many: &Many,
    assistant: Assistant,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let mut file = AnswerFile::open(&many.output, &assistant, &many.questions).map_err(of_file)?;
    if file.is_repaired() {
        let path = many.output.display();
        writeln!(terminal.err, "{path}: an unfinished last line of an earlier run is taken away")?;
    }
    let missing = file.missing();
    let answered = many.questions.len() - missing.len();
    let is_paid = !assistant.client.endpoint().is_loopback();
    let row = many.prices.model(&assistant.model).filter(|_| is_paid);
    announce(many, &assistant, (answered, &missing), row, terminal)?;
    let bar = cli::progress(terminal, missing.len() as u64, "questions");
    bar.enable_steady_tick(Duration::from_millis(200));
    let run = Run { many, assistant, row, bar };
    let began = std::time::Instant::now();
    let asked = if many.by_batch {
        run.by_batch(&mut file, terminal).await
    } else {
        run.one_by_one(&missing, &mut file, terminal).await
    };
    run.bar.finish_and_clear();
    let unanswered = file.missing().len();
    file.finish().map_err(of_file)?;
    let (tally, asked) = asked;
    run.conclude(tally, began.elapsed(), terminal)?;
    let again = "the same command goes on where this one stopped";
    asked.map_err(|failure| failure.or_hint(again))?;
    if unanswered == 0 {
        return Ok(());
    }
    let (count, path) = (many.questions.len(), many.output.display());
    let error = anyhow!("{unanswered} of {count} questions have no answer; {path} says why");
    Err(Failure::new(Exit::Service, error).hint("the same command asks them again"))
}

fn announce(
    many: &Many,
    assistant: &Assistant,
    (answered, missing): (usize, &[usize]),
    row: Option<&ModelRow>,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let path = many.output.display();
    if answered > 0 {
        writeln!(terminal.err, "answered already in {path}: {answered}")?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let (model, host) = (&assistant.model, assistant.client.endpoint().host());
    let some = if missing.len() == 1 {
        "1 question".to_owned()
    } else {
        format!("{} questions", missing.len())
    };
    write!(terminal.err, "asking {model} at {host}: {some}")?;
    if let Some(most) = row.and_then(|row| most(many, assistant, missing, row)) {
        write!(terminal.err, ", at most about {most} by prices of {}", many.prices.as_of)?;
    }
    writeln!(terminal.err)?;
    Ok(())
}

/// What the questions cost if every answer is as long as it may be; a token is taken for four bytes.
fn most(many: &Many, assistant: &Assistant, missing: &[usize], row: &ModelRow) -> Option<Usd> {
    let bytes = |index: &usize| {
        let request = assistant.request(many.questions[*index].messages.clone());
        request.messages.iter().map(|message| message.text().len() as u64).sum::<u64>()
    };
    let read = missing.iter().map(bytes).sum::<u64>() / 4;
    let share = missing.len() as u64 * assistant.sampling.max_tokens?;
    cost(row, read, share, many.by_batch)
}

fn cost(row: &ModelRow, read: u64, written: u64, by_batch: bool) -> Option<Usd> {
    if !by_batch {
        return row.inference_cost(read, written);
    }
    let prices = (row.batch_input_usd_per_million?, row.batch_output_usd_per_million?);
    Some(Usd((read as f64 * prices.0 + written as f64 * prices.1) / 1e6))
}

type Asked = (Tally, Result<(), Failure>);

impl Run<'_> {
    async fn one_by_one(
        &self,
        missing: &[usize],
        file: &mut AnswerFile,
        terminal: &mut Terminal<'_>,
    ) -> Asked {
        let questions = missing.iter().map(|&index| self.many.questions[index].clone()).collect();
        let options = ManyOptions { at_once: self.many.at_once, ..ManyOptions::default() };
        let mut many = self.assistant.ask_many(questions, &options);
        let (mut failure, mut is_stopping) = (None, false);
        loop {
            let outcome = tokio::select! {
                outcome = many.next() => outcome,
                () = cli::interrupted() => {
                    let stopped = Failure::new(Exit::Failed, anyhow!("interrupted"));
                    if is_stopping {
                        return (many.tally(), Err(stopped));
                    }
                    (is_stopping, failure) = (true, Some(stopped));
                    many.stop();
                    let text = format!("waiting for {} open questions; Ctrl-C again stops at once", many.open());
                    // A note that cannot be printed changes nothing about the answers.
                    let _ = self.bar.suspend(|| writeln!(terminal.err, "{text}"));
                    continue;
                }
            };
            let Some(outcome) = outcome else { break };
            let index = missing[outcome.index];
            match outcome.result {
                // What concerns every question is told once and is no answer to this one.
                Err(error) if error.concerns_all() => {
                    failure = failure.or_else(|| Some(refusal::refused(error)));
                }
                result => {
                    if let Err(error) = file.write(index, &self.many.questions[index], &result) {
                        return (many.tally(), Err(of_file(error)));
                    }
                }
            }
            self.show(many.tally());
        }
        (many.tally(), failure.map_or(Ok(()), Err))
    }

    async fn by_batch(&self, file: &mut AnswerFile, terminal: &mut Terminal<'_>) -> Asked {
        let name = self.many.output.file_name().unwrap_or_default().to_string_lossy();
        let options =
            BatchOptions::new(self.many.output.with_file_name(format!("{name}.batch.json")));
        let mut state = String::new();
        let mut watch = |batch: &Batch| {
            let counts = batch.request_counts.unwrap_or_default();
            self.bar.set_position(counts.completed + counts.failed);
            let now = format!("{} is {}", batch.id, batch.status);
            if now != state {
                let _ = self.bar.suspend(|| writeln!(terminal.err, "{now}"));
                state = now;
            }
        };
        let questions = &self.many.questions;
        let asked = self.assistant.ask_by_batch(questions, file, &options, &mut watch);
        let asked = tokio::select! {
            asked = asked => asked,
            () = cli::interrupted() => {
                let failure = Failure::new(Exit::Failed, anyhow!("interrupted"));
                let hint = "the batch goes on at the service; the same command fetches its answers";
                return (Tally::default(), Err(failure.hint(hint)));
            }
        };
        match asked {
            Ok(tally) => (tally, Ok(())),
            Err(error) => (Tally::default(), Err(of_batch(error))),
        }
    }

    fn show(&self, tally: Tally) {
        self.bar.set_position((tally.answered + tally.failed) as u64);
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        let cost = self.cost(tally).map(|cost| format!(", {cost}")).unwrap_or_default();
        let rate = tally.completion_tokens as f64 / seconds;
        self.bar.set_message(format!("{rate:.0} tokens/s{cost}"));
    }

    fn cost(&self, tally: Tally) -> Option<Usd> {
        cost(self.row?, tally.prompt_tokens, tally.completion_tokens, self.many.by_batch)
    }

    fn conclude(
        &self,
        tally: Tally,
        took: Duration,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        if tally == Tally::default() {
            return Ok(());
        }
        let Tally { answered, failed, prompt_tokens, completion_tokens, .. } = tally;
        let seconds = took.as_secs_f64().max(0.001);
        write!(terminal.err, "{answered} answered, {failed} failed in {seconds:.0} s; ")?;
        write!(terminal.err, "{prompt_tokens} tokens read, {completion_tokens} written")?;
        if !self.many.by_batch {
            write!(terminal.err, " ({:.0}/s)", completion_tokens as f64 / seconds)?;
        }
        if let Some(cost) = self.cost(tally) {
            let PriceTable { as_of, .. } = &self.many.prices;
            write!(terminal.err, "; about {cost}, by prices of {as_of}")?;
        }
        writeln!(terminal.err)?;
        Ok(())
    }
}

fn of_file(error: AnswerFileError) -> Failure {
    match error {
        AnswerFileError::Foreign { .. }
        | AnswerFileError::Other { .. }
        | AnswerFileError::Version { .. } => {
            let hint = "nothing was changed in it; give --output a file of its own for this run";
            Failure::new(Exit::BadData, error).hint(hint)
        }
        error => Failure::new(Exit::Failed, error),
    }
}

fn of_batch(error: BatchError) -> Failure {
    match error {
        BatchError::Answers(error) => of_file(error),
        BatchError::Service(source) if source.status() == Some(404) => {
            let hint = "has the service batches? --many without --batch-api asks one by one; where a batch was deleted \
                        there, delete the file that ends in .batch.json too";
            Failure::new(Exit::Service, source).hint(hint)
        }
        BatchError::Service(source) => Failure::new(Exit::Service, source)
            .hint("the batch goes on at the service; the same command fetches its answers"),
        error @ BatchError::Empty { .. } => Failure::new(Exit::Service, error),
        error => Failure::new(Exit::Failed, error),
    }
}
