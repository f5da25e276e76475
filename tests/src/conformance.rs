//! What a server of OpenAI's dialect must do, asked over HTTP and judged by what is sent alone.
//!
//! The cases follow the API's description of 2026-08-21. They make files, uploads and small jobs, and delete what they
//! made; jobs cost money at a paid service.

mod service;
mod catalogue;
mod contents;
mod answers;
mod jobs;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

pub use service::{Fault, Target};

use service::Service;
pub(crate) use service::rows;

/// The outcome of one case.
#[derive(Debug)]
pub struct Outcome {
    /// What was asked, as a statement that should be true.
    pub case: &'static str,
    /// What was found instead.
    pub fault: Option<Fault>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            None => write!(f, "ok    {}", self.case),
            Some(fault) => write!(f, "FAIL  {}: {fault:#}", self.case),
        }
    }
}

type Case = for<'a> fn(&'a Service) -> Pin<Box<dyn Future<Output = Result<(), Fault>> + 'a>>;

macro_rules! cases {
    ($($path:path => $statement:literal),+ $(,)?) => {
        [$(($statement, (|service| Box::pin($path(service))) as Case)),+]
    };
}

/// Runs every case, those of jobs only with `with_jobs`, and hands each outcome to `tell`.
///
/// # Errors
///
/// A [`Fault`] where no client can be made for the target.
pub async fn run(
    target: &Target,
    with_jobs: bool,
    tell: &mut dyn FnMut(&Outcome),
) -> Result<Vec<Outcome>, Fault> {
    let service = Service::new(target)?;
    let quick = cases![
        catalogue::models => "models are listed and found, and carry a shutdown date or null",
        catalogue::refusals => "every refusal has the shape of an error, with its status",
        catalogue::keys => "a wrong key is refused with 401, where keys matter",
        contents::files => "a file comes back as it was sent, and is gone when deleted",
        contents::pages => "files are listed in both orders, page by page, by purpose",
        contents::expiry => "a file says when it goes, and a time out of bounds is refused",
        contents::uploads => "parts in any order become one file, whose checksum is compared",
        contents::cancelled => "a cancelled upload takes no more parts",
        answers::whole => "an answer has the full shape, and the sum of its tokens is right",
        answers::stream => "a stream says what the whole answer says, and ends with [DONE]",
        answers::parameters => "parameters out of range are refused by name",
    ];
    let slow = cases![
        jobs::bad_files => "a bad file fails the job with a code, the line and the parameter",
        jobs::whole => "a job trains, tells of it page by page, and leaves a model and its results",
        jobs::preferences => "a job learns from preferences, or `dpo` is refused by name",
        jobs::pause => "a job pauses, resumes and is cancelled",
        jobs::filters => "jobs are found by their metadata, page by page",
    ];
    let mut outcomes = Vec::new();
    for (case, work) in quick.into_iter().chain(slow.into_iter().filter(|_| with_jobs)) {
        let outcome = Outcome { case, fault: work(&service).await.err() };
        tell(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}
