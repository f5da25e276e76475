//! The evaluation's losses and log-likelihoods through the embedded server, against the engine's own.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use engine::{ChatMessage as EngineMessage, LoadOptions, Model};
use evaluation::choice::{likelihood, read_problems};
use evaluation::holdout::read_holdout;
use evaluation::{Answers, Recorder, Subject, TokenSums};
use inference::Sampling;
use serde_json::json;
use server::{BaseModel, Embedded, Options};
use template::{SYSTEM_PROMPT, Template};
use transport::{Client, Endpoint, Key, Provider, Settings};

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const ANSWER: &str = "## Thinking\n\nA headache, but no fever: µ-opioids do not help.\n\n## Final Response\n\nRest, and drink water.";

/// The tiny model behind a server, and a record to measure it on.
struct Bench {
    _folder: tempfile::TempDir,
    server: Embedded,
    subject: Subject,
}

impl Bench {
    async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let tiny = format!("{HERE}/golden/tiny-llama");
        let base = BaseModel::named(&tiny, &tiny, "tiny");
        let id = base.id.clone();
        let server =
            Embedded::start(Options::new(folder.path().join("server"), vec![base])).await?;
        let key = Key::new(server.token().expose())?;
        let endpoint = Endpoint::new(Provider::Local, server.base_url(), Some(key))?;
        let client = Client::new(endpoint, Settings::default())?;
        let answers = Arc::new(Answers::open(&folder.path().join("answers.jsonl"))?);
        let subject = Subject {
            recorder: Recorder::new(client, "tiny", answers),
            model: id,
            system_prompt: Some(SYSTEM_PROMPT.to_owned()),
            template: Template::Headed,
            sampling: Sampling::default(),
        };
        Ok(Self { _folder: folder, server, subject })
    }
}

/// Loss and accuracy of the answer's tokens as training counts them.
fn by_the_engine() -> anyhow::Result<engine::Evaluation> {
    let model =
        Model::load(Path::new(&format!("{HERE}/golden/tiny-llama")), &LoadOptions::default())?;
    let messages = [("system", SYSTEM_PROMPT), ("user", "My head hurts."), ("assistant", ANSWER)]
        .map(|(role, content)| EngineMessage::new(role, content));
    Ok(engine::evaluate(&model, None, &[model.example(&messages)?])?)
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_over_http_are_those_of_the_engine() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let row = json!({"messages": [{"role": "system", "content": SYSTEM_PROMPT},
        {"role": "user", "content": "My head hurts."}, {"role": "assistant", "content": ANSWER}]});
    let record = read_holdout(row.to_string().as_bytes())?.remove(0);
    let border = record.border(&Template::Headed);
    assert_eq!(&ANSWER[border..], "Rest, and drink water.");
    let [reasoning, response] = bench.subject.token_sums(&record.with_reference(), border).await?;
    let whole: TokenSums = reasoning.plus(response);
    let engine = by_the_engine()?;
    assert_eq!(whole.tokens, engine.tokens);
    assert!(
        reasoning.tokens > response.tokens && response.tokens > 5,
        "{reasoning:?} {response:?}"
    );
    let loss = whole.loss / whole.tokens as f64;
    // The server multiplies in bf16 where the processor does, whose products have three digits; the engine here in f32.
    assert!((loss - engine.loss).abs() < 1e-3 * engine.loss, "{loss} {engine:?}");
    let accuracy = whole.correct as f64 / whole.tokens as f64;
    assert!((accuracy - engine.token_accuracy).abs() < 1e-9, "{accuracy} {engine:?}");
    bench.server.shutdown().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn log_likelihoods_of_choices_are_those_of_their_tokens() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let text =
        r#"{"question": "Which?", "options": {"A": "x", "B": "y", "C": "z"}, "answer": "B"}"#;
    let problem = read_problems(text, "set")?.into_iter().next().context("there is a problem")?;
    let prompt = likelihood::prompt(&problem);
    let continuations = likelihood::continuations(&problem);
    let together = bench.subject.log_likelihoods(&prompt, &continuations).await?;
    assert_eq!(together.len(), 3);
    assert!(together.iter().all(|value| *value < 0.0 && value.is_finite()), "{together:?}");
    // Asked one by one they are the same, whatever else is in the request.
    for (at, continuation) in continuations.iter().enumerate() {
        let alone =
            bench.subject.log_likelihoods(&prompt, std::slice::from_ref(continuation)).await?;
        assert!((alone[0] - together[at]).abs() < 1e-5, "{alone:?} {together:?}");
    }
    bench.server.shutdown().await?;
    Ok(())
}
