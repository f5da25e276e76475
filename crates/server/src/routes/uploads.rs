//! `/v1/uploads`: <https://platform.openai.com/docs/api-reference/uploads>.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State as Shared};
use md5::{Digest as _, Md5};
use wire::{
    CompleteUpload, CreateUpload, FileObject, PartId, Upload, UploadId, UploadPart, UploadStatus,
};

use super::form::{self, Form, Reader};
use crate::blob::{self, Finished, Incoming, hexadecimal};
use crate::extract::{JsonBody, unknown};
use crate::fault::Fault;
use crate::folder::Folder;
use crate::state::State;
use crate::store::files::{self, StoredFile};
use crate::store::uploads::{self, StoredPart, StoredUpload};
use crate::{id, sweep};

/// From OpenAI's description: an upload expires an hour after it was created.
const UPLOAD_SECONDS: i64 = 3600;
const CHUNK_BYTES: usize = 64 * 1024;

fn new_id<T: std::str::FromStr<Err = wire::InvalidId>>(prefix: &str) -> Result<T, Fault> {
    id::random(prefix).parse().map_err(|error: wire::InvalidId| Fault::internal(&error))
}

pub(super) async fn create(
    Shared(state): Shared<Arc<State>>,
    JsonBody(mut request): JsonBody<CreateUpload>,
) -> Result<Json<Upload>, Fault> {
    unknown(&request.extra)?;
    form::purpose(request.purpose.as_str())?;
    let most = state.limits.upload_total_bytes;
    if !(1..=most).contains(&request.bytes) {
        let message = format!("'bytes' must be from 1 to {most}");
        return Err(Fault::invalid_value("bytes", message));
    }
    let file_seconds = request.expires_after.as_ref().map(form::expiry).transpose()?;
    request.filename = form::base_name(&request.filename);
    let now = state.clock.now();
    let id: UploadId = new_id("upload_")?;
    let object = Upload::new(id, &request, now, now.saturating_add(UPLOAD_SECONDS));
    let upload = StoredUpload { object: object.clone(), file_seconds, joined: None };
    sweep::expired(&state).await?;
    let room = state.limits.pending_uploads;
    let stored = state.store.call(move |connection| {
        let free = uploads::count_pending(connection)? < room;
        if free {
            uploads::insert(connection, &upload)?;
        }
        Ok(free)
    });
    if stored.await? { Ok(Json(object)) } else { Err(Fault::busy(UPLOADS_RETRY_AFTER_SECONDS)) }
}

/// How long a client is told to wait that finds too many uploads pending.
const UPLOADS_RETRY_AFTER_SECONDS: u32 = 60;

async fn stored(state: &Arc<State>, id: String) -> Result<StoredUpload, Fault> {
    sweep::expired(state).await?;
    let shown: String = id.chars().take(100).collect();
    let upload = state.store.call(move |connection| uploads::find(connection, &id)).await?;
    upload.ok_or_else(|| {
        Fault::not_found(format!("No such Upload object: {shown}")).param("upload_id")
    })
}

/// The fault of an upload that takes nothing any more.
fn ended(upload: &Upload) -> Fault {
    let status = upload.status.as_ref().map_or("ended", |status| status.as_str());
    Fault::invalid(format!("The upload is {status}")).param("upload_id").code("invalid_state")
}

fn ended_meanwhile() -> Fault {
    Fault::conflict("The upload was ended by another request").code("invalid_state")
}

pub(super) async fn add_part(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    form: Form,
) -> Result<Json<UploadPart>, Fault> {
    let upload = stored(&state, id).await?.object;
    if upload.status != Some(UploadStatus::Pending) {
        return Err(ended(&upload));
    }
    let limit = state.limits.part_bytes;
    let mut form = Reader::new(form, limit)?;
    let mut content = None;
    while let Some((name, field)) = form.next().await? {
        if name != "data" {
            return Err(Fault::unsupported(name, "is not supported by this server"));
        }
        content = Some(form::receive(&state, field, limit).await?);
    }
    let content =
        content.ok_or_else(|| Fault::invalid("'data' is a required property").param("data"))?;
    let part = UploadPart::new(new_id("part_")?, upload.id.clone(), state.clock.now());
    let (shared, stored) = (Arc::clone(&state), part.clone());
    let most = state.limits.upload_total_bytes;
    let outcome = state.store.call(move |connection| {
        let now = uploads::find(connection, upload.id.as_str())?.map(|upload| upload.object);
        let Some(now) = now.filter(|now| now.status == Some(UploadStatus::Pending)) else {
            return Ok(Err(ended(&upload)));
        };
        let sum = uploads::bytes(connection, now.id.as_str())?;
        if sum.saturating_add(content.bytes) > most {
            return Ok(Err(Fault::too_large(most)));
        }
        let (sha256, bytes) = (content.sha256.clone(), content.bytes);
        content.keep(&shared.folder)?;
        uploads::insert_part(connection, &stored, &sha256, bytes)?;
        Ok(Ok(()))
    });
    outcome.await?.map(|()| Json(part))
}

