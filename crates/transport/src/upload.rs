use std::path::PathBuf;

use async_openai::error::OpenAIError;
use async_openai::traits::AsyncTryFrom;
use reqwest::multipart::{Form, Part};
use wire::Purpose;

use crate::error::Error;

/// A file to send: read from disk while it is sent, with its length told beforehand.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Where it lies.
    pub path: PathBuf,
    /// The name to send it under.
    pub filename: String,
    /// What it is for.
    pub purpose: Purpose,
}

impl AsyncTryFrom<Upload> for Form {
    type Error = OpenAIError;

    async fn try_from(upload: Upload) -> Result<Self, OpenAIError> {
        let part = upload.part().await.map_err(|source| {
            OpenAIError::Boxed(Box::new(Error::File { path: upload.path.clone(), source }))
        })?;
        Ok(Form::new().text("purpose", upload.purpose.as_str().to_owned()).part("file", part))
    }
}

impl Upload {
    async fn part(&self) -> std::io::Result<Part> {
        let file = tokio::fs::File::open(&self.path).await?;
        let length = file.metadata().await?.len();
        let part = Part::stream_with_length(reqwest::Body::from(file), length)
            .file_name(self.filename.clone());
        part.mime_str("application/jsonl").map_err(std::io::Error::other)
    }
}
