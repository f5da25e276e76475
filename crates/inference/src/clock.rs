//! What time it is, as a value.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The time since some fixed moment, so that a test can make it pass.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let clock = inference::Clock::new(|| Duration::from_secs(7));
/// assert_eq!(clock.now(), Duration::from_secs(7));
/// ```
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock that shows what `now` says.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> Duration {
        (self.0)()
    }
}

impl Default for Clock {
    /// The time since this clock was made, on tokio's clock as the default sleeper's.
    fn default() -> Self {
        let begun = tokio::time::Instant::now();
        Self::new(move || begun.elapsed())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock(..)")
    }
}