pub(super) async fn cancel(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Json<Upload>, Fault> {
    let mut upload = stored(&state, id).await?.object;
    match upload.status {
        Some(UploadStatus::Pending) => {}
        // Said again, as by a client that missed the first answer.
        Some(UploadStatus::Cancelled) => return Ok(Json(upload)),
        _ => return Err(ended(&upload)),
    }
    upload.status = Some(UploadStatus::Cancelled);
    let object = upload.clone();
    let contents =
        state.store.call(move |connection| uploads::end(connection, &object, None)).await?;
    sweep::contents(&state, contents.ok_or_else(|| ended(&upload))?).await?;
    Ok(Json(upload))
}

pub(super) async fn complete(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    JsonBody(request): JsonBody<CompleteUpload>,
) -> Result<Json<Upload>, Fault> {
    unknown(&request.extra)?;
    let upload = stored(&state, id).await?;
    let joined = names(&request.part_ids);
    if upload.joined.as_ref() == Some(&joined) {
        // Said again, as by a client that missed the first answer.
        return Ok(Json(upload.object));
    }
    if upload.object.status != Some(UploadStatus::Pending) {
        return Err(ended(&upload.object));
    }
    let id = upload.object.id.to_string();
    let parts = state.store.call(move |connection| uploads::parts(connection, &id)).await?;
    let parts = ordered(&request.part_ids, parts)?;
    let sum: u64 = parts.iter().map(|part| part.bytes).sum();
    if sum != upload.object.bytes {
        let message = format!(
            "The parts have {sum} bytes together, but the upload was created for {}",
            upload.object.bytes
        );
        return Err(Fault::invalid_value("part_ids", message));
    }
    let shared = Arc::clone(&state);
    let work = tokio::task::spawn_blocking(move || join(&shared.folder, &parts));
    let (content, md5) = work.await.map_err(|error| Fault::internal(&error))?.map_err(|error| {
        match error.kind() {
            std::io::ErrorKind::NotFound => ended_meanwhile(),
            _ => Fault::internal(&error),
        }
    })?;
    if request.md5.is_some_and(|wanted| !wanted.trim().eq_ignore_ascii_case(&md5)) {
        let message = "'md5' is not the checksum of the parts in this order";
        return Err(Fault::invalid_value("md5", message));
    }
    keep(&state, upload, joined, content).await.map(Json)
}

fn names(part_ids: &[PartId]) -> String {
    part_ids.iter().map(PartId::as_str).collect::<Vec<_>>().join(",")
}

/// The parts in the order of the request, each of them once.
fn ordered(wanted: &[PartId], parts: Vec<StoredPart>) -> Result<Vec<StoredPart>, Fault> {
    let named = parts.into_iter().map(|part| (part.id.clone(), part));
    let mut parts: HashMap<String, StoredPart> = named.collect();
    let found = wanted.iter().enumerate().map(|(index, id)| {
        parts.remove(id.as_str()).ok_or_else(|| {
            let message = "This is not the id of a part of this upload, or it is named twice";
            Fault::invalid_value(format!("part_ids[{index}]"), message)
        })
    });
    found.collect()
}

/// Writes the parts one behind the other; returns that and its MD5.
fn join(folder: &Folder, parts: &[StoredPart]) -> std::io::Result<(Finished, String)> {
    let mut incoming = Incoming::new(folder)?;
    let mut sum = Md5::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    for part in parts {
        let mut content = blob::open(folder, &part.sha256)?;
        loop {
            let length = content.read(&mut chunk)?;
            if length == 0 {
                break;
            }
            sum.update(&chunk[..length]);
            incoming.write(&chunk[..length])?;
        }
    }
    Ok((incoming.finish()?, hexadecimal(&sum.finalize())))
}

/// Makes a file of the upload, unless it was ended meanwhile.
async fn keep(
    state: &Arc<State>,
    upload: StoredUpload,
    joined: String,
    content: Finished,
) -> Result<Upload, Fault> {
    let now = state.clock.now();
    let mut object = upload.object;
    let purpose = object.purpose.clone().unwrap_or(wire::Purpose::FineTune);
    let file = FileObject {
        expires_at: upload.file_seconds.map(|seconds| now.saturating_add(seconds)),
        ..FileObject::new(
            super::files::new_id()?,
            object.filename.as_str(),
            purpose,
            content.bytes,
            now,
        )
    };
    object.status = Some(UploadStatus::Completed);
    object.file = Some(file.clone());
    let (shared, ended_as) = (Arc::clone(state), object.clone());
    let contents = state.store.call(move |connection| {
        let Some(contents) = uploads::end(connection, &ended_as, Some(&joined))? else {
            return Ok(None);
        };
        let file = StoredFile { object: file, sha256: content.sha256.clone() };
        content.keep(&shared.folder)?;
        files::insert(connection, &file)?;
        Ok(Some(contents))
    });
    let contents = contents.await?.ok_or_else(ended_meanwhile)?;
    sweep::contents(state, contents).await?;
    Ok(object)
}
