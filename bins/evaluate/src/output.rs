//! What a run leaves: files that appear whole, and the last words on the terminal.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use cli::{Exit, Failure, ResultExt, Terminal};
use dataset::{Finished, Output, commit};
use evaluation::Condition;
use serde::Serialize;

/// The report of a run in its folder.
pub(crate) const REPORT: &str = "report.json";
/// The answers of a run in its folder.
pub(crate) const ANSWERS: &str = "answers.jsonl";

/// Makes the folder that a run leaves its files in.
pub(crate) fn folder(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).with_context(|| path.display().to_string()).or_exit(Exit::Failed)
}

/// `evaluation/` and the model's id, with other characters than letters, digits, `.`, `_` and `-` as `-`.
pub(crate) fn usual_folder(model: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = model.chars().map(plain).collect();
    Path::new("evaluation").join(name.trim_start_matches('.'))
}

/// `value` as pretty JSON with a line's end.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

/// Writes `files` into `folder`, all of them or none.
pub(crate) fn write(folder: &Path, files: &[(&str, String)]) -> Result<Vec<PathBuf>, Failure> {
    let mut finished: Vec<Finished> = Vec::new();
    let mut paths = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        let mut output = Output::create(&path)?;
        output.write_all(text.as_bytes()).with_context(|| path.display().to_string())?;
        finished.push(output.finish()?);
        paths.push(path);
    }
    commit(finished, &[])?;
    Ok(paths)
}

/// Checks that every condition names something that was measured, and says which of them hold.
///
/// A name that was not measured is an error and no pass: a check that cannot fail checks nothing.
pub(crate) fn conditions(
    conditions: &[Condition],
    find: impl Fn(&str) -> Option<f64>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for condition in conditions {
        let Some(value) = find(condition.name()) else {
            let error = anyhow!("--fail-if: `{}` was not measured", condition.name());
            let hint = "names are those of report.json (set.metric), with .low or .high for an end of the interval";
            return Err(Failure::new(Exit::Usage, error).hint(hint));
        };
        if condition.holds(value) {
            writeln!(terminal.err, "failed: {condition} ({} is {value:.6})", condition.name())?;
            exit = Exit::ConditionMet;
        }
    }
    Ok(exit)
}
