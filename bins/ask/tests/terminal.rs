//! What a person at a terminal sees and can do: the real program, behind a terminal of its own.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[expect(dead_code, reason = "files to fetch are for other tests")]
#[path = "../../../crates/inference/tests/support/double.rs"]
mod double;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use double::{Double, Reply, chunk};
use inference::SavedModel;
use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

const NOT_CLINICAL: &str =
    "For research only: not for diagnosis, treatment or any other clinical use.";

/// The program in `folder`, with a saved model and a service at `base_url`.
fn ask(folder: &Path, base_url: &str, arguments: &[&str]) -> Command {
    let mut saved = SavedModel::of_id("ft:tiny");
    "tiny-base".clone_into(&mut saved.base_model);
    saved.save(&folder.join(SavedModel::FILE)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ask"));
    command.args(arguments).current_dir(folder).env_clear().env("TERM", "xterm");
    command.env("OPENAI_API_KEY", "sk-planted").env("OPENAI_BASE_URL", base_url);
    command
}

/// The program on a terminal, which is waited for 20 seconds at most.
fn on_a_terminal(command: Command) -> PtySession {
    spawn_command(command, Some(20_000)).unwrap()
}

fn headed(response: &str) -> Reply {
    Reply::stream(&["## Thinking\nHm.\n\n## Final Response\n", response], "stop")
}

/// The exit code of a program that has closed its terminal.
fn exit_code(session: &PtySession) -> Option<i32> {
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => Some(code),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_held_with_its_commands_and_its_history() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let replies = ["First.", "Second.", "Third.", "Base.", "Tuned."].map(headed);
    let double = Double::start(replies).await?;
    let command = ask(folder.path(), &double.base_url, &[]);
    let seen = tokio::task::spawn_blocking(move || {
        let mut session = on_a_terminal(command);
        let mut seen = session.exp_string("/help lists what else can be typed")?;
        session.exp_string("> ")?;
        session.send_line("Why is the sky\\")?;
        session.send_line("blue?")?;
        // The reasoning is dimmed and the response is not.
        seen += &session.exp_string("\u{1b}[2mHm.\u{1b}[0m")?;
        seen += &session.exp_string("First.")?;
        session.send_line("And now?")?;
        seen += &session.exp_string("Second.")?;
        session.send_line("/reset")?;
        seen += &session.exp_string("what was said is forgotten")?;
        session.send_line("/system Be brief.")?;
        seen += &session.exp_string("asking with another system prompt")?;
        session.send_line("Again?")?;
        seen += &session.exp_string("Third.")?;
        session.send_line("/compare")?;
        seen += &session.exp_string("tiny-base is asked the same from now on")?;
        session.send_line("Which?")?;
        session.exp_regex("(Base|Tuned)\\.")?;
        session.exp_regex("(Base|Tuned)\\.")?;
        session.exp_string("> ")?;
        session.send_control('d')?;
        seen += &session.exp_eof()?;
        assert_eq!(exit_code(&session), Some(0));
        Ok::<_, rexpect::error::Error>(seen)
    })
    .await??;
    assert_eq!(seen.matches(NOT_CLINICAL).count(), 1, "{seen}");
    let asked: Vec<Vec<String>> = double
        .asked()
        .iter()
        .map(|asked| {
            let messages = asked.body["messages"].as_array().unwrap();
            messages.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
        })
        .collect();
    assert_eq!(asked[0][1..], ["Why is the sky\nblue?"]);
    assert_eq!(asked[1].len(), 4, "{asked:?}");
    assert_eq!(asked[2], ["Be brief.", "Again?"]);
    let models: Vec<_> =
        double.asked()[3..].iter().map(|asked| asked.body["model"].clone()).collect();
    assert!(
        models.contains(&"tiny-base".into()) && models.contains(&"ft:tiny".into()),
        "{models:?}"
    );
    Ok(())
}

/// A service that answers its first `whole` requests and begins every other answer without ending it.
fn slow(whole: usize) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base_url = format!("http://{}/v1", listener.local_addr()?);
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let stream = stream.unwrap();
            std::thread::spawn(move || answer(stream, index < whole));
        }
    });
    Ok(base_url)
}

