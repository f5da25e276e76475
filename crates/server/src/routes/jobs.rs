//! `/v1/fine_tuning/jobs`: <https://platform.openai.com/docs/api-reference/fine-tuning>.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State as Shared};
use rusqlite::Connection;
use wire::{Checkpoint, CreateJob, Event, FileId, Job, JobId, JobStatus, Page, Purpose};

use crate::extract::{JsonBody, Queries, no_cursor, unknown};
use crate::fault::Fault;
use crate::origin::{self, Found};
use crate::state::State;
use crate::store::{self, checkpoints, events, files, jobs};
use crate::story::{self, Chapter};
use crate::{hyperparameters, id, sweep};

/// OpenAI's own limits, from its API description.
const SUFFIX_CHARACTERS: usize = 64;
/// How long a client is told to wait that finds too many jobs unfinished.
const JOBS_RETRY_AFTER_SECONDS: u32 = 60;
const METADATA_PAIRS: usize = 16;
const METADATA_KEY_CHARACTERS: usize = 64;
const METADATA_VALUE_CHARACTERS: usize = 512;

pub(super) async fn create(
    Shared(state): Shared<Arc<State>>,
    JsonBody(request): JsonBody<CreateJob>,
) -> Result<Json<Job>, Fault> {
    let method = hyperparameters::wanted(&request)?;
    check(&request)?;
    check_model(&state, &request.model).await?;
    sweep::expired(&state).await?;
    check_file(&state, "training_file", Some(&request.training_file)).await?;
    check_file(&state, "validation_file", request.validation_file.as_ref()).await?;
    let id: JobId =
        id::random("ftjob-").parse().map_err(|error: wire::InvalidId| Fault::internal(&error))?;
    let job = Job {
        organization_id: Some("org-local".to_owned()),
        status: JobStatus::ValidatingFiles,
        training_file: Some(request.training_file),
        validation_file: request.validation_file,
        hyperparameters: hyperparameters::shown(&method),
        method: Some(method),
        seed: request.seed.or_else(|| Some(i64::from(id::random_seed()))),
        user_provided_suffix: request.suffix,
        metadata: request.metadata,
        ..Job::new(id, request.model, state.clock.now())
    };
    let now = state.clock.now();
    let (stored, most) = (job.clone(), state.limits.unfinished_jobs);
    let insert = state.store.call(move |connection| {
        if jobs::unfinished(connection)?.len() >= most {
            return Ok(false);
        }
        jobs::insert(connection, &stored)?;
        story::tell(connection, &stored, now, &Chapter::Created)?;
        Ok(true)
    });
    if !insert.await? {
        return Err(Fault::busy(JOBS_RETRY_AFTER_SECONDS));
    }
    state.tell();
    Ok(Json(job))
}

fn check(request: &CreateJob) -> Result<(), Fault> {
    let mut extra = request.extra.clone();
    let integrations = extra.shift_remove("integrations").unwrap_or_default();
    if !integrations.is_null() && integrations.as_array().is_none_or(|list| !list.is_empty()) {
        return Err(Fault::unsupported("integrations", "is not supported by this server"));
    }
    unknown(&extra)?;
    if request.seed.is_some_and(|seed| !(0..=i64::from(i32::MAX)).contains(&seed)) {
        let message = "'seed' must be from 0 to 2147483647";
        return Err(Fault::invalid_value("seed", message));
    }
    let suffix_fits = |suffix: &String| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        (1..=SUFFIX_CHARACTERS).contains(&suffix.len()) && suffix.bytes().all(plain)
    };
    if !request.suffix.as_ref().is_none_or(suffix_fits) {
        let message = "'suffix' must be 1 to 64 letters, digits, '-', '_' and '.'";
        return Err(Fault::invalid_value("suffix", message));
    }
    request.metadata.as_ref().map_or(Ok(()), check_metadata)
}

fn check_metadata(pairs: &BTreeMap<String, String>) -> Result<(), Fault> {
    let fits = |(key, value): (&String, &String)| {
        key.chars().count() <= METADATA_KEY_CHARACTERS
            && value.chars().count() <= METADATA_VALUE_CHARACTERS
    };
    if pairs.len() <= METADATA_PAIRS && pairs.iter().all(fits) {
        return Ok(());
    }
    let message =
        "'metadata' must be up to 16 pairs, keys of up to 64 and values of up to 512 characters";
    Err(Fault::invalid_value("metadata", message))
}

async fn check_model(state: &Arc<State>, model: &str) -> Result<(), Fault> {
    let (shared, name) = (Arc::clone(state), model.to_owned());
    let found = state.store.call(move |connection| origin::find(connection, &shared.shelf, &name));
    match found.await? {
        Found::Origin(_) => Ok(()),
        Found::Elsewhere | Found::Gone | Found::Unknown => Err(Fault::no_model(model)),
    }
}

