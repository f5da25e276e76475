//! A service that is ready: one that was there already, or the embedded server.

use cli::{Exit, Failure};
use server::Embedded;
use transport::{Client, Endpoint, Key, Provider, Settings};

/// A place that was found and can be gone to.
///
/// # Examples
///
/// ```
/// use connect::{Place, Service};
/// use transport::{Endpoint, Provider, Settings};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cli::Failure> {
/// let there = Endpoint::new(Provider::OpenAi, "http://127.0.0.1:8080/v1", None)?;
/// let service = Service::start(Place::Service(there), Settings::default()).await?; // asks nothing yet
/// assert_eq!(service.client().endpoint().base_url(), "http://127.0.0.1:8080/v1");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum Place {
    /// A service that is there.
    Service(Endpoint),
    /// The embedded server, to be started with these options.
    Local(server::Options),
}

/// A service that is ready to be asked.
///
/// # Examples
///
/// ```
/// use connect::{Place, Service};
/// use transport::{Route, Settings};
/// use wire::{Model, Page};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cli::Failure> {
/// let folder = tempfile::tempdir()?;
/// let base = server::BaseModel::named("tiny-llama", "../../tests/golden/tiny-llama", "its SHA-256");
/// let place = Place::Local(server::Options::new(folder.path(), vec![base]));
/// let service = Service::start(place, Settings::default()).await?;
/// let models: Page<Model> = service.client().get(&Route::new(["models"])?).await?;
/// assert_eq!(models.data[0].id, "tiny-llama");
/// service.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Service {
    client: Client,
    embedded: Option<Embedded>,
}

impl Service {
    /// Connects to the service at `place`, or starts the embedded server; requests are made as `settings` say.
    ///
    /// # Errors
    ///
    /// [`Exit::Failed`] when the embedded server cannot be started, as when another process uses its folder.
    pub async fn start(place: Place, settings: Settings) -> Result<Self, Failure> {
        let (endpoint, embedded) = match place {
            Place::Service(endpoint) => (endpoint, None),
            Place::Local(options) => {
                let embedded = Embedded::start(options).await.map_err(not_started)?;
                let key = Key::new(embedded.token().expose())?;
                (Endpoint::new(Provider::Local, embedded.base_url(), Some(key))?, Some(embedded))
            }
        };
        Ok(Self { client: Client::new(endpoint, settings)?, embedded })
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Stops the embedded server, if it was started; a job that runs leaves what is needed to go on.
    ///
    /// # Errors
    ///
    /// [`Exit::Failed`] when the server could not end in order.
    pub async fn stop(self) -> Result<(), Failure> {
        match self.embedded {
            Some(embedded) => Ok(embedded.shutdown().await?),
            None => Ok(()),
        }
    }
}

fn not_started(error: server::Error) -> Failure {
    let in_use = matches!(error, server::Error::InUse { .. });
    let failure = Failure::new(Exit::Failed, error);
    if in_use {
        let hint = "if a server runs on it, go to that one with --base-url http://127.0.0.1:8080/v1; or give another --data-dir";
        return failure.hint(hint);
    }
    failure
}
