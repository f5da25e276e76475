//! What the hub says about a file without sending it.

use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, LOCATION};
use reqwest::{StatusCode, Url, redirect};

use crate::file::Kind;
use crate::transfer::Fault;
use crate::{Pinned, RemoteFile, Settings};

/// How often the hub may say that a repository has another name now.
const RENAMES: usize = 5;

/// What `file` is, and of which commit.
///
/// The hub answers with a redirection to where the bytes are, and with these facts in that answer's own headers, which
/// are gone where the redirection is followed. hf-hub follows it, so that this request is made here; the headers are
/// those that `huggingface_hub` reads in `get_hf_file_metadata`.
pub(crate) async fn head(
    settings: &Settings,
    file: &RemoteFile,
) -> Result<(Pinned, String), Fault> {
    let client = reqwest::Client::builder().redirect(redirect::Policy::none()).build()?;
    let mut url = address(settings, file)
        .ok_or_else(|| Fault::Other(format!("{} is no address", settings.address())))?;
    for _ in 0..RENAMES {
        let mut request = client.head(url.clone());
        if let Some(token) = &settings.token {
            request = request.bearer_auth(token.expose());
        }
        let answer = request.send().await?;
        let status = answer.status();
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        // Only within the hub: the token goes nowhere else.
        if let Some(location) =
            location.filter(|place| place.starts_with('/') && !place.starts_with("//"))
            && status.is_redirection()
            && answer.headers().get("x-linked-etag").is_none()
        {
            url = url.join(location).map_err(|error| Fault::Other(error.to_string()))?;
            continue;
        }
        return match status {
            StatusCode::NOT_FOUND => Err(Fault::Missing),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Fault::Forbidden),
            _ if status.is_success() || status.is_redirection() => known(answer.headers(), file),
            _ => Err(Fault::Other(format!("it answers {status}"))),
        };
    }
    Err(Fault::Other("it redirects in a circle".to_owned()))
}

fn address(settings: &Settings, file: &RemoteFile) -> Option<Url> {
    let mut url = Url::parse(settings.address()).ok()?;
    let kind = match file.repository.kind {
        Kind::Dataset => Some("datasets"),
        Kind::Model => None,
    };
    url.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend(kind)
        .extend([&file.repository.owner, &file.repository.name, "resolve", &file.revision])
        .extend(file.name.split('/'));
    Some(url)
}

fn known(headers: &HeaderMap, file: &RemoteFile) -> Result<(Pinned, String), Fault> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bytes = text("x-linked-size").or_else(|| text(CONTENT_LENGTH.as_str()));
    let bytes = bytes.and_then(|bytes| bytes.parse().ok());
    let bytes =
        bytes.ok_or_else(|| Fault::Other("it does not say how long the file is".to_owned()))?;
    let etag = text("x-linked-etag").or_else(|| text(ETAG.as_str())).unwrap_or_default();
    let etag = etag.trim_start_matches("W/").trim_matches('"');
    // Of a large file it is the SHA-256; of a small one, which git holds itself, it is git's name for it.
    let hash = |length: usize| {
        let is_one = etag.len() == length && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_one { etag.to_ascii_lowercase() } else { String::new() }
    };
    let pinned = Pinned { bytes, sha256: hash(64), git_sha1: hash(40) };
    let commit = text("x-repo-commit").unwrap_or(&file.revision).to_owned();
    Ok((pinned, commit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Repository;

    #[test]
    fn a_file_has_an_address_whatever_its_name_holds() {
        let dataset = Repository::dataset("owner/name").unwrap();
        let check = |endpoint: &str, name: &str| {
            let settings = Settings { endpoint: Some(endpoint.to_owned()), ..Settings::default() };
            address(&settings, &dataset.file(name)).map(String::from)
        };
        insta::assert_snapshot!(
            check("http://127.0.0.1:1/mirror/", "data/a b?#.json").unwrap(),
            @"http://127.0.0.1:1/mirror/datasets/owner/name/resolve/main/data/a%20b%3F%23.json"
        );
        assert_eq!(check("no address", "a"), None);
    }
}
