//! Memory for numbers that starts on a cache line.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// One cache line, which is also the widest vector.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

/// What a buffer can hold: every pattern of its bits is a value, and whole numbers of it fill a line.
pub(crate) trait Number: Copy + Default + Send + Sync + 'static {}

impl Number for f32 {}
impl Number for u32 {}
impl Number for u16 {}

/// A growable row of numbers whose first is 64-byte aligned, so that no vector load crosses a line.
#[derive(Debug, Clone)]
pub(crate) struct Buffer<T = f32> {
    lines: Vec<Line>,
    length: usize,
    numbers: PhantomData<T>,
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Self { lines: Vec::new(), length: 0, numbers: PhantomData }
    }
}

impl<T: Number> Buffer<T> {
    /// Numbers in a line.
    const IN_LINE: usize = size_of::<Line>() / size_of::<T>();

    /// `length` zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        let lines = vec![Line([0; 16]); length.div_ceil(Self::IN_LINE)];
        Self { lines, length, numbers: PhantomData }
    }

    /// Makes it `length` long; what it holds then is unspecified numbers, to be overwritten.
    pub(crate) fn resize(&mut self, length: usize) {
        let lines = length.div_ceil(Self::IN_LINE);
        if lines > self.lines.len() {
            // Dropped first, so that old and new are never held together.
            self.lines = Vec::new();
            self.lines = vec![Line([0; 16]); lines];
        }
        self.length = length;
    }

    /// Bytes held.
    pub(crate) fn size_bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }
}

impl<T: Number> Deref for Buffer<T> {
    type Target = [T];

    #[expect(unsafe_code, reason = "lines are seen as the numbers that fill them")]
    fn deref(&self) -> &[T] {
        // SAFETY: `Line` is 64 aligned bytes without padding, every pattern of bits is a `T` (`Number`), and
        // `length <= IN_LINE * lines.len()` always holds.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl<T: Number> DerefMut for Buffer<T> {
    #[expect(unsafe_code, reason = "lines are seen as the numbers that fill them")]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}
