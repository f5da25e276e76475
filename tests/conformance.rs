//! The embedded server against the conformance suite, on the tests' tiny model.

use std::path::Path;

use medtune_tests::client::{self, Expect};
use medtune_tests::conformance::{self, Outcome, Target};
use server::{BaseModel, Embedded, Options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_server_conforms() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let (server, target) = start(data.path(), None).await?;
    let outcomes = conformance::run(&target, true, &mut |_| {}).await?;
    assert_faultless(&outcomes, 16);
    Ok(server.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_and_the_embedded_server_understand_each_other() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let (server, target) = start(data.path(), Some("tiny-llama")).await?;
    let outcomes = client::run(&target, (true, Expect::Deeds), &mut |_| {}).await?;
    assert_faultless(&outcomes, 6);
    Ok(server.shutdown().await?)
}

async fn start(data: &Path, model: Option<&str>) -> anyhow::Result<(Embedded, Target)> {
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/tiny-llama");
    let base = BaseModel::named(tiny, tiny, "tiny");
    let server = Embedded::start(Options::new(data, vec![base])).await?;
    let target = Target {
        base_url: server.base_url().to_owned(),
        key: server.token().expose().to_owned(),
        model: model.map(str::to_owned),
    };
    Ok((server, target))
}

/// As many cases as there are, so that none is lost.
fn assert_faultless(outcomes: &[Outcome], cases: usize) {
    let faults: Vec<String> = outcomes
        .iter()
        .filter(|outcome| outcome.fault.is_some())
        .map(ToString::to_string)
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(outcomes.len(), cases);
}
