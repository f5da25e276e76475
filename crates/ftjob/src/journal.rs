use std::io;

/// A call that costs money or leaves something at the service.
///
/// # Examples
///
/// ```
/// use ftjob::Step;
///
/// fn described(step: Step<'_>) -> String {
///     match step {
///         Step::Upload(sha256) => format!("send the file {}", &sha256[..8]),
///         Step::Create => "ask for the job".to_owned(),
///         _ => "another step".to_owned(),
///     }
/// }
/// assert_eq!(described(Step::Upload("ca3d163bab055381")), "send the file ca3d163b");
/// assert_eq!(described(Step::Create), "ask for the job");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<'a> {
    /// The file with this SHA-256 is sent.
    Upload(&'a str),
    /// The job is asked for.
    Create,
}

/// Keeps what is about to be done, and what was answered, before anything is built on it.
///
/// An implementation writes to disk and syncs: a process that is killed at any moment must find it again.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tiny.rs"));
/// use std::io;
///
/// use ftjob::{Journal, Step};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tiny = tiny().await?;
/// # let (client, file) = (&tiny.client, &tiny.file);
/// #[derive(Default)]
/// struct Notes {
///     open: Option<String>,
///     outlines: Vec<String>,
/// }
/// impl Journal for Notes {
///     fn intend(&mut self, step: Step<'_>) -> io::Result<()> {
///         self.open = Some(format!("{step:?}")); // a real one writes and syncs here
///         Ok(())
///     }
///     fn answered(&mut self, _: Step<'_>, outline: &str) -> io::Result<()> {
///         self.open = None;
///         self.outlines.push(outline.to_owned());
///         Ok(())
///     }
///     fn is_open(&self, step: Step<'_>) -> bool {
///         self.open == Some(format!("{step:?}"))
///     }
/// }
///
/// let mut notes = Notes::default();
/// let uploaded = client.upload_noted(file, &mut notes).await?;
/// assert!(!notes.is_open(Step::Upload(&file.sha256)));
/// assert!(notes.outlines[0].contains(uploaded.id.as_str()));
/// # Ok(())
/// # }
/// ```
pub trait Journal {
    /// Notes that the service is about to be asked for `step`; an error keeps it from being asked.
    ///
    /// # Errors
    ///
    /// Why it could not be noted.
    fn intend(&mut self, step: Step<'_>) -> io::Result<()>;

    /// Notes the outline of the answer to `step`, before it is read.
    ///
    /// # Errors
    ///
    /// Why it could not be noted; the step is done then, and its answer is read all the same.
    fn answered(&mut self, step: Step<'_>, outline: &str) -> io::Result<()>;

    /// Whether `step` was noted as about to be done by a process that did not note an answer.
    ///
    /// The request of a process that was killed may still be on its way; it is then looked for with patience.
    fn is_open(&self, _: Step<'_>) -> bool {
        false
    }
}

/// Keeps nothing, for a caller that has its own record.
///
/// # Examples
///
/// ```
/// use ftjob::{Journal as _, Step, Unrecorded};
///
/// Unrecorded.intend(Step::Create)?;
/// assert!(!Unrecorded.is_open(Step::Create), "nothing was kept");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Unrecorded;

impl Journal for Unrecorded {
    fn intend(&mut self, _: Step<'_>) -> io::Result<()> {
        Ok(())
    }

    fn answered(&mut self, _: Step<'_>, _: &str) -> io::Result<()> {
        Ok(())
    }
}

/// Notes an answer; a failure is told to the log, because the step cannot be taken back.
pub(crate) fn note(journal: &mut impl Journal, step: Step<'_>, answer: &transport::Unread) {
    if let Err(error) = journal.answered(step, &answer.outline()) {
        tracing::warn!(%error, "an answer could not be noted");
    }
}

/// Notes that the service has certainly not done `step`, so that nobody looks for what came of it.
pub(crate) fn refused(journal: &mut impl Journal, step: Step<'_>) {
    if let Err(error) = journal.answered(step, r#"{"refused":true}"#) {
        tracing::warn!(%error, "a refusal could not be noted");
    }
}
