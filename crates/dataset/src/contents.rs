//! Which contents were met before.

use std::io;
use std::path::Path;

use crate::Column;

/// A place that is taken by no content.
const FREE: u64 = u64::MAX;
/// How many places there are at first.
const PLACES: usize = 1 << 10;
/// Of so many places
const OF: usize = 10;
/// so many are taken before there are more.
const TAKEN: usize = 8;

/// Different contents, numbered in the order in which they came, by hashes of 128 bits.
///
/// The hashes stand in a [`Column`]. Memory holds 8 bytes a place: half of a hash's bits, so that others are seldom read
/// in vain, and the content's number. That is 10 to 15 bytes a content, also while there are made more.
#[derive(Debug)]
pub(crate) struct Contents {
    hashes: Column<16>,
    places: Vec<u64>,
}

impl Contents {
    pub(crate) fn new(hashes: Column<16>) -> Self {
        Self { hashes, places: vec![FREE; PLACES] }
    }

    pub(crate) fn new_in(folder: &Path) -> Self {
        Self::new(Column::new_in(folder))
    }

    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The number of the content with this `hash`, unless it is new and gets the next number.
    pub(crate) fn find_or_add(&mut self, hash: u128) -> io::Result<Option<usize>> {
        if self.len() * OF >= self.places.len() * TAKEN {
            self.grow()?;
        }
        let mut place = place(hash, self.places.len());
        while self.places[place] != FREE {
            let (mark, number) = (self.places[place] >> 32, number_of(self.places[place]));
            if mark == mark_of(hash) && u128::from_le_bytes(self.hashes.row(number)?) == hash {
                return Ok(Some(number));
            }
            place = following(place, self.places.len());
        }
        self.places[place] = entry(hash, self.len())?;
        self.hashes.push(hash.to_le_bytes())?;
        Ok(None)
    }

    /// Makes room for half as many more; the old places are given up first, so that memory never holds both.
    fn grow(&mut self) -> io::Result<()> {
        let count = self.places.len() / 2 * 3;
        self.places = Vec::new();
        self.places = vec![FREE; count];
        for (number, hash) in self.hashes.rows().enumerate() {
            let hash = u128::from_le_bytes(hash?);
            let mut place = place(hash, count);
            while self.places[place] != FREE {
                place = following(place, count);
            }
            self.places[place] = entry(hash, number)?;
        }
        Ok(())
    }
}

/// Where a content with this `hash` is looked for first, by the hash's upper half.
#[expect(clippy::cast_possible_truncation, reason = "a place of `count`")]
fn place(hash: u128, count: usize) -> usize {
    (((hash >> 64) * count as u128) >> 64) as usize
}

fn following(place: usize, count: usize) -> usize {
    if place + 1 == count { 0 } else { place + 1 }
}

/// The bits of the lower half that a place holds.
#[expect(clippy::cast_possible_truncation, reason = "32 bits are taken")]
fn mark_of(hash: u128) -> u64 {
    u64::from((hash >> 32) as u32)
}

fn entry(hash: u128, number: usize) -> io::Result<u64> {
    let number = u32::try_from(number).ok().filter(|&number| number != u32::MAX);
    let number = number.ok_or_else(|| io::Error::other("there are too many records"))?;
    Ok(mark_of(hash) << 32 | u64::from(number))
}

#[expect(clippy::cast_possible_truncation, reason = "it is the lower half")]
fn number_of(entry: u64) -> usize {
    entry as u32 as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::words::mix;

    #[test]
    fn a_content_is_found_by_all_bits_of_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let mut contents = Contents::new(Column::with_tail(folder.path(), 7));
        let mut known: HashMap<u128, usize> = HashMap::new();
        // Hashes that often agree in the place, in the mark, or in both.
        let part = |number: u64, of: u64| u128::from(mix(number) % of);
        for number in 0..20_000_u64 {
            let hash = part(number, 300) << 120 | part(number + 1, 3) << 40 | part(number + 2, 40);
            let next = known.len();
            let expected = match *known.entry(hash).or_insert(next) {
                first if first < next => Some(first),
                _ => None,
            };
            assert_eq!(contents.find_or_add(hash).unwrap(), expected, "{number}");
            assert_eq!(contents.len(), known.len());
        }
        assert!(contents.len() > 10_000, "{}", contents.len());
        assert!(contents.places.len() * 8 <= contents.len() * 15, "{}", contents.places.len());
    }
}
