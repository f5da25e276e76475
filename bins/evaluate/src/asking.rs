//! Asking many questions at once, in the order in which they stand.

use std::sync::{Mutex, PoisonError};

use cli::{Exit, Failure};
use evaluation::{AskError, Subject};
use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;

/// The model that is measured, how many questions may be open, and where progress is shown.
#[derive(Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) parallel: usize,
    pub(crate) progress: ProgressBar,
}

impl Asking<'_> {
    /// What `ask` makes of each of `things`, several at once, in their order; the first failure ends it.
    pub(crate) async fn each<T, R>(
        &self,
        things: impl IntoIterator<Item = T>,
        ask: impl AsyncFn(T) -> Result<R, AskError>,
    ) -> Result<Vec<R>, AskError> {
        let asked = things.into_iter().map(|thing| async {
            let answer = ask(thing).await;
            self.progress.inc(1);
            answer
        });
        futures_util::stream::iter(asked).buffered(self.parallel).try_collect().await
    }
}

/// Something that not every service offers; where the first request finds that out, no other is made.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    lacking: Mutex<Option<String>>,
}

impl Offer {
    /// The value, or why this request had none while others may; an error that concerns all requests.
    pub(crate) async fn ask<T>(
        &self,
        ask: impl Future<Output = Result<T, AskError>>,
    ) -> Result<Result<T, String>, AskError> {
        if let Some(reason) = self.lacking.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(Err(reason));
        }
        match ask.await {
            Ok(value) => Ok(Ok(value)),
            Err(error) if error.is_of_the_request() => {
                let reason = error.reason();
                if error.is_of_the_service() {
                    let mut lacking = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
                    *lacking = Some(reason.clone());
                }
                Ok(Err(reason))
            }
            Err(error) => Err(error),
        }
    }
}

/// The failure that an unanswered question ends the tool with.
pub(crate) fn failure(error: AskError) -> Failure {
    let (exit, hint) = match &error {
        AskError::Answers(_) => (Exit::Failed, None),
        AskError::Service(error) => (
            Exit::Service,
            Some(match error.status() {
                Some(401) => "the service does not take the key in OPENAI_API_KEY",
                Some(404) => {
                    "the model is unknown there; --model, --provider and --base-url say what to ask where"
                }
                _ => "what was answered is kept: the same command goes on from there",
            }),
        ),
        _ => {
            (Exit::Service, Some("what was answered is kept: the same command goes on from there"))
        }
    };
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
