use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that cannot be an id.
///
/// # Examples
///
/// ```
/// use wire::{FileId, InvalidId};
///
/// assert_eq!("  ".parse::<FileId>(), Err(InvalidId::Empty));
/// assert_eq!("file 1".parse::<FileId>(), Err(InvalidId::Blank));
/// assert_eq!("f".repeat(600).parse::<FileId>(), Err(InvalidId::TooLong));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidId {
    /// Nothing is left after the blanks around it are taken off.
    Empty,
    /// It is longer than 512 bytes.
    TooLong,
    /// It holds a blank or a control character.
    Blank,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Empty => "an id is empty",
            Self::TooLong => "an id is longer than 512 bytes",
            Self::Blank => "an id holds a blank or a control character",
        })
    }
}

impl std::error::Error for InvalidId {}

/// No service's ids come near this length; a longer one is a body that was mistaken for an id.
const MAX_BYTES: usize = 512;

fn parsed(text: &str) -> Result<String, InvalidId> {
    let text = text.trim();
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(InvalidId::TooLong);
    }
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(InvalidId::Blank);
    }
    Ok(text.to_owned())
}

macro_rules! id {
    ($(#[$outer:meta])* $name:ident) => {
        $(#[$outer])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parsed(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

id! {
    /// The id of an uploaded file, such as `file-abc123`.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::FileId;
    ///
    /// let id: FileId = " file-abc123\n".parse()?;
    /// assert_eq!(id.as_str(), "file-abc123");
    /// # Ok::<(), wire::InvalidId>(())
    /// ```
    FileId
}
id! {
    /// The id of a fine-tuning job, such as `ftjob-abc123`.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::JobId;
    ///
    /// let id: JobId = "ftjob-abc123".parse()?;
    /// assert_eq!(format!("/fine_tuning/jobs/{id}"), "/fine_tuning/jobs/ftjob-abc123");
    /// assert_eq!(id.as_str().len(), 12);
    /// # Ok::<(), wire::InvalidId>(())
    /// ```
    JobId
}
id! {
    /// The id of an upload in parts, such as `upload_abc123`.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::UploadId;
    ///
    /// let id: UploadId = serde_json::from_str(r#""upload_abc123""#)?;
    /// assert_eq!(id.as_str(), "upload_abc123");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    UploadId
}
id! {
    /// The id of one part of an upload, such as `part_abc123`.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::PartId;
    ///
    /// let id: PartId = "part_abc123".parse()?;
    /// assert_eq!(id.as_str(), "part_abc123");
    /// # Ok::<(), wire::InvalidId>(())
    /// ```
    PartId
}
id! {
    /// The id of a batch, such as `batch_abc123`.
    ///
    /// # Examples
    ///
    /// ```
    /// use wire::BatchId;
    ///
    /// let id: BatchId = "batch_abc123".parse()?;
    /// assert_eq!(id.as_str(), "batch_abc123");
    /// # Ok::<(), wire::InvalidId>(())
    /// ```
    BatchId
}
