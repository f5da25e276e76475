//! The search for questions that are nearly the same.

use std::collections::HashSet;
use std::io;

use crate::minhash::jaccard;
use crate::words::{Words, shingles};
use crate::{Column, Pair};

/// How many different groups a record is compared with in one band, so that boilerplate stays cheap.
const COMPARED: usize = 8;
/// About how many records of a band are in memory at a time, 8 bytes each.
pub(crate) const PASS: usize = 1 << 19;
/// How many pairs are remembered to be unlike; beyond, all are forgotten, and looked at again where they come again.
const UNLIKE: usize = 1 << 16;

/// Records that are grouped band by band.
///
/// It holds 4 bytes for each record and 8 for each of a pass, 16 for each pair that is found, and a bounded number of
/// those that are not alike.
pub(crate) struct Search<Q> {
    threshold: f64,
    question: Q,
    first: Vec<u32>,
    pairs: Vec<Pair>,
    /// Pairs that were looked at and are not alike.
    unlike: HashSet<(u32, u32)>,
    /// The records of a pass, each below its key, which sort as pairs do and faster.
    order: Vec<u64>,
}

impl<Q: FnMut(usize) -> io::Result<String>> Search<Q> {
    /// A search among `count` records, of which there are fewer than 2³².
    pub(crate) fn new(count: usize, threshold: f64, question: Q) -> Self {
        Self {
            threshold,
            question,
            first: (0_u32..).take(count).collect(),
            pairs: Vec::new(),
            unlike: HashSet::new(),
            order: Vec::new(),
        }
    }

    /// Compares the records that have a key of `band` in common, the keys in their order.
    ///
    /// The keys are taken in ranges of which each has about `pass` records.
    pub(crate) fn band(&mut self, band: &Column<4>, pass: usize) -> io::Result<()> {
        let passes = self.first.len().div_ceil(pass).max(1) as u64;
        let bound = |pass: u64| (pass << 32) / passes;
        for range in (0..passes).map(|pass| bound(pass)..bound(pass + 1)) {
            let mut order = std::mem::take(&mut self.order);
            order.clear();
            for (record, key) in (0_u64..).zip(band.rows()) {
                let key = u64::from(u32::from_le_bytes(key?));
                if range.contains(&key) {
                    order.push(key << 32 | record);
                }
            }
            order.sort_unstable();
            for run in order.chunk_by(|a, b| a >> 32 == b >> 32) {
                self.compare(run)?;
            }
            self.order = order;
        }
        Ok(())
    }

    /// Compares each record of `run`, in their order, with the groups before it.
    fn compare(&mut self, run: &[u64]) -> io::Result<()> {
        // Most keys are one record's only.
        let [first, rest @ ..] = run else { return Ok(()) };
        if rest.is_empty() {
            return Ok(());
        }
        let mut known: Vec<(u32, Option<Vec<u64>>)> = vec![(record_of(*first), None)];
        for record in rest.iter().map(|&entry| record_of(entry)) {
            let mut own = None;
            let mut joined = false;
            for (other, set) in &mut known {
                if self.root(*other) == self.root(record) {
                    joined = true;
                    continue;
                }
                if self.unlike.contains(&(*other, record)) {
                    continue;
                }
                if set.is_none() {
                    *set = Some(self.shingles(*other)?);
                }
                if own.is_none() {
                    own = Some(self.shingles(record)?);
                }
                let similarity =
                    jaccard(set.as_deref().unwrap_or(&[]), own.as_deref().unwrap_or(&[]));
                if similarity >= self.threshold {
                    self.join(Pair { first: *other, second: record, similarity });
                    joined = true;
                } else {
                    self.tell_apart(*other, record);
                }
            }
            if !joined && known.len() < COMPARED {
                known.push((record, own));
            }
        }
        Ok(())
    }

    fn shingles(&mut self, record: u32) -> io::Result<Vec<u64>> {
        (self.question)(record as usize).map(|text| shingles(&Words::of(&text)))
    }

    fn root(&self, mut record: u32) -> u32 {
        while self.first[record as usize] != record {
            record = self.first[record as usize];
        }
        record
    }

    fn join(&mut self, pair: Pair) {
        let (a, b) = (self.root(pair.first), self.root(pair.second));
        self.first[a.max(b) as usize] = a.min(b);
        self.pairs.push(pair);
    }

    fn tell_apart(&mut self, first: u32, second: u32) {
        if self.unlike.len() >= UNLIKE {
            self.unlike.clear();
        }
        self.unlike.insert((first, second));
    }

    /// For each record the first of its group, and all pairs in the order of their later record.
    pub(crate) fn finish(mut self) -> (Vec<u32>, Vec<Pair>) {
        for record in 0..self.first.len() {
            // Every record before this one points at its root already.
            self.first[record] = self.first[self.first[record] as usize];
        }
        self.pairs.sort_unstable_by_key(|pair| (pair.second, pair.first));
        (self.first, self.pairs)
    }
}

/// The record of an entry of a pass.
#[expect(clippy::cast_possible_truncation, reason = "it is the lower half")]
fn record_of(entry: u64) -> u32 {
    entry as u32
}
