//! Every step of a job against a service with queued answers.

#[path = "../../transport/tests/support/mod.rs"]
#[expect(
    dead_code,
    reason = "what other crates' tests need of the shared double is not needed here"
)]
mod support;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use ftjob::{Client, Error, Finished, JobSpec, LocalFile, Recipe, RunKey, Timing, Update};
use serde_json::{Value, json};
use support::{Double, Reply};
use transport::{Endpoint, Provider, Retry, Settings, Sleeper};
use wire::{FileId, JobId};

struct Fixture {
    client: Client,
    double: Double,
    slept: Arc<Mutex<Duration>>,
}

impl Fixture {
    async fn new(replies: impl IntoIterator<Item = Reply>) -> anyhow::Result<Self> {
        let double = Double::start(replies).await?;
        let slept = Arc::new(Mutex::new(Duration::ZERO));
        let sum = Arc::clone(&slept);
        let sleeper = Sleeper::new(move |duration| {
            *sum.lock().unwrap_or_else(PoisonError::into_inner) += duration;
            std::future::ready(())
        });
        let settings = Settings { retry: Retry::never(), sleeper, ..Settings::default() };
        let endpoint = Endpoint::new(Provider::OpenAi, &double.base_url, None)?;
        let timing = Timing {
            looks: vec![Duration::from_secs(1); 2],
            patience: Duration::from_secs(30),
            file_deadline: Duration::from_secs(4),
            ..Timing::default()
        };
        Ok(Self {
            client: Client::new(transport::Client::new(endpoint, settings)?, timing),
            double,
            slept,
        })
    }

    fn posts(&self) -> usize {
        self.double.lines().iter().filter(|line| line.starts_with("POST /v1/fine_tuning")).count()
    }
}

fn list(items: &[Value]) -> Reply {
    Reply::json(200, &json!({"object": "list", "data": items, "has_more": false}))
}

fn spec() -> anyhow::Result<JobSpec> {
    let recipe = Recipe {
        suffix: Some("med".to_owned()),
        epochs: Some(2),
        seed: Some(7),
        ..Recipe::new("base")
    };
    Ok(JobSpec::new(recipe, "file-1".parse()?))
}

fn job(status: &str) -> Value {
    json!({"id": "ftjob-1", "object": "fine_tuning.job", "model": "base", "status": status, "training_file": "file-1",
        "validation_file": null, "user_provided_suffix": "med", "seed": 7, "error": {}})
}

fn marked(status: &str, what: &str, which: &str) -> Value {
    let mut job = job(status);
    job["metadata"] = json!({"medtune_key": what, "medtune_run": which});
    job
}

async fn file(folder: &tempfile::TempDir) -> anyhow::Result<LocalFile> {
    let path = folder.path().join("train.jsonl");
    std::fs::write(&path, "{}\n")?;
    Ok(LocalFile::read(&path).await?)
}

#[tokio::test]
async fn a_file_is_sent_once_and_used_again_when_the_service_has_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = file(&folder).await?;
    let known = json!({"id": "file-9", "filename": file.upload_name(), "bytes": file.bytes, "purpose": "fine-tune", "status": "processed"});
    let stranger = json!({"id": "file-8", "filename": "train.jsonl", "bytes": file.bytes, "purpose": "fine-tune"});
    let fixture = Fixture::new([
        list(&[stranger]),
        Reply::json(200, &json!({"id": "file-1"})),
        list(&[known]),
    ])
    .await?;
    assert_eq!(fixture.client.upload(&file).await?.as_str(), "file-1");
    let sent = &fixture.double.asked()[1];
    assert!(
        sent.body.contains(&format!("filename=\"{}\"", file.upload_name()))
            && sent.body.contains("{}\n")
    );
    assert_eq!(fixture.client.upload(&file).await?.as_str(), "file-9");
    let lines = [
        "GET /v1/files?purpose=fine-tune&limit=1000",
        "POST /v1/files",
        "GET /v1/files?purpose=fine-tune&limit=1000",
    ];
    assert_eq!(fixture.double.lines(), lines);
    Ok(())
}

