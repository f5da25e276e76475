//! The server itself: opened over a data folder, then serving a listener until told to stop.

use std::future::Future;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::state::State;
use crate::{Error, Options, listener, routes, runner, sweep};

const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The OpenAI dialect over the embedded engine.
///
/// # Examples
///
/// ```
/// use server::{BaseModel, Error, Options, Server};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let base = BaseModel::named("tiny-llama", "../../tests/golden/tiny-llama", "its SHA-256");
/// let server = Server::open(Options::new(folder.path(), vec![base]))?;
/// server.load("tiny-llama")?; // now, not with the first question
/// assert!(matches!(server.load("gpt-4.1"), Err(Error::UnknownModel { .. })));
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let url = format!("http://{}/v1/models", listener.local_addr()?);
/// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
/// let serving = tokio::spawn(server.serve(listener, async { stopped.await.unwrap_or_default() }));
/// assert_eq!(reqwest::get(url).await?.status(), 200);
/// drop(stop);
/// serving.await??;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    state: Arc<State>,
}

impl Server {
    /// Opens the data folder of `options` for this process alone.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] when another server has the folder, [`Error::Folder`] and [`Error::Database`] when it cannot be
    /// used.
    pub fn open(options: Options) -> Result<Self, Error> {
        Ok(Self { state: State::open(options)? })
    }

    /// Loads the base model `id` now instead of at its first use; blocks for a second or more.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownModel`] when the options had no such model, [`Error::Model`] when its files cannot be used.
    pub fn load(&self, id: &str) -> Result<(), Error> {
        self.state.shelf.model(id).map(drop)
    }

    /// Serves `listener`, and works on jobs, until `shutdown` comes true.
    ///
    /// Then no more connections are taken, answers under way get [`Limits::shutdown_grace_seconds`] to end, and a
    /// running job is paused behind its current step, to go on by itself when the folder is served again.
    ///
    /// [`Limits::shutdown_grace_seconds`]: crate::Limits::shutdown_grace_seconds
    ///
    /// # Errors
    ///
    /// [`Error::Thread`] when the threads for jobs cannot be started, [`Error::Database`] when the jobs cannot be read.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        let threads = runner::start(&self.state)?;
        let (closing, mut closed) = watch::channel(false);
        let state = Arc::clone(&self.state);
        let told = async move {
            shutdown.await;
            state.stop();
            let _ = closing.send(true);
        };
        let app = self.router();
        let serving = listener::serve(listener, app, &self.state.limits, told);
        let grace = Duration::from_secs(self.state.limits.shutdown_grace_seconds);
        let stopping = Arc::clone(&self.state);
        let overdue = async move {
            // The sender goes only with the future that holds it, which `serving` owns.
            let _ = closed.wait_for(|closed| *closed).await;
            tokio::time::sleep(grace).await;
            stopping.hush();
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            () = serving => {}
            () = overdue => {}
            () = sweeping(&self.state) => {}
        }
        self.state.stop();
        self.state.hush();
        finish(threads).await;
        Ok(())
    }

    /// The API as a service, for a program that has a listener, or tests, of its own.
    ///
    /// Jobs are worked on only by [`serve`](Self::serve), which also bounds the connections and their heads' time.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::body::Body;
    /// use axum::http::Request;
    /// use server::{Options, Server, Token};
    /// use tower::ServiceExt as _;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// let options = Options { token: Token::new("sk-local-1"), ..Options::new(folder.path(), vec![]) };
    /// let server = Server::open(options)?;
    /// let ask = || Request::get("/v1/models").header("host", "localhost");
    /// let stranger = server.router().oneshot(ask().body(Body::empty())?).await?;
    /// assert_eq!(stranger.status(), 401);
    /// let known = ask().header("authorization", "Bearer sk-local-1").body(Body::empty())?;
    /// assert_eq!(server.router().oneshot(known).await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn router(&self) -> axum::Router {
        routes::router(Arc::clone(&self.state))
    }
}

/// Ends what has run out of time though nobody asks for it; never done.
async fn sweeping(state: &Arc<State>) {
    let mut turn = tokio::time::interval(SWEEP_EVERY);
    loop {
        turn.tick().await;
        if let Err(error) = sweep::expired(state).await {
            tracing::error!(%error, "what has expired could not be removed");
        }
    }
}

async fn finish(threads: Vec<JoinHandle<()>>) {
    let joined = tokio::task::spawn_blocking(|| {
        for thread in threads {
            // A thread that panicked has nothing to say any more.
            drop(thread.join());
        }
    });
    if joined.await.is_err() {
        tracing::error!("the threads for jobs could not be waited for");
    }
}
