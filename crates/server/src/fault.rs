//! Errors as a client sees them: OpenAI's shape, a status, nothing of the server's inside.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::with_causes;
use crate::room;
use crate::store::StoreError;

/// An answer `{"error": {message, type, param, code}}` with its status.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    kind: &'static str,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
    retry_after_seconds: Option<u32>,
}

impl Fault {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, kind, message, param: None, code: None, retry_after_seconds: None }
    }

    /// The request itself is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// The value of `param` is wrong.
    pub(crate) fn invalid_value(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(message).param(param).code("invalid_value")
    }

    /// `param` is part of the dialect, and this server cannot honour it.
    pub(crate) fn unsupported(param: impl Into<String>, reason: &str) -> Self {
        let param = param.into();
        Self::invalid(format!("Unsupported parameter: '{param}' {reason}."))
            .param(param)
            .code("unsupported_parameter")
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message)
    }

    /// No model of this name is served here.
    pub(crate) fn no_model(id: &str) -> Self {
        let id: String = id.chars().take(200).collect();
        Self::not_found(format!("The model '{id}' does not exist"))
            .param("model")
            .code("model_not_found")
    }

    /// The thing is in a state that forbids this.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "invalid_request_error", message)
    }

    /// The body is larger than the server takes.
    pub(crate) fn too_large(limit_bytes: u64) -> Self {
        let message = format!("The request is larger than the limit of {limit_bytes} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", message)
            .code("request_too_large")
    }

    /// The body comes in too slowly.
    pub(crate) fn too_slow() -> Self {
        let message = "The request's body took too long to arrive";
        Self::new(StatusCode::REQUEST_TIMEOUT, "invalid_request_error", message)
            .code("request_timeout")
    }

    /// The key is missing or wrong.
    pub(crate) fn unauthorized() -> Self {
        let message = "Incorrect API key provided: this server wants the token it was started with";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message)
            .code("invalid_api_key")
    }

    /// The request comes from where this server does not answer.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "invalid_request_error", message)
    }

    /// The path is known, the method is not.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "This method is not allowed at this URL";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", message)
            .code("method_not_supported")
    }

    /// Too many requests wait already.
    pub(crate) fn busy(retry_after_seconds: u32) -> Self {
        let message = "Too many requests are waiting; try again later";
        let mut fault = Self::new(StatusCode::TOO_MANY_REQUESTS, "requests", message)
            .code("rate_limit_exceeded");
        fault.retry_after_seconds = Some(retry_after_seconds);
        fault
    }

    /// The server stops.
    pub(crate) fn stopping() -> Self {
        let message = "The server is shutting down";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", message)
    }

    /// Something broke in here; `error` goes to the log, not to the client.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = with_causes(error), "a request failed");
        if room::is_used_up(error) {
            let message = "The server's disk is full";
            return Self::new(StatusCode::INSUFFICIENT_STORAGE, "server_error", message)
                .code("insufficient_storage");
        }
        let message = "The server had an error while processing your request";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message)
    }

    pub(crate) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The body of the answer, also sent inside a stream.
    pub(crate) fn body(&self) -> serde_json::Value {
        let Self { kind, message, param, code, .. } = self;
        json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
