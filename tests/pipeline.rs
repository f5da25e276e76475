//! Records to an answer with the libraries alone, over HTTP to the embedded server, on the tests' tiny model.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use dataset::{Entry, Example, Fraction, Limits, Reader, Spool, split};
use ftjob::{Finished, JobSpec, LocalFile, Recipe, RunKey, Timing, Update};
use server::{BaseModel, Embedded, Options};
use template::{SYSTEM_PROMPT, Template};
use transport::{Client, Endpoint, Key, Provider, Settings};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The files of a job, a server to run it, and a client.
struct Bench {
    folder: tempfile::TempDir,
    base: BaseModel,
}

impl Bench {
    fn new() -> anyhow::Result<Self> {
        let tiny = format!("{HERE}/golden/tiny-llama");
        Ok(Self { folder: tempfile::tempdir()?, base: BaseModel::named(&tiny, &tiny, "tiny") })
    }

    async fn server(&self) -> anyhow::Result<(Embedded, Client)> {
        let server = Embedded::start(Options::new(
            self.folder.path().join("server"),
            vec![self.base.clone()],
        ))
        .await?;
        let endpoint = Endpoint::new(
            Provider::Local,
            server.base_url(),
            Some(Key::new(server.token().expose())?),
        )?;
        Ok((server, Client::new(endpoint, Settings::default())?))
    }

    /// The first 20 records of the bundled sample: 15 to train on, 5 to measure on.
    fn files(&self) -> anyhow::Result<[PathBuf; 2]> {
        let mut spool = Spool::new_in(self.folder.path())?;
        for entry in Reader::new(
            File::open(format!("{HERE}/../examples/data/medical_sample.json"))?,
            Limits::default(),
        )
        .take(20)
        {
            let Entry::Record(record) = entry? else {
                anyhow::bail!("the sample has a bad record")
            };
            spool.push(&Example::new(&record, &Template::Headed, SYSTEM_PROMPT)?)?;
        }
        let [train, valid] =
            ["train.jsonl", "valid.jsonl"].map(|name| self.folder.path().join(name));
        spool.write(&split(20, Fraction::TENTH, 42), &train, &valid)?;
        Ok([train, valid])
    }
}

fn jobs(client: &Client) -> ftjob::Client {
    ftjob::Client::new(
        client.clone(),
        Timing { poll: Duration::from_millis(50), ..Timing::default() },
    )
}

async fn create(
    jobs: &ftjob::Client,
    files: &[PathBuf; 2],
    base: &str,
) -> anyhow::Result<ftjob::Created> {
    let [train, valid] = [LocalFile::read(&files[0]).await?, LocalFile::read(&files[1]).await?];
    let recipe = Recipe {
        epochs: Some(2),
        seed: Some(7),
        suffix: Some("pipeline".to_owned()),
        ..Recipe::new(base.to_owned())
    };
    let run = RunKey::new(&recipe.fingerprint(&[&train.sha256, &valid.sha256]));
    let mut spec = JobSpec::new(recipe, jobs.upload(&train).await?);
    spec.validation_file = Some(jobs.upload(&valid).await?);
    Ok(jobs.create(&spec, &run).await?)
}

#[tokio::test]
async fn records_become_a_model_that_answers_and_measures_better_than_before() -> anyhow::Result<()>
{
    let bench = Bench::new()?;
    let files = bench.files()?;
    let (server, client) = bench.server().await?;
    let jobs = jobs(&client);
    let created = create(&jobs, &files, &bench.base.id).await?;
    let mut losses = Vec::new();
    let mut note = |update: Update<'_>| {
        if let Update::Event(event) = update {
            losses.extend(event.read_metrics().and_then(|metrics| metrics.full_valid_loss));
        }
    };
    let job = jobs.follow(&created.job.id, &mut note).await?;
    let model = Finished::of(&job)?.model;
    assert!(model.starts_with("ft:tiny-llama:local:pipeline:"), "{model}");
    let (before, after) =
        losses.first().zip(losses.last()).context("no validation loss was reported")?;
    assert!(after < before, "{losses:?}");
    let mut assistant = inference::Assistant::new(client, model.clone());
    assistant.sampling.max_tokens = Some(16);
    assert_eq!(assistant.ask("Why do hands tremble?").await?.model, model);
    Ok(server.shutdown().await?)
}

#[tokio::test]
async fn the_same_run_asked_for_twice_is_one_job() -> anyhow::Result<()> {
    let bench = Bench::new()?;
    let files = bench.files()?;
    let (server, client) = bench.server().await?;
    let jobs = jobs(&client);
    let first = create(&jobs, &files, &bench.base.id).await?;
    let second = create(&jobs, &files, &bench.base.id).await?;
    assert_eq!(first.job.id, second.job.id);
    jobs.cancel(&first.job.id).await?;
    assert!(Path::new(&files[0]).exists());
    Ok(server.shutdown().await?)
}
