//! Reading all inputs: good records to the spool, everything else to the tally.

use std::io::Write;

use anyhow::{Context, anyhow};
use cli::{Exit, Failure, ResultExt, Terminal};
use dataset::{Entry, Limits, Output, Place, Reader, Reason, Rejection, Repeats, Spool};
use indicatif::ProgressBar;

use crate::against::{Against, Contamination};
use crate::config::{Config, folder_of};
use crate::counter::Counter;
use crate::download::Origin;
use crate::input::{Input, Source};
use crate::judge::{Good, Judge, Judged};
use crate::ledger::{Kept, Ledger};
use crate::meter::Meter;
use crate::phi::Identified;
use crate::report::{InputReport, RecordPlace, RejectedRecord};
use crate::summary::{count, number};
use crate::tally::Tally;
use crate::workers::ordered;

/// Everything that was read.
pub(crate) struct Gathered {
    pub(crate) inputs: Vec<InputReport>,
    pub(crate) tally: Tally,
    pub(crate) spool: Spool,
    pub(crate) kept: Ledger,
    pub(crate) repeats: Repeats,
    /// How many problems of benchmarks were looked for.
    pub(crate) problems: u64,
    pub(crate) identified: Identified,
    /// Where the input was fetched from.
    origin: Option<Origin>,
    /// The list of rejected records, where one is asked for.
    pub(crate) rejects: Option<Output>,
}

/// What is at fault where what is kept on disk during a run cannot be written or read.
pub(crate) const TEMPORARY: &str = "the temporary files beside the training file";

/// How many records there were of an input, and how many in a second.
fn pace(bar: &ProgressBar, read: u64) -> String {
    let rate = read as f64 / bar.elapsed().as_secs_f64().max(1e-3);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let rate = number(rate as u64);
    format!("{}, {rate}/s", count(read, "record"))
}

/// Reads every input of `config` to its end.
pub(crate) fn gather(
    config: &Config,
    counter: &Counter,
    origin: Option<Origin>,
    terminal: &Terminal<'_>,
) -> Result<Gathered, Failure> {
    let against = Against::load(&config.against)?;
    let limit = config.limit(counter);
    let overlong = config.overlong_applies(counter).then_some(config.overlong);
    let meter = Meter::new(counter, &config.template, &config.system_prompt);
    let judge = Judge { config, meter, against: &against, limit, overlong };
    let rejects = config.outputs.rejects.as_deref().filter(|_| !config.dry_run);
    let folder = folder_of(&config.outputs.train);
    let mut gathered = Gathered {
        inputs: Vec::new(),
        tally: Tally::default(),
        spool: Spool::new_in(folder)?,
        kept: Ledger::new_in(folder),
        repeats: Repeats::new_in(folder),
        problems: against.problems(),
        identified: Identified::default(),
        origin,
        rejects: rejects.map(Output::create).transpose()?,
    };
    let report = &mut gathered.tally.overlong;
    (report.limit, report.policy, report.applied) = (limit, config.overlong, overlong.is_some());
    for source in &config.inputs {
        gathered.read(source, &judge, terminal)?;
    }
    Ok(gathered)
}

impl Gathered {
    fn read(
        &mut self,
        source: &Source,
        judge: &Judge<'_>,
        terminal: &Terminal<'_>,
    ) -> Result<(), Failure> {
        let config = judge.config;
        let mut input = Input::open(source, terminal)?;
        let bar = input.bar();
        let mut reader =
            Reader::new(&mut input, Limits::default()).with_names(config.names.clone());
        let before = (self.tally.read, self.tally.rejected);
        let judge = |entry: Result<Entry, dataset::Error>| -> Result<Judged, Failure> {
            let entry = entry.with_context(|| source.to_string()).or_exit(Exit::BadData)?;
            judge.judge(entry).with_context(|| source.to_string()).or_exit(Exit::BadData)
        };
        ordered(config.threads, reader.by_ref(), judge, |judged| {
            self.place_judged(source, judged?, config)?;
            if self.tally.read.is_multiple_of(256) {
                bar.set_message(pace(&bar, self.tally.read - before.0));
            }
            Ok::<_, Failure>(())
        })?;
        let format = reader.format();
        let seen = input.finish();
        self.inputs.push(InputReport {
            path: source.clone(),
            origin: self.origin.clone(),
            bytes: seen.bytes,
            sha256: seen.sha256,
            format,
            read: self.tally.read - before.0,
            rejected: self.tally.rejected - before.1,
        });
        Ok(())
    }

