//! What a failure means for a person: the exit code, what happened, and which ways remain.

use anyhow::anyhow;
use cli::{Exit, Failure};
use ftjob::Error;

use crate::words::Words;

/// What `OpenAI` announced on 2026-05-07 about its own fine-tuning.
const CLOSED: &str = "OpenAI no longer takes fine-tuning jobs from this organisation: since 2026-05-07 none from those \
that had never trained, since 2026-07-02 none from those that had not asked a fine-tuned model for 60 days, and from \
2027-01-06 none from anybody; models that were tuned before answer until their base model is shut down";

/// Where else a model can be trained.
pub(crate) const WAYS: &str = "train on this machine with --provider local (no key, nothing leaves it), or at another \
service of the same dialect, such as Azure OpenAI (--provider azure) or Nebius (--provider nebius)";

/// The failure that `error` ends the tool with, without what a service repeats of the records.
pub(crate) fn failure(error: Error, words: Option<&Words>) -> Failure {
    let exit = match &error {
        Error::Read { .. }
        | Error::FileRefused { .. }
        | Error::Upload { source: transport::Error::File { .. }, .. } => Exit::BadData,
        Error::Failed { .. } | Error::Cancelled { .. } | Error::NoModel { .. } => Exit::JobFailed,
        Error::Record(_) => Exit::Failed,
        _ => Exit::Service,
    };
    let hint = hint(&error);
    let is_closed = is_closed(&error);
    let mut error = anyhow::Error::new(error);
    if let Some(words) = words {
        error = anyhow!(words.cleaned(&format!("{error:#}")));
    }
    if is_closed {
        return Failure::new(exit, error.context(CLOSED)).hint(WAYS);
    }
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Whether the service says that it trains for this organisation no more.
pub(crate) fn is_closed(error: &Error) -> bool {
    let refusal = error.transport().and_then(transport::Error::refusal);
    refusal.and_then(transport::Refusal::code) == Some("training_not_available")
}

fn hint(error: &Error) -> Option<String> {
    match error {
        Error::Unclear(_) => {
            Some("the same command looks for the job again and starts no second one".to_owned())
        }
        Error::Lost { .. } => Some("the job goes on; the same command follows it again".to_owned()),
        Error::Record(_) => Some("nothing was asked for that is not noted".to_owned()),
        _ => error.transport().and_then(service_hint),
    }
}

/// Whether a cause of the failure says so.
fn is_because_of(error: &transport::Error, words: &str) -> bool {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |cause| cause.source())
        .any(|cause| cause.to_string().contains(words))
}

fn service_hint(error: &transport::Error) -> Option<String> {
    let text = match error.status() {
        Some(401) => {
            "the service does not take the key in OPENAI_API_KEY (or in the provider's own variable)"
        }
        Some(403) => "the key is not allowed to do this; --provider local trains on this machine",
        Some(404) => {
            "the service does not know this; is the base model right (--base-model), and the address (--base-url)?"
        }
        Some(429) if error.refusal().is_some_and(transport::Refusal::is_quota) => {
            "there is no money or allowance left at the service"
        }
        Some(429) => "the service asks to come back later; the same command goes on",
        None if is_because_of(error, "tunnel error") => {
            "the proxy that HTTPS_PROXY names lets nothing through; NO_PROXY names hosts that are reached without it"
        }
        None if is_because_of(error, "certificate") => {
            "this machine does not trust the service's certificate; SSL_CERT_FILE names a file of certificates to trust, such as a company's own"
        }
        None if matches!(error, transport::Error::Unreachable { .. }) => {
            "is the service's address right (--base-url, OPENAI_BASE_URL)? --provider local needs none"
        }
        _ => return None,
    };
    Some(text.to_owned())
}
