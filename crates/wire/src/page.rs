//! Pages of a list: <https://platform.openai.com/docs/api-reference/fine-tuning/list>.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::lenient::{Extra, text};

/// One page of a list.
///
/// # Examples
///
/// ```
/// use wire::{Job, Page};
///
/// let page: Page<Job> = serde_json::from_str(
///     r#"{"has_more": true, "data": [{"id": "ftjob-2"}, {"status": "running"}, {"id": "ftjob-1"}]}"#,
/// )?;
/// assert_eq!(page.data.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["ftjob-2", "ftjob-1"]);
/// // The one without an id is no job, and does not lose the others.
/// assert_eq!((page.unread.len(), page.has_more), (1, Some(true)));
/// assert_eq!(Page::new(page.data, false).has_more, Some(false));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// Always `list`.
    pub object: String,
    /// The items, in the service's order.
    pub data: Vec<T>,
    /// Whether more pages follow; old servers leave it out.
    pub has_more: Option<bool>,
    /// The id of the first item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_id: Option<String>,
    /// The id of the last item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_id: Option<String>,
    /// Fields that are not named above.
    #[serde(flatten)]
    pub extra: Extra,
    /// Items that are no `T` at all (such as one without an id), so that one of them does not lose the others.
    #[serde(skip)]
    pub unread: Vec<Value>,
}

impl<T> Page<T> {
    /// A page of `data`, after which more follow or not.
    pub fn new(data: Vec<T>, has_more: bool) -> Self {
        Self {
            object: "list".to_owned(),
            data,
            has_more: Some(has_more),
            first_id: None,
            last_id: None,
            extra: Extra::new(),
            unread: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default, deserialize_with = "crate::lenient::soft")]
    object: String,
    #[serde(default, deserialize_with = "crate::lenient::soft")]
    data: Vec<Value>,
    #[serde(default, deserialize_with = "crate::lenient::soft")]
    has_more: Option<bool>,
    #[serde(default, deserialize_with = "text")]
    first_id: Option<String>,
    #[serde(default, deserialize_with = "text")]
    last_id: Option<String>,
    #[serde(flatten)]
    extra: Extra,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let (mut data, mut unread) = (Vec::with_capacity(raw.data.len()), Vec::new());
        for item in raw.data {
            match T::deserialize(&item) {
                Ok(item) => data.push(item),
                Err(_) => unread.push(item),
            }
        }
        Ok(Self {
            object: raw.object,
            data,
            has_more: raw.has_more,
            first_id: raw.first_id,
            last_id: raw.last_id,
            extra: raw.extra,
            unread,
        })
    }
}
