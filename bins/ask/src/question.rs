//! One question and its answer, printed while it arrives or when it is whole.

use anyhow::anyhow;
use cli::{Exit, Failure, Terminal};
use inference::{Answer, AnswerStream, Assistant, Event, Finish, Patience};
use wire::{ChatMessage, Role};

use crate::display::Display;
use crate::record::Record;
use crate::refusal;

/// Who is asked, and how the answer is shown.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) assistant: Assistant,
    /// The model before its training, asked in the same way.
    pub(crate) base: Assistant,
    /// How long to wait for a model that the service does not know yet.
    pub(crate) patience: Patience,
    pub(crate) json: bool,
    pub(crate) stream: bool,
    pub(crate) colours: bool,
}

/// Why there is no answer: the model, or what it is printed to.
#[derive(Debug)]
pub(crate) enum Unanswered {
    Asking(inference::Error),
    Printing(anyhow::Error),
}

impl From<inference::Error> for Unanswered {
    fn from(error: inference::Error) -> Self {
        Self::Asking(error)
    }
}

impl From<std::io::Error> for Unanswered {
    fn from(error: std::io::Error) -> Self {
        Self::Printing(error.into())
    }
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Asking(error) => refusal::refused(error),
            Unanswered::Printing(error) => error.into(),
        }
    }
}

/// The failure that an answer without its end is.
pub(crate) fn whole(answer: &Answer) -> Result<(), Failure> {
    if answer.finish != Finish::Cut {
        return Ok(());
    }
    let error = anyhow!("the stream of the answer ended before the answer did");
    Err(Failure::new(Exit::Service, error).hint("ask again; what arrived is shown"))
}

/// The messages that a question alone is asked with.
pub(crate) fn alone(question: &str) -> Vec<ChatMessage> {
    vec![ChatMessage::new(Role::User, question)]
}

impl Asking {
    /// The assistant with the patience for a new model.
    pub(crate) fn patient(&self) -> Assistant {
        Assistant { patience: self.patience, ..self.assistant.clone() }
    }

    /// Asks one question, and waits for a model that is not ready yet.
    pub(crate) async fn ask(
        &self,
        question: &str,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let mut answer = self.print(&self.assistant, question, terminal).await;
        if let Err(Unanswered::Asking(error)) = &answer
            && error.is_unknown_model()
            && !self.patience.bound.is_zero()
        {
            let seconds = self.patience.bound.as_secs();
            let note = "the model is not ready yet: waiting for it, at most";
            writeln!(terminal.err, "{note} {seconds} s")?;
            answer = self.print(&self.patient(), question, terminal).await;
        }
        whole(&answer?)
    }

    async fn print(
        &self,
        assistant: &Assistant,
        question: &str,
        terminal: &mut Terminal<'_>,
    ) -> Result<Answer, Unanswered> {
        let mut display = Display::new(terminal, self.colours);
        if !self.json {
            return self.show(assistant, alone(question), &mut display, terminal).await;
        }
        let answer = if self.stream {
            assistant.ask_stream(question).await?.whole().await?
        } else {
            assistant.ask(question).await?
        };
        let record = serde_json::to_string_pretty(&Record::new(question, &answer));
        let record = record.map_err(|error| Unanswered::Printing(error.into()))?;
        writeln!(terminal.out, "{record}")?;
        Ok(answer)
    }

    /// Asks and prints the answer as text.
    pub(crate) async fn show(
        &self,
        assistant: &Assistant,
        messages: Vec<ChatMessage>,
        display: &mut Display,
        terminal: &mut Terminal<'_>,
    ) -> Result<Answer, Unanswered> {
        let answer = if self.stream {
            let stream = assistant.ask_messages_stream(messages).await?;
            arriving(stream, display, terminal).await?
        } else {
            let answer = assistant.ask_messages(messages).await?;
            display.whole(&answer, terminal)?;
            answer
        };
        display.end(&answer, terminal)?;
        Ok(answer)
    }
}

async fn arriving(
    mut stream: AnswerStream,
    display: &mut Display,
    terminal: &mut Terminal<'_>,
) -> Result<Answer, Unanswered> {
    loop {
        match stream.next().await {
            Ok(Some(Event::Done(answer))) => return Ok(*answer),
            Ok(Some(event)) => display.show(&event, terminal)?,
            Ok(None) => {
                return Err(Unanswered::Printing(anyhow!("the answer's events have no end")));
            }
            Err(error) => {
                display.break_off(terminal)?;
                return Err(error.into());
            }
        }
    }
}