    /// Keeps a judged record if it is good, unless it repeats another one.
    fn place_judged(
        &mut self,
        source: &Source,
        judged: Judged,
        config: &Config,
    ) -> Result<(), Failure> {
        let rejected = |place, reason| RejectedRecord {
            source: source.clone(),
            rejection: Rejection { place, reason, field: None },
            repeat_of: None,
            contamination: None,
            tokens: None,
        };
        let good = match judged {
            Judged::Good(good) => good,
            Judged::Bad(rejection) => {
                let whole = rejected(rejection.place, rejection.reason);
                return self.reject(RejectedRecord { rejection, ..whole }, config);
            }
            Judged::Contaminated(place, contamination) => {
                self.contaminated(source, place, &contamination);
                let rejected = rejected(place, Reason::Contaminated);
                let contamination = Some(contamination);
                return self.reject(RejectedRecord { contamination, ..rejected }, config);
            }
        };
        if let Some(contamination) = &good.contamination {
            self.contaminated(source, good.place, contamination);
        }
        if let Some(excess) = good.excess {
            let record = RecordPlace { source: source.clone(), index: good.place.index };
            let out = self.tally.overlong.rejects(excess);
            self.tally.overlong(record, excess, out.then_some(good.tokens));
            if out {
                let rejected = rejected(good.place, Reason::Overlong);
                let tokens = Some(excess.tokens);
                return self.reject(RejectedRecord { tokens, ..rejected }, config);
            }
        }
        match self.repeats.insert(&good.likeness).context(TEMPORARY)? {
            None => Ok(self.keep(source, &good)?),
            Some(first) => {
                let repeat_of = Some(self.place(config, first)?);
                let rejected = rejected(good.place, Reason::Repeat);
                self.reject(RejectedRecord { repeat_of, ..rejected }, config)
            }
        }
    }

    fn contaminated(&mut self, source: &Source, place: Place, contamination: &Contamination) {
        let record = RecordPlace { source: source.clone(), index: place.index };
        self.tally.contaminate(record, contamination);
    }

    fn keep(&mut self, source: &Source, good: &Good) -> anyhow::Result<()> {
        self.identified.record(source, good.place.index, &good.found);
        self.tally.keep(good.tokens);
        self.tally.ambiguous += u64::from(!good.splits_again);
        self.spool.push_line(&good.example).context(TEMPORARY)?;
        let kept = Kept {
            content: good.content,
            input: u32::try_from(self.inputs.len()).context("too many inputs")?,
            index: good.place.index,
            tokens: good.tokens,
        };
        self.kept.push(&kept).context(TEMPORARY)
    }

    /// Where the kept record `number` stands.
    pub(crate) fn place(&self, config: &Config, number: usize) -> anyhow::Result<RecordPlace> {
        let Kept { input, index, .. } = self.kept.kept(number).context(TEMPORARY)?;
        Ok(RecordPlace { source: config.inputs[input as usize].clone(), index })
    }

    fn reject(&mut self, rejected: RejectedRecord, config: &Config) -> Result<(), Failure> {
        if config.strict {
            let error = anyhow!("{}: {}", rejected.source, rejected.rejection);
            return Err(
                Failure::new(Exit::BadData, error).hint("--strict stops at the first such record")
            );
        }
        if let Some(output) = &mut self.rejects {
            serde_json::to_writer(&mut *output, &rejected)
                .context("the list of rejected records")?;
            output.write_all(b"\n").context("the list of rejected records")?;
        }
        self.tally.reject(rejected);
        Ok(())
    }
}
