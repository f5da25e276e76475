//! The signals by which a person stops a tool, or what it is doing.

/// Comes true at Ctrl-C and, on Unix, at SIGTERM; never where the process cannot listen to them.
///
/// Once it has been waited for, neither of them ends the process by itself.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let work = async { "all is done" };
/// let end = tokio::select! {
///     () = cli::interrupted() => "what was done so far is kept",
///     end = work => end,
/// };
/// assert_eq!(end, "all is done", "nobody pressed Ctrl-C");
/// # }
/// ```
pub async fn interrupted() {
    let interrupt = async {
        // Without the signal's handler the process ends at once, which is an end too.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => drop(terminate.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
