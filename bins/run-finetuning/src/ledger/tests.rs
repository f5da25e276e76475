use super::*;
use ftjob::{Journal as _, Step};

const NOW: i64 = 1_700_000_000;

fn subject(what: &str) -> Subject {
    let file = SentFile {
        path: "t.jsonl".into(),
        sha256: "ab".to_owned(),
        bytes: 3,
        examples: 1,
        id: None,
        reused: false,
    };
    Subject {
        what: what.to_owned(),
        service: "https://service.invalid/v1".to_owned(),
        provider: "openai".to_owned(),
        overrides: Vec::new(),
        base_model: "m".to_owned(),
        base_model_named: None,
        data_dir: None,
        files: vec![file],
        preferences: false,
        sweep: None,
        continued_from: None,
        origin: None,
    }
}

fn open(root: &Path) -> anyhow::Result<Ledger> {
    Ledger::open(root, subject("what-is-trained"), jiff::Timestamp::from_second(NOW)?)
}

#[test]
fn an_open_run_is_gone_on_with_and_an_ended_one_is_not() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("runs");
    let mut first = open(&root)?;
    assert!(!first.is_resumed() && all(&root)?.is_empty());
    first.note(Stage::Begun)?;
    let (name, which) = (first.name(), first.entry.key.which.clone());
    assert_eq!(name, "20231114-221320-what-is-");
    drop(first);
    let mut second = open(&root)?;
    assert!(second.is_resumed() && second.entry.key.which == which && second.name() == name);
    second.note(Stage::Ended)?;
    drop(second);
    let third = open(&root)?;
    assert!(!third.is_resumed() && third.entry.key.which != which);
    assert_eq!(third.name(), format!("{name}-2"));
    assert_eq!(third.earlier.as_ref().map(|entry| entry.stage), Some(Stage::Ended));
    Ok(())
}

#[test]
fn of_two_runs_begun_in_one_second_the_later_is_the_newest() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // By their names alone the first would be the newest.
    for (what, nanoseconds) in [("z-begun-before", 1), ("a-begun-after", 2)] {
        let now = jiff::Timestamp::new(NOW, nanoseconds)?;
        Ledger::open(folder.path(), subject(what), now)?.note(Stage::Created)?;
    }
    let runs = all(folder.path())?;
    let order: Vec<&str> = runs.iter().map(|(_, entry)| entry.key.what.as_str()).collect();
    assert_eq!(order, ["a-begun-after", "z-begun-before"]);
    Ok(())
}

#[test]
fn a_run_that_was_refused_begins_anew() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    open(folder.path())?.note(Stage::Refused)?;
    let next = open(folder.path())?;
    assert!(!next.is_resumed() && next.earlier.is_none());
    Ok(())
}

#[test]
fn two_processes_do_not_work_on_one_run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let first = open(folder.path())?;
    assert!(open(folder.path()).is_err_and(|error| error.to_string().contains("another process")));
    drop(first);
    open(folder.path())?;
    Ok(())
}

#[test]
fn a_job_that_was_answered_and_not_noted_is_found_in_the_journal() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut ledger = open(folder.path())?;
    ledger.note(Stage::Begun)?;
    let mut notes = ledger.notes();
    notes.intend(Step::Upload("ab"))?;
    notes.answered(Step::Upload("ab"), r#"{"id":"file-1"}"#)?;
    assert!(!notes.is_open(Step::Create) && !notes.is_open(Step::Upload("ab")));
    notes.intend(Step::Create)?;
    assert!(notes.is_open(Step::Create));
    notes.answered(Step::Create, r#"{"id":"ftjob-7","model":"m"}"#)?;
    // A process that was killed while it wrote.
    let path = ledger.folder().join(JOURNAL);
    let text = fs::read_to_string(&path)?;
    fs::write(&path, format!("{text}\n{{\"answered\":\"cre"))?;
    drop(ledger);
    let job = open(folder.path())?.entry.job_id;
    assert_eq!(job.map(|id| id.to_string()).as_deref(), Some("ftjob-7"));
    Ok(())
}

#[test]
fn an_event_is_kept_without_words_in_its_data_and_half_a_line_is_cut_off() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let ledger = open(folder.path())?;
    let event: wire::Event = serde_json::from_value(
        serde_json::json!({"id": "e1", "type": "metrics", "message": "planted",
        "data": {"step": 1, "note": "planted"}, "other": "planted"}),
    )?;
    ledger.events()?.add(&event, "Step 1")?;
    let path = ledger.folder().join(EVENTS);
    let text = fs::read_to_string(&path)?;
    assert!(!text.contains("planted") && text.contains("\"step\":1"), "{text}");
    fs::write(&path, format!("{text}{{\"id\":\"e2"))?;
    let events = ledger.events()?;
    assert_eq!(events.ids(), ["e1"]);
    assert_eq!(fs::read_to_string(&path)?, text);
    Ok(())
}

#[test]
fn a_file_of_version_1_is_read_and_put_aside() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let old = folder.path().join("what-is-trained.json");
    fs::write(&old, include_str!("../../tests/data/run_v1.json"))?;
    let mut ledger = open(folder.path())?;
    assert!(ledger.is_resumed());
    assert_eq!(ledger.entry.job_id.as_ref().map(ToString::to_string).as_deref(), Some("ftjob-9"));
    ledger.note(Stage::Created)?;
    drop(ledger);
    assert!(!old.exists());
    assert_eq!(open(folder.path())?.entry.key.which, "4b0c0ab8-0000-4000-8000-000000000000");
    Ok(())
}

#[test]
fn a_broken_or_later_file_is_named_and_not_passed_over() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut ledger = open(folder.path())?;
    ledger.note(Stage::Begun)?;
    let path = ledger.folder().join(RUN);
    drop(ledger);
    let later = fs::read_to_string(&path)?.replace("\"version\": 2", "\"version\": 3");
    fs::write(&path, later)?;
    let said = || open(folder.path()).err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(said().contains("run.json: version 3"), "{}", said());
    fs::write(&path, "{")?;
    assert!(said().contains("run.json"), "{}", said());
    Ok(())
}

#[test]
fn a_content_that_some_run_left_at_a_service_is_known() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut ledger = open(folder.path())?;
    ledger.entry.files[0].id = Some("file-1".parse()?);
    ledger.note(Stage::Ended)?;
    let service = "https://service.invalid/v1";
    assert!(sent(folder.path(), service, "ab")?.is_some());
    assert!(sent(folder.path(), service, "cd")?.is_none());
    assert!(sent(folder.path(), "local", "ab")?.is_none());
    Ok(())
}
