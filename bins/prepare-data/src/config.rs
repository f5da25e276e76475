//! The command line, checked and resolved.

use std::ffi::OsStr;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use cli::{Environment, Exit, Failure, ResultExt};
use dataset::{FieldNames, Fraction};
use template::{SYSTEM_PROMPT, Template};
use tokens::PriceTable;

use crate::against::AgainstArguments;
use crate::arguments::{Arguments, Splitting};
use crate::budget::price_table;
use crate::counter::Counter;
use crate::download::{Download, DownloadArguments};
use crate::input::Source;
use crate::overlong::Overlong;
use crate::phi::Phi;

/// The manifest's name where none is given.
const MANIFEST: &str = "medical_dataset.manifest.json";

/// Everything that decides what the tool does.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) inputs: Vec<Source>,
    /// What is fetched to the first input's place before it is read.
    pub(crate) download: Option<Download>,
    pub(crate) names: FieldNames,
    pub(crate) outputs: Outputs,
    pub(crate) valid_fraction: Fraction,
    pub(crate) seed: u64,
    pub(crate) splitting: Splitting,
    pub(crate) near_threshold: f64,
    pub(crate) template: Template,
    pub(crate) system_prompt: String,
    pub(crate) base_model: String,
    pub(crate) models_dir: PathBuf,
    pub(crate) prices: PriceTable,
    pub(crate) against: AgainstArguments,
    pub(crate) phi: Phi,
    pub(crate) max_tokens: Option<NonZero<usize>>,
    pub(crate) overlong: Overlong,
    pub(crate) threads: NonZero<usize>,
    pub(crate) strict: bool,
    pub(crate) dry_run: bool,
    pub(crate) json: bool,
}

/// The files to write.
#[derive(Debug)]
pub(crate) struct Outputs {
    pub(crate) train: PathBuf,
    pub(crate) valid: PathBuf,
    pub(crate) manifest: PathBuf,
    pub(crate) rejects: Option<PathBuf>,
    /// Reports, by their names as JSON or as a page.
    pub(crate) reports: Vec<PathBuf>,
}

impl Config {
    pub(crate) fn resolve(
        arguments: Arguments,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let beside = || folder_of(&arguments.train_output).join(MANIFEST);
        let config = Self {
            names: field_names(&arguments),
            system_prompt: system_prompt(arguments.system_prompt).or_exit(Exit::Usage)?,
            download: arguments.download.resolve(environment)?,
            inputs: inputs(arguments.input, &arguments.download),
            valid_fraction: arguments.valid_fraction,
            seed: arguments.seed,
            splitting: arguments.split,
            near_threshold: arguments.near_threshold,
            template: Template::open(&arguments.template)
                .context("--template")
                .or_exit(Exit::Usage)?,
            base_model: arguments.base_model,
            prices: price_table(arguments.price_table.as_deref())?,
            models_dir: environment.cache_dir().join("models"),
            against: arguments.against,
            phi: arguments.phi,
            max_tokens: arguments.max_tokens,
            overlong: arguments.overlong,
            threads: arguments.threads.unwrap_or_else(cores),
            strict: arguments.strict,
            dry_run: arguments.dry_run,
            json: arguments.json,
            outputs: Outputs {
                manifest: arguments.manifest.unwrap_or_else(beside),
                train: arguments.train_output,
                valid: arguments.valid_output,
                rejects: arguments.rejects,
                reports: arguments.report,
            },
        };
        config.check_paths().or_exit(Exit::Usage)?;
        Ok(config)
    }

    /// The most tokens of an example that training uses, where that is known.
    pub(crate) fn limit(&self, counter: &Counter) -> Option<usize> {
        let of_service = || self.prices.model(&self.base_model)?.max_training_tokens;
        self.max_tokens.map(NonZero::get).or_else(|| counter.limit()).or_else(of_service)
    }

    /// Whether longer examples are dealt with: a limit that was not asked for does not go by an estimate.
    pub(crate) fn overlong_applies(&self, counter: &Counter) -> bool {
        self.max_tokens.is_some() || counter.doubt().is_none()
    }

    /// A fetched file needs one place of its own. No file may be read twice, nor written over another one of this run.
    fn check_paths(&self) -> anyhow::Result<()> {
        if self.download.is_some()
            && (self.inputs.len() > 1 || self.inputs[0].path() == Path::new("-"))
        {
            return Err(anyhow!("--download needs a single file as --input"));
        }
        let Outputs { train, valid, manifest, rejects, reports } = &self.outputs;
        let mut paths: Vec<(&str, &Path)> =
            self.inputs.iter().map(|i| ("--input", i.path())).collect();
        paths.extend([
            ("--train-output", train.as_path()),
            ("--valid-output", valid),
            ("--manifest", manifest),
        ]);
        paths.extend(rejects.as_deref().map(|path| ("--rejects", path)));
        paths.extend(reports.iter().map(|path| ("--report", path.as_path())));
        for (index, (flag, path)) in paths.iter().enumerate() {
            let same = |other: &&(&str, &Path)| resolved(other.1) == resolved(path);
            if let Some((other, _)) = paths[..index].iter().find(same) {
                return Err(anyhow!("{other} and {flag} are the same file: {}", path.display()));
            }
        }
        Ok(())
    }
}

/// The inputs that are named, or the one that is read otherwise.
fn inputs(named: Vec<PathBuf>, download: &DownloadArguments) -> Vec<Source> {
    let named = if named.is_empty() { vec![download.file_name()] } else { named };
    named.into_iter().map(Source::from).collect()
}

/// One thread for each core; where their number is not known, one.
fn cores() -> NonZero<usize> {
    std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

fn field_names(arguments: &Arguments) -> FieldNames {
    let known = FieldNames::default();
    let named = |flag: &Option<String>, known| flag.clone().map_or(known, |name| vec![name]);
    FieldNames {
        question: named(&arguments.question_field, known.question),
        reasoning: named(&arguments.reasoning_field, known.reasoning),
        response: named(&arguments.response_field, known.response),
    }
}

fn system_prompt(argument: Option<String>) -> anyhow::Result<String> {
    let Some(text) = argument else {
        return Ok(SYSTEM_PROMPT.to_owned());
    };
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text);
    };
    let mut text = fs::read_to_string(path).with_context(|| format!("--system-prompt: {path}"))?;
    // Editors end a file with a newline that is not meant.
    if text.ends_with('\n') {
        text.pop();
        text.truncate(text.trim_end_matches('\r').len());
    }
    Ok(text)
}

/// The folder that `path` stands in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

/// The path without links and dots, also where the file is not there yet.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    let folder = folder_of(path);
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    folder.join(path.file_name().unwrap_or(OsStr::new("")))
}
