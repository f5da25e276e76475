//! Files that are measured on, read before anything is asked.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use cli::{Exit, Failure, ResultExt};
use evaluation::choice::{Problem, read_problems};
use evaluation::holdout::{Holdout, read_holdout};
use evaluation::judge::{Rubric, read_rubrics};
use evaluation::report::Data;
use evaluation::safety::{self, SafetyQuestion};
use evaluation::statistics::sample;
use sha2::{Digest, Sha256};

use crate::arguments::RunArguments;

/// The usual name of the hold-out file.
const HOLDOUT: &str = "medical_valid.jsonl";
/// The largest file that is read whole; MIRAGE's has 6 MB.
const FILE_BYTES: u64 = 512 << 20;

/// Everything that is measured.
#[derive(Debug, Default)]
pub(crate) struct Input {
    pub(crate) holdout: Vec<Holdout>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) rubrics: Vec<Rubric>,
    pub(crate) safety: Vec<SafetyQuestion>,
    pub(crate) data: Vec<Data>,
}

impl Input {
    /// Reads the files that the arguments name, and draws the sample that `--limit` asks for.
    pub(crate) fn read(arguments: &RunArguments) -> Result<Self, Failure> {
        let mut input = Self::default();
        let most = arguments.limit.map_or(usize::MAX, |limit| limit as usize);
        let seed = u64::from(arguments.seed);
        if let Some(path) = holdout(arguments)? {
            let text = read(&path)?;
            let records = read_holdout(text.as_bytes())
                .with_context(|| shown(&path))
                .or_exit(Exit::BadData)?;
            input.holdout = input.taken("holdout", (&path, &text), records, (most, seed));
        }
        for path in &arguments.choices {
            for (set, problems) in problems(path, None)? {
                if input.data.iter().any(|data| data.set == set) {
                    let error = anyhow!("{}: there is a set `{set}` already", path.display());
                    let hint =
                        "a file's name without its ending names its set: rename one of the two";
                    return Err(Failure::new(Exit::BadData, error).hint(hint));
                }
                let text = read(path)?;
                let problems = input.taken(&set, (path, &text), problems, (most, seed));
                input.problems.extend(problems);
            }
        }
        if let Some(path) = &arguments.rubrics {
            let text = read(path)?;
            let rubrics =
                read_rubrics(&text).with_context(|| shown(path)).or_exit(Exit::BadData)?;
            input.rubrics = input.taken("rubrics", (path, &text), rubrics, (most, seed));
        }
        if arguments.safety {
            let questions = safety::questions();
            let path = Path::new("built in");
            input.safety = input.taken("safety", (path, ""), questions, (most, seed));
        }
        Ok(input)
    }

    /// How many items there are in all.
    pub(crate) fn items(&self) -> usize {
        self.holdout.len() + self.problems.len() + self.rubrics.len() + self.safety.len()
    }

    fn taken<T>(
        &mut self,
        set: &str,
        (path, text): (&Path, &str),
        all: Vec<T>,
        (most, seed): (usize, u64),
    ) -> Vec<T> {
        let items_in_file = all.len();
        let places = sample(items_in_file, most, seed);
        let mut all: Vec<Option<T>> = all.into_iter().map(Some).collect();
        let taken: Vec<T> = places.into_iter().filter_map(|place| all[place].take()).collect();
        let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let sha256 = if text.is_empty() { String::new() } else { sha256(text.as_bytes()) };
        self.data.push(Data {
            set: set.to_owned(),
            file,
            sha256,
            items_in_file,
            items: taken.len(),
        });
        taken
    }
}

/// The hold-out file that is named, or the usual one where nothing is named at all.
fn holdout(arguments: &RunArguments) -> Result<Option<PathBuf>, Failure> {
    let nothing_named =
        arguments.choices.is_empty() && arguments.rubrics.is_none() && !arguments.safety;
    match &arguments.holdout {
        Some(path) => Ok(Some(path.clone())),
        None if !nothing_named => Ok(None),
        None if Path::new(HOLDOUT).is_file() => Ok(Some(HOLDOUT.into())),
        None => {
            let error = anyhow!("nothing to measure: no {HOLDOUT} here");
            let hint = "name what to measure on: --holdout FILE, --choices FILE, --rubrics FILE or --safety";
            Err(Failure::new(Exit::Usage, error).hint(hint))
        }
    }
}

/// The problems of a file, set by set in the file's order; only those of `only`, if it is named.
pub(crate) fn problems(
    path: &Path,
    only: Option<&str>,
) -> Result<Vec<(String, Vec<Problem>)>, Failure> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let text = read(path)?;
    let problems =
        read_problems(&text, &stem).with_context(|| shown(path)).or_exit(Exit::BadData)?;
    let mut sets: Vec<(String, Vec<Problem>)> = Vec::new();
    for problem in problems.into_iter().filter(|one| only.is_none_or(|only| one.set == only)) {
        match sets.iter_mut().find(|(set, _)| *set == problem.set) {
            Some((_, problems)) => problems.push(problem),
            None => sets.push((problem.set.clone(), vec![problem])),
        }
    }
    if sets.is_empty() {
        let error = anyhow!("{}: no set `{}`", path.display(), only.unwrap_or_default());
        return Err(Failure::new(Exit::BadData, error));
    }
    Ok(sets)
}

/// The text of a file, which must be UTF-8 and not larger than any such file should be.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let size = std::fs::metadata(path).map(|metadata| metadata.len());
    if size.as_ref().is_ok_and(|size| *size > FILE_BYTES) {
        let error = anyhow!("{}: larger than {} MB", path.display(), FILE_BYTES >> 20);
        return Err(Failure::new(Exit::BadData, error));
    }
    std::fs::read_to_string(path).with_context(|| shown(path)).or_exit(Exit::BadData)
}

/// The SHA-256 of `bytes` in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digits = |byte: &u8| {
        [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
    };
    Sha256::digest(bytes).iter().flat_map(digits).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
