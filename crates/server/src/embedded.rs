//! The server inside another program: on this machine only, with a token nobody else knows.

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{Error, Options, Server, Token};

/// A running server on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct Embedded {
    base_url: String,
    token: Token,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), Error>>,
}

impl Embedded {
    /// Starts a server in the current runtime; without a token in `options` a random one is made.
    ///
    /// Dropping it stops the server too, but only [`shutdown`](Self::shutdown) waits for it.
    ///
    /// # Errors
    ///
    /// Those of [`Server::open`], and [`Error::Listen`] when no port is to be had.
    pub async fn start(mut options: Options) -> Result<Self, Error> {
        let token = options.token.get_or_insert_with(Token::random).clone();
        let opened = tokio::task::spawn_blocking(|| Server::open(options)).await;
        let server =
            opened.map_err(|error| Error::Listen { source: std::io::Error::other(error) })??;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.map_err(|source| Error::Listen { source })?;
        let address = listener.local_addr().map_err(|source| Error::Listen { source })?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(listener, async {
            // A dropped sender is a request to stop as well.
            let _ = stopped.await;
        }));
        Ok(Self { base_url: format!("http://{address}/v1"), token, stop, serving })
    }

    /// The URL for clients, such as `http://127.0.0.1:40123/v1`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The key for clients.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Stops the server; a running job goes on when its data folder is opened again.
    ///
    /// # Errors
    ///
    /// [`Error::Listen`] when the server broke before.
    pub async fn shutdown(self) -> Result<(), Error> {
        let Self { stop, serving, .. } = self;
        drop(stop);
        let ended = serving.await;
        ended.unwrap_or_else(|error| Err(Error::Listen { source: std::io::Error::other(error) }))
    }
}