async fn check_file(
    state: &State,
    param: &'static str,
    file: Option<&FileId>,
) -> Result<(), Fault> {
    let Some(file) = file.cloned() else { return Ok(()) };
    let id = file.clone();
    let found = state.store.call(move |connection| files::find(connection, id.as_str())).await?;
    match found {
        None => Err(Fault::invalid_value(param, format!("File '{file}' does not exist"))),
        Some(stored) if stored.object.purpose != Some(Purpose::FineTune) => Err(
            Fault::invalid_value(param, format!("File '{file}' has not the purpose 'fine-tune'")),
        ),
        Some(_) => Ok(()),
    }
}

pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    mut queries: Queries,
) -> Result<Json<Page<Job>>, Fault> {
    let span = queries.span(20, 100, false)?;
    let wanted = queries.metadata();
    queries.finish()?;
    let part = state.store.call(move |connection| jobs::list(connection, &wanted, &span));
    let part = part.await?.ok_or_else(no_cursor)?;
    Ok(Json(Page::new(part.items, part.has_more)))
}

pub(super) async fn find(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Json<Job>, Fault> {
    Ok(Json(stored(&state, id).await?))
}

async fn stored(state: &State, id: String) -> Result<Job, Fault> {
    let shown: String = id.chars().take(100).collect();
    let job = state.store.call(move |connection| jobs::find(connection, &id)).await?;
    job.ok_or_else(|| {
        Fault::not_found(format!("Could not find fine tune: {shown}"))
            .param("fine_tuning_job_id")
            .code("fine_tune_not_found")
    })
}

/// Changes a job that has not come to its end, and tells of it what `work` returns.
async fn change(
    state: &Arc<State>,
    id: String,
    verb: &str,
    work: impl FnOnce(&Connection, &mut Job) -> store::Result<Option<Chapter<'static>>> + Send + 'static,
) -> Result<Job, Fault> {
    let job = stored(state, id).await?;
    let now = state.clock.now();
    let changed = state.store.call(move |connection| {
        let mut told = Ok(None);
        let changed =
            jobs::change(connection, job.id.as_str(), |job| told = work(connection, job))?;
        if let (Some(job), Some(chapter)) = (&changed, told?) {
            story::tell(connection, job, now, &chapter)?;
        }
        Ok(changed)
    });
    let changed = changed.await?.ok_or_else(|| {
        let message = format!("The job has come to its end already and cannot be {verb}");
        Fault::invalid(message).code("invalid_state")
    })?;
    state.tell();
    Ok(changed)
}

pub(super) async fn cancel(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Json<Job>, Fault> {
    let now = state.clock.now();
    let shared = Arc::clone(&state);
    let work = move |_: &Connection, job: &mut Job| {
        if job.status == JobStatus::Paused {
            // Nobody works on it who would; what stays is removed at the next start.
            let _ = std::fs::remove_dir_all(shared.folder.training().join(job.id.as_str()));
        }
        job.status = JobStatus::Cancelled;
        job.finished_at = Some(now);
        job.estimated_finish = None;
        Ok(Some(Chapter::Cancelled))
    };
    change(&state, id, "cancelled", work).await.map(Json)
}

/// Lets a waiting job rest at once and a running one behind its current step; one that rests already is left so.
pub(super) async fn pause(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Json<Job>, Fault> {
    let work = |_: &Connection, job: &mut Job| {
        match job.status {
            JobStatus::Pausing | JobStatus::Paused => return Ok(None),
            JobStatus::Running => job.status = JobStatus::Pausing,
            _ => {
                job.status = JobStatus::Paused;
                return Ok(Some(Chapter::Paused));
            }
        }
        Ok(None)
    };
    change(&state, id, "paused", work).await.map(Json)
}

/// Lets a paused job go on where it was; one that is not paused is left as it is.
pub(super) async fn resume(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Json<Job>, Fault> {
    let work = |connection: &Connection, job: &mut Job| {
        job.status = match job.status {
            JobStatus::Pausing => JobStatus::Running,
            JobStatus::Paused if story::is_validated(connection, job)? => JobStatus::Queued,
            JobStatus::Paused => JobStatus::ValidatingFiles,
            _ => return Ok(None),
        };
        Ok(Some(Chapter::Unpaused))
    };
    change(&state, id, "resumed", work).await.map(Json)
}

pub(super) async fn events(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    mut queries: Queries,
) -> Result<Json<Page<Event>>, Fault> {
    let span = queries.span(20, 1000, false)?;
    queries.finish()?;
    let job = stored(&state, id).await?;
    let part = state.store.call(move |connection| events::list(connection, job.id.as_str(), &span));
    let part = part.await?.ok_or_else(no_cursor)?;
    Ok(Json(Page::new(part.items, part.has_more)))
}

pub(super) async fn checkpoints(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    mut queries: Queries,
) -> Result<Json<Page<Checkpoint>>, Fault> {
    let span = queries.span(10, 100, false)?;
    queries.finish()?;
    let job = stored(&state, id).await?;
    let part =
        state.store.call(move |connection| checkpoints::list(connection, job.id.as_str(), &span));
    let part = part.await?.ok_or_else(no_cursor)?;
    let (first_id, last_id) = (
        part.items.first().map(|first| first.id.clone()),
        part.items.last().map(|last| last.id.clone()),
    );
    Ok(Json(Page { first_id, last_id, ..Page::new(part.items, part.has_more) }))
}
