//! One record, found but not parsed.

use crate::{Place, Reason};

/// What a scanner finds.
#[derive(Debug)]
pub(crate) enum Frame<'a> {
    /// A JSON text within the limits.
    Json(Place, &'a [u8]),
    /// A table's row within the limits, as many cells as the table has columns.
    Row(Place, Row<'a>),
    /// A record that is not to be parsed; its bytes are gone.
    Refused(Place, Reason),
}

/// The cells of a row, their quotes taken off, one behind the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) bytes: &'a [u8],
    /// Where each cell ends.
    pub(crate) ends: &'a [usize],
}

impl<'a> Row<'a> {
    /// The cell of `column`, if there is one.
    pub(crate) fn cell(&self, column: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(column)?;
        let start = column.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(start..end)
    }
}