#[tokio::test]
async fn an_upload_without_an_answer_is_looked_for_before_it_is_sent_again() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = file(&folder).await?;
    let known = json!({"id": "file-9", "filename": file.upload_name(), "bytes": file.bytes});
    let fixture = Fixture::new([list(&[]), Reply::nothing(), list(&[known])]).await?;
    assert_eq!(fixture.client.upload(&file).await?.as_str(), "file-9");
    let again = Fixture::new([
        list(&[]),
        Reply::refusal(500, "x"),
        list(&[]),
        Reply::json(200, &json!({"id": "file-2"})),
    ])
    .await?;
    assert_eq!(again.client.upload(&file).await?.as_str(), "file-2");
    Ok(())
}

#[tokio::test]
async fn a_service_that_lists_no_files_still_gets_them_and_a_refusal_is_told() -> anyhow::Result<()>
{
    let folder = tempfile::tempdir()?;
    let file = file(&folder).await?;
    let fixture =
        Fixture::new([Reply::refusal(405, "x"), Reply::json(201, &json!({"id": "file-1"}))])
            .await?;
    assert_eq!(fixture.client.upload(&file).await?.as_str(), "file-1");
    let refused = Fixture::new([list(&[]), Reply::refusal(413, "too_large")]).await?;
    let error = refused.client.upload(&file).await.err().context("accepted")?;
    assert_eq!(error.transport().and_then(transport::Error::status), Some(413));
    Ok(())
}

#[tokio::test]
async fn a_file_is_waited_for_until_it_can_be_used_or_not() -> anyhow::Result<()> {
    let id: FileId = "file-1".parse()?;
    let status = |status: &str| {
        Reply::json(200, &json!({"id": "file-1", "status": status, "status_details": "line 3"}))
    };
    let fixture =
        Fixture::new([status("uploaded"), status("pending"), status("processed")]).await?;
    fixture.client.wait_for_file(&id).await?;
    assert_eq!(
        *fixture.slept.lock().unwrap_or_else(PoisonError::into_inner),
        Duration::from_secs(4)
    );
    let bad = Fixture::new([status("uploaded"), status("error")]).await?;
    let error = bad.client.wait_for_file(&id).await.err().context("accepted")?;
    assert_eq!(error.to_string(), "the service cannot use the file file-1: line 3");
    let slow = Fixture::new([status("uploaded"), status("uploaded"), status("uploaded")]).await?;
    assert!(matches!(
        slow.client.wait_for_file(&id).await,
        Err(Error::FileSlow { seconds: 4, .. })
    ));
    Ok(())
}

#[tokio::test]
async fn a_job_is_asked_for_with_its_settings_and_its_key() -> anyhow::Result<()> {
    let fixture = Fixture::new([list(&[]), list(&[]), Reply::json(200, &job("queued"))]).await?;
    let key = RunKey::new("what");
    let created = fixture.client.create(&spec()?, &key).await?;
    assert!(!created.adopted && created.job.id.as_str() == "ftjob-1");
    let body: Value = serde_json::from_str(&fixture.double.asked()[2].body)?;
    let expected = json!({"model": "base", "training_file": "file-1", "suffix": "med", "seed": 7,
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}},
        "metadata": {"medtune_key": "what", "medtune_run": key.which}});
    assert_eq!(body, expected);
    assert_eq!(
        fixture.double.lines()[0],
        "GET /v1/fine_tuning/jobs?metadata%5Bmedtune_key%5D=what&limit=100"
    );
    Ok(())
}

