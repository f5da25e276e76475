//! Questions in batches, against a service with queued answers: every stop is gone on with, nothing is made twice.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[expect(dead_code, reason = "answers in a stream are for other tests")]
#[path = "support/double.rs"]
mod double;

use std::path::{Path, PathBuf};

use double::{Double, Reply};
use inference::{AnswerFile, Assistant, BatchError, BatchOptions, Question, Tally};
use serde_json::{Value, json};
use transport::{Client, Endpoint, Provider, Settings, Sleeper};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Asks three questions of a service with these replies, and says what was asked and what came of it.
    async fn ask(
        &self,
        replies: Vec<Reply>,
    ) -> (Vec<String>, Result<Tally, BatchError>, Vec<Value>) {
        let double = Double::start(replies).await.unwrap();
        let assistant = assistant(&double.base_url);
        // The address of the service is another each time here.
        let journal = self.path("journal.json");
        if let Ok(text) = std::fs::read_to_string(&journal) {
            let mut entry: Value = serde_json::from_str(&text).unwrap();
            entry["service"] = double.base_url.clone().into();
            std::fs::write(&journal, entry.to_string()).unwrap();
        }
        let path = self.path("answers.jsonl");
        let mut file = AnswerFile::open(&path, &assistant, &questions()).unwrap();
        let options = BatchOptions::new(&journal);
        let tally = assistant.ask_by_batch(&questions(), &mut file, &options, &mut |_| {}).await;
        file.finish().unwrap();
        let asked = double.asked();
        let bodies = asked.iter().map(|asked| asked.body.clone()).collect();
        (asked.into_iter().map(|asked| asked.line).collect(), tally, bodies)
    }

    fn journal(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.path("journal.json")).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }

    fn answers(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("answers.jsonl")).unwrap();
        let line = |line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let answer =
                if line["error"].is_null() { &line["response"] } else { &line["error"]["code"] };
            format!("{} {}", line["question"].as_str().unwrap(), answer.as_str().unwrap())
        };
        text.lines().map(line).collect()
    }
}

fn questions() -> Vec<Question> {
    ["A?", "B?", "C?"].map(Question::new).to_vec()
}

fn assistant(base_url: &str) -> Assistant {
    let settings = Settings { sleeper: Sleeper::new(|_| async {}), ..Settings::default() };
    let endpoint = Endpoint::new(Provider::OpenAi, base_url, None).unwrap();
    Assistant::new(Client::new(endpoint, settings).unwrap(), "ft:tiny")
}

fn file() -> Reply {
    Reply::json(200, &json!({"id": "file-1", "status": "processed"}))
}

fn batch(status: &str, files: &Value) -> Value {
    let mut batch = json!({"id": "batch_1", "input_file_id": "file-1", "status": status});
    for (name, id) in files.as_object().unwrap() {
        batch[name] = id.clone();
    }
    batch
}

fn ended() -> Reply {
    let files = json!({"output_file_id": "file-out", "error_file_id": "file-err"});
    Reply::json(200, &batch("completed", &files))
}

