// For the examples in the documentation: a server in this process that really trains a tiny model, a client of it, and a
// file to train on.
struct Tiny {
    client: ftjob::Client,
    file: ftjob::LocalFile,
    // Dropped in this order: the server stops before its folder goes.
    _server: server::Embedded,
    _folder: tempfile::TempDir,
}

async fn tiny() -> Result<Tiny, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let base = server::BaseModel::named("tiny-llama", "../../tests/golden/tiny-llama", "its SHA-256");
    let options = server::Options::new(folder.path().join("server"), vec![base]);
    let server = server::Embedded::start(options).await?;
    let key = transport::Key::new(server.token().expose())?;
    let endpoint = transport::Endpoint::new(transport::Provider::Local, server.base_url(), Some(key))?;
    let transport = transport::Client::new(endpoint, transport::Settings::default())?;
    let soon = std::time::Duration::from_millis(50);
    let timing = ftjob::Timing { poll: soon, longest_poll: soon, file_poll: soon, ..ftjob::Timing::default() };
    let path = folder.path().join("medical_train.jsonl");
    let line = r#"{"messages":[{"role":"user","content":"Why?"},{"role":"assistant","content":"So."}]}"#;
    std::fs::write(&path, format!("{line}\n").repeat(10))?;
    let file = ftjob::LocalFile::read(&path).await?;
    Ok(Tiny { client: ftjob::Client::new(transport, timing), file, _server: server, _folder: folder })
}
