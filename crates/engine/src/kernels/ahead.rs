//! Memory that is asked for before it is needed, so that it comes while something else is computed.
//!
//! Where the processor has no such instruction, or Rust no way to it, nothing happens.

/// Bytes in a line of the cache.
const LINE: usize = 64;

/// Asks for the memory of `numbers`, which is read soon.
#[inline(always)]
pub(super) fn to_read<T>(numbers: &[T]) {
    let first = numbers.as_ptr().cast::<u8>();
    for line in (0..size_of_val(numbers)).step_by(LINE) {
        ask::<false>(first.wrapping_add(line));
    }
}

/// Asks for `length` bytes of memory, which are written soon.
#[inline(always)]
pub(super) fn to_write(first: *const u8, length: usize) {
    for line in (0..length).step_by(LINE) {
        ask::<true>(first.wrapping_add(line));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(unsafe_code, reason = "an instruction that touches nothing")]
fn ask<const WRITE: bool>(line: *const u8) {
    use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};

    // SAFETY: every x86-64 processor has the instruction or takes it for none, and no address makes it fail.
    unsafe {
        if WRITE {
            _mm_prefetch::<_MM_HINT_ET0>(line.cast());
        } else {
            _mm_prefetch::<_MM_HINT_T0>(line.cast());
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn ask<const WRITE: bool>(_line: *const u8) {}
