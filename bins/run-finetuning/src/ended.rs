//! What is gathered when a job has made a model: the bill, the curve, the checkpoints and the results.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cli::Terminal;
use ftjob::{Client, Finished};
use wire::{Checkpoint, Job, JobId};

use crate::curve::Curve;
use crate::job::Run;
use crate::ledger::Best;

/// No table of metrics is longer.
const RESULTS_LIMIT: u64 = 64 << 20;
/// How many checkpoints are listed.
const LISTED: usize = 10;

/// Gathers everything and tells it; what cannot be had is told and stops nothing, because the model is there.
pub(crate) async fn gather(
    run: &mut Run<'_>,
    job: &Job,
    finished: &Finished,
    terminal: &mut Terminal<'_>,
) -> anyhow::Result<()> {
    if let Some(change) = run.display.curve.change() {
        writeln!(terminal.err, "{change}")?;
    }
    tell_bill(run, finished, terminal)?;
    let checkpoints = run.client.checkpoints(&job.id).await.unwrap_or_default();
    let best = best(&checkpoints);
    tell_checkpoints(&checkpoints, best.as_ref(), terminal)?;
    let curve = &run.display.curve;
    run.ledger.entry.valid_loss = curve.valid_loss();
    let folder = run.ledger.folder().to_owned();
    let mut written = Vec::new();
    if !curve.is_empty() {
        written.extend(write_curve(curve, best.as_ref().and_then(|best| best.step), &folder)?);
    }
    match results(&run.client, finished, &folder).await {
        Ok(path) => written.extend(path),
        Err(error) => {
            writeln!(terminal.err, "note: the results file could not be had ({error:#})")?;
        }
    }
    if !written.is_empty() {
        let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        writeln!(terminal.err, "written: {}", names.join(", "))?;
    }
    run.ledger.entry.best = best;
    if let Some(note) = &run.target.profile.note {
        writeln!(terminal.err, "note: {note}")?;
    }
    Ok(())
}

/// What was planned against what was billed, and how long it took.
fn tell_bill(
    run: &Run<'_>,
    finished: &Finished,
    terminal: &mut Terminal<'_>,
) -> std::io::Result<()> {
    let told = finished.seconds.filter(|seconds| *seconds > 0).map(|seconds| seconds as f64);
    let seconds = told.unwrap_or_else(|| run.begun.elapsed().as_secs_f64());
    let Some(tokens) = finished.trained_tokens else {
        return writeln!(terminal.err, "trained in {seconds:.0} s");
    };
    let rate = tokens as f64 / seconds.max(0.001);
    writeln!(terminal.err, "{tokens} tokens trained in {seconds:.0} s ({rate:.0} tokens/s)")?;
    let Some(planned) = &run.ledger.entry.planned else { return Ok(()) };
    let expected = planned.tokens * u64::from(planned.epochs);
    let off = 100.0 * (tokens as f64 - expected as f64) / (expected as f64).max(1.0);
    let sum = format!("{} x {}", planned.tokens, planned.epochs);
    writeln!(terminal.err, "planned: {expected} tokens ({sum}); billed: {tokens} ({off:+.1} %)")
}

fn tell_checkpoints(
    checkpoints: &[Checkpoint],
    best: Option<&Best>,
    terminal: &mut Terminal<'_>,
) -> std::io::Result<()> {
    let left_out = checkpoints.len().saturating_sub(LISTED);
    if left_out > 0 {
        writeln!(terminal.err, "{left_out} earlier checkpoints are not listed")?;
    }
    for checkpoint in &checkpoints[left_out..] {
        let step = checkpoint.step_number.map_or_else(|| "?".to_owned(), |step| step.to_string());
        let loss = loss(checkpoint).map(|loss| format!(", validation loss {loss:.4}"));
        let name = checkpoint.fine_tuned_model_checkpoint.as_deref().unwrap_or(&checkpoint.id);
        let name = crate::display::one_line(name);
        writeln!(terminal.err, "checkpoint at step {step}{}: {name}", loss.unwrap_or_default())?;
    }
    if let Some(best) = best.filter(|_| checkpoints.len() > 1) {
        let name = crate::display::one_line(&best.model);
        writeln!(terminal.err, "best by validation loss ({:.4}): {name}", best.valid_loss)?;
    }
    Ok(())
}

