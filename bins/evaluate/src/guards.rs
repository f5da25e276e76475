//! What is checked before anything is asked.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use cli::{Exit, Failure, ResultExt};
use evaluation::guard::{Guard, Manifest, Questions};
use inference::SavedModel;

use crate::arguments::GuardArguments;
use crate::input::{self, Input};

const TRAIN: &str = "medical_train.jsonl";
const MANIFEST: &str = "medical_dataset.manifest.json";

/// Looks for measured items in the training data, and for a model that is asked otherwise than it was trained.
///
/// What is found is refused, unless it is allowed; then the report says it.
pub(crate) fn check(
    input: &Input,
    saved: &SavedModel,
    arguments: &GuardArguments,
) -> Result<Guard, Failure> {
    let mut guard = Guard::default();
    let manifest = present(arguments.manifest.as_ref(), MANIFEST);
    let train = present(arguments.train.as_ref(), TRAIN);
    mismatches(input, saved, &mut guard);
    if let Some(path) = &manifest {
        by_manifest(path, input, saved, &mut guard)?;
    }
    match &train {
        Some(path) => in_training_file(path, input, saved, &mut guard)?,
        None => guard.unchecked.push(format!(
            "no training file was given (--train, or {TRAIN}), so nothing was searched for what is measured"
        )),
    }
    refuse(&guard, arguments)?;
    Ok(guard)
}

/// The file that is named, or the usual one where it is.
fn present(named: Option<&PathBuf>, usual: &str) -> Option<PathBuf> {
    named.cloned().or_else(|| Path::new(usual).is_file().then(|| usual.into()))
}

fn mismatches(input: &Input, saved: &SavedModel, guard: &mut Guard) {
    if !saved.is_as_trained() {
        guard.mismatches.push(
            "the saved model's system prompt or template was changed after its training".to_owned(),
        );
    }
    let other = |prompt: String| prompt != saved.system_prompt;
    let others = input.holdout.iter().filter(|record| other(record.system_prompt())).count();
    if others > 0 {
        guard.mismatches.push(format!(
            "{others} of {} held-out records have another system prompt than the model was trained with",
            input.holdout.len()
        ));
    }
}

fn by_manifest(
    path: &Path,
    input: &Input,
    saved: &SavedModel,
    guard: &mut Guard,
) -> Result<(), Failure> {
    let name = path.display().to_string();
    let manifest = Manifest::parse(&input::read(path)?);
    let manifest = manifest.with_context(|| name.clone()).or_exit(Exit::BadData)?;
    if *manifest.fingerprint() != saved.fingerprint {
        guard.mismatches.push(format!(
            "the template and system prompt of {} are not those of the model",
            file_name(path)
        ));
    }
    if !input.holdout.is_empty() {
        guard
            .checked
            .push(format!("held-out records against the training side of {}", file_name(path)));
        guard.leaks.extend(manifest.leaks(&input.holdout, &saved.template));
    }
    Ok(())
}

fn in_training_file(
    path: &Path,
    input: &Input,
    saved: &SavedModel,
    guard: &mut Guard,
) -> Result<(), Failure> {
    let name = path.display().to_string();
    let mut questions = Questions::default();
    for record in &input.holdout {
        questions.add("holdout", &record.id, &record.question());
    }
    for problem in &input.problems {
        questions.add(&problem.set, &problem.id, &problem.question);
    }
    for rubric in &input.rubrics {
        let asked = rubric.question();
        questions.add("rubrics", &rubric.prompt_id, &asked);
    }
    let file = File::open(path).with_context(|| name.clone()).or_exit(Exit::BadData)?;
    let found = questions.find_in(file).with_context(|| name.clone()).or_exit(Exit::BadData)?;
    guard.checked.push(format!(
        "{} questions against {}",
        input.items() - input.safety.len(),
        file_name(path)
    ));
    let known =
        |id: &str, set: &str| guard.leaks.iter().any(|leak| leak.id == id && leak.set == set);
    let found: Vec<_> = found.into_iter().filter(|leak| !known(&leak.id, &leak.set)).collect();
    guard.leaks.extend(found);
    if !saved.files.is_empty() {
        let text = std::fs::read(path).with_context(|| name).or_exit(Exit::BadData)?;
        let hash = input::sha256(&text);
        if !saved.files.values().any(|known| *known == hash) {
            guard
                .unchecked
                .push(format!("{} is not the file that the model was trained on", file_name(path)));
        }
    }
    Ok(())
}

fn refuse(guard: &Guard, arguments: &GuardArguments) -> Result<(), Failure> {
    if let Some(leak) = guard.leaks.first().filter(|_| !arguments.allow_leak) {
        let line = leak.line.map(|line| format!(", line {line}")).unwrap_or_default();
        let error = anyhow!(
            "{} measured items stand in the training data, the first is {} {} (found by {}{line})",
            guard.leaks.len(),
            leak.set,
            leak.id,
            leak.found_by
        );
        let hint = "prepare-data --against FILE --drop-contaminated keeps problems out of the training; --allow-leak measures anyway, and the report says so";
        return Err(Failure::new(Exit::BadData, error).hint(hint));
    }
    if let Some(mismatch) = guard.mismatches.first().filter(|_| !arguments.allow_mismatch) {
        let error = anyhow!("{mismatch}");
        let hint = "measure with the files that were made for this model; --allow-mismatch measures anyway, and the report says so";
        return Err(Failure::new(Exit::BadData, error).hint(hint));
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
