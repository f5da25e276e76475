//! GGUF's numbers for the types of metadata (`enum gguf_metadata_value_type`).

pub(crate) const UINT8: u32 = 0;
pub(crate) const INT8: u32 = 1;
pub(crate) const UINT16: u32 = 2;
pub(crate) const INT16: u32 = 3;
pub(crate) const UINT32: u32 = 4;
pub(crate) const INT32: u32 = 5;
pub(crate) const FLOAT32: u32 = 6;
pub(crate) const BOOL: u32 = 7;
pub(crate) const STRING: u32 = 8;
pub(crate) const ARRAY: u32 = 9;
pub(crate) const UINT64: u32 = 10;
pub(crate) const INT64: u32 = 11;
pub(crate) const FLOAT64: u32 = 12;
