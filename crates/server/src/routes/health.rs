//! `/health`.

use axum::Json;
use serde_json::{Value, json};

/// Says that the server answers; nothing else, for anybody may ask.
pub(super) async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}
