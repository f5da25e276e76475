//! The one place where work is spread over threads (rayon's current pool).
//!
//! Every piece of work writes its own part of the result and sums in its own fixed order, so that results are the same
//! to the last bit whatever the number of threads.

use std::cell::Cell;
use std::thread::LocalKey;

use rayon::prelude::*;

use crate::kernels::{Buffer, Number, Packed};

/// `f()` on one of the pool's threads: there, each piece of spread work costs no change from the caller's thread to the
/// pool's and back, of which a training step would have thousands.
pub(crate) fn inside<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| f())
}

/// `f(i)` for each index below `count`.
pub(crate) fn each(count: usize, f: impl Fn(usize) + Send + Sync) {
    if count == 1 {
        return f(0);
    }
    (0..count).into_par_iter().with_max_len(1).for_each(f);
}

/// The results of `f(i)` for each index below `count`, in order.
pub(crate) fn map<T: Send>(count: usize, f: impl Fn(usize) -> T + Send + Sync) -> Vec<T> {
    (0..count).into_par_iter().with_max_len(1).map(f).collect()
}

/// Numbers that are worked off sooner than a second thread is woken up.
const FEW: usize = 1 << 12;

/// `f(i, chunk i)` for the chunks of `size` numbers in `data`, the last perhaps shorter.
///
/// For work of a few operations a number: few numbers stay on the calling thread.
pub(crate) fn chunks_mut<T: Send>(
    data: &mut [T],
    size: usize,
    f: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    if data.len() <= size.max(FEW) {
        return data.chunks_mut(size.max(1)).enumerate().for_each(|(index, chunk)| f(index, chunk));
    }
    heavy_chunks_mut(data, size, f);
}

/// As [`chunks_mut`], for work that is worth a thread however few numbers come of it.
pub(crate) fn heavy_chunks_mut<T: Send>(
    data: &mut [T],
    size: usize,
    f: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    data.par_chunks_mut(size)
        .enumerate()
        .with_max_len(1)
        .for_each(|(index, chunk)| f(index, chunk));
}

/// `f(i, [piece i of each])`, where `data` is cut into pieces of the given lengths, one after another.
pub(crate) fn pieces_mut<const N: usize>(
    data: [&mut [f32]; N],
    lengths: impl Iterator<Item = [usize; N]>,
    f: impl Fn(usize, [&mut [f32]; N]) + Send + Sync,
) {
    let mut rest = data;
    let mut pieces = Vec::new();
    for lengths in lengths {
        let mut split =
            rest.into_iter().zip(lengths).map(|(data, length)| data.split_at_mut(length));
        let both: [(&mut [f32], &mut [f32]); N] =
            std::array::from_fn(|_| split.next().unwrap_or_default());
        let mut tails = Vec::with_capacity(N);
        pieces.push(both.map(|(head, tail)| {
            tails.push(tail);
            head
        }));
        let mut tails = tails.into_iter();
        rest = std::array::from_fn(|_| tails.next().unwrap_or_default());
    }
    pieces.into_par_iter().enumerate().with_max_len(1).for_each(|(index, pieces)| f(index, pieces));
}

thread_local! {
    static SCRATCH: Cell<Buffer> = Cell::default();
    static WORDS: Cell<Buffer<u32>> = Cell::default();
    static ROWS: Cell<Buffer<u32>> = Cell::default();
    static NUMBERS: Cell<Buffer> = Cell::default();
    static ROOM: Cell<[Packed; 3]> = Cell::default();
}

/// Calls `f` with `length` numbers of memory that this thread keeps for the next call; what they hold is unspecified.
pub(crate) fn with_scratch<T>(length: usize, f: impl FnOnce(&mut [f32]) -> T) -> T {
    with_buffer(&SCRATCH, length, f)
}

/// Whether every number is finite.
pub(crate) fn all_finite(numbers: &[f32]) -> bool {
    /// Numbers in one piece of work.
    const PIECE: usize = 1 << 16;
    // Without an early end within a piece, so that it runs at the memory's speed.
    let finite = |piece: &[f32]| piece.iter().fold(true, |all, number| all & number.is_finite());
    numbers.par_chunks(PIECE).all(finite)
}

/// As [`with_scratch`], of 32-bit words and in memory of their own.
pub(crate) fn with_words<T>(length: usize, f: impl FnOnce(&mut [u32]) -> T) -> T {
    with_buffer(&WORDS, length, f)
}

/// As [`with_scratch`], in memory of its own: for what is around calls that need scratch themselves.
pub(crate) fn with_numbers<T>(length: usize, f: impl FnOnce(&mut [f32]) -> T) -> T {
    with_buffer(&NUMBERS, length, f)
}

/// Calls `f` with `length` numbers of a thread's buffer; a call within `f` finds another one, which is not kept.
fn with_buffer<N: Number, T>(
    buffer: &'static LocalKey<Cell<Buffer<N>>>,
    length: usize,
    f: impl FnOnce(&mut [N]) -> T,
) -> T {
    let mut numbers = buffer.take();
    numbers.resize(length);
    let result = f(&mut numbers);
    buffer.set(numbers);
    result
}

/// Calls `f` with the calling thread's memory for rows that several products read.
pub(crate) fn with_rows<T>(f: impl FnOnce(&mut Buffer<u32>) -> T) -> T {
    let mut rows = ROWS.take();
    let result = f(&mut rows);
    ROWS.set(rows);
    result
}

/// Calls `f` with the calling thread's room for weights that are unpacked or turned for one product.
pub(crate) fn with_room<T>(f: impl FnOnce(&mut [Packed; 3]) -> T) -> T {
    let mut room = ROOM.take();
    let result = f(&mut room);
    ROOM.set(room);
    result
}

/// How many threads there are to spread work over.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

/// `f(item)` for each item.
pub(crate) fn each_of<T: Send>(items: Vec<T>, f: impl Fn(T) + Send + Sync) {
    items.into_par_iter().with_max_len(1).for_each(f);
}
