//! The inference snippet of the original README, in Rust.
//!
//! `cargo run --package medtune-examples --example inference_snippet [BASE_URL [MODEL]]` asks the model at that address
//! (by default the one in `fine_tuned_model.json`) with the key in `OPENAI_API_KEY` or `.env`. Without arguments it asks
//! the tests' tiny model on this machine, which answers noise.

#![expect(clippy::print_stdout, reason = "an example shows what it made")]

use std::path::Path;

use inference::{Assistant, SavedModel};
use server::{BaseModel, Embedded, Options};
use transport::{Client, Endpoint, Key, Provider, Settings};

const QUESTION: &str = "A 60-year-old patient reports sudden onset of chest pain radiating to the left arm. What are \
                        the immediate concerns and differential diagnoses?";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let environment = cli::Environment::of_process().with_dotenv(Path::new("."))?;
    let mut arguments = std::env::args().skip(1);
    let Some(base_url) = arguments.next() else { return ask_tiny_model().await };
    let key = environment.get("OPENAI_API_KEY").map(Key::new).transpose()?;
    let saved = match arguments.next() {
        Some(id) => SavedModel::of_id(&id),
        None => SavedModel::load(Path::new(SavedModel::FILE))?,
    };
    ask(Endpoint::new(Provider::OpenAi, &base_url, key)?, &saved).await
}

async fn ask(endpoint: Endpoint, saved: &SavedModel) -> anyhow::Result<()> {
    let client = Client::new(endpoint, Settings::default())?;
    // The system prompt and the template of the training come with the saved model.
    let assistant = Assistant::from_saved(client, saved)?;
    println!("Sending question to model {}: {QUESTION}\n", saved.model);
    let answer = assistant.ask(QUESTION).await?;
    println!("--- Reasoning ---\n{}", answer.reasoning.as_deref().unwrap_or("(none)"));
    println!("--- Final response ---\n{}\n--- End ---", answer.response);
    Ok(())
}

async fn ask_tiny_model() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/tiny-llama/model.gguf");
    let base =
        BaseModel { id: "tiny-llama".to_owned(), path: tiny, sha256: "unchecked".to_owned() };
    let embedded = Embedded::start(Options::new(folder.path(), vec![base])).await?;
    let key = Some(Key::new(embedded.token().expose())?);
    let endpoint = Endpoint::new(Provider::Local, embedded.base_url(), key)?;
    let asked = ask(endpoint, &SavedModel::of_id("tiny-llama")).await;
    embedded.shutdown().await?;
    asked
}