#[tokio::test]
async fn after_an_unclear_answer_the_job_is_found_by_its_key_and_not_bought_twice()
-> anyhow::Result<()> {
    let key = RunKey::new("what");
    let ours = marked("queued", "what", &key.which);
    for unclear in [
        Reply::nothing(),
        Reply::refusal(500, "server_error"),
        Reply::json(200, &ours).cut(3),
        Reply::with_headers(502, &[], "<html>"),
        Reply::json(200, &json!({})),
    ] {
        let fixture =
            Fixture::new([list(&[]), list(&[]), unclear, list(std::slice::from_ref(&ours))])
                .await?;
        let created = fixture.client.create(&spec()?, &key).await?;
        assert!(created.adopted);
        assert_eq!(fixture.posts(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn where_marks_are_dropped_the_job_is_found_by_files_and_settings() -> anyhow::Result<()> {
    let mut other = job("running");
    other["user_provided_suffix"] = json!("other");
    other["id"] = json!("ftjob-2");
    let jobs = [other, job("running")];
    let fixture =
        Fixture::new([list(&[]), list(&jobs[..1]), Reply::nothing(), list(&[]), list(&jobs)])
            .await?;
    let created = fixture.client.create(&spec()?, &RunKey::new("what")).await?;
    assert_eq!((created.adopted, created.job.id.as_str(), fixture.posts()), (true, "ftjob-1", 1));
    // The same job, seen at the start of a new run, is somebody else's as far as anyone can tell.
    let fixture = Fixture::new([list(&[]), list(&jobs), Reply::json(200, &job("queued"))]).await?;
    assert!(!fixture.client.create(&spec()?, &RunKey::new("what")).await?.adopted);
    // A run that was begun before takes it for its own.
    let key: RunKey = serde_json::from_value(serde_json::to_value(RunKey::new("what"))?)?;
    let fixture = Fixture::new([list(&[]), list(&jobs)]).await?;
    assert!(fixture.client.create(&spec()?, &key).await?.adopted);
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_not_found_after_several_looks_is_asked_for_again() -> anyhow::Result<()> {
    let none = || list(&[]);
    let replies = [
        none(),
        none(),
        Reply::nothing(),
        none(),
        none(),
        none(),
        none(),
        Reply::json(200, &job("queued")),
    ];
    let fixture = Fixture::new(replies).await?;
    assert!(!fixture.client.create(&spec()?, &RunKey::new("what")).await?.adopted);
    assert_eq!(fixture.posts(), 2);
    Ok(())
}

#[tokio::test]
async fn a_job_that_cannot_be_looked_for_is_unclear_and_not_asked_for_again() -> anyhow::Result<()>
{
    for blind in [[500, 500], [404, 404]] {
        let replies = [list(&[]), list(&[]), Reply::nothing()].into_iter();
        let fixture =
            Fixture::new(replies.chain(blind.map(|status| Reply::refusal(status, "x")))).await?;
        let error = fixture
            .client
            .create(&spec()?, &RunKey::new("what"))
            .await
            .err()
            .context("accepted")?;
        assert!(matches!(error, Error::Unclear(_)), "{error:?}");
        assert_eq!(fixture.posts(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_job_is_asked_for_once_and_its_code_is_kept() -> anyhow::Result<()> {
    let fixture =
        Fixture::new([list(&[]), list(&[]), Reply::refusal(403, "training_not_available")]).await?;
    let error =
        fixture.client.create(&spec()?, &RunKey::new("what")).await.err().context("accepted")?;
    let refusal = error.transport().and_then(transport::Error::refusal).context("no refusal")?;
    assert_eq!((refusal.status, refusal.code()), (403, Some("training_not_available")));
    assert!(matches!(error, Error::Create(_)));
    assert_eq!(fixture.posts(), 1);
    Ok(())
}

#[tokio::test]
async fn a_rerun_adopts_what_runs_and_what_it_made_itself_but_no_older_end() -> anyhow::Result<()> {
    let key = RunKey::new("what");
    let running = Fixture::new([list(&[marked("running", "what", "another")])]).await?;
    assert!(running.client.create(&spec()?, &key).await?.adopted);
    let mut stranger = marked("succeeded", "what", "another");
    stranger["id"] = json!("ftjob-2");
    let own = Fixture::new([list(&[stranger, marked("succeeded", "what", &key.which)])]).await?;
    assert!(own.client.create(&spec()?, &key).await?.adopted);
    let ended =
        || list(&[marked("succeeded", "what", "another"), marked("failed", "what", "third")]);
    let older = Fixture::new([ended(), ended(), Reply::json(200, &job("queued"))]).await?;
    assert!(!older.client.create(&spec()?, &key).await?.adopted);
    let unlisted = Fixture::new([
        Reply::refusal(404, "x"),
        Reply::refusal(404, "x"),
        Reply::json(200, &job("queued")),
    ])
    .await?;
    assert!(!unlisted.client.create(&spec()?, &key).await?.adopted);
    Ok(())
}

fn event(id: &str, created_at: i64, kind: &str) -> Value {
    json!({"id": id, "object": "fine_tuning.job.event", "created_at": created_at, "level": "info", "message": id, "type": kind, "data": {}})
}

async fn followed(fixture: &Fixture) -> anyhow::Result<(Vec<String>, Result<wire::Job, Error>)> {
    let id: JobId = "ftjob-1".parse()?;
    let mut told = Vec::new();
    let mut tell = |update: Update<'_>| {
        told.push(match update {
            Update::Status(job) => format!("<{}>", job.status),
            Update::Event(event) => event.id.clone(),
            _ => "?".to_owned(),
        });
    };
    let end = fixture.client.follow(&id, &mut tell).await;
    Ok((told, end))
}

#[tokio::test]
async fn every_event_is_told_once_and_in_order_through_pages_and_interruptions()
-> anyhow::Result<()> {
    let page = |items: &[Value], has_more: bool| {
        Reply::json(200, &json!({"data": items, "has_more": has_more}))
    };
    let replies = [
        Reply::json(200, &job("running")),
        page(&[event("c", 2, "metrics"), event("b", 1, "moderation_checks")], true),
        page(&[event("a", 1, "message")], false),
        Reply::nothing(),
        Reply::json(200, &job("running")),
        Reply::refusal(503, "busy"),
        Reply::json(200, &job("succeeded")),
        page(&[event("e", 3, "message"), event("d", 3, "news"), event("c", 2, "metrics")], true),
        page(&[event("c", 2, "metrics"), event("b", 1, "message")], true),
    ];
    let fixture = Fixture::new(replies).await?;
    let (told, end) = followed(&fixture).await?;
    assert_eq!(told, ["a", "b", "c", "<running>", "?", "?", "d", "e", "<succeeded>"]);
    assert!(end?.status.is_terminal());
    assert_eq!(
        fixture.double.lines()[2],
        "GET /v1/fine_tuning/jobs/ftjob-1/events?limit=100&after=b"
    );
    Ok(())
}

#[tokio::test]
async fn a_job_is_lost_when_the_service_refuses_or_stays_silent() -> anyhow::Result<()> {
    let refused = Fixture::new([Reply::refusal(401, "invalid_api_key")]).await?;
    assert!(matches!(followed(&refused).await?.1, Err(Error::Lost { .. })));
    let silent = Fixture::new([]).await?;
    let (told, end) = followed(&silent).await?;
    assert_eq!(told, ["?", "?", "?"]);
    let Err(Error::Lost { job, source }) = end else { bail!("{end:?}") };
    assert_eq!((job.as_str(), source.status()), ("ftjob-1", Some(599)));
    Ok(())
}

#[tokio::test]
async fn unknown_and_paused_states_are_waited_through_and_events_may_be_missing()
-> anyhow::Result<()> {
    let mut replies = Vec::new();
    for status in ["pending", "paused", "dreaming", "cancelled"] {
        replies.extend([Reply::json(200, &job(status)), Reply::refusal(404, "not_found")]);
    }
    let (told, end) = followed(&Fixture::new(replies).await?).await?;
    assert_eq!(told, ["<pending>", "<paused>", "<dreaming>", "<cancelled>"]);
    assert!(matches!(Finished::of(&end?), Err(Error::Cancelled { .. })));
    Ok(())
}

fn finished(mut job: Value, changes: &Value) -> anyhow::Result<Result<Finished, Error>> {
    for (name, value) in changes.as_object().context("changes are an object")? {
        job[name] = value.clone();
    }
    Ok(Finished::of(&serde_json::from_value(job)?))
}

#[tokio::test]
async fn an_end_is_a_model_or_says_why_there_is_none() -> anyhow::Result<()> {
    let good = json!({"fine_tuned_model": "ft:base:org:med:1", "trained_tokens": 99, "created_at": 10, "finished_at": 70, "result_files": ["file-3"]});
    let good = finished(job("succeeded"), &good)??;
    assert_eq!(
        (good.model.as_str(), good.trained_tokens, good.seconds),
        ("ft:base:org:med:1", Some(99), Some(60))
    );
    let failed = json!({"error": {"code": "invalid_n_examples", "message": "has 4 examples", "param": "training_file"}});
    let failed = finished(job("failed"), &failed)?.err().context("accepted")?;
    assert_eq!(failed.to_string(), "the job ftjob-1 failed: has 4 examples (invalid_n_examples)");
    assert!(matches!(finished(job("succeeded"), &json!({}))?, Err(Error::NoModel { .. })));
    assert!(matches!(finished(job("paused"), &json!({}))?, Err(Error::Unfinished { .. })));
    Ok(())
}

#[tokio::test]
async fn a_job_can_be_cancelled_and_its_checkpoints_listed() -> anyhow::Result<()> {
    let checkpoint = |step: u64| json!({"id": format!("ftckpt-{step}"), "step_number": step, "metrics": {"full_valid_loss": 1.0}});
    let fixture = Fixture::new([
        Reply::json(200, &job("cancelled")),
        list(&[checkpoint(20), checkpoint(10)]),
    ])
    .await?;
    let id: JobId = "ftjob-1".parse()?;
    assert!(fixture.client.cancel(&id).await?.status.is_terminal());
    let steps: Vec<_> = fixture
        .client
        .checkpoints(&id)
        .await?
        .iter()
        .map(|checkpoint| checkpoint.step_number)
        .collect();
    assert_eq!(steps, [Some(10), Some(20)]);
    assert_eq!(fixture.double.lines()[0], "POST /v1/fine_tuning/jobs/ftjob-1/cancel");
    Ok(())
}

#[tokio::test]
async fn an_upload_in_parts_goes_on_where_it_was_cut_and_begins_anew_where_it_is_forgotten()
-> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("train.jsonl");
    std::fs::write(&path, "0123456789")?;
    let file = LocalFile::read(&path).await?;
    let begun = |id: &str| Reply::json(200, &json!({"id": id, "status": "pending"}));
    let part = |id: &str| Reply::json(200, &json!({"id": id}));
    let done = json!({"id": "upload_1", "status": "completed", "file": {"id": "file-1"}});
    let replies = [list(&[]), begun("upload_1"), part("part_a"), Reply::nothing()];
    let fixture = Fixture::new(replies).await?;
    let client = fixture.client.clone().with_part_bytes(4);
    let mut kept = None;
    let mut keep = |partial: &ftjob::PartialUpload| {
        kept = Some(partial.clone());
        Ok(())
    };
    assert!(client.upload_in_parts(&file, None, &mut keep).await.is_err());
    let partial = kept.clone().context("nothing was kept")?;
    assert_eq!(partial.parts.len(), 1);

    fixture.double.queue([list(&[]), part("part_b"), part("part_c"), Reply::json(200, &done)]);
    let uploaded = client.upload_in_parts(&file, Some(partial.clone()), &mut |_| Ok(())).await?;
    assert_eq!((uploaded.id.as_str(), uploaded.reused), ("file-1", false));
    let asked = fixture.double.asked();
    let request: Value = serde_json::from_str(&asked[asked.len() - 1].body)?;
    assert_eq!(request["part_ids"], json!(["part_a", "part_b", "part_c"]));
    let sent = &asked[asked.len() - 3];
    assert!(sent.line.ends_with("/uploads/upload_1/parts") && sent.body.contains("\r\n4567\r\n"));

    // The service has forgotten the upload: everything is sent again, under a new one.
    fixture.double.queue([list(&[]), Reply::refusal(404, "not_found"), begun("upload_2")]);
    fixture.double.queue([part("a"), part("b"), part("c"), Reply::refusal(500, "x")]);
    let name = file.upload_name();
    fixture.double.queue([list(&[json!({"id": "file-2", "filename": name, "bytes": 10})])]);
    let uploaded = client.upload_in_parts(&file, Some(partial), &mut |_| Ok(())).await?;
    assert_eq!(uploaded.id.as_str(), "file-2");
    Ok(())
}

/// Keeps the names of what was noted.
#[derive(Debug, Default)]
struct Notes {
    all: Vec<String>,
    open: bool,
    broken: bool,
}

impl ftjob::Journal for Notes {
    fn intend(&mut self, step: ftjob::Step<'_>) -> std::io::Result<()> {
        self.all.push(format!("intend {step:?}"));
        if self.broken { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn answered(&mut self, _: ftjob::Step<'_>, outline: &str) -> std::io::Result<()> {
        self.all.push(outline.to_owned());
        Ok(())
    }

    fn is_open(&self, _: ftjob::Step<'_>) -> bool {
        self.open
    }
}

#[tokio::test]
async fn what_costs_is_noted_first_and_what_cannot_be_noted_is_not_done() -> anyhow::Result<()> {
    let mut notes = Notes::default();
    let fixture = Fixture::new([list(&[]), list(&[]), Reply::json(200, &job("queued"))]).await?;
    fixture.client.create_noted(&spec()?, &RunKey::new("what"), &mut notes).await?;
    assert_eq!(notes.all[0], "intend Create");
    assert!(notes.all[1].contains(r#""id":"ftjob-1""#) && !notes.all[1].contains(r#""med""#));

    let refused = [list(&[]), list(&[]), Reply::refusal(403, "training_not_available")];
    let mut notes = Notes::default();
    let fixture = Fixture::new(refused).await?;
    assert!(fixture.client.create_noted(&spec()?, &RunKey::new("what"), &mut notes).await.is_err());
    assert_eq!(notes.all[1], r#"{"refused":true}"#);

    let mut full = Notes { broken: true, ..Notes::default() };
    let fixture = Fixture::new([list(&[]), list(&[])]).await?;
    let error = fixture.client.create_noted(&spec()?, &RunKey::new("what"), &mut full).await;
    assert!(matches!(error, Err(Error::Record(_))));
    assert_eq!(fixture.posts(), 0);
    Ok(())
}

#[tokio::test]
async fn a_request_of_a_killed_process_is_waited_for_before_it_is_sent_again() -> anyhow::Result<()>
{
    let key: RunKey = serde_json::from_value(serde_json::to_value(RunKey::new("what"))?)?;
    let late = marked("queued", "what", &key.which);
    let none = || list(&[]);
    let fixture = Fixture::new([none(), none(), none(), none(), list(&[late])]).await?;
    let mut open = Notes { open: true, ..Notes::default() };
    assert!(fixture.client.create_noted(&spec()?, &key, &mut open).await?.adopted);
    assert_eq!((fixture.posts(), open.all.len()), (0, 0));
    Ok(())
}

#[tokio::test]
async fn an_answer_about_something_else_is_not_taken_for_the_answer() -> anyhow::Result<()> {
    let mut stranger = job("succeeded");
    stranger["id"] = json!("ftjob-2");
    let fixture = Fixture::new([Reply::json(200, &stranger)]).await?;
    let error = fixture.client.job(&"ftjob-1".parse()?).await.err().context("accepted")?;
    assert!(error.transport().is_some_and(transport::Error::is_transient));
    Ok(())
}
