//! Why a model did not answer.

/// Why a model did not answer.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/canned.rs"));
/// use inference::Assistant;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = canned([]).await?;
/// let error = Assistant::new(client, "ft:gone").ask("Is a fever common?").await.unwrap_err();
/// assert_eq!(error.to_string(), "model `ft:gone` did not answer");
/// assert!(error.is_unknown_model() && error.concerns_all());
/// let why = std::error::Error::source(&error).ok_or("the refusal")?;
/// assert!(why.to_string().contains("no such model"), "{why}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service refused, could not be reached or broke off.
    #[error("model `{model}` did not answer")]
    Service {
        /// The model asked.
        model: String,
        /// What happened.
        source: transport::Error,
    },
    /// The service did not know the model for as long as it was waited for.
    #[error("model `{model}` is still unknown to the service after {waited_s} s")]
    NotReady {
        /// The model asked.
        model: String,
        /// How long it was waited for, in seconds.
        waited_s: u64,
        /// The last refusal.
        source: transport::Error,
    },
    /// The service answered without an answer.
    #[error("the service sent no choice for model `{model}`")]
    NoChoice {
        /// The model asked.
        model: String,
    },
    /// The saved system prompt or template is not that of the training.
    #[error(
        "the saved system prompt and template of model `{model}` are not those of its training"
    )]
    NotAsTrained {
        /// The model of the file.
        model: String,
    },
}

impl Error {
    /// Whether the service answered, and knows no such model: right after a training it may still come to know it.
    pub fn is_unknown_model(&self) -> bool {
        match self {
            Self::Service { source, .. } | Self::NotReady { source, .. } => {
                is_unknown_model(source)
            }
            _ => false,
        }
    }

    /// Whether every other question would fail the same way: a wrong key, no money, an unknown model, nobody there.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = inference::Error::NoChoice { model: "ft:tiny".to_owned() };
    /// assert!(!error.concerns_all());
    /// ```
    pub fn concerns_all(&self) -> bool {
        let source = match self {
            Self::Service { source, .. } => source,
            Self::NotReady { .. } | Self::NotAsTrained { .. } => return true,
            Self::NoChoice { .. } => return false,
        };
        match source {
            transport::Error::Endpoint(_) | transport::Error::Unreachable { .. } => true,
            transport::Error::Refused(refusal) => {
                matches!(refusal.status, 401 | 403 | 404 | 429) || refusal.is_quota()
            }
            _ => false,
        }
    }
}

pub(crate) fn is_unknown_model(error: &transport::Error) -> bool {
    let code = error.refusal().and_then(transport::Refusal::code);
    error.status() == Some(404)
        && code.is_none_or(|code| code == "model_not_found" || code == "404")
}
