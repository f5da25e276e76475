//! Fine-tunes a model on this machine and asks it, in one program.
//!
//! `cargo run --package medtune-examples --example finetune_and_ask [BASE_MODEL]`: a known name such as
//! `smollm2-135m-instruct`, or a path; without one the tests' tiny model, which answers noise.

#![expect(clippy::print_stdout, reason = "an example shows what it made")]

use std::{fs::File, path::Path, time::Duration};

use dataset::{Entry, Example, Fraction, Limits, Reader, Spool, split};
use engine::locate::{self, Source};
use ftjob::{Finished, JobSpec, LocalFile, Recipe, RunKey, Timing, Update};
use server::{BaseModel, Embedded, Options};
use template::{SYSTEM_PROMPT, Template};
use transport::{Client, Endpoint, Key, Provider, Settings};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let base = std::env::args().nth(1).unwrap_or(format!("{HERE}/../tests/golden/tiny-llama"));
    let cache = locate::Options::new(".medtune/models");
    let found = locate::locate(&Source::parse(&base)?, &cache, &mut |_| {})?;
    let base = BaseModel::named(&base, found.path, found.sha256);
    // OpenAI's dialect on a port of this machine; any other service is used the same way.
    let folder = tempfile::tempdir()?;
    let server = Embedded::start(Options::new(folder.path(), vec![base.clone()])).await?;
    let key = Some(Key::new(server.token().expose())?);
    let endpoint = Endpoint::new(Provider::Local, server.base_url(), key)?;
    let client = Client::new(endpoint, Settings::default())?;
    let model = fine_tune(client.clone(), base.id, folder.path()).await?;
    let answer = inference::Assistant::new(client, model).ask("Why do hands tremble?").await?;
    println!("{}: {:?}\n{}", answer.model, answer.reasoning, answer.response);
    Ok(server.shutdown().await?)
}

async fn fine_tune(client: Client, base: String, folder: &Path) -> anyhow::Result<String> {
    let jobs =
        ftjob::Client::new(client, Timing { poll: Duration::from_secs(1), ..Timing::default() });
    let mut spool = Spool::new_in(folder)?;
    let sample = File::open(format!("{HERE}/data/medical_sample.json"))?;
    for entry in Reader::new(sample, Limits::default()).take(10) {
        let Entry::Record(record) = entry? else { continue };
        spool.push(&Example::new(&record, &Template::Headed, SYSTEM_PROMPT)?)?;
    }
    let path = folder.join("train.jsonl");
    spool.write(&split(10, Fraction::TENTH, 42), &path, &folder.join("valid.jsonl"))?;
    let file = LocalFile::read(&path).await?;
    let recipe = Recipe { epochs: Some(1), ..Recipe::new(base) };
    let run = RunKey::new(&recipe.fingerprint(&[&file.sha256]));
    let created = jobs.create(&JobSpec::new(recipe, jobs.upload(&file).await?), &run).await?;
    let mut show = |update: Update<'_>| {
        if let Update::Event(event) = update {
            println!("{}", event.message);
        }
    };
    let job = jobs.follow(&created.job.id, &mut show).await?;
    Ok(Finished::of(&job)?.model)
}
