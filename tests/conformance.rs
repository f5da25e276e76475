//! The embedded server against the conformance suite, on the tests' tiny model.

use medtune_tests::client::{self, Expect};
use medtune_tests::conformance::{self, Target};
use server::{BaseModel, Embedded, Options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_server_conforms() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/tiny-llama");
    let model = BaseModel::named(tiny, tiny, "tiny");
    let server = Embedded::start(Options::new(data.path(), vec![model])).await?;
    let target = Target {
        base_url: server.base_url().to_owned(),
        key: server.token().expose().to_owned(),
        model: None,
    };
    let outcomes = conformance::run(&target, true, &mut |_| {}).await?;
    let faults: Vec<String> = outcomes
        .iter()
        .filter(|outcome| outcome.fault.is_some())
        .map(ToString::to_string)
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(outcomes.len(), 16);
    Ok(server.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_and_the_embedded_server_understand_each_other() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/tiny-llama");
    let model = BaseModel::named(tiny, tiny, "tiny");
    let server = Embedded::start(Options::new(data.path(), vec![model])).await?;
    let target = Target {
        base_url: server.base_url().to_owned(),
        key: server.token().expose().to_owned(),
        model: Some("tiny-llama".to_owned()),
    };
    let outcomes = client::run(&target, (true, Expect::Deeds), &mut |_| {}).await?;
    let faults: Vec<String> = outcomes
        .iter()
        .filter(|outcome| outcome.fault.is_some())
        .map(ToString::to_string)
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(outcomes.len(), 6);
    Ok(server.shutdown().await?)
}
