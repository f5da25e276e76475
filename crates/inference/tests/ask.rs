//! Asking over HTTP, against a service with queued answers.

#[expect(dead_code, reason = "files to fetch are for other tests")]
#[path = "support/double.rs"]
mod double;

use std::error::Error as _;
use std::time::Duration;

use double::{Double, Reply, chunk};
use inference::{Assistant, Conversation, Error, Event, Finish, Patience, Recall, SavedModel};
use serde_json::json;
use template::Template;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use transport::{Client, Endpoint, Key, Provider, Settings, Sleeper};

const HEADED: &str = "## Thinking\n\nCrushing pain.\n\n## Final Response\n\nCall for an ECG.";

async fn assistant(
    replies: impl IntoIterator<Item = Reply>,
) -> anyhow::Result<(Double, Assistant)> {
    let double = Double::start(replies).await?;
    let assistant = Assistant::new(client(&double)?, "ft:tiny");
    Ok((double, assistant))
}

/// A client that does not wait between attempts.
fn client(double: &Double) -> Result<Client, transport::Error> {
    let settings = Settings { sleeper: Sleeper::new(|_| async {}), ..Settings::default() };
    let key = Some(Key::new("sk-test")?);
    Client::new(Endpoint::new(Provider::OpenAi, &double.base_url, key)?, settings)
}

/// The events of an answer, one a line, and how it ended.
async fn events(reply: Reply) -> anyhow::Result<String> {
    let (_double, assistant) = assistant([reply]).await?;
    let mut stream = assistant.ask_stream("Why?").await?;
    let mut lines = Vec::new();
    loop {
        match stream.next().await {
            Ok(Some(Event::Usage(usage))) => lines.push(format!("Usage({})", usage.total_tokens)),
            Ok(Some(Event::Done(answer))) => {
                lines.push(format!("Done({}, complete: {})", answer.finish, answer.complete));
            }
            Ok(Some(event)) => lines.push(format!("{event:?}")),
            Ok(None) => break,
            Err(error) => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                lines.push(format!("error: {error}: {cause}"));
                assert!(matches!(stream.next().await, Ok(None)), "nothing follows an error");
                break;
            }
        }
    }
    Ok(lines.join("\n"))
}

#[tokio::test]
async fn an_answer_comes_apart_and_the_request_is_that_of_the_training() -> anyhow::Result<()> {
    let (double, assistant) = assistant([Reply::text(HEADED, "stop")]).await?;
    let answer = assistant.ask("Chest pain?").await?;
    assert_eq!(answer.reasoning.as_deref(), Some("Crushing pain."));
    assert_eq!(answer.response, "Call for an ECG.");
    assert_eq!((answer.complete, answer.finish), (true, Finish::Stop));
    assert_eq!(answer.usage.map(|usage| usage.completion_tokens), Some(5));
    let asked = &double.asked()[0];
    assert_eq!(asked.line, "POST /v1/chat/completions");
    assert_eq!(asked.authorization.as_deref(), Some("Bearer sk-test"));
    assert_eq!(
        asked.body,
        json!({"model": "ft:tiny", "stream": false, "temperature": 0.5, "max_tokens": 1500, "messages": [
            {"role": "system", "content": template::SYSTEM_PROMPT},
            {"role": "user", "content": "Chest pain?"}]})
    );
    Ok(())
}

#[tokio::test]
async fn a_saved_model_is_asked_with_its_own_prompt_and_template() -> anyhow::Result<()> {
    let double = Double::start([Reply::text(HEADED, "stop"), Reply::text("x", "stop")]).await?;
    let client = client(&double)?;
    let saved = SavedModel::of_id("ft:tiny").trained_with(Template::Plain, "Be brief.");
    let answer = Assistant::from_saved(client.clone(), &saved)?.ask("Why?").await?;
    assert_eq!((answer.reasoning, answer.response.as_str()), (None, HEADED));
    let without = SavedModel::of_id("ft:tiny").trained_with(Template::Headed, "");
    Assistant::from_saved(client, &without)?.ask("Why?").await?;
    let asked = double.asked();
    assert_eq!(asked[0].body["messages"][0]["content"], "Be brief.");
    assert_eq!(asked[1].body["messages"], json!([{"role": "user", "content": "Why?"}]));
    Ok(())
}