fn answer(mut stream: TcpStream, is_whole: bool) {
    let mut request = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while request.read_line(&mut line).unwrap() > 2 {
        if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = number.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    request.read_exact(&mut body).unwrap();
    let text = "## Thinking\nHm.\n\n## Final Response\nYes.";
    if is_whole {
        let body = serde_json::json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "ft:tiny",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]});
        let body = body.to_string();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        return;
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close";
    let _ = write!(stream, "{head}\r\n\r\ndata: {}\n\n", chunk("## Thinking\nHm, ", None));
    // Open until the client goes away.
    let _ = stream.read(&mut [0; 1]);
}

#[test]
fn ctrl_c_stops_an_answer_and_the_conversation_goes_on() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut session = on_a_terminal(ask(folder.path(), &slow(0)?, &[]));
    session.exp_string("> ")?;
    for question in ["Why?", "And now?"] {
        session.send_line(question)?;
        session.exp_string("Hm,")?;
        session.send_control('c')?;
        session.exp_string("stopped; this question and its answer are forgotten")?;
        session.exp_string("> ")?;
    }
    // At the prompt it gives up the line alone.
    session.send("half a quest")?;
    session.send_control('c')?;
    session.exp_string("> ")?;
    session.send_line("/quit")?;
    session.exp_eof()?;
    assert_eq!(exit_code(&session), Some(0));
    Ok(())
}

#[test]
fn a_conversation_that_is_told_to_terminate_does_so_also_after_a_question() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut session = on_a_terminal(ask(folder.path(), &slow(0)?, &[]));
    session.exp_string("> ")?;
    session.send_line("Why?")?;
    session.exp_string("Hm,")?;
    session.send_control('c')?;
    session.exp_string("stopped")?;
    session.exp_string("> ")?;
    let status = session.process_mut().exit()?;
    assert!(format!("{status:?}").contains("SIGTERM"), "{status:?}");
    Ok(())
}

#[test]
fn ctrl_c_ends_one_question_with_exit_code_1() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut session = on_a_terminal(ask(folder.path(), &slow(0)?, &["Why?"]));
    session.exp_string("Hm,")?;
    session.send_control('c')?;
    session.exp_string("error: interrupted")?;
    session.exp_eof()?;
    assert_eq!(exit_code(&session), Some(1));
    Ok(())
}

#[test]
fn ctrl_c_during_many_keeps_what_is_answered_and_the_same_command_goes_on() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let questions = ["\"One?\"", "\"Two?\"", "\"Three?\""].join("\n");
    std::fs::write(folder.path().join("questions.jsonl"), questions)?;
    let arguments = ["--many", "questions.jsonl", "--output", "answers.jsonl", "--at-once", "1"];
    let mut session = on_a_terminal(ask(folder.path(), &slow(1)?, &arguments));
    session.exp_string("asking ft:tiny at 127.0.0.1: 3 questions")?;
    session.exp_string("1/3 questions")?;
    session.send_control('c')?;
    session.exp_string("waiting for 1 open questions; Ctrl-C again stops at once")?;
    session.send_control('c')?;
    session.exp_string("error: interrupted")?;
    session.exp_string("hint: the same command goes on where this one stopped")?;
    session.exp_eof()?;
    assert_eq!(exit_code(&session), Some(1));
    let answers = folder.path().join("answers.jsonl");
    assert_eq!(std::fs::read_to_string(&answers)?.lines().count(), 1);

    // The second run sees no terminal: nothing is drawn and nothing is coloured.
    let rest = ask(folder.path(), &slow(2)?, &arguments).stdin(Stdio::null()).output()?;
    let err = String::from_utf8(rest.stderr)?;
    assert_eq!(rest.status.code(), Some(0), "{err}");
    assert!(err.contains("answered already in answers.jsonl: 1"), "{err}");
    assert!(!err.contains('\u{1b}') && !err.contains('\r'), "{err:?}");
    let text = std::fs::read_to_string(&answers)?;
    let asked: Vec<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["question"].to_string()
        })
        .collect();
    assert_eq!(asked, [r#""One?""#, r#""Two?""#, r#""Three?""#]);
    // Answers repeat what records of patients say.
    assert_eq!(std::fs::metadata(&answers)?.permissions().mode() & 0o777, 0o600);
    Ok(())
}

#[test]
fn colours_are_left_out_where_no_color_says_so() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = ask(folder.path(), &slow(1)?, &["Why?", "--no-stream"]);
    command.env("NO_COLOR", "1");
    let mut session = on_a_terminal(command);
    let seen = session.exp_eof()?;
    assert!(seen.contains("Yes.") && !seen.contains("\u{1b}[1m"), "{seen:?}");
    Ok(())
}
