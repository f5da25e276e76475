//! What a record may cost.

/// Bounds on one record, so that no input can take unbounded memory or stack.
///
/// # Examples
///
/// ```
/// use dataset::{Entry, Limits, Reader, Reason};
///
/// let json = r#"[{"Question": "A question that is too long.", "Complex_CoT": "Because.", "Response": "So."}]"#;
/// let limits = Limits { record_bytes: 40, ..Limits::default() };
/// let Some(Ok(Entry::Rejection(rejection))) = Reader::new(json.as_bytes(), limits).next() else { panic!() };
/// assert_eq!(rejection.reason, Reason::TooLarge);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of one record as it stands in the input.
    pub record_bytes: usize,
    /// The most objects and arrays around a value, the record itself counted.
    pub depth: usize,
}

impl Default for Limits {
    /// 16 MiB, a thousand times the longest example a service takes, and 64 levels; real records have one.
    fn default() -> Self {
        Self { record_bytes: 16 << 20, depth: 64 }
    }
}
