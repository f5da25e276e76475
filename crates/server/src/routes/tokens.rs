//! `POST /tokenize`, `POST /detokenize` and `GET /tokenizer_info`, in the shapes of vLLM.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use engine::Model;
use serde_json::{Value, json};
use wire::{TokenizeRequest, Tokenized, TokenizerInfo};

use crate::answer::{self, refused};
use crate::chat;
use crate::extract::{JsonBody, Queries};
use crate::fault::Fault;
use crate::sampling::refuse;
use crate::state::State;

/// The model that is meant: the first of the base models where none is named, as the harness names none.
async fn model(state: &Arc<State>, name: Option<String>) -> Result<Arc<Model>, Fault> {
    let first = || state.shelf.bases().next().map(|base| base.id.clone());
    let name = name.or_else(first).ok_or_else(|| Fault::no_model(""))?;
    let source = answer::source(state, &name).await?;
    let loading = Arc::clone(state);
    let loaded = tokio::task::spawn_blocking(move || loading.shelf.model(&source.base)).await;
    let loaded = loaded.map_err(|error| Fault::internal(&error))?;
    loaded.map_err(|error| Fault::internal(&error))
}

/// Runs what may take a while for a long text.
async fn worked<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Fault::internal(&error))?
}

pub(super) async fn tokenize(
    Shared(state): Shared<Arc<State>>,
    JsonBody(request): JsonBody<TokenizeRequest>,
) -> Result<Json<Tokenized>, Fault> {
    refuse(&request.extra, &[])?;
    let model = model(&state, request.model.clone()).await?;
    worked(move || tokens(&model, &request)).await.map(Json)
}

fn tokens(model: &Model, request: &TokenizeRequest) -> Result<Tokenized, Fault> {
    let tokenizer = model.tokenizer();
    let tokens = match (&request.prompt, &request.messages) {
        (Some(text), None) => {
            if request.add_special_tokens == Some(true) {
                let reason = "may only be false here: texts are taken as they are";
                return Err(Fault::unsupported("add_special_tokens", reason));
            }
            tokenizer.encode_with_special(text)
        }
        (None, Some(messages)) => {
            let opened = request.add_generation_prompt.unwrap_or(true);
            model.conversation(&chat::checked_messages(messages)?, opened).map_err(refused)?
        }
        _ => {
            let message = "Either 'prompt' or 'messages' is needed, and not both";
            return Err(Fault::invalid_value("prompt", message));
        }
    };
    let text = |token: &u32| String::from_utf8_lossy(&tokenizer.bytes(*token)).into_owned();
    let token_strs = request.return_token_strs.unwrap_or(false);
    Ok(Tokenized {
        count: tokens.len() as u64,
        max_model_len: model.config().max_positions as u64,
        token_strs: token_strs.then(|| tokens.iter().map(text).collect()),
        tokens,
        ..Tokenized::default()
    })
}

/// Tokens to be turned to text.
#[derive(Debug, serde::Deserialize)]
pub(super) struct DetokenizeRequest {
    #[serde(default)]
    model: Option<String>,
    tokens: Vec<u32>,
}

pub(super) async fn detokenize(
    Shared(state): Shared<Arc<State>>,
    JsonBody(request): JsonBody<DetokenizeRequest>,
) -> Result<Json<Value>, Fault> {
    let model = model(&state, request.model).await?;
    let bytes: Vec<u8> =
        request.tokens.iter().flat_map(|token| model.tokenizer().bytes(*token)).collect();
    Ok(Json(json!({ "prompt": String::from_utf8_lossy(&bytes) })))
}

pub(super) async fn info(
    Shared(state): Shared<Arc<State>>,
    mut queries: Queries,
) -> Result<Json<TokenizerInfo>, Fault> {
    let name = queries.take("model");
    queries.finish()?;
    let model = model(&state, name).await?;
    let tokenizer = model.tokenizer();
    let special = |name: &str| tokenizer.special_text(name).map(ToOwned::to_owned);
    Ok(Json(TokenizerInfo {
        tokenizer_class: Some("PreTrainedTokenizerFast".to_owned()),
        bos_token: special("bos_token"),
        eos_token: special("eos_token"),
        pad_token: special("pad_token"),
        chat_template: Some(model.chat_template().source()),
        model_max_length: model.config().max_positions as u64,
        vocab_size: model.config().vocab as u64,
        ..TokenizerInfo::default()
    }))
}
