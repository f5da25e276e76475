use std::io;

/// A call that costs money or leaves something at the service.
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
