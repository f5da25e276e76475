//! `serve` killed at random moments: what it acknowledged is there afterwards, and trained weights do not differ.
//!
//! Rounds of uploads, parts, jobs, pauses and deletions, each cut off by a kill that cannot be caught, some by SIGTERM
//! instead; then a start, and a look at everything that was ever acknowledged. Few rounds always, many when asked for:
//! `cargo test -p serve --test killed -- --ignored --nocapture`. Seeds fix what is done and when the kills come; what
//! they hit is up to the machine.

mod process;
mod client;
mod ledger;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::client::Client;
use crate::ledger::{Ledger, RECIPES, Recipe};
use crate::process::{End, Process};

/// The longest time between a start and its kill: some requests, or half a job.
const LONGEST_ROUND_MS: u64 = 900;

/// One in so many rounds ends as a service's manager ends a server, beside the rounds that a kill ends.
const ASKED_EVERY: usize = 5;

/// The weights that each recipe leads to when nothing comes between, by the folder of their adapter.
async fn undisturbed() -> Result<Vec<BTreeMap<String, Vec<u8>>>> {
    let data = tempfile::tempdir()?;
    let process = Process::start(data.path())?;
    let client = Client::new(&process.url)?;
    let mut weights = Vec::new();
    for recipe in &RECIPES {
        let id = client.create(recipe).await?;
        let job = client.ended(&id).await?;
        ensure!(job["status"] == "succeeded", "{job}");
        weights.push(adapters(data.path(), &id)?);
    }
    Ok(weights)
}

fn adapters(data: &Path, job: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let entries = std::fs::read_dir(data.join("adapters").join(job))?;
    entries
        .map(|entry| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, std::fs::read(entry.path().join("adapter_model.safetensors"))?))
        })
        .collect()
}

async fn torture(seed: u64, kills: usize) -> Result<()> {
    let expected = undisturbed().await?;
    let data = tempfile::tempdir()?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut ledger = Ledger::default();
    let rounds = kills + kills / (ASKED_EVERY - 1);
    for round in 0..rounds {
        let process = Process::start(data.path())?;
        let client = Client::new(&process.url)?;
        ledger.check(&client).await.with_context(|| format!("seed {seed}, after kill {round}"))?;
        let end = if (round + 1) % ASKED_EVERY == 0 { End::Asked } else { End::Killed };
        let pause = Duration::from_millis(random.next_u64() % LONGEST_ROUND_MS);
        let killer = process.end_after(pause, end);
        // Ends with the first request that gets no answer.
        while ledger.act(&client, &mut random).await? {}
        killer.await??;
    }
    let process = Process::start(data.path())?;
    let client = Client::new(&process.url)?;
    ledger.check(&client).await?;
    let trained = finish(&client, &ledger, data.path(), &expected).await?;
    process.stop()?;
    for (folder, what) in [("tmp", "half of something"), ("training", "a training state")] {
        let left = std::fs::read_dir(data.path().join(folder))?.count();
        ensure!(left == 0, "{what} is left in {folder}");
    }
    let told = ledger.summary();
    let report = format!(
        "seed {seed}: {kills} kills, {} stops; {told}; {trained} models equal bit for bit",
        rounds - kills
    );
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}

/// Lets every job come to its end, and compares what it made; returns how many adapters were compared.
async fn finish(
    client: &Client,
    ledger: &Ledger,
    data: &Path,
    expected: &[BTreeMap<String, Vec<u8>>],
) -> Result<usize> {
    let mut compared = 0;
    for job in client.jobs().await? {
        let id = job["id"].as_str().context("a job has no id")?;
        if job["status"] == "paused" {
            client.post(&format!("/fine_tuning/jobs/{id}/resume")).await?;
        }
        let ended = client.ended(id).await?;
        ledger.check_story(client, id).await?;
        if ended["status"] != "succeeded" {
            ensure!(ended["status"] == "cancelled", "{ended}");
            continue;
        }
        let recipe = Recipe::of(&ended).context("a job of nobody's")?;
        let weights = adapters(data, id)?;
        ensure!(weights == expected[recipe], "the weights of {id} differ");
        compared += weights.len();
    }
    Ok(compared)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlasts_kills_and_weights_do_not_differ() -> Result<()> {
    torture(1, 12).await
}

macro_rules! many {
    ($($name:ident: $seed:literal),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "50 kills take about a minute"]
        async fn $name() -> Result<()> {
            torture($seed, 50).await
        }
    )+};
}

many!(fifty_kills_of_seed_2: 2, fifty_kills_of_seed_3: 3, fifty_kills_of_seed_4: 4, fifty_kills_of_seed_5: 5);
