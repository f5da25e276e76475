//! The whole way on this machine: a tiny model is trained, saved and asked, through the embedded server.

use std::path::Path;
use std::time::Duration;

use cli::{Environment, Exit, Terminal};
use ftjob::{Finished, JobSpec, LocalFile, Recipe, RunKey, Timing};
use inference::SavedModel;
use serde_json::{Value, json};
use server::{BaseModel, Embedded, Options};
use template::SYSTEM_PROMPT;
use transport::{Client, Endpoint, Key, Provider, Settings};

const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama");

/// Trains the tiny model in `folder` and saves it there, as run-finetuning does.
async fn train(folder: &Path) -> anyhow::Result<SavedModel> {
    let lines = (0..10).map(|n| {
        let answer = format!("## Thinking\n\n{n} is {n}.\n\n## Final Response\n\n{n}");
        let messages = [("system", SYSTEM_PROMPT), ("user", "Which?"), ("assistant", &answer)];
        let messages = messages.map(|(role, content)| json!({"role": role, "content": content}));
        format!("{}\n", json!({"messages": messages}))
    });
    let file = folder.join("train.jsonl");
    std::fs::write(&file, lines.collect::<Vec<_>>().concat())?;
    let base = BaseModel::named(TINY, TINY, engine_sha256()?);
    let server = Embedded::start(Options::new(folder.join("server"), vec![base.clone()])).await?;
    let key = Some(Key::new(server.token().expose())?);
    let endpoint = Endpoint::new(Provider::Local, server.base_url(), key)?;
    let timing = Timing { poll: Duration::from_millis(50), ..Timing::default() };
    let jobs = ftjob::Client::new(Client::new(endpoint, Settings::default())?, timing);
    let recipe = Recipe { epochs: Some(1), ..Recipe::new(base.id.clone()) };
    let file = jobs.upload(&LocalFile::read(&file).await?).await?;
    let job = jobs.create(&JobSpec::new(recipe, file), &RunKey::new("ask")).await?.job;
    let finished = Finished::of(&jobs.follow(&job.id, &mut |_| {}).await?)?;
    server.shutdown().await?;
    let mut saved = SavedModel::of_id(&finished.model);
    saved.data_dir = Some("server".into());
    saved.base_model = base.id;
    saved.base_model_path = Some(TINY.into());
    saved.save(&folder.join(SavedModel::FILE))?;
    Ok(saved)
}

/// The hash by which the tool will find the base model again.
fn engine_sha256() -> anyhow::Result<String> {
    let source = engine::locate::Source::parse(TINY)?;
    let options = engine::locate::Options::new("unused");
    Ok(engine::locate::locate(&source, &options, &mut |_| {})?.sha256)
}

fn ask(folder: &Path, arguments: &[&str]) -> (Exit, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let file = folder.join(SavedModel::FILE).into_os_string();
    let arguments = arguments.iter().map(Into::into).chain(["--model-file".into(), file]).collect();
    let environment = Environment::default();
    let exit = ask::run(arguments, &environment, &mut Terminal::plain(&mut out, &mut err));
    let [out, err] = [out, err].map(|text| String::from_utf8_lossy(&text).into_owned());
    (exit, out, err)
}

#[test]
fn a_model_that_was_trained_here_is_asked_here() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let saved = runtime.block_on(train(folder.path()))?;
    assert_eq!(saved.provider, Provider::Local);

    let flags = ["Which?", "--max-tokens", "24", "--seed", "7", "--json"];
    let (exit, out, err) = ask(folder.path(), &flags);
    assert_eq!((exit, err.trim_end()), (Exit::Done, cli::NOT_CLINICAL), "{out}");
    let record: Value = serde_json::from_str(&out)?;
    assert_eq!((&record["model"], &record["question"]), (&json!(saved.model), &json!("Which?")));
    let used = record["usage"]["completion_tokens"].as_u64();
    assert!(used.is_some_and(|tokens| (1..=24).contains(&tokens)), "{out}");

    let again = ask(folder.path(), &[&flags[..], &["--no-stream"]].concat());
    assert_eq!(again.1, out, "the seed decides, however the answer comes");
    let base = ask(folder.path(), &[&flags[..], &["--model", &saved.base_model]].concat());
    assert_eq!(base.0, Exit::Done, "{}", base.2);
    assert_eq!(serde_json::from_str::<Value>(&base.1)?["model"], json!(saved.base_model));
    Ok(())
}

#[test]
fn a_data_folder_that_is_not_there_is_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    SavedModel::of_id("ft:tiny:local::1").save(&folder.path().join(SavedModel::FILE))?;
    let (exit, out, err) = ask(folder.path(), &["Which?", "--data-dir", "/nowhere"]);
    assert_eq!((exit, out.as_str()), (Exit::BadData, ""));
    assert!(err.starts_with("error: /nowhere: no such folder\nhint: "), "{err}");
    Ok(())
}

#[test]
fn a_base_model_needs_no_training_before() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let fresh = folder.path().join("fresh").display().to_string();
    let flags = ["Which?", "--model", "tiny-llama", "--provider", "local", "--base-model", TINY];
    let more = ["--data-dir", &fresh, "--max-tokens", "8", "--json"];
    let (exit, out, err) = ask(folder.path(), &[&flags[..], &more].concat());
    assert_eq!(exit, Exit::Done, "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out)?["model"], json!("tiny-llama"));
    Ok(())
}
