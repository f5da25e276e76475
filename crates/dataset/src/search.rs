//! The search for questions that are nearly the same.

use std::collections::HashSet;
use std::io;

use crate::minhash::jaccard;
use crate::words::{Words, shingles};
use crate::{Column, Pair};

/// How many different groups a record is compared with in one band, so that boilerplate stays cheap.
const COMPARED: usize = 8;
/// How many bits there are for each record to tell whether its key came before.
const BITS: usize = 8;
/// How many pairs are remembered to be unlike; beyond, all are forgotten, and looked at again where they come again.
const UNLIKE: usize = 1 << 16;

/// Records that are grouped band by band.
///
/// It holds 6 bytes for each record, 8 for each that has a key in common with another one, or seems to (one in eight), 16
/// for each pair that is found, and a bounded number of those that are not alike.
pub(crate) struct Search<Q> {
    threshold: f64,
    question: Q,
    first: Vec<u32>,
    pairs: Vec<Pair>,
    /// Pairs that were looked at and are not alike.
    unlike: HashSet<(u32, u32)>,
    met: Met,
    /// The records whose key another one seems to have, each below it, which sort as pairs do and faster.
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
            met: Met::new(count),
            order: Vec::new(),
        }
    }

    /// Compares the records that have a key of `band` in common, the keys in their order.
    pub(crate) fn band(&mut self, band: &Column<4>) -> io::Result<()> {
        self.met.clear();
        for key in band.rows() {
            self.met.add(u32::from_le_bytes(key?));
        }
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        for (record, key) in (0_u64..).zip(band.rows()) {
            let key = u32::from_le_bytes(key?);
            if self.met.again(key) {
                order.push(u64::from(key) << 32 | record);
            }
        }
        order.sort_unstable();
        for run in order.chunk_by(|a, b| a >> 32 == b >> 32) {
            self.compare(run)?;
        }
        self.order = order;
        Ok(())
    }

    /// Compares each record of `run`, in their order, with the groups before it.
    fn compare(&mut self, run: &[u64]) -> io::Result<()> {
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

/// Which keys came once and which came again, by two bits for all keys that fall into one place.
struct Met {
    once: Vec<u64>,
    again: Vec<u64>,
}

impl Met {
    fn new(count: usize) -> Self {
        let words = vec![0; (count * BITS).div_ceil(64).max(1)];
        Self { once: words.clone(), again: words }
    }

    fn clear(&mut self) {
        self.once.fill(0);
        self.again.fill(0);
    }

    #[inline]
    fn add(&mut self, key: u32) {
        let (word, bit) = self.place(key);
        self.again[word] |= self.once[word] & bit;
        self.once[word] |= bit;
    }

    /// Whether `key` came more than once; sometimes also where it did not.
    #[inline]
    fn again(&self, key: u32) -> bool {
        let (word, bit) = self.place(key);
        self.again[word] & bit != 0
    }

    #[inline]
    fn place(&self, key: u32) -> (usize, u64) {
        let place = (u64::from(key) * self.once.len() as u64) >> 26;
        ((place / 64) as usize, 1 << (place % 64))
    }
}

/// The record of an entry of the order.
#[expect(clippy::cast_possible_truncation, reason = "it is the lower half")]
fn record_of(entry: u64) -> u32 {
    entry as u32
}
