//! Rows of a fixed size, of which memory holds only the last.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How many bytes are held before they are written.
const TAIL: usize = 32 << 10;

/// A growing list of rows of `N` bytes: a few in memory, the others in an unnamed temporary file.
///
/// It takes 32 KiB of memory however long it is, and a file once it is longer than that.
///
/// # Examples
///
/// ```
/// use dataset::Column;
///
/// let folder = tempfile::tempdir()?;
/// let mut squares = Column::<8>::new_in(folder.path());
/// assert!(squares.is_empty());
/// for number in 0..100_000_u64 {
///     squares.push((number * number).to_le_bytes())?;
/// }
/// assert_eq!(squares.row(70_000)?, 4_900_000_000_u64.to_le_bytes());
/// let odd = squares.rows().filter(|row| row.as_ref().is_ok_and(|row| row[0] % 2 == 1));
/// assert_eq!((squares.len(), odd.count()), (100_000, 50_000));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Column<const N: usize> {
    folder: PathBuf,
    file: Option<File>,
    /// How many rows are in the file.
    stored: usize,
    /// The rows behind them.
    tail: Vec<[u8; N]>,
    /// How many of these there may be.
    most: usize,
}

impl<const N: usize> Column<N> {
    /// An empty column; a longer one makes its file in `folder`, where the operating system allows it without a name.
    pub fn new_in(folder: &Path) -> Self {
        Self::with_tail(folder, TAIL / N.max(1))
    }

    /// A column that holds at most `most` rows in memory.
    pub(crate) fn with_tail(folder: &Path, most: usize) -> Self {
        Self { folder: folder.to_owned(), file: None, stored: 0, tail: Vec::new(), most }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.stored + self.tail.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// An I/O error, as on a full disk; the row is then not added.
    pub fn push(&mut self, row: [u8; N]) -> io::Result<()> {
        if self.tail.len() >= self.most {
            self.store()?;
        }
        self.tail.push(row);
        Ok(())
    }

    fn store(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.folder)?),
        };
        // What an earlier attempt may have left behind the stored rows is written over.
        file.seek(SeekFrom::Start((self.stored * N) as u64))?;
        file.write_all(self.tail.as_flattened())?;
        self.stored += self.tail.len();
        self.tail.clear();
        Ok(())
    }

    /// The row at `index`.
    ///
    /// # Errors
    ///
    /// An I/O error of the temporary file.
    ///
    /// # Panics
    ///
    /// Panics where there is no such row.
    pub fn row(&self, index: usize) -> io::Result<[u8; N]> {
        let mut row = [[0; N]];
        match index.checked_sub(self.stored) {
            Some(index) => row[0] = self.tail[index],
            None => self.read(index, &mut row)?,
        }
        Ok(row[0])
    }

    /// All rows in their order.
    pub fn rows(&self) -> Rows<'_, N> {
        Rows { column: self, next: 0, block: Vec::new(), at: 0 }
    }

    /// Reads stored rows from `index` on.
    fn read(&self, index: usize, rows: &mut [[u8; N]]) -> io::Result<()> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::UnexpectedEof)?;
        read_at(file, rows.as_flattened_mut(), (index * N) as u64)
    }
}

/// The rows of a [`Column`], read in blocks.
///
/// # Examples
///
/// ```
/// use dataset::{Column, Rows};
///
/// let folder = tempfile::tempdir()?;
/// let mut tokens = Column::<2>::new_in(folder.path());
/// for count in [512_u16, 2048, 90] {
///     tokens.push(count.to_le_bytes())?;
/// }
/// let rows: Rows<'_, 2> = tokens.rows();
/// let most = rows.map(|row| row.map(u16::from_le_bytes)).collect::<Result<Vec<_>, _>>()?.into_iter().max();
/// assert_eq!(most, Some(2048));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Rows<'a, const N: usize> {
    column: &'a Column<N>,
    /// The first row behind the block.
    next: usize,
    block: Vec<[u8; N]>,
    /// The next row's place in the block.
    at: usize,
}

impl<const N: usize> Rows<'_, N> {
    /// Takes up the next block, which is empty at the end.
    fn advance(&mut self) -> io::Result<()> {
        let Column { stored, tail, most, .. } = self.column;
        self.at = 0;
        self.block.clear();
        if self.next < *stored {
            self.block.resize((stored - self.next).min(*most), [0; N]);
            self.column.read(self.next, &mut self.block)?;
        } else {
            self.block.extend_from_slice(tail.get(self.next - stored..).unwrap_or(&[]));
        }
        self.next += self.block.len();
        Ok(())
    }
}

impl<const N: usize> Iterator for Rows<'_, N> {
    type Item = io::Result<[u8; N]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.block.len()
            && let Err(error) = self.advance()
        {
            // Nothing comes after an error.
            self.block.clear();
            self.next = self.column.len();
            return Some(Err(error));
        }
        let row = self.block.get(self.at)?;
        self.at += 1;
        Some(Ok(*row))
    }
}

/// Fills `bytes` from `offset` on; on Unix the place where the file is written next stays.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Fills `bytes` from `offset` on; what is written next goes to the end.
#[cfg(not(unix))]
pub(crate) fn read_at(mut file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::Read;
    use std::sync::Mutex;
    // A file has one place, which threads would take from each other.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)?;
    file.seek(SeekFrom::End(0)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_column_is_a_list(rows: Vec<[u8; 3]>, most in 1usize..9) {
            let folder = tempfile::tempdir().unwrap();
            let mut column = Column::with_tail(folder.path(), most);
            for (number, row) in rows.iter().enumerate() {
                proptest::prop_assert_eq!(column.len(), number);
                column.push(*row).unwrap();
                proptest::prop_assert_eq!(column.row(number / 2).unwrap(), rows[number / 2]);
            }
            let read: Vec<[u8; 3]> = column.rows().map(Result::unwrap).collect();
            proptest::prop_assert_eq!(&read, &rows);
            proptest::prop_assert_eq!(column.file.is_some(), rows.len() > most);
            proptest::prop_assert!(column.tail.len() <= most);
        }
    }

    #[test]
    fn a_folder_that_takes_no_file_is_an_error_once_there_are_many_rows() {
        let mut column = Column::<8>::new_in(Path::new("/there/is/no/such/folder"));
        let failed = (0..10_000_u64).position(|number| column.push(number.to_le_bytes()).is_err());
        assert_eq!(failed, Some(TAIL / 8));
        assert_eq!(column.len(), TAIL / 8);
        assert_eq!(column.rows().map(Result::unwrap).last(), Some(4095_u64.to_le_bytes()));
    }
}
