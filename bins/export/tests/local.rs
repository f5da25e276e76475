//! A model that was trained on this machine, exported while the server still runs.

use std::path::Path;
use std::time::Duration;

use cli::{Environment, Exit, Terminal};
use ftjob::{Finished, JobSpec, LocalFile, Recipe, RunKey, Timing};
use inference::SavedModel;
use serde_json::json;
use server::{BaseModel, Embedded, Options};
use transport::{Client, Endpoint, Key, Provider, Settings};

const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama");
const GGUF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama/model.gguf");

/// The base model as the tools find it.
fn base() -> anyhow::Result<BaseModel> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal::plain(&mut out, &mut err);
    let found = connect::BaseModel::new(TINY, &Environment::default());
    found
        .and_then(|base| base.find(&mut terminal))
        .map_err(|failure| anyhow::anyhow!("{:#}", failure.error()))
}

/// Trains the tiny model over `server` and saves what run-finetuning saves.
async fn train(folder: &Path, server: &Embedded, base: &BaseModel) -> anyhow::Result<SavedModel> {
    let lines = (0..10).map(|n| {
        let messages = json!([{"role": "user", "content": "Which?"}, {"role": "assistant", "content": format!("{n}")}]);
        format!("{}\n", json!({"messages": messages}))
    });
    let file = folder.join("train.jsonl");
    std::fs::write(&file, lines.collect::<String>())?;
    let key = Some(Key::new(server.token().expose())?);
    let endpoint = Endpoint::new(Provider::Local, server.base_url(), key)?;
    let timing = Timing { poll: Duration::from_millis(50), ..Timing::default() };
    let jobs = ftjob::Client::new(Client::new(endpoint, Settings::default())?, timing);
    let recipe = Recipe { epochs: Some(1), ..Recipe::new(base.id.clone()) };
    let file = jobs.upload(&LocalFile::read(&file).await?).await?;
    let job = jobs.create(&JobSpec::new(recipe, file), &RunKey::new("export")).await?.job;
    let finished = Finished::of(&jobs.follow(&job.id, &mut |_| {}).await?)?;
    let mut saved = SavedModel::of_id(&finished.model);
    saved.data_dir = Some("server".into());
    saved.base_model.clone_from(&base.id);
    saved.base_model_path = Some(TINY.into());
    saved.save(&folder.join(SavedModel::FILE))?;
    Ok(saved)
}

fn export(folder: &Path, arguments: &[&str]) -> (Exit, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let file = folder.join(SavedModel::FILE).into_os_string();
    let arguments = arguments.iter().map(Into::into).chain(["--model-file".into(), file]).collect();
    let environment = Environment::default();
    let exit = export::run(arguments, &environment, &mut Terminal::plain(&mut out, &mut err));
    let [out, err] = [out, err].map(|text| String::from_utf8_lossy(&text).into_owned());
    (exit, out, err)
}

#[test]
fn the_saved_model_is_exported_beside_a_running_server() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let base = base()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let options = Options::new(folder.path().join("server"), vec![base.clone()]);
    let server = runtime.block_on(Embedded::start(options))?;
    let saved = runtime.block_on(train(folder.path(), &server, &base))?;

    let output = folder.path().join("merged").display().to_string();
    let (exit, out, err) = export(folder.path(), &["--format", "safetensors", "-o", &output]);
    assert_eq!((exit, out.trim_end()), (Exit::Done, &output[..]), "{err}");
    engine::Model::load(Path::new(&output), &engine::LoadOptions::default())?;

    let output = folder.path().join("peft").display().to_string();
    let flags = ["--format", "peft", "-o", &output];
    let (exit, _, err) = export(folder.path(), &[&[&saved.model[..]], &flags[..]].concat());
    assert_eq!(exit, Exit::Done, "{err}");

    // Other weights than those of the training, and a model that is not there.
    let (exit, _, err) =
        export(folder.path(), &["--format", "gguf", "-o", "x", "--base-model", GGUF]);
    assert_eq!(exit, Exit::BadData);
    assert!(err.contains("was trained on other weights than"), "{err}");
    let data = folder.path().join("server").display().to_string();
    let other = ["ft:other", "--data-dir", &data, "--format", "gguf", "-o", "x"];
    let (exit, _, err) = export(folder.path(), &other);
    assert_eq!(exit, Exit::BadData);
    assert!(err.contains(&format!("hint: there are: {}", saved.model)), "{err}");
    runtime.block_on(server.shutdown())?;
    Ok(())
}