#[tokio::test]
async fn a_prompt_changed_after_the_training_is_refused() -> anyhow::Result<()> {
    let (double, assistant) = assistant([]).await?;
    let mut saved = SavedModel::of_id("ft:tiny");
    saved.system_prompt = "Be brief.".to_owned();
    let refused = Assistant::from_saved(assistant.client.clone(), &saved);
    assert!(matches!(refused, Err(Error::NotAsTrained { model }) if model == "ft:tiny"));
    let meant = Assistant::from_saved_as_is(assistant.client, &saved);
    assert_eq!(meant.system_prompt.as_deref(), Some("Be brief."));
    assert!(double.asked().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_stream_is_split_while_it_arrives() -> anyhow::Result<()> {
    let pieces =
        ["## Thin", "king\n\nCrushing", " pain.\n\n## Fi", "nal Response\n", "\nCall for an ECG."];
    insta::assert_snapshot!(events(Reply::stream(&pieces, "stop")).await?, @r#"
    Reasoning("Crushing")
    Reasoning(" pain.")
    Response("")
    Response("Call for an ECG.")
    Usage(12)
    Done(stop, complete: true)
    "#);
    Ok(())
}

#[tokio::test]
async fn a_stream_without_headings_is_unmarked() -> anyhow::Result<()> {
    insta::assert_snapshot!(events(Reply::stream(&["It is ", "a cold."], "length")).await?, @r#"
    Unmarked("It is")
    Unmarked(" a cold.")
    Usage(12)
    Done(length, complete: false)
    "#);
    Ok(())
}

#[tokio::test]
async fn a_stream_that_just_ends_is_reported_as_cut() -> anyhow::Result<()> {
    let half = [chunk("## Thinking\n\nWhy", None), chunk(" and", None)];
    insta::assert_snapshot!(events(Reply::events(&half)).await?, @r#"
    Reasoning("Why")
    Reasoning(" and")
    Done(cut, complete: false)
    "#);
    let done_only = [chunk("Yes.", None), "[DONE]".to_owned()];
    insta::assert_snapshot!(events(Reply::events(&done_only)).await?, @r#"
    Unmarked("Yes.")
    Done(cut, complete: false)
    "#);
    let reason_only = [chunk("Yes.", Some("stop"))];
    insta::assert_snapshot!(events(Reply::events(&reason_only)).await?, @r#"
    Unmarked("Yes.")
    Done(stop, complete: true)
    "#);
    let empty_reason = [chunk("Yes.", Some(""))];
    insta::assert_snapshot!(events(Reply::events(&empty_reason)).await?, @r#"
    Unmarked("Yes.")
    Done(cut, complete: false)
    "#);
    Ok(())
}

#[tokio::test]
async fn an_error_in_a_stream_is_an_error() -> anyhow::Result<()> {
    let refused = json!({"error": {"message": "the server is overloaded", "type": "server_error"}});
    let data = [chunk("Yes", None), refused.to_string(), chunk(" no", Some("stop"))];
    insta::assert_snapshot!(events(Reply::events(&data)).await?, @r#"
    Unmarked("Yes")
    error: model `ft:tiny` did not answer: the service broke the answer off: the server is overloaded
    "#);
    Ok(())
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_error() -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let service = tokio::spawn(break_off(listener, chunk("Yes", None)));
    let client =
        Client::new(Endpoint::new(Provider::OpenAi, &base_url, None)?, Settings::default())?;
    let mut stream = Assistant::new(client, "ft:tiny").ask_stream("Why?").await?;
    assert_eq!(stream.next().await?, Some(Event::Unmarked("Yes".to_owned())));
    let error = stream.next().await.unwrap_err();
    assert!(
        matches!(&error, Error::Service { source: transport::Error::Broken { .. }, .. }),
        "{error:?}"
    );
    drop(stream);
    service.await??;
    Ok(())
}

/// Promises a long stream to one client, sends one event of it and closes the connection.
async fn break_off(listener: tokio::net::TcpListener, data: String) -> std::io::Result<()> {
    let (mut connection, _) = listener.accept().await?;
    let mut request = vec![0; 64 * 1024];
    let mut length = 0;
    while !request[..length].ends_with(b"}") {
        length += connection.read(&mut request[length..]).await?;
    }
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 100000\r\n\r\n";
    connection.write_all(format!("{head}data: {data}\n\n").as_bytes()).await?;
    connection.shutdown().await?;
    // Closing with bytes unread would reset the connection and could take the event with it.
    while connection.read(&mut request).await? > 0 {}
    Ok(())
}

#[tokio::test]
async fn a_refusal_keeps_its_cause() -> anyhow::Result<()> {
    let (double, assistant) = assistant([Reply::refusal(401, "invalid_api_key")]).await?;
    let error = assistant.ask_stream("Why?").await.unwrap_err();
    assert!(matches!(error, Error::Service { .. }), "{error}");
    assert_eq!(error.to_string(), "model `ft:tiny` did not answer");
    assert!(error.source().is_some());
    assert_eq!(double.asked().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_model_that_is_not_ready_is_waited_for() -> anyhow::Result<()> {
    let unknown = || Reply::refusal(404, "model_not_found");
    let (double, mut assistant) =
        assistant([unknown(), unknown(), Reply::stream(&["Yes."], "stop")]).await?;
    assistant.patience = Patience::up_to(Duration::from_secs(60));
    let answer = assistant.ask_stream("Why?").await?.whole().await?;
    assert_eq!(answer.response, "Yes.");
    assert_eq!(double.asked().len(), 3);
    Ok(())
}

#[tokio::test]
async fn the_wait_has_a_bound_and_is_only_for_unknown_models() -> anyhow::Result<()> {
    let unknown = || Reply::refusal(404, "model_not_found");
    let (double, mut assistant) = assistant((0..1000).map(|_| unknown())).await?;
    assistant.patience = Patience::up_to(Duration::from_secs(60));
    let error = assistant.ask("Why?").await.unwrap_err();
    assert_eq!(error.to_string(), "model `ft:tiny` is still unknown to the service after 60 s");
    // After 1, 2, 4, 8, 15, 15 and 15 seconds.
    assert_eq!(double.asked().len(), 8);
    assistant.patience = Patience::NONE;
    let before = double.asked().len();
    assert!(matches!(assistant.ask("Why?").await, Err(Error::Service { .. })));
    assert_eq!(double.asked().len(), before + 1);
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_busy_is_asked_again() -> anyhow::Result<()> {
    let busy = [Reply::refusal(429, "rate_limit_exceeded"), Reply::refusal(503, "overloaded")];
    let (double, assistant) =
        assistant(busy.into_iter().chain([Reply::text("Yes.", "stop")])).await?;
    assert_eq!(assistant.ask("Why?").await?.response, "Yes.");
    assert_eq!(double.asked().len(), 3);
    Ok(())
}

#[tokio::test]
async fn an_answer_without_a_choice_is_an_error() -> anyhow::Result<()> {
    let (_double, assistant) =
        assistant([Reply::json(200, &json!({"id": "x", "choices": []}))]).await?;
    assert!(matches!(assistant.ask("Why?").await, Err(Error::NoChoice { .. })));
    Ok(())
}

#[tokio::test]
async fn reasoning_that_the_service_keeps_apart_is_the_reasoning() -> anyhow::Result<()> {
    let delta = |delta: serde_json::Value, finish: Option<&str>| {
        json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).to_string()
    };
    let data = [
        delta(json!({"reasoning_content": "Crushing"}), None),
        delta(json!({"reasoning_content": " pain.", "content": null}), None),
        delta(json!({"content": "An ECG."}), Some("stop")),
        "[DONE]".to_owned(),
    ];
    insta::assert_snapshot!(events(Reply::events(&data)).await?, @r#"
    Reasoning("Crushing")
    Reasoning(" pain.")
    Response("An ECG.")
    Done(stop, complete: true)
    "#);
    let message = json!({"role": "assistant", "reasoning": "Crushing pain.", "content": "An ECG."});
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    let (_double, assistant) = assistant([Reply::json(200, &body)]).await?;
    let answer = assistant.ask("Why?").await?;
    assert_eq!(answer.reasoning.as_deref(), Some("Crushing pain."));
    assert_eq!((answer.response.as_str(), answer.complete), ("An ECG.", true));
    Ok(())
}

#[tokio::test]
async fn a_conversation_recalls_whole_answers_and_forgets_cut_ones() -> anyhow::Result<()> {
    let (double, assistant) = assistant([
        Reply::text(HEADED, "stop"),
        Reply::stream(&["Now."], "length"),
        Reply::events(&[chunk("Half", None)]),
        Reply::text("Yes.", "stop"),
        Reply::refusal(400, "context_length_exceeded"),
    ])
    .await?;
    let mut conversation = Conversation::new(assistant);
    conversation.ask("What?").await?;
    let mut stream = conversation.ask_stream("When?").await?;
    while stream.next().await?.is_some() {}
    let mut cut = conversation.ask_stream("Where?").await?;
    while cut.next().await?.is_some() {}
    assert_eq!(conversation.turns().len(), 2);
    conversation.assistant_mut().system_prompt = Some("Be brief.".to_owned());
    conversation.ask("Sure?").await?;
    assert_eq!(
        double.asked()[3].body["messages"],
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What?"}, {"role": "assistant", "content": HEADED},
            {"role": "user", "content": "When?"}, {"role": "assistant", "content": "Now."},
            {"role": "user", "content": "Sure?"}])
    );
    assert!(conversation.ask("And?").await.is_err());
    assert_eq!(conversation.turns().len(), 3, "what failed leaves no turn");
    Ok(())
}

#[tokio::test]
async fn what_is_recalled_of_thinking_in_tags_is_the_response() -> anyhow::Result<()> {
    let thought = || Reply::text("<think>\nWhy.\n</think>\n\nWhat.", "stop");
    let (_double, mut assistant) = assistant([thought(), thought()]).await?;
    assistant.template = Template::Think;
    let mut conversation = Conversation::new(assistant.clone());
    conversation.ask("What?").await?;
    assert_eq!(conversation.turns()[0].answer, "What.");
    let mut whole = Conversation::new(assistant).recalling(Recall::Whole);
    whole.ask("What?").await?;
    assert!(whole.turns()[0].answer.starts_with("<think>"));
    Ok(())
}
