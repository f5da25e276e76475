//! The file of many answers: gone on with after every kind of stop, never taken for another.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[expect(dead_code, reason = "answers in a stream are for other tests")]
#[path = "support/double.rs"]
mod double;

use std::path::Path;

use double::{Double, Reply};
use inference::{AnswerFile, AnswerFileError, Assistant, ManyOptions, Question, Tally};
use serde_json::{Value, json};
use transport::{Client, Endpoint, Provider, Settings, Sleeper};

fn questions() -> Vec<Question> {
    let lines =
        [r#"{"id":7,"question":"A?"}"#, r#""B?""#, r#""B?""#, r#"{"id":"d","question":"D?"}"#];
    lines.map(|line| Question::parse(line).unwrap()).to_vec()
}

fn assistant(base_url: &str) -> Assistant {
    let settings = Settings { sleeper: Sleeper::new(|_| async {}), ..Settings::default() };
    let endpoint = Endpoint::new(Provider::OpenAi, base_url, None).unwrap();
    Assistant::new(Client::new(endpoint, settings).unwrap(), "ft:tiny")
}

/// Asks what is missing in `path`, at most `most` of it, of a service with these replies.
async fn ask(path: &Path, replies: Vec<Reply>, most: usize) -> (Vec<String>, Tally) {
    let double = Double::start(replies).await.unwrap();
    let (assistant, questions) = (assistant(&double.base_url), questions());
    let mut file = AnswerFile::open(path, &assistant, &questions).unwrap();
    let missing = file.missing();
    let asked = missing.iter().map(|&index| questions[index].clone()).take(most).collect();
    let options = ManyOptions { at_once: 1, ..ManyOptions::default() };
    let mut many = assistant.ask_many(asked, &options);
    while let Some(outcome) = many.next().await {
        let index = missing[outcome.index];
        file.write(index, &questions[index], &outcome.result).unwrap();
    }
    if most > missing.len() {
        file.finish().unwrap();
    }
    let asked = double.asked().into_iter();
    let text = |body: Value| body["messages"][1]["content"].as_str().unwrap_or_default().to_owned();
    (asked.map(|asked| text(asked.body)).collect(), many.tally())
}

fn answers(count: usize) -> Vec<Reply> {
    (0..count).map(|number| Reply::text(&format!("{number}."), "stop")).collect()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn asked_in(path: &Path) -> Vec<String> {
    lines(path).iter().map(|line| line["question"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_run_that_stopped_is_gone_on_with_and_the_file_is_in_the_questions_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.jsonl");
    assert_eq!(ask(&path, answers(2), 2).await.0, ["A?", "B?"]);
    // The beginning of a line, as a killed process leaves it.
    let whole = std::fs::read(&path).unwrap();
    for cut in [1, 2, 9, 40] {
        std::fs::write(&path, [&whole[..], &whole[..cut]].concat()).unwrap();
        let file =
            AnswerFile::open(&path, &assistant("http://127.0.0.1:9/v1"), &questions()).unwrap();
        assert!(file.is_repaired());
        assert_eq!(file.missing(), [2, 3]);
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), whole, "cut after {cut} bytes");
    }
    let (asked, tally) = ask(&path, answers(2), 9).await;
    assert_eq!((asked.as_slice(), tally.answered), (&["B?".to_owned(), "D?".to_owned()][..], 2));
    assert_eq!(asked_in(&path), ["A?", "B?", "B?", "D?"]);
    assert_eq!((&lines(&path)[0]["id"], &lines(&path)[3]["id"]), (&json!(7), &json!("d")));
    assert!(ask(&path, vec![], 9).await.0.is_empty(), "nothing is asked twice");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn answers_that_came_out_of_order_are_put_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.jsonl");
    let double = Double::start(answers(4)).await.unwrap();
    let (assistant, questions) = (assistant(&double.base_url), questions());
    let mut file = AnswerFile::open(&path, &assistant, &questions).unwrap();
    for index in [2, 0, 3, 1] {
        let result = assistant.ask_messages(questions[index].messages.clone()).await;
        file.write(index, &questions[index], &result).unwrap();
    }
    assert_eq!(asked_in(&path), ["B?", "A?", "D?", "B?"]);
    file.finish().unwrap();
    assert_eq!(asked_in(&path), ["A?", "B?", "B?", "D?"]);
    let responses: Vec<_> = lines(&path).iter().map(|line| line["response"].clone()).collect();
    assert_eq!(responses, ["1.", "3.", "0.", "2."]);
}

#[tokio::test]
async fn a_question_that_failed_is_written_with_its_reason_and_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.jsonl");
    let mut replies = vec![Reply::refusal(400, "context_length_exceeded")];
    replies.extend(answers(3));
    let (_, tally) = ask(&path, replies, 9).await;
    assert_eq!((tally.answered, tally.failed), (3, 1));
    let error = &lines(&path)[0]["error"];
    assert_eq!(
        (&error["status"], &error["code"]),
        (&json!(400), &json!("context_length_exceeded"))
    );
    assert_eq!(asked_in(&path), ["A?", "B?", "B?", "D?"]);
    assert_eq!(ask(&path, answers(1), 9).await.0, ["A?"]);
    assert_eq!(asked_in(&path), ["A?", "B?", "B?", "D?"]);
    assert!(lines(&path).iter().all(|line| line.get("error").is_none()));
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.jsonl");
    ask(&path, answers(4), 9).await;
    let of = |assistant: &Assistant| AnswerFile::open(&path, assistant, &questions());
    let first = of(&assistant("http://127.0.0.1:9/v1")).unwrap();
    let second = of(&assistant("http://127.0.0.1:9/v1"));
    assert!(matches!(second, Err(AnswerFileError::InUse { .. })));
    drop(first);
    let mut warmer = assistant("http://127.0.0.1:9/v1");
    warmer.sampling.temperature = Some(1.0);
    assert!(matches!(of(&warmer), Err(AnswerFileError::Other { line: 1, .. })));
    let later = std::fs::read_to_string(&path).unwrap().replace("\"version\":1", "\"version\":2");
    std::fs::write(&path, later).unwrap();
    let opened = of(&assistant("http://127.0.0.1:9/v1"));
    assert!(matches!(opened, Err(AnswerFileError::Version { line: 1, version: 2, .. })));
    for foreign in ["{}\n", "a,b\n", "half a line", "{\"messages\":[]", "\n"] {
        std::fs::write(&path, foreign).unwrap();
        let opened = of(&assistant("http://127.0.0.1:9/v1"));
        assert!(matches!(opened, Err(AnswerFileError::Foreign { line: 1, .. })), "{foreign}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), foreign);
    }
}