/// Lines about the questions at these places, answered or not.
fn lines(of: &[(usize, bool)]) -> Reply {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let keys = AnswerFile::open(&path, &assistant("http://127.0.0.1:9/v1"), &questions()).unwrap();
    let line = |&(index, is_answered): &(usize, bool)| {
        let key = &keys.keys()[index];
        let choice = json!({"message": {"content": format!("{index}.")}, "finish_reason": "stop"});
        let body =
            json!({"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 5}});
        let line = if is_answered {
            json!({"custom_id": key, "response": {"status_code": 200, "body": body}, "error": null})
        } else {
            json!({"custom_id": key, "response": null, "error": {"code": "batch_expired", "message": "late"}})
        };
        format!("{line}\n")
    };
    Reply::raw(&of.iter().map(line).collect::<String>())
}

fn running() -> Reply {
    Reply::json(200, &batch("in_progress", &json!({})))
}

#[tokio::test]
async fn questions_are_asked_in_one_batch_and_failed_ones_by_the_next_run() {
    let place = Place::new();
    let outputs = [lines(&[(2, true), (0, true)]), lines(&[(1, false)])];
    let replies = [file(), running(), running(), ended()].into_iter().chain(outputs).collect();
    let (asked, tally, bodies) = place.ask(replies).await;
    assert_eq!(
        asked,
        [
            "POST /v1/files",
            "POST /v1/batches",
            "GET /v1/batches/batch_1",
            "GET /v1/batches/batch_1",
            "GET /v1/files/file-out/content",
            "GET /v1/files/file-err/content"
        ]
    );
    assert_eq!(
        (&bodies[1]["input_file_id"], &bodies[1]["endpoint"], &bodies[1]["completion_window"]),
        (&json!("file-1"), &json!("/v1/chat/completions"), &json!("24h"))
    );
    let tally = tally.unwrap();
    assert_eq!((tally.answered, tally.failed, tally.completion_tokens), (2, 1, 10));
    assert_eq!(place.answers(), ["A? 0.", "B? batch_expired", "C? 2."]);
    assert_eq!(place.journal(), None);

    let replies = vec![file(), ended(), lines(&[(1, true)]), lines(&[])];
    assert_eq!(place.ask(replies).await.1.unwrap().answered, 1);
    assert_eq!(place.answers(), ["A? 0.", "B? 1.", "C? 2."]);
    assert!(place.ask(vec![]).await.0.is_empty(), "nothing is missing, nothing is made");
}

#[tokio::test]
async fn a_batch_under_way_is_gone_on_with() {
    let place = Place::new();
    let refusal = || Reply::refusal(401, "invalid_api_key");
    let (_, stopped, _) = place.ask(vec![file(), running(), refusal()]).await;
    assert!(matches!(stopped, Err(BatchError::Service(_))));
    assert_eq!(place.journal().unwrap()["batch_id"], "batch_1");
    let (asked, tally, _) =
        place.ask(vec![ended(), lines(&[(0, true), (1, true), (2, true)]), lines(&[])]).await;
    assert_eq!(asked[0], "GET /v1/batches/batch_1");
    assert_eq!((asked.len(), tally.unwrap().answered), (3, 3));
    assert_eq!(place.journal(), None);
}

#[tokio::test]
async fn a_batch_that_was_perhaps_made_is_looked_for_before_another_is() {
    let all = || lines(&[(0, true), (1, true), (2, true)]);
    let page = |batches: &[Value]| Reply::json(200, &json!({"data": batches, "has_more": false}));
    let other = json!({"id": "batch_0", "input_file_id": "file-0", "status": "completed"});
    let ours = batch("completed", &json!({"output_file_id": "file-out"}));
    // The answer was lost, the batch is there.
    let lost = || Reply::refusal(500, "server_error");
    let place = Place::new();
    let (asked, tally, _) =
        place.ask(vec![file(), lost(), page(&[other.clone(), ours.clone()]), all()]).await;
    assert_eq!((asked.len(), tally.unwrap().answered), (4, 3));
    // The process ended between the request and its answer: there, and not there.
    for (batches, made) in [(vec![other.clone(), ours], false), (vec![other], true)] {
        let place = Place::new();
        let (_, stopped, _) = place.ask(vec![file(), lost(), page(&[])]).await;
        assert!(matches!(stopped, Err(BatchError::Service(_))));
        let entry = place.journal().unwrap();
        assert_eq!((&entry["input_file_id"], &entry["batch_id"]), (&json!("file-1"), &Value::Null));
        let mut replies = vec![page(&batches)];
        if made {
            replies.push(Reply::json(200, &batch("completed", &json!({"output_file_id": "o"}))));
        }
        replies.push(all());
        let (asked, tally, _) = place.ask(replies).await;
        assert_eq!(tally.unwrap().answered, 3);
        assert_eq!(asked.iter().filter(|line| line.starts_with("POST")).count(), usize::from(made));
    }
}

#[tokio::test]
async fn a_batch_without_a_line_is_a_failure_with_its_reason() {
    let place = Place::new();
    let errors = json!({"errors": {"data": [{"message": "line 1 is bad"}]}});
    let (_, failed, _) = place.ask(vec![file(), Reply::json(200, &batch("failed", &errors))]).await;
    let text = failed.unwrap_err().to_string();
    assert_eq!(text, "the batch batch_1 is failed without an answer: line 1 is bad");
    assert_eq!(place.journal(), None);
}

#[tokio::test]
async fn a_batch_of_other_questions_or_elsewhere_is_left_alone() {
    let place = Place::new();
    let foreign = Reply::raw("{\"custom_id\":\"x\",\"response\":null}\n");
    let ended = Reply::json(200, &batch("completed", &json!({"output_file_id": "file-out"})));
    let (_, other, _) = place.ask(vec![file(), ended, foreign]).await;
    assert!(matches!(other, Err(BatchError::Other { .. })));
    assert!(place.journal().is_some());
    let path: &Path = &place.path("answers.jsonl");
    let elsewhere = assistant("http://127.0.0.1:9/v1");
    let mut file = AnswerFile::open(path, &elsewhere, &questions()).unwrap();
    let options = BatchOptions::new(place.path("journal.json"));
    let refused = elsewhere.ask_by_batch(&questions(), &mut file, &options, &mut |_| {}).await;
    assert!(matches!(refused, Err(BatchError::Elsewhere { .. })));
}
