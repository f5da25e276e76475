//! The paths of the API and of the page.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::fault::Fault;
use crate::state::State;
use crate::{guard, page};

mod chat;
mod completions;
mod files;
mod form;
mod health;
mod jobs;
mod metrics;
mod models;
mod report;
mod tokens;
mod uploads;

/// What a multipart form has around its file: boundaries, headers, the other fields.
const FORM_OVERHEAD_BYTES: u64 = 64 * 1024;

/// The whole API over `state`.
pub(crate) fn router(state: Arc<State>) -> Router {
    let form_limit = |bytes: u64| {
        let bytes = bytes.saturating_add(FORM_OVERHEAD_BYTES);
        DefaultBodyLimit::max(usize::try_from(bytes).unwrap_or(usize::MAX))
    };
    let (file, part) = (form_limit(state.limits.upload_bytes), form_limit(state.limits.part_bytes));
    let api = Router::new()
        .route("/files", get(files::list).post(files::upload).layer(file))
        .route("/files/{id}", get(files::find).delete(files::delete))
        .route("/files/{id}/content", get(files::content))
        .route("/files/{id}/report", get(report::report))
        .route("/uploads", post(uploads::create))
        .route("/uploads/{id}/parts", post(uploads::add_part).layer(part))
        .route("/uploads/{id}/complete", post(uploads::complete))
        .route("/uploads/{id}/cancel", post(uploads::cancel))
        .route("/fine_tuning/jobs", get(jobs::list).post(jobs::create))
        .route("/fine_tuning/jobs/{id}", get(jobs::find))
        .route("/fine_tuning/jobs/{id}/cancel", post(jobs::cancel))
        .route("/fine_tuning/jobs/{id}/pause", post(jobs::pause))
        .route("/fine_tuning/jobs/{id}/resume", post(jobs::resume))
        .route("/fine_tuning/jobs/{id}/events", get(jobs::events))
        .route("/fine_tuning/jobs/{id}/checkpoints", get(jobs::checkpoints))
        .route("/models", get(models::list))
        .route("/models/{id}", get(models::find).delete(models::delete))
        .route("/chat/completions", post(chat::complete))
        .route("/completions", post(completions::complete))
        .merge(tokens());
    Router::new()
        .nest("/v1", api)
        // Beside the API too, where lm-evaluation-harness asks for them.
        .merge(tokens())
        .route("/", get(page::index))
        .route("/page/{name}", get(page::file))
        .route("/health", get(health::health))
        .route("/metrics", get(metrics::metrics))
        .fallback(|| async { Fault::not_found("Unknown request URL").code("unknown_url") })
        .method_not_allowed_fallback(|| async { Fault::method_not_allowed() })
        .layer(from_fn_with_state(Arc::clone(&state), guard::guard))
        .layer(guard::cross_origin(&state.allowed_origins))
        .with_state(state)
}

fn tokens() -> Router<Arc<State>> {
    Router::new()
        .route("/tokenize", post(tokens::tokenize))
        .route("/detokenize", post(tokens::detokenize))
        .route("/tokenizer_info", get(tokens::info))
}
