//! Asking more than one question, each with what was said before.

use template::Template;
use wire::{ChatMessage, Role};

use crate::answer::{Answer, Event, Finish};
use crate::assistant::Assistant;
use crate::error::Error;
use crate::stream::AnswerStream;

/// What of an answer the model reads again with the next question.
///
/// # Examples
///
/// ```
/// use inference::Recall;
/// use template::Template;
///
/// assert_eq!(Recall::of(&Template::Headed), Recall::Whole);
/// assert_eq!(Recall::of(&Template::Think), Recall::Response);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recall {
    /// The whole text, reasoning included, as the training wrote the assistant's messages.
    Whole,
    /// The final response alone, as models that think in tags are served.
    Response,
}

impl Recall {
    /// What suits a model that was trained with `template`: its tags are for one turn, everything else is the message.
    pub fn of(template: &Template) -> Self {
        if *template == Template::Think { Self::Response } else { Self::Whole }
    }
}

/// A question and what the model reads again of its answer.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{Assistant, Conversation, Turn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned(["Yes, in children."]).await?;
/// let mut conversation = Conversation::new(Assistant::new(client, "ft:tiny"));
/// conversation.ask("Is a fever common?").await?;
/// let turn = Turn { question: "Is a fever common?".to_owned(), answer: "Yes, in children.".to_owned() };
/// assert_eq!(conversation.turns(), [turn]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What was asked.
    pub question: String,
    /// What was answered, as [`Recall`] says.
    pub answer: String,
}

/// A conversation with an [`Assistant`]: each question is asked with the turns before it.
///
/// A question whose answer fails, is cut or is dropped while it arrives leaves no turn behind.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{Assistant, Conversation};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned(["## Thinking\n\nCrushing.\n\n## Final Response\n\nAn ECG.", "Now."]).await?;
/// let mut conversation = Conversation::new(Assistant::new(client, "ft:tiny"));
/// let first = conversation.ask("What is the first test in chest pain?").await?;
/// assert_eq!(first.response, "An ECG.");
/// conversation.ask("How soon?").await?;
/// assert_eq!(conversation.turns().len(), 2);
/// assert_eq!(conversation.messages("And then?").len(), 6);
/// conversation.reset();
/// assert_eq!(conversation.messages("Why?").len(), 2);
/// # Ok(())
/// # }
/// ```
///
/// What is asked differently from one question on, and an answer that was asked for elsewhere:
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{Assistant, Conversation, Recall};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned(["## Thinking\n\nCrushing.\n\n## Final Response\n\nAn ECG."]).await?;
/// # let elsewhere = Assistant::new(client.clone(), "ft:other");
/// # let assistant = Assistant::new(client, "ft:tiny");
/// let mut conversation = Conversation::new(assistant).recalling(Recall::Response);
/// let answer = elsewhere.ask_messages(conversation.messages("What is the first test in chest pain?")).await?;
/// conversation.take("What is the first test in chest pain?", &answer);
/// assert_eq!(conversation.turns()[0].answer, "An ECG.", "the reasoning is not read again");
/// conversation.assistant_mut().sampling.temperature = Some(0.0);
/// assert_eq!(conversation.assistant().sampling.temperature, Some(0.0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Conversation {
    assistant: Assistant,
    recall: Recall,
    turns: Vec<Turn>,
}

impl Conversation {
    /// A conversation that has not begun; what is recalled follows the assistant's template.
    pub fn new(assistant: Assistant) -> Self {
        let recall = Recall::of(&assistant.template);
        Self { assistant, recall, turns: Vec::new() }
    }

    /// The same, recalling something else.
    #[must_use]
    pub fn recalling(mut self, recall: Recall) -> Self {
        self.recall = recall;
        self
    }

    /// Who answers.
    pub fn assistant(&self) -> &Assistant {
        &self.assistant
    }

    /// Who answers, to be asked differently from the next question on.
    pub fn assistant_mut(&mut self) -> &mut Assistant {
        &mut self.assistant
    }

    /// What was said so far.
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Takes an answer to `question` that was asked for elsewhere, with [`Conversation::messages`], as its turn.
    pub fn take(&mut self, question: &str, answer: &Answer) {
        self.remember(question, answer);
    }

    /// Forgets what was said.
    pub fn reset(&mut self) {
        self.turns.clear();
    }

    /// The messages that `question` is asked with, the system prompt first.
    pub fn messages(&self, question: &str) -> Vec<ChatMessage> {
        let turns = self.turns.iter().flat_map(|turn| {
            [
                ChatMessage::new(Role::User, turn.question.as_str()),
                ChatMessage::new(Role::Assistant, turn.answer.as_str()),
            ]
        });
        let messages: Vec<_> = turns.chain([ChatMessage::new(Role::User, question)]).collect();
        self.assistant.prompted(messages)
    }

    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// As [`Assistant::ask`].
    pub async fn ask(&mut self, question: &str) -> Result<Answer, Error> {
        let answer = self.assistant.ask_messages(self.messages(question)).await?;
        self.remember(question, &answer);
        Ok(answer)
    }

    /// Asks and returns the answer while it arrives.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
    /// use inference::{Assistant, Conversation};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = canned(["Yes, in children."]).await?;
    /// let mut conversation = Conversation::new(Assistant::new(client, "ft:tiny"));
    /// let mut stream = conversation.ask_stream("Is a fever common?").await?;
    /// while let Some(event) = stream.next().await? {
    ///     println!("{event:?}");
    /// }
    /// assert_eq!(conversation.turns().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Assistant::ask_stream`].
    pub async fn ask_stream(&mut self, question: &str) -> Result<ConversationStream<'_>, Error> {
        let answer = self.assistant.ask_messages_stream(self.messages(question)).await?;
        Ok(ConversationStream { conversation: self, question: question.to_owned(), answer })
    }

    fn remember(&mut self, question: &str, answer: &Answer) {
        let text = match self.recall {
            Recall::Whole => &answer.text,
            Recall::Response => &answer.response,
        };
        if !text.is_empty() && answer.finish != Finish::Cut {
            self.turns.push(Turn { question: question.to_owned(), answer: text.clone() });
        }
    }
}

/// An answer within a conversation that arrives, as [`Event`]s; its end makes the turn.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::{Assistant, Conversation};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned(["Yes, in children."]).await?;
/// let mut conversation = Conversation::new(Assistant::new(client, "ft:tiny"));
/// let mut stream = conversation.ask_stream("Is a fever common?").await?;
/// assert!(stream.next().await?.is_some());
/// drop(stream); // who asks has read enough
/// assert!(conversation.turns().is_empty(), "what was not read to its end was not said");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ConversationStream<'c> {
    conversation: &'c mut Conversation,
    question: String,
    answer: AnswerStream,
}

impl ConversationStream<'_> {
    /// The next event, or none after the end.
    ///
    /// # Errors
    ///
    /// As [`AnswerStream::next`].
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        let event = self.answer.next().await?;
        if let Some(Event::Done(answer)) = &event {
            self.conversation.remember(&self.question, answer);
        }
        Ok(event)
    }
}
