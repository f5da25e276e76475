//! What a failure means for a person: the exit code, what happened, and which ways remain.

use cli::{Exit, Failure};
use ftjob::Error;
use wire::FileId;

/// What `OpenAI` announced on 2026-05-07 about its own fine-tuning.
const CLOSED: &str = "OpenAI no longer takes fine-tuning jobs from this organisation: since 2026-05-07 none from those \
that had never trained, since 2026-07-02 none from those that had not asked a fine-tuned model for 60 days, and from \
2027-01-06 none from anybody; models that were tuned before answer until their base model is shut down";

const WAYS: &str = "train on this machine with --provider local (no key, nothing leaves it), or at another service of \
the same dialect, such as Azure OpenAI or Nebius, with OPENAI_BASE_URL, OPENAI_API_KEY and --base-model";

/// The failure that `error` ends the tool with; `uploaded` are the files that the service has by now.
pub(crate) fn failure(error: Error, uploaded: &[FileId]) -> Failure {
    let (exit, hint) = match &error {
        Error::Read { .. }
        | Error::FileRefused { .. }
        | Error::Upload { source: transport::Error::File { .. }, .. } => (Exit::BadData, None),
        Error::Failed { .. } | Error::Cancelled { .. } | Error::NoModel { .. } => {
            (Exit::JobFailed, None)
        }
        Error::Unclear(_) => (
            Exit::Service,
            Some("the same command looks for the job again and starts no second one".to_owned()),
        ),
        Error::Lost { .. } => {
            (Exit::Service, Some("the job goes on; the same command follows it again".to_owned()))
        }
        _ => (Exit::Service, error.transport().and_then(service_hint)),
    };
    if code(&error) == Some("training_not_available") {
        let failure = Failure::new(exit, anyhow::Error::new(error).context(CLOSED));
        return failure.hint(format!("{WAYS}{}", left_behind(uploaded)));
    }
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn code(error: &Error) -> Option<&str> {
    error.transport()?.refusal()?.code()
}

fn left_behind(uploaded: &[FileId]) -> String {
    if uploaded.is_empty() {
        return String::new();
    }
    let ids: Vec<&str> = uploaded.iter().map(FileId::as_str).collect();
    format!(
        "; the uploaded files ({}) are still there and can be deleted in the service's file list",
        ids.join(", ")
    )
}

fn service_hint(error: &transport::Error) -> Option<String> {
    let text = match error.status() {
        Some(401) => "the service does not take the key in OPENAI_API_KEY",
        Some(403) => "the key is not allowed to do this; --provider local trains on this machine",
        Some(404) => {
            "the service does not know this; is the base model right (--base-model), and the address (--base-url)?"
        }
        Some(429) if error.refusal().is_some_and(transport::Refusal::is_quota) => {
            "there is no money or allowance left at the service"
        }
        Some(429) => "the service asks to come back later; the same command goes on",
        None if matches!(error, transport::Error::Unreachable { .. }) => {
            "is the service's address right (--base-url, OPENAI_BASE_URL)? --provider local needs none"
        }
        _ => return None,
    };
    Some(text.to_owned())
}
