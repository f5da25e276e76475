//! Forms that bring a content: `multipart/form-data`, written to disk as it comes.

use std::sync::Arc;

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::http::StatusCode;
use wire::ExpiresAfter;

use crate::blob::{Finished, Incoming};
use crate::extract::{is_too_long, is_too_slow};
use crate::fault::Fault;
use crate::state::State;

/// What files may be uploaded for; the results of jobs are made here.
const PURPOSES: [&str; 6] = ["fine-tune", "assistants", "batch", "evals", "user_data", "vision"];
/// From OpenAI's description: an hour to thirty days.
const EXPIRY_SECONDS: std::ops::RangeInclusive<i64> = 3600..=2_592_000;
/// No field beside the file needs more.
const FIELD_BYTES: usize = 4096;

/// A form of the request, or what is wrong with it.
pub(super) type Form = Result<Multipart, MultipartRejection>;

/// A form, read field by field, whose file has a limit.
pub(super) struct Reader {
    form: Multipart,
    limit: u64,
}

impl Reader {
    pub(super) fn new(form: Form, limit: u64) -> Result<Self, Fault> {
        let form =
            form.map_err(|_| Fault::invalid("The request needs a body of 'multipart/form-data'"))?;
        Ok(Self { form, limit })
    }

    /// The next field and its name.
    pub(super) async fn next(&mut self) -> Result<Option<(String, Field<'_>)>, Fault> {
        let limit = self.limit;
        let field = self.form.next_field().await.map_err(|error| bad_form(&error, limit))?;
        let Some(field) = field else { return Ok(None) };
        let name = field.name().ok_or_else(|| Fault::invalid("A part of the form has no name"))?;
        Ok(Some((name.chars().take(100).collect(), field)))
    }
}

/// Writes the content of `field` aside.
pub(super) async fn receive(
    state: &Arc<State>,
    mut field: Field<'_>,
    limit: u64,
) -> Result<Finished, Fault> {
    let fail = |error: std::io::Error| Fault::internal(&error);
    let mut incoming = Incoming::new(&state.folder).map_err(fail)?;
    while let Some(chunk) = field.chunk().await.map_err(|error| bad_form(&error, limit))? {
        incoming.write(&chunk).map_err(fail)?;
        if incoming.bytes() > limit {
            return Err(Fault::too_large(limit));
        }
    }
    let finished = tokio::task::spawn_blocking(move || incoming.finish()).await;
    finished.map_err(|error| Fault::internal(&error))?.map_err(fail)
}

/// A short field's text.
pub(super) async fn text(mut field: Field<'_>) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    while let Some(chunk) =
        field.chunk().await.map_err(|error| bad_form(&error, FIELD_BYTES as u64))?
    {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > FIELD_BYTES {
            return Err(Fault::too_large(FIELD_BYTES as u64));
        }
    }
    String::from_utf8(bytes).map_err(|_| Fault::invalid("A field of the form is not in UTF-8"))
}

fn bad_form(error: &MultipartError, limit: u64) -> Fault {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE || is_too_long(error) {
        Fault::too_large(limit)
    } else if is_too_slow(error) {
        Fault::too_slow()
    } else {
        Fault::invalid("The form of the request cannot be read, or ended too early")
    }
}

/// The purpose, where files may be uploaded for it.
pub(super) fn purpose(purpose: &str) -> Result<wire::Purpose, Fault> {
    if PURPOSES.contains(&purpose) {
        return Ok(wire::Purpose::from(purpose));
    }
    let message = format!("'purpose' must be one of {}", PURPOSES.join(", "));
    Err(Fault::invalid_value("purpose", message))
}

/// How long a file is to be kept.
pub(super) fn expiry(expires_after: &ExpiresAfter) -> Result<i64, Fault> {
    if expires_after.anchor != "created_at" {
        let message = "'expires_after[anchor]' must be 'created_at'";
        return Err(Fault::invalid_value("expires_after[anchor]", message));
    }
    if !EXPIRY_SECONDS.contains(&expires_after.seconds) {
        let message = "'expires_after[seconds]' must be a whole number from 3600 to 2592000";
        return Err(Fault::invalid_value("expires_after[seconds]", message));
    }
    Ok(expires_after.seconds)
}

/// The last part of a path of any system, without what would break a line.
pub(super) fn base_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(255).collect();
    if name.is_empty() { "upload".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filename_loses_its_folders() {
        assert_eq!(base_name("../../etc/passwd"), "passwd");
        assert_eq!(base_name(r"C:\data\train.jsonl"), "train.jsonl");
        assert_eq!(base_name("a\r\nb"), "ab");
        assert_eq!(base_name("x/"), "upload");
    }
}
