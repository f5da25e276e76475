use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

type Sleep = dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// How to wait, so that a test need not.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use std::time::Duration;
///
/// use transport::Sleeper;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let slept = Arc::new(AtomicU64::new(0));
/// let sum = Arc::clone(&slept);
/// let sleeper = Sleeper::new(move |duration| {
///     sum.fetch_add(duration.as_secs(), Relaxed);
///     async {}
/// });
/// sleeper.sleep(Duration::from_secs(3600)).await; // no test waits for an hour
/// assert_eq!(slept.load(Relaxed), 3600);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sleeper(Arc<Sleep>);

impl Sleeper {
    /// Waits as `sleep` does.
    pub fn new<F>(sleep: impl Fn(Duration) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move |duration| Box::pin(sleep(duration))))
    }

    /// Waits `duration`.
    pub async fn sleep(&self, duration: Duration) {
        (self.0)(duration).await;
    }
}

impl Default for Sleeper {
    /// Waits for real, on tokio's clock.
    fn default() -> Self {
        Self::new(tokio::time::sleep)
    }
}

impl fmt::Debug for Sleeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sleeper(..)")
    }
}
