//! Parts of a request, whose faults are answered in OpenAI's shape.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::fault::Fault;
use crate::pace::TooSlow;
use crate::state::State;
use crate::store::Span;
use crate::store::jobs::Wanted;

/// A body of JSON.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<State>> for JsonBody<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &Arc<State>) -> Result<Self, Fault> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("application/json") {
            return Err(Fault::invalid("The request needs 'Content-Type: application/json'"));
        }
        let body = read(request.into_body(), state.limits.body_bytes).await?;
        serde_json::from_slice(&body).map(Self).map_err(|error| unread(&error.to_string()))
    }
}

/// The fault of a body that is no request; a field that is missing is named.
fn unread(error: &str) -> Fault {
    let fault =
        Fault::invalid(format!("We could not parse the JSON body of your request: {error}"));
    let missing = error.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    match missing {
        Some((name, _)) => fault.param(name).code("missing_required_parameter"),
        None => fault,
    }
}

/// Refuses fields that the dialect does not have; one that is null says nothing.
pub(crate) fn unknown(extra: &wire::Extra) -> Result<(), Fault> {
    match extra.iter().find(|(_, value)| !value.is_null()) {
        None => Ok(()),
        Some((name, _)) => {
            let name: String = name.chars().take(100).collect();
            let message = format!("Unrecognized request argument supplied: {name}");
            Err(Fault::invalid(message).param(name).code("unknown_parameter"))
        }
    }
}

async fn read(body: Body, limit: usize) -> Result<bytes::Bytes, Fault> {
    to_bytes(body, limit).await.map_err(|error| {
        if is_too_long(&error) {
            Fault::too_large(limit as u64)
        } else if is_too_slow(&error) {
            Fault::too_slow()
        } else {
            Fault::invalid("The request's body ended too early")
        }
    })
}

/// Whether a limit on the body's length caused `error`.
pub(crate) fn is_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| cause.to_string() == "length limit exceeded")
}

/// Whether the body's slow pace caused `error`.
pub(crate) fn is_too_slow(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| cause.to_string() == TooSlow.to_string())
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The query, each name once.
#[derive(Debug)]
pub(crate) struct Queries(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Queries {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fault> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Fault::invalid("The query of the URL cannot be read"))?;
        Ok(Self(pairs.0.into_iter().collect()))
    }
}

impl Queries {
    /// Which part of a list is wanted: `after`, `limit` and, where `may_order`, `order`.
    pub(crate) fn span(
        &mut self,
        default_limit: usize,
        most: usize,
        may_order: bool,
    ) -> Result<Span, Fault> {
        let limit = match self.take("limit") {
            None => default_limit,
            Some(text) => {
                text.parse().ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
                    let message = format!("'limit' must be a whole number from 1 to {most}");
                    Fault::invalid_value("limit", message)
                })?
            }
        };
        let order = if may_order { self.take("order") } else { None };
        let newest_first = match order.as_deref() {
            None | Some("desc") => true,
            Some("asc") => false,
            Some(_) => {
                return Err(Fault::invalid_value("order", "'order' must be 'asc' or 'desc'"));
            }
        };
        Ok(Span { after: self.take("after"), limit, newest_first })
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes the values of `metadata[name]`, by name, or `metadata=null`.
    pub(crate) fn metadata(&mut self) -> Wanted {
        if self.0.get("metadata").is_some_and(|value| value == "null") {
            self.0.remove("metadata");
            return Wanted::Without;
        }
        let mut pairs = BTreeMap::new();
        self.0.retain(|name, value| {
            let key = name.strip_prefix("metadata[").and_then(|name| name.strip_suffix(']'));
            let Some(key) = key else { return true };
            pairs.insert(key.to_owned(), std::mem::take(value));
            false
        });
        Wanted::With(pairs)
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(100).collect();
                let message = format!("Unknown query parameter: '{name}'");
                Err(Fault::invalid(message).param(name).code("unknown_parameter"))
            }
        }
    }
}

/// The fault of a list that was asked to go on behind an item which does not exist.
pub(crate) fn no_cursor() -> Fault {
    Fault::invalid_value("after", "'after' is not the id of an item of this list")
}
