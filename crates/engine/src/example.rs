//! A conversation as training data: its tokens and how much the prediction of each counts.

use std::fmt;

use crate::error::Error;
use crate::model::Model;
use crate::template::ChatMessage;

/// The tokens of one sequence, and the loss weight of predicting each.
///
/// `weights[i]` is for predicting `tokens[i]` from the tokens before it: 0 for everything that the assistant did not
/// say. The first token has nothing before it, so its weight is never used.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use engine::{ChatMessage, LoadOptions, Model};
///
/// let model = Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?;
/// let chat = [ChatMessage::new("user", "Is it a cold?"), ChatMessage::new("assistant", "Yes.")];
/// let example = model.example(&chat)?;
/// assert_eq!(example.tokens.len(), example.weights.len());
/// assert_eq!(example.weight(), example.loss_tokens() as f64, "each of the answer's tokens counts once");
/// let learnt = example.tokens.iter().zip(&example.weights).filter(|(_, weight)| **weight > 0.0);
/// let learnt: Vec<u32> = learnt.map(|(token, _)| *token).collect();
/// assert_eq!(model.tokenizer().decode(&learnt), "Yes.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Example {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// One weight for each token.
    pub weights: Vec<f32>,
}

impl Example {
    /// Tokens that carry loss.
    pub fn loss_tokens(&self) -> usize {
        self.weights.iter().skip(1).filter(|weight| **weight > 0.0).count()
    }

    /// The sum of the weights that are used.
    pub fn weight(&self) -> f64 {
        self.weights.iter().skip(1).map(|weight| f64::from(*weight)).sum()
    }

    /// The example cut to at most `tokens` tokens.
    pub(crate) fn truncate(&mut self, tokens: usize) {
        self.tokens.truncate(tokens);
        self.weights.truncate(tokens);
    }

    /// The example without its first `tokens` tokens.
    pub(crate) fn after(&self, tokens: usize) -> Self {
        Self { tokens: self.tokens[tokens..].to_vec(), weights: self.weights[tokens..].to_vec() }
    }

    fn extend(&mut self, tokens: &[u32], weight: f32) {
        self.tokens.extend_from_slice(tokens);
        self.weights.resize(self.tokens.len(), weight);
    }
}

/// Shows how many tokens there are and never which, as they may be a patient's words.
impl fmt::Debug for Example {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Example")
            .field("tokens", &self.tokens.len())
            .field("loss_tokens", &self.loss_tokens())
            .finish_non_exhaustive()
    }
}

impl Model {
    /// The example that `messages` are: loss on what the assistant says and on the token that ends its turn.
    ///
    /// The text is the chat template's rendering up to the last such token. A prompt is tokenised apart from the answer,
    /// as it is when the model answers. Special tokens are those that the template writes; the same text inside a message
    /// stays text.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use engine::{ChatMessage, Error, LoadOptions, Model};
    ///
    /// let model = Model::load(Path::new("../../tests/golden/tiny-llama"), &LoadOptions::default())?;
    /// let two_answers = [
    ///     ChatMessage::new("user", "Is it a cold?"),
    ///     ChatMessage { weight: Some(0.0), ..ChatMessage::new("assistant", "Yes.") }, // read, not learnt
    ///     ChatMessage::new("user", "Does it need an antibiotic?"),
    ///     ChatMessage::new("assistant", "No."),
    /// ];
    /// assert!(model.example(&two_answers)?.loss_tokens() > 0);
    /// assert!(matches!(model.example(&two_answers[..2]), Err(Error::NoAnswer)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Template`] where the template refuses the messages, [`Error::NoAnswer`] where no message of the
    /// assistant counts, [`Error::Rewritten`] where the template changes earlier messages when later ones follow,
    /// [`Error::Option`] for a weight that is negative or not finite.
    pub fn example(&self, messages: &[ChatMessage]) -> Result<Example, Error> {
        let mut example = Example { tokens: Vec::new(), weights: Vec::new() };
        let mut done = String::new();
        let mut rendered = 0;
        for (index, message) in messages.iter().enumerate() {
            if message.role != "assistant" {
                continue;
            }
            let weight = message.weight.unwrap_or(1.0);
            if !(weight.is_finite() && weight >= 0.0) {
                let reason = "not a number from 0 up";
                return Err(Error::Option { option: "weight", value: weight.into(), reason });
            }
            let prompt = self.chat_template().render(&messages[..index], true)?;
            let full = self.chat_template().render(&messages[..=index], false)?;
            let question = prompt.strip_prefix(&done).ok_or(Error::Rewritten)?;
            let answer = full.strip_prefix(&prompt).ok_or(Error::Rewritten)?;
            let contents = messages[rendered..index].iter().map(|message| &message.content[..]);
            example.extend(&self.tokens_of(question, contents), 0.0);
            self.add_answer(&mut example, answer, (&message.content, weight));
            done = full;
            rendered = index + 1;
        }
        let end =
            example.weights.iter().rposition(|weight| *weight > 0.0).map_or(0, |last| last + 1);
        example.truncate(end);
        if example.loss_tokens() == 0 { Err(Error::NoAnswer) } else { Ok(example) }
    }

    /// Adds an answer: weighted up to the token that ends the turn, nothing for what the template writes after it.
    fn add_answer(&self, example: &mut Example, answer: &str, (content, weight): (&str, f32)) {
        let tokens = self.tokens_of(answer, std::iter::once(content));
        // The end of the turn stands after the content, which cannot hold it: its text is not parsed there.
        let ends = |token: &u32| self.tokenizer().eos().contains(token);
        let counted = tokens.iter().position(ends).map_or(tokens.len(), |end| end + 1);
        example.extend(&tokens[..counted], weight);
        example.extend(&tokens[counted..], 0.0);
    }

    /// The tokens of a piece of a rendering, where `contents` are the messages' own words in it.
    pub(crate) fn tokens_of<'a>(
        &self,
        text: &str,
        contents: impl Iterator<Item = &'a str>,
    ) -> Vec<u32> {
        let tokenizer = self.tokenizer();
        let mut tokens = Vec::new();
        let mut rest = text;
        for content in contents {
            // Without special text in it the content is one with its surroundings, as in the reference's tokenisation.
            let content = content.trim();
            if content.is_empty()
                || tokenizer.encode(content) == tokenizer.encode_with_special(content)
            {
                continue;
            }
            let Some((before, after)) = rest.split_once(content) else { continue };
            tokens.extend(tokenizer.encode_with_special(before));
            tokens.extend(tokenizer.encode(content));
            rest = after;
        }
        tokens.extend(tokenizer.encode_with_special(rest));
        tokens
    }
}
