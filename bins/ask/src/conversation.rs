//! A conversation on a terminal.

use std::io;

use cli::{Exit, Failure, Terminal};
use inference::{Answer, Conversation, Event};

use crate::display::Display;
use crate::lines::{Input, Lines};
use crate::question::{Asking, Unanswered, whole};
use crate::{compare, config};

/// What can be typed beside questions.
pub(crate) const COMMANDS: [&str; 5] = ["/help", "/reset", "/system", "/compare", "/quit"];

const HELP: &str = "\
/help             this list
/reset            forget what was said so far
/system           show the system prompt
/system TEXT      ask with another one from now on; @FILE reads it from a file, - is none
/compare          ask the base model the same from now on, or no longer
/quit             end; so does Ctrl-D

A line that ends in a backslash goes on in the next, as it does with Alt-Enter; pasted lines stay together.
Ctrl-C stops an answer, which is then forgotten. The arrow keys bring back earlier lines, until the end.";

/// Asks what `lines` brings until it ends.
pub(crate) async fn hold(
    asking: Asking,
    compare: bool,
    lines: &mut dyn Lines,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let conversation = Conversation::new(asking.patient());
    let mut talk = Talk { asking, conversation, compare };
    writeln!(terminal.err, "talking to {}; /help lists what else can be typed", talk.model())?;
    loop {
        let text = match lines.read()? {
            Input::Text(text) => text.trim().to_owned(),
            Input::Interrupted => continue,
            Input::End => return Ok(()),
        };
        if matches!(text.as_str(), "/quit" | "/exit") {
            return Ok(());
        }
        let done = if text.starts_with('/') {
            talk.command(&text, terminal).map_err(Failure::from)
        } else if text.is_empty() {
            continue;
        } else {
            let answered = talk.ask(&text, terminal).await;
            answered.and(writeln!(terminal.out).map_err(Failure::from))
        };
        if let Err(failure) = done {
            // A question that fails is told, and the next may be asked; an output that is gone is the end.
            if cli::report(terminal, &failure) == Exit::Done {
                return Ok(());
            }
        }
    }
}

struct Talk {
    asking: Asking,
    conversation: Conversation,
    compare: bool,
}

impl Talk {
    fn model(&self) -> &str {
        &self.asking.assistant.model
    }

    fn command(&mut self, text: &str, terminal: &mut Terminal<'_>) -> io::Result<()> {
        let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match (command, rest.trim()) {
            ("/help", _) => writeln!(terminal.err, "{HELP}"),
            ("/reset", _) => {
                self.conversation.reset();
                writeln!(terminal.err, "what was said is forgotten")
            }
            ("/system", rest) => self.system(rest, terminal),
            ("/compare", _) if self.model() == self.asking.base.model => {
                writeln!(terminal.err, "{} is the base model itself", self.model())
            }
            ("/compare", _) => {
                self.compare = !self.compare;
                let base = &self.asking.base.model;
                if self.compare {
                    writeln!(terminal.err, "{base} is asked the same from now on")
                } else {
                    writeln!(terminal.err, "{base} is no longer asked")
                }
            }
            _ => writeln!(terminal.err, "there is no {command}; /help lists what there is"),
        }
    }

    fn system(&mut self, rest: &str, terminal: &mut Terminal<'_>) -> io::Result<()> {
        let prompt = match rest {
            "" => {
                let prompt = self.conversation.assistant().system_prompt.as_deref();
                return writeln!(terminal.err, "{}", prompt.unwrap_or("there is no system prompt"));
            }
            "-" => None,
            text => match config::system_prompt(text) {
                Ok(prompt) => Some(prompt).filter(|prompt| !prompt.is_empty()),
                Err(error) => return writeln!(terminal.err, "error: {error:#}"),
            },
        };
        let is_told = if prompt.is_some() { "another system prompt" } else { "no system prompt" };
        self.asking.base.system_prompt.clone_from(&prompt);
        self.asking.assistant.system_prompt.clone_from(&prompt);
        self.conversation.assistant_mut().system_prompt = prompt;
        writeln!(terminal.err, "asking with {is_told}; the model was not trained with it")
    }

    async fn ask(&mut self, question: &str, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        // Only Ctrl-C: whoever is told to terminate does so, also at the prompt, where nothing here would listen.
        tokio::select! {
            answered = self.answer(question, terminal) => answered,
            Ok(()) = tokio::signal::ctrl_c() => {
                writeln!(terminal.out)?;
                writeln!(terminal.err, "stopped; this question and its answer are forgotten")?;
                Ok(())
            }
        }
    }

    async fn answer(&mut self, question: &str, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if self.compare {
            // Both read the same: what the tuned model said before.
            let messages = self.conversation.messages(question);
            let [base, tuned] = compare::show(&self.asking, messages, terminal).await?;
            self.conversation.take(question, &tuned);
            return whole(&base).and(whole(&tuned));
        }
        let mut display = Display::new(terminal, self.asking.colours);
        let answer = self.arriving(question, &mut display, terminal).await?;
        display.end(&answer, terminal)?;
        whole(&answer)
    }

    async fn arriving(
        &mut self,
        question: &str,
        display: &mut Display,
        terminal: &mut Terminal<'_>,
    ) -> Result<Answer, Unanswered> {
        let mut stream = self.conversation.ask_stream(question).await?;
        loop {
            match stream.next().await {
                Ok(Some(Event::Done(answer))) => return Ok(*answer),
                Ok(Some(event)) => display.show(&event, terminal)?,
                Ok(None) => {
                    let error = anyhow::anyhow!("the answer's events have no end");
                    return Err(Unanswered::Printing(error));
                }
                Err(error) => {
                    display.break_off(terminal)?;
                    return Err(error.into());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
