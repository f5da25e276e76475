//! What a user sees, against a service with queued answers.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[expect(dead_code, reason = "files to fetch are for other tests")]
#[path = "../../../crates/inference/tests/support/double.rs"]
mod double;

use std::io::{self, Write};
use std::path::Path;

use cli::{Environment, Exit, Terminal};
use double::{Double, Reply, chunk};
use inference::SavedModel;
use serde_json::{Value, json};
use template::{Jinja, Template};

const HEADED: [&str; 4] =
    ["## Thinking\n\nCrushing", " pain.\n\n## Final", " Response\n\nCall for", " an ECG."];

/// A run of the tool and what came of it.
struct Run {
    exit: Exit,
    out: String,
    err: String,
}

impl Run {
    /// Exit code, `out` and `err` one after the other.
    fn shown(&self) -> String {
        format!("{:?}\n-- out\n{}-- err\n{}", self.exit, self.out, self.err)
    }
}

/// Runs `ask` in `folder` with a key and, if it is watched, on a terminal.
async fn run(folder: &Path, arguments: &[&str], base_url: &str, watched: bool) -> Run {
    let file = folder.join(SavedModel::FILE).display().to_string();
    let arguments: Vec<_> = arguments
        .iter()
        .chain(&["--model-file", &file])
        .map(|text| text.to_string().into())
        .collect();
    let pairs = [("OPENAI_API_KEY", "sk-planted"), ("OPENAI_BASE_URL", base_url)];
    let environment = Environment::from_pairs(pairs);
    let place = folder.display().to_string();
    let run = move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::plain(&mut out, &mut err);
        terminal.out_is_terminal = watched;
        let exit = ask::run(arguments, &environment, &mut terminal);
        let [out, err] =
            [out, err].map(|text| String::from_utf8(text).unwrap().replace(&place, "[folder]"));
        assert!(!out.contains("sk-planted") && !err.contains("sk-planted"), "{out}{err}");
        Run { exit, out, err }
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Asks the saved model `Why?` with `arguments` more, of a service that answers with `reply`.
async fn check(reply: Reply, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    SavedModel::of_id("ft:tiny").save(&folder.path().join(SavedModel::FILE)).unwrap();
    let double = Double::start([reply]).await.unwrap();
    run(folder.path(), &[&["Why?"], arguments].concat(), &double.base_url, false).await
}

#[tokio::test]
async fn reasoning_and_response_are_printed_apart() {
    let run = check(Reply::stream(&HEADED, "stop"), &[]).await;
    insta::assert_snapshot!(run.shown(), @"
    Done
    -- out
    Reasoning:

    Crushing pain.

    Final response:

    Call for an ECG.
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    ");
    let whole = check(Reply::text(&HEADED.concat(), "stop"), &["--no-stream"]).await;
    assert_eq!(whole.shown(), run.shown());
}

#[tokio::test]
async fn on_a_terminal_the_reasoning_is_dimmed_and_control_characters_are_taken_out()
-> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let arguments = ["Why?", "--model", "ft:tiny"];
    let double = Double::start([Reply::stream(
        &["## Thinking\nA\x1b[2J\n", "## Final Response\nB\x07"],
        "stop",
    )])
    .await?;
    let run = run(folder.path(), &arguments, &double.base_url, true).await;
    insta::assert_snapshot!(run.out.escape_debug(), @r"\u{1b}[1mReasoning:\u{1b}[0m\n\n\u{1b}[2mA[2J\u{1b}[0m\n\n\u{1b}[1mFinal response:\u{1b}[0m\n\nB\n");
    Ok(())
}

#[tokio::test]
async fn a_text_without_headings_is_shown_whole_and_said_to_be_so() {
    insta::assert_snapshot!(check(Reply::stream(&["It is ", "a cold."], "stop"), &[]).await.shown(), @"
    Done
    -- out
    It is a cold.
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    note: the answer has no headings, so it is shown whole
    ");
}

#[tokio::test]
async fn an_answer_that_is_not_complete_is_said_to_be_so() {
    insta::assert_snapshot!(check(Reply::stream(&HEADED[..1], "length"), &[]).await.shown(), @"
    Done
    -- out
    Reasoning:

    Crushing
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    note: the answer reached the limit of tokens (--max-tokens) and is not complete
    ");
    insta::assert_snapshot!(check(Reply::stream(&HEADED[..1], "stop"), &[]).await.shown(), @"
    Done
    -- out
    Reasoning:

    Crushing
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    note: the model ended without a final response
    ");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_the_services_failure() {
    let cut = Reply::events(&[chunk("## Thinking\n\nCrushing", None)]);
    insta::assert_snapshot!(check(cut, &[]).await.shown(), @"
    Service
    -- out
    Reasoning:

    Crushing
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    error: the stream of the answer ended before the answer did
    hint: ask again; what arrived is shown
    ");
    let error = json!({"error": {"message": "overloaded"}}).to_string();
    let broken = Reply::events(&[chunk("## Thinking\n\nCrushing", None), error]);
    insta::assert_snapshot!(check(broken, &[]).await.shown(), @"
    Service
    -- out
    Reasoning:

    Crushing
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    error: model `ft:tiny` did not answer: the service broke the answer off: overloaded
    ");
}

#[tokio::test]
async fn json_gives_both_halves_as_fields() -> anyhow::Result<()> {
    let run = check(Reply::stream(&HEADED, "stop"), &["--json"]).await;
    let expected = json!({"model": "ft:tiny", "question": "Why?", "reasoning": "Crushing pain.",
        "response": "Call for an ECG.", "complete": true, "finish_reason": "stop",
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}});
    assert_eq!(serde_json::from_str::<Value>(&run.out)?, expected);
    assert_eq!(run.exit, Exit::Done);
    let whole = check(Reply::text(&HEADED.concat(), "stop"), &["--json", "--no-stream"]).await;
    assert_eq!(whole.out, run.out);
    Ok(())
}

#[tokio::test]
async fn an_answer_is_split_as_the_model_was_trained() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let jinja = Jinja::new("{{ reasoning }}\n</think>\n{{ response }}")?;
    let saved = SavedModel::of_id("ft:tiny").trained_with(Template::Jinja(jinja), "Be brief.");
    saved.save(&folder.path().join(SavedModel::FILE))?;
    let thought = || Reply::stream(&["<thi", "nk>\nPain.\n</", "think>\n\nCall."], "stop");
    let double = Double::start([thought(), thought(), thought()]).await?;
    let apart = "Reasoning:\n\nPain.\n\nFinal response:\n\nCall.\n";
    let trained = run(folder.path(), &["Why?"], &double.base_url, false).await;
    assert_eq!((trained.exit, trained.out.as_str()), (Exit::Done, apart));
    let flags = ["Why?", "--template", "think"];
    assert_eq!(run(folder.path(), &flags, &double.base_url, false).await.out, apart);
    let flags = ["Why?", "--template", "plain"];
    let plain = run(folder.path(), &flags, &double.base_url, false).await;
    assert_eq!(plain.out, "<think>\nPain.\n</think>\n\nCall.\n");
    let flags = ["Why?", "--template", "alpaca"];
    let unknown = run(folder.path(), &flags, &double.base_url, false).await;
    assert_eq!(unknown.exit, Exit::Usage);
    assert!(unknown.err.contains("--template: unknown template `alpaca`"), "{}", unknown.err);
    Ok(())
}

#[tokio::test]
async fn the_saved_prompt_and_the_flags_are_what_is_sent() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let saved = SavedModel::of_id("ft:tiny").trained_with(Template::Plain, "Be brief.");
    saved.save(&folder.path().join(SavedModel::FILE))?;
    let double = Double::start((0..3).map(|_| Reply::stream(&["Yes."], "stop"))).await?;
    let flags = ["Why?", "--temperature", "0", "--max-tokens", "9", "--seed", "7"];
    run(folder.path(), &flags, &double.base_url, false).await;
    run(folder.path(), &["Why?", "--system-prompt", ""], &double.base_url, false).await;
    run(folder.path(), &["Why?", "--model", "other"], &double.base_url, false).await;
    let asked: Vec<Value> = double.asked().into_iter().map(|asked| asked.body).collect();
    let stream = json!({"include_usage": true});
    assert_eq!(
        asked[0],
        json!({"model": "ft:tiny", "temperature": 0.0, "max_tokens": 9, "seed": 7, "stream": true,
            "stream_options": stream, "messages": [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]})
    );
    assert_eq!(asked[1]["messages"], json!([{"role": "user", "content": "Why?"}]));
    assert_eq!(
        (&asked[2]["model"], &asked[2]["messages"][0]["content"]),
        (&json!("other"), &json!(template::SYSTEM_PROMPT))
    );
    let first = &double.asked()[0];
    assert_eq!(first.line, "POST /v1/chat/completions");
    assert_eq!(first.authorization.as_deref(), Some("Bearer sk-planted"));
    Ok(())
}

#[tokio::test]
async fn without_a_question_or_a_model_nothing_is_asked() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let double = Double::start([]).await?;
    let check = async |arguments: &[&str]| {
        run(folder.path(), arguments, &double.base_url, false).await.shown()
    };
    insta::assert_snapshot!(check(&[" "]).await, @r#"
    Usage
    -- out
    -- err
    error: no question
    hint: ask "your question"; ask - reads it from standard input, --file from a file
    "#);
    insta::assert_snapshot!(check(&["Why?"]).await, @"
    BadData
    -- out
    -- err
    error: [folder]/fine_tuned_model.json: no such file
    hint: run-finetuning trains a model and saves it there; --model ID names any other
    ");
    insta::assert_snapshot!(check(&["Why?", "--temperature", "3"]).await, @"
    Usage
    -- out
    -- err
    error: invalid value '3' for '--temperature <NUMBER>': not a number from 0 to 2

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(check(&["Why?", "--model", "m", "--base-url", "x"]).await, @"
    Usage
    -- out
    -- err
    error: the base URL is no URL
    ");
    std::fs::write(folder.path().join(SavedModel::FILE), "{}")?;
    insta::assert_snapshot!(check(&["Why?"]).await, @"
    BadData
    -- out
    -- err
    error: [folder]/fine_tuned_model.json: no field `version`
    ");
    let mut saved = SavedModel::of_id("ft:tiny");
    saved.system_prompt = "changed".to_owned();
    saved.save(&folder.path().join(SavedModel::FILE))?;
    insta::assert_snapshot!(check(&["Why?"]).await, @"
    BadData
    -- out
    -- err
    error: the saved system prompt and template of model `ft:tiny` are not those of its training
    hint: give --system-prompt or --template to ask it differently on purpose
    ");
    assert!(double.asked().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_refusal_names_the_model_and_what_to_look_at() {
    insta::assert_snapshot!(check(Reply::refusal(401, "invalid_api_key"), &[]).await.shown(), @"
    Service
    -- out
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    error: model `ft:tiny` did not answer: the service answered 401: refused (invalid_api_key)
    hint: the service does not take the key in OPENAI_API_KEY
    ");
    let unknown = check(Reply::refusal(404, "model_not_found"), &["--wait-seconds", "0"]).await;
    insta::assert_snapshot!(unknown.shown(), @"
    Service
    -- out
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    error: model `ft:tiny` did not answer: the service answered 404: refused (model_not_found)
    hint: the model is unknown there; --model, --provider and --base-url say what to ask where
    ");
}

#[tokio::test]
async fn a_saved_model_that_is_not_ready_is_waited_for_and_said_to_be() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    SavedModel::of_id("ft:tiny").save(&folder.path().join(SavedModel::FILE))?;
    let unknown = Reply::refusal(404, "model_not_found");
    let double = Double::start([unknown, Reply::stream(&["Yes."], "stop")]).await?;
    let run = run(folder.path(), &["Why?"], &double.base_url, false).await;
    insta::assert_snapshot!(run.shown(), @"
    Done
    -- out
    Yes.
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    the model is not ready yet: waiting for it, at most 60 s
    note: the answer has no headings, so it is shown whole
    ");
    Ok(())
}

#[tokio::test]
async fn the_model_of_a_service_without_a_key_is_not_asked() -> anyhow::Result<()> {
    let arguments =
        ["Why?", "--model", "m", "--base-url", "https://example.org/v1"].map(Into::into);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let run = |out, err| {
        ask::run(arguments.to_vec(), &Environment::default(), &mut Terminal::plain(out, err))
    };
    assert_eq!(run(&mut out, &mut err), Exit::Usage);
    insta::assert_snapshot!(String::from_utf8(err)?, @"
    error: no key for example.org
    hint: set OPENAI_API_KEY in the environment or in .env, or stay on this machine with --provider local
    ");
    Ok(())
}

#[tokio::test]
async fn a_question_may_be_in_a_file() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("question.txt").display().to_string();
    std::fs::write(&file, "Why?\nAnd how?\n")?;
    let double = Double::start([Reply::stream(&["Yes."], "stop")]).await?;
    let flags = ["--file", &file, "--model", "m"];
    assert_eq!(run(folder.path(), &flags, &double.base_url, false).await.exit, Exit::Done);
    assert_eq!(double.asked()[0].body["messages"][1]["content"], "Why?\nAnd how?");
    let missing = run(folder.path(), &["--file", "/nowhere"], &double.base_url, false).await;
    assert_eq!(missing.exit, Exit::BadData);
    assert!(missing.err.starts_with("error: /nowhere: "), "{}", missing.err);
    Ok(())
}

/// Compares the saved model with its base, which answer in this order.
async fn compared(base: Reply, tuned: Reply, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut saved = SavedModel::of_id("ft:tiny");
    "tiny".clone_into(&mut saved.base_model);
    saved.save(&folder.path().join(SavedModel::FILE)).unwrap();
    let double = Double::start([base, tuned]).await.unwrap();
    let arguments = [&["Why?", "--compare"], arguments].concat();
    let run = run(folder.path(), &arguments, &double.base_url, false).await;
    let asked = double.asked();
    assert!(asked.iter().all(|one| one.body["messages"] == asked[0].body["messages"]));
    run
}

#[tokio::test]
async fn base_and_tuned_are_asked_the_same() -> anyhow::Result<()> {
    let run =
        compared(Reply::stream(&["It is a cold."], "stop"), Reply::stream(&HEADED, "length"), &[])
            .await;
    insta::assert_snapshot!(run.shown(), @"
    Done
    -- out
    == base: tiny ==

    It is a cold.

    == tuned: ft:tiny ==

    Reasoning:

    Crushing pain.

    Final response:

    Call for an ECG.
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    note: the answer has no headings, so it is shown whole
    note: the answer reached the limit of tokens (--max-tokens) and is not complete
    ");
    let answer = || Reply::text(&HEADED.concat(), "stop");
    let run = compared(answer(), answer(), &["--json"]).await;
    let record: Value = serde_json::from_str(&run.out)?;
    assert_eq!((run.exit, &record["question"]), (Exit::Done, &json!("Why?")));
    for model in ["base", "tuned"] {
        assert_eq!(record[model]["response"], "Call for an ECG.");
    }
    let folder = tempfile::tempdir()?;
    let double = Double::start([]).await?;
    let flags = ["Why?", "--compare", "--model", "tiny"];
    let itself = self::run(folder.path(), &flags, &double.base_url, false).await;
    assert_eq!(itself.exit, Exit::Usage);
    Ok(())
}

/// Asks the questions of `file` in `folder` of a service with these replies.
async fn many(folder: &Path, replies: Vec<Reply>, arguments: &[&str]) -> (Run, usize) {
    let [questions, answers] =
        ["questions.jsonl", "answers.jsonl"].map(|name| folder.join(name).display().to_string());
    let double = Double::start(replies).await.unwrap();
    let flags = ["--many", &questions, "--output", &answers, "--model", "ft:tiny"];
    let arguments = [&flags[..], arguments].concat();
    let mut run = run(folder, &arguments, &double.base_url, false).await;
    // How long it took is another each time.
    let line = |line: &str| match line.split_once(" failed in ") {
        None => line.to_owned(),
        Some((before, after)) => {
            let tokens = after.split_once("; ").map_or(after, |(_, tokens)| tokens);
            let tokens = tokens.split_once(" (").map_or(tokens, |(tokens, _)| tokens);
            format!("{before} failed; {tokens}")
        }
    };
    run.err = run.err.lines().map(|text| line(text) + "\n").collect();
    (run, double.asked().len())
}

#[tokio::test]
async fn the_questions_of_a_file_are_answered_once_each_and_in_their_order() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(
        folder.path().join("questions.jsonl"),
        "\"A?\"\n{\"id\":7,\"question\":\"B?\"}\n",
    )?;
    let answer = || Reply::text(&HEADED.concat(), "stop");
    let refused = Reply::refusal(400, "context_length_exceeded");
    let (run, asked) = many(folder.path(), vec![answer(), refused], &["--at-once", "1"]).await;
    assert_eq!((run.exit, asked), (Exit::Service, 2));
    insta::assert_snapshot!(run.shown(), @"
    Service
    -- out
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    asking ft:tiny at 127.0.0.1: 2 questions
    1 answered, 1 failed; 7 tokens read, 5 written
    error: 1 of 2 questions have no answer; [folder]/answers.jsonl says why
    hint: the same command asks them again
    ");
    let (run, asked) = many(folder.path(), vec![answer()], &[]).await;
    assert_eq!((run.exit, asked), (Exit::Done, 1));
    insta::assert_snapshot!(run.shown(), @"
    Done
    -- out
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    answered already in [folder]/answers.jsonl: 1
    asking ft:tiny at 127.0.0.1: 1 question
    1 answered, 0 failed; 7 tokens read, 5 written
    ");
    let text = std::fs::read_to_string(folder.path().join("answers.jsonl"))?;
    let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!((&lines[0]["question"], &lines[1]["id"]), (&json!("A?"), &json!(7)));
    assert!(lines.iter().all(|line| line["reasoning"] == "Crushing pain."), "{text}");
    assert_eq!(many(folder.path(), vec![], &[]).await.1, 0);
    let (run, asked) = many(folder.path(), vec![], &["--temperature", "1"]).await;
    assert_eq!((run.exit, asked), (Exit::BadData, 0));
    assert_eq!(std::fs::read_to_string(folder.path().join("answers.jsonl"))?, text);
    Ok(())
}

#[tokio::test]
async fn a_bad_line_is_named_before_anything_is_asked() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("questions.jsonl"), "\"A?\"\n{\"text\":\"B?\"}\n")?;
    let (run, asked) = many(folder.path(), vec![], &[]).await;
    assert_eq!(asked, 0);
    insta::assert_snapshot!(run.shown(), @r#"
    BadData
    -- out
    -- err
    error: [folder]/questions.jsonl: line 2: no question: neither a text nor an object with `question` or `messages`
    hint: a line is "TEXT", {"question": "TEXT"} or {"messages": [..]}, with an `id` if wanted
    "#);
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_not_taken_ends_the_asking() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let text = "\"A?\"\n".repeat(100);
    std::fs::write(folder.path().join("questions.jsonl"), text)?;
    let refusals = (0..100).map(|_| Reply::refusal(401, "invalid_api_key")).collect();
    let (run, asked) = many(folder.path(), refusals, &[]).await;
    assert!(asked <= 16, "{asked}");
    assert_eq!(run.exit, Exit::Service);
    assert!(run.err.contains("the service does not take the key"), "{}", run.err);
    assert_eq!(std::fs::read_to_string(folder.path().join("answers.jsonl"))?, "");
    Ok(())
}

#[tokio::test]
async fn a_file_of_questions_is_asked_by_a_batch() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("questions.jsonl"), "\"A?\"\n")?;
    let failed =
        json!({"id": "batch_1", "status": "failed", "errors": {"data": [{"message": "no"}]}});
    let replies = vec![Reply::json(200, &json!({"id": "file-1"})), Reply::json(200, &failed)];
    let (run, asked) = many(folder.path(), replies, &["--batch-api"]).await;
    assert_eq!(asked, 2);
    insta::assert_snapshot!(run.shown(), @"
    Service
    -- out
    -- err
    For research only: not for diagnosis, treatment or any other clinical use.
    asking ft:tiny at 127.0.0.1: 1 question
    batch_1 is failed
    error: the batch batch_1 is failed without an answer: no
    hint: the same command goes on where this one stopped
    ");
    Ok(())
}

/// A reader that went away.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_closed_pipe_is_no_error() -> anyhow::Result<()> {
    let double = Double::start([Reply::stream(&HEADED, "stop")]).await?;
    let environment = Environment::from_pairs([("OPENAI_BASE_URL", double.base_url.clone())]);
    let run = move || {
        let mut err = Vec::new();
        let arguments = ["Why?", "--model", "m"].map(Into::into).to_vec();
        let exit = ask::run(arguments, &environment, &mut Terminal::plain(&mut Closed, &mut err));
        (exit, String::from_utf8(err).unwrap())
    };
    let (exit, err) = tokio::task::spawn_blocking(run).await?;
    assert_eq!((exit, err.trim_end()), (Exit::Done, cli::NOT_CLINICAL));
    Ok(())
}
