//! `/v1/files`: <https://platform.openai.com/docs/api-reference/files>.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use tokio::io::AsyncReadExt as _;
use wire::{Deleted, ExpiresAfter, FileId, FileObject, Page};

use super::form::{self, Form, Reader};
use crate::blob::{self, Finished};
use crate::extract::{Queries, no_cursor};
use crate::fault::Fault;
use crate::state::State;
use crate::store::files::{self, Deletion, StoredFile};
use crate::{id, sweep};

const CHUNK_BYTES: usize = 64 * 1024;

/// The fields of an upload's form.
#[derive(Default)]
struct Fields {
    content: Option<Finished>,
    filename: String,
    purpose: Option<String>,
    anchor: Option<String>,
    seconds: Option<String>,
}

pub(super) async fn upload(
    Shared(state): Shared<Arc<State>>,
    form: Form,
) -> Result<Json<FileObject>, Fault> {
    let fields = read(&state, Reader::new(form, state.limits.upload_bytes)?).await?;
    let missing =
        |name: &'static str| Fault::invalid(format!("'{name}' is a required property")).param(name);
    let content = fields.content.ok_or_else(|| missing("file"))?;
    let purpose = form::purpose(&fields.purpose.ok_or_else(|| missing("purpose"))?)?;
    let seconds = match (fields.anchor, fields.seconds) {
        (None, None) => None,
        (anchor, seconds) => Some(form::expiry(&ExpiresAfter {
            anchor: anchor.ok_or_else(|| missing("expires_after[anchor]"))?,
            seconds: seconds.and_then(|text| text.parse().ok()).unwrap_or_default(),
        })?),
    };
    if content.bytes == 0 {
        return Err(Fault::invalid_value("file", "The file is empty"));
    }
    let now = state.clock.now();
    let object = FileObject {
        expires_at: seconds.map(|seconds| now.saturating_add(seconds)),
        ..FileObject::new(new_id()?, fields.filename, purpose, content.bytes, now)
    };
    keep(&state, object, content).await.map(Json)
}

async fn read(state: &Arc<State>, mut form: Reader) -> Result<Fields, Fault> {
    let mut fields = Fields::default();
    while let Some((name, field)) = form.next().await? {
        match name.as_str() {
            "file" => {
                fields.filename = form::base_name(field.file_name().unwrap_or("upload"));
                let limit = state.limits.upload_bytes;
                fields.content = Some(form::receive(state, field, limit).await?);
            }
            "purpose" => fields.purpose = Some(form::text(field).await?),
            "expires_after[anchor]" => fields.anchor = Some(form::text(field).await?),
            "expires_after[seconds]" => fields.seconds = Some(form::text(field).await?),
            _ => return Err(Fault::unsupported(name, "is not supported by this server")),
        }
    }
    Ok(fields)
}

pub(super) fn new_id() -> Result<FileId, Fault> {
    id::random("file-").parse().map_err(|error: wire::InvalidId| Fault::internal(&error))
}

/// Puts the content in its place and the file into the database, as one step against deletions.
async fn keep(
    state: &Arc<State>,
    object: FileObject,
    content: Finished,
) -> Result<FileObject, Fault> {
    let (shared, file) = (Arc::clone(state), StoredFile { sha256: content.sha256.clone(), object });
    let stored = state.store.call(move |connection| {
        content.keep(&shared.folder)?;
        files::insert(connection, &file)?;
        Ok(file.object)
    });
    Ok(stored.await?)
}

pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    mut queries: Queries,
) -> Result<Json<Page<FileObject>>, Fault> {
    let span = queries.span(10_000, 10_000, true)?;
    let purpose = queries.take("purpose");
    queries.finish()?;
    sweep::expired(&state).await?;
    let part = state
        .store
        .call(move |connection| files::list(connection, purpose.as_deref(), &span))
        .await?
        .ok_or_else(no_cursor)?;
    let text = |file: Option<&FileObject>| Some(file.map_or("", |file| file.id.as_str()).into());
    let (first_id, last_id) = (text(part.items.first()), text(part.items.last()));
    Ok(Json(Page { first_id, last_id, ..Page::new(part.items, part.has_more) }))
}

pub(super) async fn stored(state: &Arc<State>, id: String) -> Result<StoredFile, Fault> {
    sweep::expired(state).await?;
    let shown: String = id.chars().take(100).collect();
    let file = state.store.call(move |connection| files::find(connection, &id)).await?;
    file.ok_or_else(|| no_file(&shown))
}

fn no_file(id: &str) -> Fault {
    Fault::not_found(format!("No such File object: {id}")).param("id")
}

pub(super) async fn find(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Json<FileObject>, Fault> {
    Ok(Json(stored(&state, id).await?.object))
}

pub(super) async fn content(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let file = stored(&state, id).await?;
    let shared = Arc::clone(&state);
    let opened = tokio::task::spawn_blocking(move || blob::open(&shared.folder, &file.sha256));
    let opened = opened.await.map_err(|error| Fault::internal(&error))?;
    let opened = tokio::fs::File::from_std(opened.map_err(|error| Fault::internal(&error))?);
    let chunks = futures_util::stream::try_unfold(opened, |mut file| async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        let length = file.read(&mut chunk).await?;
        chunk.truncate(length);
        std::io::Result::Ok((length > 0).then_some((chunk, file)))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, file.object.bytes.to_string()),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

pub(super) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Json<Deleted>, Fault> {
    let wanted = id.clone();
    let deletion = state.store.call(move |connection| files::delete(connection, &wanted)).await?;
    match deletion {
        Deletion::Missing => Err(no_file(&id.chars().take(100).collect::<String>())),
        Deletion::InUse => Err(Fault::conflict("An unfinished fine-tuning job needs this file")),
        Deletion::Done { sha256 } => {
            // Behind the deletion's commit, so that a row never lacks its content.
            sweep::contents(&state, vec![sha256]).await?;
            Ok(Json(Deleted::new(id, "file")))
        }
    }
}
