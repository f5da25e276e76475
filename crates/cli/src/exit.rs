//! Exit codes: a documented interface, the same for every tool.

use std::process::ExitCode;

/// How a tool ended, as its process exit code.
///
/// # Examples
///
/// ```
/// use std::process::ExitCode;
///
/// use cli::Exit;
///
/// assert_eq!(Exit::JobFailed as u8, 5);
/// assert_eq!(ExitCode::from(Exit::Done), ExitCode::SUCCESS);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// Something failed that is none of the cases below, such as a file that cannot be written.
    Failed = 1,
    /// The arguments or the configuration are wrong.
    Usage = 2,
    /// The input data is missing or bad.
    BadData = 3,
    /// The service refused or did not answer.
    Service = 4,
    /// The fine-tuning job itself failed or was cancelled.
    JobFailed = 5,
    /// What was measured meets a condition that the caller asked to fail on.
    ConditionMet = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
