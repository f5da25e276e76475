//! `/v1/models`: <https://platform.openai.com/docs/api-reference/models>.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State as Shared};
use wire::{Deleted, Model, Page};

use crate::fault::Fault;
use crate::state::State;
use crate::store::jobs;
use crate::store::models::{self, TunedModel};

/// The base models, then the tuned ones whose base is served here, newest last.
pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Result<Json<Page<Model>>, Fault> {
    let tuned = state.store.call(models::list).await?;
    let bases = state.shelf.bases().map(|base| base_model(&state, &base.id));
    let tuned = tuned.iter().filter(|model| state.shelf.serves(model)).map(tuned_model);
    Ok(Json(Page::new(bases.chain(tuned).collect(), false)))
}

fn base_model(state: &State, id: &str) -> Model {
    Model::new(id, "system", state.started_at)
}

fn tuned_model(model: &TunedModel) -> Model {
    Model::new(&model.id, "org-local", model.created)
}

async fn tuned(state: &State, id: &str) -> Result<TunedModel, Fault> {
    let wanted = id.to_owned();
    let found = state.store.call(move |connection| models::find(connection, &wanted)).await?;
    found.ok_or_else(|| Fault::no_model(id))
}

pub(super) async fn find(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Json<Model>, Fault> {
    if state.shelf.base(&id).is_some() {
        return Ok(Json(base_model(&state, &id)));
    }
    let model = tuned(&state, &id).await?;
    if state.shelf.serves(&model) {
        Ok(Json(tuned_model(&model)))
    } else {
        Err(Fault::no_model(&id))
    }
}

/// Deletes a tuned model and its adapter; base models are files of the user's, and stay.
pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Json<Deleted>, Fault> {
    if state.shelf.base(&id).is_some() {
        return Err(Fault::forbidden("A base model cannot be deleted").param("model"));
    }
    let model = tuned(&state, &id).await?;
    let wanted = id.clone();
    let deleted = state.store.call(move |connection| {
        let needed = jobs::unfinished(connection)?.iter().any(|job| job.model == wanted);
        if !needed {
            models::delete(connection, &wanted)?;
        }
        Ok(!needed)
    });
    if !deleted.await? {
        return Err(Fault::conflict("An unfinished fine-tuning job needs this model"));
    }
    state.shelf.forget(&id);
    let folder = state.folder.adapters().join(&model.folder);
    let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
    if !matches!(removed, Ok(Ok(()))) {
        tracing::warn!(model = id, "the adapter of a deleted model could not be removed");
    }
    Ok(Json(Deleted::new(id, "model")))
}
