//! `/v1/files`: <https://platform.openai.com/docs/api-reference/files>.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Multipart, Path, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::io::AsyncReadExt as _;
use wire::{Deleted, FileId, FileObject, Page, Purpose};

use crate::blob::{self, Finished, Incoming};
use crate::extract::{Queries, is_too_long, no_cursor};
use crate::fault::Fault;
use crate::id;
use crate::state::State;
use crate::store::files::{self, Deletion, StoredFile};

/// What files may be uploaded for; the results of jobs are made here.
const PURPOSES: [&str; 6] = ["fine-tune", "assistants", "batch", "evals", "user_data", "vision"];
const CHUNK_BYTES: usize = 64 * 1024;

pub(super) async fn upload(
    Shared(state): Shared<Arc<State>>,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<Json<FileObject>, Fault> {
    let mut form =
        form.map_err(|_| Fault::invalid("The request needs a body of 'multipart/form-data'"))?;
    let limit = state.limits.upload_bytes;
    let (mut content, mut filename, mut purpose) = (None, String::new(), None);
    while let Some(field) = form.next_field().await.map_err(|error| bad_form(&error, limit))? {
        match field.name() {
            Some("file") => {
                filename = base_name(field.file_name().unwrap_or("upload"));
                content = Some(receive(&state, field).await?);
            }
            Some("purpose") => {
                purpose = Some(field.text().await.map_err(|error| bad_form(&error, limit))?);
            }
            Some(name) => {
                let name: String = name.chars().take(100).collect();
                return Err(Fault::unsupported(name, "is not supported by this server"));
            }
            None => return Err(Fault::invalid("A part of the form has no name")),
        }
    }
    let content =
        content.ok_or_else(|| Fault::invalid("'file' is a required property").param("file"))?;
    let purpose = purpose
        .ok_or_else(|| Fault::invalid("'purpose' is a required property").param("purpose"))?;
    if !PURPOSES.contains(&purpose.as_str()) {
        let message = format!("'purpose' must be one of {}", PURPOSES.join(", "));
        return Err(Fault::invalid_value("purpose", message));
    }
    if content.bytes == 0 {
        return Err(Fault::invalid_value("file", "The file is empty"));
    }
    let id: FileId = new_id()?;
    let object = FileObject::new(
        id,
        filename,
        Purpose::from(purpose.as_str()),
        content.bytes,
        state.clock.now(),
    );
    keep(&state, object, content).await.map(Json)
}

fn new_id() -> Result<FileId, Fault> {
    id::random("file-").parse().map_err(|error: wire::InvalidId| Fault::internal(&error))
}

async fn receive(state: &Arc<State>, mut field: Field<'_>) -> Result<Finished, Fault> {
    let limit = state.limits.upload_bytes;
    let fail = |error: std::io::Error| Fault::internal(&error);
    let mut incoming = Incoming::new(&state.folder).map_err(fail)?;
    while let Some(chunk) = field.chunk().await.map_err(|error| bad_form(&error, limit))? {
        incoming.write(&chunk).map_err(fail)?;
        if incoming.bytes() > limit {
            return Err(Fault::too_large(limit));
        }
    }
    let finished = tokio::task::spawn_blocking(move || incoming.finish()).await;
    finished.map_err(|error| Fault::internal(&error))?.map_err(fail)
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

fn bad_form(error: &MultipartError, limit: u64) -> Fault {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE || is_too_long(error) {
        Fault::too_large(limit)
    } else {
        Fault::invalid("The form of the request cannot be read, or ended too early")
    }
}

/// The last part of a path of any system, without what would break a line.
fn base_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(255).collect();
    if name.is_empty() { "upload".to_owned() } else { name }
}

pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    mut queries: Queries,
) -> Result<Json<Page<FileObject>>, Fault> {
    let span = queries.span(10_000, 10_000, true)?;
    let purpose = queries.take("purpose");
    queries.finish()?;
    let part = state
        .store
        .call(move |connection| files::list(connection, purpose.as_deref(), &span))
        .await?
        .ok_or_else(no_cursor)?;
    let text = |file: Option<&FileObject>| Some(file.map_or("", |file| file.id.as_str()).into());
    let (first_id, last_id) = (text(part.items.first()), text(part.items.last()));
    Ok(Json(Page { first_id, last_id, ..Page::new(part.items, part.has_more) }))
}

async fn stored(state: &State, id: String) -> Result<StoredFile, Fault> {
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
            let shared = Arc::clone(&state);
            // Behind the deletion's commit, so that a row never lacks its content; asked again under the lock, so that
            // no upload of the same content comes between.
            let swept = state.store.call(move |connection| {
                if !files::is_content_used(connection, &sha256)? {
                    blob::remove(&shared.folder, &sha256)?;
                }
                Ok(())
            });
            swept.await?;
            Ok(Json(Deleted::new(id, "file")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filename_loses_its_folders() {
        assert_eq!(base_name("../../etc/passwd"), "passwd");
        assert_eq!(base_name(r"C:\data\train.jsonl"), "train.jsonl");
        assert_eq!(base_name("a\r\nb"), "ab");
        assert_eq!(base_name("x/"), "upload");
    }
}
