//! Memory for f32 numbers that starts on a cache line.

use std::ops::{Deref, DerefMut};

/// One cache line, which is also the widest vector.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A growable row of f32 whose first number is 64-byte aligned, so that no vector load crosses a line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffer {
    lines: Vec<Line>,
    length: usize,
}

impl Buffer {
    /// `length` zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        Self { lines: vec![Line([0.0; 16]); length.div_ceil(16)], length }
    }

    /// Makes it `length` long; what it holds then is unspecified numbers, to be overwritten.
    pub(crate) fn resize(&mut self, length: usize) {
        let lines = length.div_ceil(16);
        if lines > self.lines.len() {
            // Dropped first, so that old and new are never held together.
            self.lines = Vec::new();
            self.lines = vec![Line([0.0; 16]); lines];
        }
        self.length = length;
    }
}

impl Deref for Buffer {
    type Target = [f32];

    #[expect(unsafe_code, reason = "lines of f32 are seen as f32")]
    fn deref(&self) -> &[f32] {
        // SAFETY: `Line` is `repr(C)` with 16 f32 and no padding, and `length <= 16 * lines.len()` always holds.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl DerefMut for Buffer {
    #[expect(unsafe_code, reason = "lines of f32 are seen as f32")]
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}
