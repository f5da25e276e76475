//! What a person sees of `demo`, on the tiny model.

use std::path::Path;

use anyhow::Context;
use cli::{Environment, Exit, Terminal};

const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama");

fn demo(folder: &Path, args: &[&str]) -> (Exit, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let work = folder.join("work");
    let args = ["--work-dir".into(), work.into_os_string()]
        .into_iter()
        .chain(args.iter().map(std::ffi::OsString::from));
    let environment =
        Environment::from_pairs([("MEDTUNE_CACHE_DIR", folder.join("cache").to_string_lossy())]);
    let exit = ::demo::run(args.collect(), &environment, &mut Terminal::plain(&mut out, &mut err));
    (exit, String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned())
}

#[test]
fn the_main_job_runs_from_records_to_an_answer() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (exit, out, err) = demo(folder.path(), &["--base-model", TINY, "--epochs", "1"]);
    assert_eq!(exit, Exit::Done, "{err}");
    let work = folder.path().join("work");
    let id =
        std::fs::read_to_string(work.join("fine_tuned_model_id.txt")).context("the id file")?;
    assert!(id.starts_with("ft:") && out.contains(&id), "{id} is not in {out}");
    for file in ["medical_train.jsonl", "medical_valid.jsonl", "fine_tuned_model.json"] {
        assert!(work.join(file).metadata()?.len() > 0, "{file}");
    }
    assert!(err.contains(cli::NOT_CLINICAL), "{err}");
    Ok(())
}

#[test]
fn a_base_model_that_is_not_there_ends_it_with_the_failing_steps_code() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let missing = folder.path().join("missing.gguf");
    let (exit, _, err) = demo(folder.path(), &["--base-model", &missing.to_string_lossy()]);
    assert_ne!(exit, Exit::Done);
    assert!(err.contains("missing.gguf"), "{err}");
    assert!(!folder.path().join("work/fine_tuned_model_id.txt").exists());
    Ok(())
}
