//! Rows as the tokens that the engine trains on.

use engine::{Example, Model, Preference};
use wire::JobError;

use crate::rows::{Content, Pair};

/// The sequences of a file.
#[derive(Debug, Clone)]
pub(crate) enum Sequences {
    Examples(Vec<Example>),
    Preferences(Vec<Preference>),
}

impl Sequences {
    /// All tokens, of a pair those of both sequences.
    pub(crate) fn tokens(&self) -> u64 {
        let count = |example: &Example| example.tokens.len() as u64;
        match self {
            Self::Examples(examples) => examples.iter().map(count).sum(),
            Self::Preferences(pairs) => {
                pairs.iter().map(|pair| count(&pair.preferred) + count(&pair.rejected)).sum()
            }
        }
    }
}

/// A file, tokenised.
#[derive(Debug)]
pub(crate) struct Tokenised {
    pub(crate) sequences: Sequences,
    /// How many rows were longer than may be, and are cut at their end.
    pub(crate) cut: usize,
}

/// Tokenises the rows of the file of `kind`, each sequence cut to `max_tokens`.
pub(crate) fn tokenise(
    model: &Model,
    content: &Content,
    max_tokens: usize,
    kind: &str,
) -> Result<Tokenised, Box<JobError>> {
    let mut cut = 0;
    let invalid = |(index, fault): (usize, String)| invalid(kind, index + 1, &fault);
    let sequences = match content {
        Content::Conversations(conversations) => {
            let example = |(index, conversation)| {
                let example = model.example(conversation).map_err(|error| error.to_string());
                let mut example = example.map_err(|fault| (index, fault))?;
                let fitted = fit(&mut example, max_tokens).map_err(|fault| (index, fault))?;
                cut += usize::from(fitted);
                Ok(example)
            };
            let examples = conversations.iter().map(Vec::as_slice).enumerate().map(example);
            Sequences::Examples(examples.collect::<Result<_, _>>().map_err(invalid)?)
        }
        Content::Preferences(pairs) => {
            let preference = |(index, pair)| {
                let preference = preference(model, pair, max_tokens);
                let (preference, fitted) = preference.map_err(|fault| (index, fault))?;
                cut += usize::from(fitted);
                Ok(preference)
            };
            let pairs = pairs.iter().enumerate().map(preference);
            Sequences::Preferences(pairs.collect::<Result<_, _>>().map_err(invalid)?)
        }
    };
    Ok(Tokenised { sequences, cut })
}

/// The pair, and whether one of its answers is cut.
fn preference(model: &Model, pair: &Pair, max_tokens: usize) -> Result<(Preference, bool), String> {
    let Pair { input, preferred, rejected } = pair;
    let one = std::slice::from_ref;
    let mut pair = model
        .preference(input, one(preferred), one(rejected))
        .map_err(|error| error.to_string())?;
    let (first, second) =
        (fit(&mut pair.preferred, max_tokens)?, fit(&mut pair.rejected, max_tokens)?);
    Ok((pair, first || second))
}

/// Cuts an example that is too long, which must not take all that it teaches; says whether it was cut.
fn fit(example: &mut Example, max_tokens: usize) -> Result<bool, String> {
    let cut = example.tokens.len() > max_tokens;
    example.tokens.truncate(max_tokens);
    example.weights.truncate(max_tokens);
    if example.loss_tokens() == 0 {
        return Err(format!("nothing of the answer is within the first {max_tokens} tokens"));
    }
    Ok(cut)
}

fn invalid(kind: &str, number: usize, fault: &str) -> Box<JobError> {
    Box::new(JobError {
        code: Some(format!("invalid_{kind}_file")),
        message: Some(format!(
            "The job failed due to an invalid {kind} file. Example {number}: {fault}"
        )),
        param: Some(format!("{kind}_file")),
        ..JobError::default()
    })
}
