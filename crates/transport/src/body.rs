use bytes::{Bytes, BytesMut};

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The connection broke.
    Broken(reqwest::Error),
    /// It is longer than the limit.
    Long,
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn whole(mut response: reqwest::Response, limit: u64) -> Result<Bytes, Unread> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(Unread::Broken)? {
        if (body.len() + chunk.len()) as u64 > limit {
            return Err(Unread::Long);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Reads the beginning of a body, as far as it comes; `None` where it is too long to be a refusal's.
pub(crate) async fn beginning(response: reqwest::Response, limit: u64) -> Option<Bytes> {
    whole(response, limit).await.ok()
}
