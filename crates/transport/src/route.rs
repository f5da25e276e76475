use std::fmt::Write as _;

use crate::endpoint::EndpointError;

/// A path below the base URL, each part percent-encoded, with its query.
///
/// # Examples
///
/// ```
/// use transport::Route;
///
/// let route = Route::new(["models", "ft:base:my org/x"])?.with("limit", "5");
/// assert_eq!(route.path(), "/models/ft:base:my%20org%2Fx");
/// assert!(Route::new(["files", ".."]).is_err(), "an id cannot lead to another place");
/// # Ok::<(), transport::EndpointError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    path: String,
    query: Vec<(String, String)>,
}

impl Route {
    /// The path made of these `parts`, such as `["files", "file-1", "content"]`.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Path`] where a part is empty, `.` or `..`, which would name another path.
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, EndpointError> {
        let mut path = String::new();
        for part in parts {
            if matches!(part, "" | "." | "..") {
                return Err(EndpointError::Path);
            }
            path.push('/');
            encode(part, &mut path);
        }
        if path.is_empty() {
            Err(EndpointError::Path)
        } else {
            Ok(Self { path, query: Vec::new() })
        }
    }

    /// The same with a pair more in its query.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The path, beginning with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn query(&self) -> &[(String, String)] {
        &self.query
    }
}

/// RFC 3986: everything but unreserved characters and `:`, `@`, which are at home in model ids.
fn encode(part: &str, into: &mut String) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cannot_leave_their_place_in_the_path() {
        let path = |id: &str| Route::new(["models", id]).map(|route| route.path().to_owned()).ok();
        assert_eq!(
            path("ft:gpt-4.1-mini:org::id").as_deref(),
            Some("/models/ft:gpt-4.1-mini:org::id")
        );
        assert_eq!(path("a/b?c#d e%ü").as_deref(), Some("/models/a%2Fb%3Fc%23d%20e%25%C3%BC"));
        assert_eq!(path(".."), None);
        assert_eq!(path(""), None);
    }
}
