//! The paths of the API.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::fault::Fault;
use crate::guard;
use crate::state::State;

mod chat;
mod files;
mod health;
mod jobs;
mod models;

/// What a multipart form has around its file: boundaries, headers, the other fields.
const FORM_OVERHEAD_BYTES: u64 = 64 * 1024;

/// The whole API over `state`.
pub(crate) fn router(state: Arc<State>) -> Router {
    let form_bytes = state.limits.upload_bytes.saturating_add(FORM_OVERHEAD_BYTES);
    let form_limit = DefaultBodyLimit::max(usize::try_from(form_bytes).unwrap_or(usize::MAX));
    let api = Router::new()
        .route("/files", get(files::list).post(files::upload).layer(form_limit))
        .route("/files/{id}", get(files::find).delete(files::delete))
        .route("/files/{id}/content", get(files::content))
        .route("/fine_tuning/jobs", get(jobs::list).post(jobs::create))
        .route("/fine_tuning/jobs/{id}", get(jobs::find))
        .route("/fine_tuning/jobs/{id}/cancel", post(jobs::cancel))
        .route("/fine_tuning/jobs/{id}/events", get(jobs::events))
        .route("/fine_tuning/jobs/{id}/checkpoints", get(jobs::checkpoints))
        .route("/models", get(models::list))
        .route("/models/{id}", get(models::find).delete(models::delete))
        .route("/chat/completions", post(chat::complete));
    Router::new()
        .nest("/v1", api)
        .route("/health", get(health::health))
        .fallback(|| async { Fault::not_found("Unknown request URL").code("unknown_url") })
        .method_not_allowed_fallback(|| async { Fault::method_not_allowed() })
        .layer(from_fn_with_state(Arc::clone(&state), guard::guard))
        .with_state(state)
}