fn loss(checkpoint: &Checkpoint) -> Option<f64> {
    let metrics = &checkpoint.metrics;
    metrics.full_valid_loss.or(metrics.valid_loss).filter(|loss| loss.is_finite())
}

/// The checkpoint with the least validation loss, the earliest of equal ones.
fn best(checkpoints: &[Checkpoint]) -> Option<Best> {
    let measured =
        checkpoints.iter().filter_map(|checkpoint| Some((loss(checkpoint)?, checkpoint)));
    let (valid_loss, checkpoint) = measured.min_by(|(a, _), (b, _)| a.total_cmp(b))?;
    let model = checkpoint.fine_tuned_model_checkpoint.clone()?;
    Some(Best { model, step: checkpoint.step_number, valid_loss })
}

fn write_curve(curve: &Curve, best: Option<u64>, folder: &Path) -> anyhow::Result<[PathBuf; 2]> {
    let paths = ["learning_curve.csv", "learning_curve.svg"].map(|name| folder.join(name));
    for (path, text) in paths.iter().zip([curve.csv(), curve.svg(best)]) {
        put(path, text.as_bytes())?;
    }
    Ok(paths)
}

/// Fetches the job's table of metrics, which `OpenAI` packs in base64 and others do not.
async fn results(
    client: &Client,
    finished: &Finished,
    folder: &Path,
) -> anyhow::Result<Option<PathBuf>> {
    let Some(file) = finished.result_files.first() else { return Ok(None) };
    let content = client.content(file, RESULTS_LIMIT).await?;
    let path = folder.join("results.csv");
    put(&path, &unpacked(content))?;
    Ok(Some(path))
}

fn unpacked(content: Vec<u8>) -> Vec<u8> {
    if content.starts_with(b"step") {
        return content;
    }
    let packed: Vec<u8> =
        content.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    match BASE64_STANDARD.decode(packed) {
        Ok(unpacked) if std::str::from_utf8(&unpacked).is_ok() => unpacked,
        _ => content,
    }
}

/// Writes a file beside its place and renames it there.
fn put(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let written = || -> anyhow::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, content)?;
        file.persist(path)?;
        Ok(())
    };
    written().with_context(|| path.display().to_string())
}

/// The end of a job, as a JSON line.
pub(crate) fn json(run: &Run<'_>, job: &JobId, finished: &Finished) -> serde_json::Value {
    let entry = &run.ledger.entry;
    serde_json::json!({"type": "model", "run": run.ledger.name(), "job": job, "model": finished.model,
        "trained_tokens": finished.trained_tokens, "seconds": finished.seconds, "planned": entry.planned,
        "valid_loss": entry.valid_loss, "best": entry.best})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_unpacked_where_it_is_packed() {
        let table = "step,train_loss\n1,2.5\n";
        assert_eq!(unpacked(table.into()), table.as_bytes());
        let packed = BASE64_STANDARD.encode(table);
        assert_eq!(
            unpacked(format!("{}\n{}", &packed[..10], &packed[10..]).into_bytes()),
            table.as_bytes()
        );
        assert_eq!(unpacked(b"\x00\xff".to_vec()), b"\x00\xff");
    }

    #[test]
    fn the_best_checkpoint_has_the_least_validation_loss() {
        let checkpoint = |step: u64, loss: Option<f64>| {
            let mut checkpoint =
                Checkpoint::new("c", "ftjob-1".parse().unwrap(), format!("m{step}"), step, 0);
            checkpoint.metrics.full_valid_loss = loss;
            checkpoint
        };
        let all = [
            checkpoint(1, Some(2.0)),
            checkpoint(2, Some(1.0)),
            checkpoint(3, Some(1.0)),
            checkpoint(4, None),
        ];
        assert_eq!(best(&all).map(|best| best.model).as_deref(), Some("m2"));
        assert_eq!(best(&all[3..]), None);
    }
}
