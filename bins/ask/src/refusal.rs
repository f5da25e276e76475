//! What a service's refusal means for whoever asks.

use cli::{Exit, Failure};

/// The failure that an unanswered question ends the tool with.
pub(crate) fn refused(error: inference::Error) -> Failure {
    let hint = match &error {
        inference::Error::NotAsTrained { .. } => {
            let hint = "give --system-prompt or --template to ask it differently on purpose";
            return Failure::new(Exit::BadData, error).hint(hint);
        }
        inference::Error::NotReady { .. } => Some(
            "a service may take some minutes to serve a new model: ask again, or give --wait-seconds",
        ),
        inference::Error::Service { source, .. } => hint(source),
        _ => None,
    };
    let failure = Failure::new(Exit::Service, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn hint(error: &transport::Error) -> Option<&'static str> {
    let code = error.refusal().and_then(transport::Refusal::code);
    match error.status() {
        Some(400) if code == Some("context_length_exceeded") => Some(
            "this is too long for the model; in a conversation /reset forgets what was said so far",
        ),
        Some(401) => Some("the service does not take the key in OPENAI_API_KEY"),
        Some(404) => Some(
            "the model is unknown there; --model, --provider and --base-url say what to ask where",
        ),
        None if matches!(error, transport::Error::Unreachable { .. }) => {
            Some("is the service's address right (--base-url, OPENAI_BASE_URL)?")
        }
        _ => None,
    }
}
