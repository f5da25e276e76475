//! `/metrics`.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::header;
use axum::response::IntoResponse;

use crate::fault::Fault;
use crate::state::State;

/// Numbers in the text format of Prometheus, version 0.0.4.
pub(super) async fn metrics(Shared(state): Shared<Arc<State>>) -> Result<impl IntoResponse, Fault> {
    let text = tokio::task::spawn_blocking(move || state.metrics.text(&state)).await;
    let text = text.map_err(|error| Fault::internal(&error))??;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
