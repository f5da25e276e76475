//! Conversations with lines as if typed, against a service with queued answers.

use std::collections::VecDeque;

use inference::{Assistant, Patience};
use serde_json::{Value, json};
use transport::{Client, Endpoint, Provider, Settings};

use super::*;
use crate::double::{Double, Reply};

/// Lines as if typed.
struct Typed(VecDeque<Input>);

impl Lines for Typed {
    fn read(&mut self) -> io::Result<Input> {
        Ok(self.0.pop_front().unwrap_or(Input::End))
    }
}

/// Types `lines` to a model with these answers, and says what was printed and what the service was asked.
async fn check(lines: &[&str], replies: Vec<Reply>) -> anyhow::Result<(String, Vec<Value>)> {
    let double = Double::start(replies).await?;
    let endpoint = Endpoint::new(Provider::OpenAi, &double.base_url, None)?;
    let assistant = Assistant::new(Client::new(endpoint, Settings::default())?, "ft:tiny");
    let base = Assistant { model: "tiny".to_owned(), ..assistant.clone() };
    let (patience, stream) = (Patience::NONE, true);
    let asking = Asking { assistant, base, patience, json: false, stream, colours: false };
    let mut typed = Typed(lines.iter().map(|line| Input::Text((*line).to_owned())).collect());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal::plain(&mut out, &mut err);
    hold(asking, false, &mut typed, &mut terminal)
        .await
        .map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
    let printed = format!("{}-- err\n{}", String::from_utf8(out)?, String::from_utf8(err)?);
    Ok((printed, double.asked().into_iter().map(|asked| asked.body).collect()))
}

fn headed(response: &str) -> Reply {
    Reply::stream(&["## Thinking\n\nWell.\n\n## Final Response\n\n", response], "stop")
}

#[tokio::test]
async fn questions_are_asked_with_what_was_said_until_it_is_forgotten() -> anyhow::Result<()> {
    let lines = ["What?", "", "When?", "/reset", "Why?", "/quit", "Never?"];
    let replies = vec![headed("An ECG."), headed("Now."), headed("Pain.")];
    let (printed, asked) = check(&lines, replies).await?;
    insta::assert_snapshot!(printed, @"
    Reasoning:

    Well.

    Final response:

    An ECG.

    Reasoning:

    Well.

    Final response:

    Now.

    Reasoning:

    Well.

    Final response:

    Pain.

    -- err
    talking to ft:tiny; /help lists what else can be typed
    what was said is forgotten
    ");
    let said = |body: &Value| body["messages"].as_array().map_or(0, Vec::len);
    assert_eq!(asked.iter().map(said).collect::<Vec<_>>(), [2, 4, 2]);
    let first = "## Thinking\n\nWell.\n\n## Final Response\n\nAn ECG.";
    assert_eq!(asked[1]["messages"][2], json!({"role": "assistant", "content": first}));
    Ok(())
}

#[tokio::test]
async fn the_system_prompt_is_shown_and_changed() -> anyhow::Result<()> {
    let lines = ["/system", "/system Be brief.", "A?", "/system @/nowhere", "/system -", "B?"];
    let (printed, asked) = check(&lines, vec![headed("A."), headed("B.")]).await?;
    let err = printed.split("-- err\n").nth(1).unwrap_or_default();
    insta::assert_snapshot!(err, @"
    talking to ft:tiny; /help lists what else can be typed
    You are an expert medical AI assistant. Given a question, first provide a detailed chain of thought (Complex_CoT) explaining your reasoning step-by-step. After the chain of thought, conclude with a concise final Response.
    asking with another system prompt; the model was not trained with it
    error: /nowhere: No such file or directory (os error 2)
    asking with no system prompt; the model was not trained with it
    ");
    assert_eq!(asked[0]["messages"][0]["content"], "Be brief.");
    assert_eq!(asked[1]["messages"][0]["role"], "user");
    Ok(())
}

#[tokio::test]
async fn both_models_are_asked_the_same_while_they_are_compared() -> anyhow::Result<()> {
    let lines = ["/compare", "A?", "/compare", "B?", "/what"];
    let replies = vec![headed("base"), headed("tuned"), headed("alone")];
    let (printed, asked) = check(&lines, replies).await?;
    insta::assert_snapshot!(printed, @"
    == base: tiny ==

    Reasoning:

    Well.

    Final response:

    base

    == tuned: ft:tiny ==

    Reasoning:

    Well.

    Final response:

    tuned

    Reasoning:

    Well.

    Final response:

    alone

    -- err
    talking to ft:tiny; /help lists what else can be typed
    tiny is asked the same from now on
    tiny is no longer asked
    there is no /what; /help lists what there is
    ");
    let models: Vec<_> = asked.iter().map(|body| body["model"].clone()).collect();
    assert_eq!(models, ["tiny", "ft:tiny", "ft:tiny"]);
    assert_eq!(asked[0]["messages"], asked[1]["messages"]);
    assert!(
        asked[2]["messages"][2]["content"].as_str().is_some_and(|text| text.ends_with("tuned"))
    );
    Ok(())
}

#[tokio::test]
async fn a_question_that_fails_is_told_and_the_next_is_asked() -> anyhow::Result<()> {
    let refused = Reply::refusal(400, "context_length_exceeded");
    let (printed, asked) = check(&["A?", "B?"], vec![refused, headed("B.")]).await?;
    insta::assert_snapshot!(printed, @"
    Reasoning:

    Well.

    Final response:

    B.

    -- err
    talking to ft:tiny; /help lists what else can be typed
    error: model `ft:tiny` did not answer: the service answered 400: refused (context_length_exceeded)
    hint: this is too long for the model; in a conversation /reset forgets what was said so far
    ");
    assert_eq!(asked[1]["messages"].as_array().map(Vec::len), Some(2));
    Ok(())
}
