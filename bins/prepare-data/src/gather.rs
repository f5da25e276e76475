//! Reading all inputs: good records to the spool, everything else to the tally.

use std::io::Write;

use anyhow::{Context, anyhow};
use cli::{Exit, Failure, ResultExt, Terminal};
use dataset::{
    ContentHash, Entry, Example, Limits, Output, Reader, Reason, Record, Rejection, Repeats, Spool,
};
use template::Template;

use crate::against::Against;
use crate::config::{Config, folder_of};
use crate::counter::Counter;
use crate::input::{Input, Source};
use crate::phi::{self, Identified};
use crate::report::{InputReport, RecordPlace, RejectedRecord};
use crate::summary::count;
use crate::tally::Tally;

/// Everything that was read.
pub(crate) struct Gathered {
    pub(crate) inputs: Vec<InputReport>,
    pub(crate) tally: Tally,
    pub(crate) spool: Spool,
    pub(crate) kept: Vec<Kept>,
    pub(crate) repeats: Repeats,
    pub(crate) against: Against,
    pub(crate) identified: Identified,
    /// The list of rejected records, where one is asked for.
    pub(crate) rejects: Option<Output>,
}

/// Where an example of the spool is from, 40 bytes for each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) content: ContentHash,
    pub(crate) input: u32,
    pub(crate) index: u64,
}

/// Reads every input of `config` to its end.
pub(crate) fn gather(
    config: &Config,
    counter: &Counter,
    terminal: &Terminal<'_>,
) -> Result<Gathered, Failure> {
    let rejects = config.outputs.rejects.as_deref().filter(|_| !config.dry_run);
    let mut gathered = Gathered {
        inputs: Vec::new(),
        tally: Tally::default(),
        spool: Spool::new_in(folder_of(&config.outputs.train))?,
        kept: Vec::new(),
        repeats: Repeats::new(),
        against: Against::load(&config.against)?,
        identified: Identified::default(),
        rejects: rejects.map(Output::create).transpose()?,
    };
    for source in &config.inputs {
        gathered.read(source, config, counter, terminal)?;
    }
    Ok(gathered)
}

impl Gathered {
    fn read(
        &mut self,
        source: &Source,
        config: &Config,
        counter: &Counter,
        terminal: &Terminal<'_>,
    ) -> Result<(), Failure> {
        let mut input = Input::open(source, terminal)?;
        let bar = input.bar();
        let mut reader =
            Reader::new(&mut input, Limits::default()).with_names(config.names.clone());
        let before = (self.tally.read, self.tally.rejected);
        for entry in reader.by_ref() {
            match entry.with_context(|| source.to_string()).or_exit(Exit::BadData)? {
                Entry::Record(record) => self.place_record(source, &record, config, counter)?,
                Entry::Rejection(rejection) => {
                    let source = source.clone();
                    self.reject(
                        RejectedRecord { source, rejection, repeat_of: None, contamination: None },
                        config,
                    )?;
                }
            }
            if self.tally.read.is_multiple_of(256) {
                bar.set_message(count(self.tally.read, "record"));
            }
        }
        let format = reader.format();
        let seen = input.finish();
        self.inputs.push(InputReport {
            path: source.clone(),
            bytes: seen.bytes,
            sha256: seen.sha256,
            format,
            read: self.tally.read - before.0,
            rejected: self.tally.rejected - before.1,
        });
        Ok(())
    }

    /// Keeps `record`, unless it repeats another one or holds a problem of a benchmark.
    fn place_record(
        &mut self,
        source: &Source,
        record: &Record,
        config: &Config,
        counter: &Counter,
    ) -> Result<(), Failure> {
        let contamination = self.against.find(record);
        if let Some(contamination) = &contamination {
            let record = RecordPlace { source: source.clone(), index: record.place.index };
            self.tally.contaminate(record, contamination);
        }
        let rejected = |reason| RejectedRecord {
            source: source.clone(),
            rejection: Rejection { place: record.place, reason, field: None },
            repeat_of: None,
            contamination: None,
        };
        if config.against.drop_contaminated && contamination.is_some() {
            let rejected = RejectedRecord { contamination, ..rejected(Reason::Contaminated) };
            return self.reject(rejected, config);
        }
        // Redacted before it is compared, since records that differ only in an identifier say the same.
        let (record, found) = phi::examine(record, config.phi);
        match self.repeats.add(&record) {
            None => {
                self.identified.record(source, record.place.index, &found);
                Ok(self.keep(&record, config, counter)?)
            }
            Some(first) => {
                let repeat_of = Some(self.place(config, first));
                self.reject(RejectedRecord { repeat_of, ..rejected(Reason::Repeat) }, config)
            }
        }
    }

    fn keep(&mut self, record: &Record, config: &Config, counter: &Counter) -> anyhow::Result<()> {
        let example = Example::new(record, &config.template, &config.system_prompt)?;
        self.tally.keep(record, &example, counter)?;
        self.tally.ambiguous += u64::from(!splits_again(&config.template, record, &example));
        self.spool.push(&example).context("the temporary file of examples")?;
        self.kept.push(Kept {
            content: record.content_hash(),
            input: u32::try_from(self.inputs.len()).context("too many inputs")?,
            index: record.place.index,
        });
        Ok(())
    }

    /// Where the kept record `number` stands.
    pub(crate) fn place(&self, config: &Config, number: usize) -> RecordPlace {
        let Kept { input, index, .. } = self.kept[number];
        RecordPlace { source: config.inputs[input as usize].clone(), index }
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

/// Whether an answer that is word for word this record's comes apart into the record's halves.
fn splits_again(template: &Template, record: &Record, example: &Example) -> bool {
    let answer = match (template, example.messages.last()) {
        (Template::Headed | Template::Think, Some(message)) => template.split(&message.content),
        // Nothing marks the border, or nothing must, and nobody expects it to be found.
        _ => return true,
    };
    answer.reasoning.as_deref() == Some(record.reasoning.trim())
        && answer.response == record.response.trim()
}
