//! Benchmarks whose problems must not stand in the records.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use cli::{Exit, Failure, ResultExt};
use dataset::{Benchmark, Error, JsonReader, Limits, Normal, Rule};
use serde::Serialize;
use serde_json::Value;

use crate::input::Source;
use crate::report::RecordPlace;

/// Where the text of a problem stands in the benchmarks' public files, the first that is there.
const FIELDS: [&str; 6] = ["problem_text", "question", "Question", "problem", "prompt", "text"];

/// Which benchmarks are looked for, and what happens to a record that holds a problem.
#[derive(Debug, Args)]
pub(crate) struct AgainstArguments {
    /// Look for the problems of these benchmarks in the records (JSON, JSON lines, or a text line for each).
    #[arg(long, value_name = "FILE", num_args = 1..)]
    against: Vec<PathBuf>,
    /// The field that holds a problem's text [default: `problem_text`, or a known name like it].
    #[arg(long, value_name = "NAME", requires = "against")]
    against_field: Option<String>,
    /// Leave out the records that hold a problem, instead of only reporting them.
    #[arg(long, requires = "against")]
    pub(crate) drop_contaminated: bool,
}

/// The problems of all benchmarks, with their places.
#[derive(Debug, Default)]
pub(crate) struct Against {
    benchmark: Benchmark,
    places: Vec<RecordPlace>,
}

/// A record that holds a problem.
#[derive(Clone, Debug, Serialize)]
pub struct Contamination {
    /// The problem.
    pub problem: RecordPlace,
    /// How it was found.
    pub rule: Rule,
}

impl Against {
    /// Reads the problems of the named files: a field's value, or each line of a file that is no JSON.
    pub(crate) fn load(arguments: &AgainstArguments) -> Result<Self, Failure> {
        let field = arguments.against_field.as_deref();
        let mut against = Self::default();
        for path in &arguments.against {
            let before = against.benchmark.len();
            against
                .read(path, field)
                .with_context(|| path.display().to_string())
                .or_exit(Exit::BadData)?;
            if against.benchmark.len() == before {
                let error = anyhow!("holds no problem").context(path.display().to_string());
                return Err(Failure::new(Exit::BadData, error)
                    .hint("name the field that holds a problem's text with --against-field"));
            }
        }
        Ok(against)
    }

    pub(crate) fn problems(&self) -> u64 {
        self.benchmark.len() as u64
    }

    /// The problem that stands in one of the texts of a record, if there is one.
    pub(crate) fn find(&self, texts: &Normal) -> Option<Contamination> {
        if self.benchmark.is_empty() {
            return None;
        }
        let overlap = self.benchmark.find_in(texts)?;
        Some(Contamination { problem: self.places[overlap.problem].clone(), rule: overlap.rule })
    }

    fn read(&mut self, path: &Path, field: Option<&str>) -> anyhow::Result<()> {
        for entry in JsonReader::new(File::open(path)?, Limits::default()) {
            match entry {
                Ok((place, Ok(value))) => {
                    if let Some(text) = problem(&value, field) {
                        self.add(path, place.index, text);
                    }
                }
                Ok((place, Err(reason))) => anyhow::bail!("{place}: {}", reason.code()),
                Err(Error::UnknownFormat { .. }) => return self.read_text(path),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn read_text(&mut self, path: &Path) -> anyhow::Result<()> {
        for (index, line) in BufReader::new(File::open(path)?).lines().enumerate() {
            self.add(path, index as u64, &line?);
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, index: u64, text: &str) {
        self.benchmark.add(text);
        self.places.push(RecordPlace { source: Source::from(path.to_owned()), index });
    }
}

fn problem<'a>(value: &'a Value, field: Option<&str>) -> Option<&'a str> {
    match field {
        Some(field) => value[field].as_str(),
        None => value.as_str().or_else(|| FIELDS.iter().find_map(|field| value[*field].as_str())),
    }
}
