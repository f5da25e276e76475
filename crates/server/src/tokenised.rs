//! Conversations as the tokens that the engine trains on.

use engine::{ChatMessage, Example, Model};
use wire::JobError;

/// The examples of a file.
#[derive(Debug)]
pub(crate) struct Tokenised {
    pub(crate) examples: Vec<Example>,
    /// How many were longer than may be, and are cut at their end.
    pub(crate) cut: usize,
}

/// Tokenises the conversations of the file of `kind`, each cut to `max_tokens`.
pub(crate) fn examples(
    model: &Model,
    conversations: &[Vec<ChatMessage>],
    max_tokens: usize,
    kind: &str,
) -> Result<Tokenised, Box<JobError>> {
    let mut tokenised = Tokenised { examples: Vec::with_capacity(conversations.len()), cut: 0 };
    for (index, conversation) in conversations.iter().enumerate() {
        let example = model
            .example(conversation)
            .map_err(|error| invalid(kind, &format!("Example {}: {error}", index + 1)))?;
        tokenised.cut += usize::from(example.tokens.len() > max_tokens);
        tokenised.examples.push(cut(example, max_tokens));
        if tokenised.examples[index].loss_tokens() == 0 {
            let fault = format!(
                "Example {}: nothing of the answer is within the first {max_tokens} tokens",
                index + 1
            );
            return Err(invalid(kind, &fault));
        }
    }
    Ok(tokenised)
}

fn cut(mut example: Example, max_tokens: usize) -> Example {
    example.tokens.truncate(max_tokens);
    example.weights.truncate(max_tokens);
    example
}

fn invalid(kind: &str, fault: &str) -> Box<JobError> {
    Box::new(JobError {
        code: Some(format!("invalid_{kind}_file")),
        message: Some(format!("The job failed due to an invalid {kind} file. {fault}")),
        param: Some(format!("{kind}_file")),
        ..JobError::default()
    })
}

/// All tokens of `examples`.
pub(crate) fn tokens(examples: &[Example]) -> u64 {
    examples.iter().map(|example| example.tokens.len() as u64).sum()
}
