//! Examples on disk until it is known which file each belongs to.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{ScopedJoinHandle, scope};

use crate::column::read_at;
use crate::output::{FileError, Finished, Output, Written, commit};
use crate::{Example, Split};

/// Examples as JSONL lines in an unnamed temporary file; little more than 4 bytes of memory an example.
///
/// # Examples
///
/// ```
/// use dataset::{Example, Fraction, Message, Role, Spool, split};
///
/// let folder = tempfile::tempdir()?;
/// let (train, valid) = (folder.path().join("train.jsonl"), folder.path().join("valid.jsonl"));
/// let mut spool = Spool::new_in(folder.path())?;
/// assert!(spool.is_empty());
/// for number in 0..60 {
///     let message = |role, content: String| Message { role, content };
///     let messages = [message(Role::User, format!("{number}?")), message(Role::Assistant, "So.".to_owned())];
///     spool.push(&Example { messages: messages.to_vec() })?;
/// }
/// assert_eq!(spool.example(59)?.messages[0].content, "59?");
/// let split = split(spool.len(), Fraction::TENTH, 42);
/// let files = spool.write(&split, &train, &valid)?;
/// assert_eq!((files.train.lines, files.valid.map(|valid| valid.lines)), (54, Some(6)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Spool {
    file: BufWriter<File>,
    places: Places,
}

/// Where each line stands.
#[derive(Debug, Default)]
struct Places {
    lengths: Vec<u32>,
    /// Where every [`GROUP`]th line starts.
    starts: Vec<u64>,
    /// Where the last line ends.
    end: u64,
}

/// How many lengths may have to be added up to find a line.
const GROUP: usize = 64;

impl Places {
    fn push(&mut self, length: u32) {
        if self.lengths.len().is_multiple_of(GROUP) {
            self.starts.push(self.end);
        }
        self.lengths.push(length);
        self.end += u64::from(length);
    }

    /// Where the line at `index` starts, and how long it is.
    fn of(&self, index: usize) -> (u64, u32) {
        let group = index / GROUP;
        let before = self.lengths[group * GROUP..index].iter().map(|&length| u64::from(length));
        (self.starts[group] + before.sum::<u64>(), self.lengths[index])
    }
}

/// The lines of a spool, where they are to be read again.
#[derive(Clone, Copy)]
struct Lines<'a> {
    file: &'a File,
    places: &'a Places,
}

/// How many bytes are read before they are passed on.
const BLOCK: usize = 256 << 10;

/// The two files that were put in place.
///
/// # Examples
///
/// ```
/// use dataset::{Fraction, Spool, split};
///
/// let folder = tempfile::tempdir()?;
/// let [train, valid] = ["train.jsonl", "valid.jsonl"].map(|name| folder.path().join(name));
/// std::fs::write(&valid, "of an earlier run\n")?;
/// let mut spool = Spool::new_in(folder.path())?;
/// spool.push_line(b"{\"messages\":[]}\n")?;
/// // One example alone is for training, and no old validation file is left to be taken for this run's.
/// let files = spool.write(&split(1, Fraction::TENTH, 42), &train, &valid)?;
/// assert_eq!((files.train.lines, files.valid, files.removed_valid), (1, None, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The training file.
    pub train: Written,
    /// The validation file, where the split has one.
    pub valid: Option<Written>,
    /// Whether a validation file of an earlier run was removed.
    pub removed_valid: bool,
}

impl Spool {
    /// An empty spool in `folder`, which should be on the disk that the output goes to.
    ///
    /// The file has no name where the operating system allows that, so that nothing is left behind by a killed process.
    ///
    /// # Errors
    ///
    /// [`FileError`] when the folder does not exist or takes no file.
    pub fn new_in(folder: &Path) -> Result<Self, FileError> {
        let file = tempfile::tempfile_in(folder).map_err(|e| FileError::new(folder, e))?;
        Ok(Self { file: BufWriter::with_capacity(256 << 10, file), places: Places::default() })
    }

    /// How many examples it holds.
    pub fn len(&self) -> usize {
        self.places.lengths.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.places.lengths.is_empty()
    }

    /// Adds `example` as the next line.
    ///
    /// # Errors
    ///
    /// An I/O error, such as a full disk.
    pub fn push(&mut self, example: &Example) -> std::io::Result<()> {
        self.push_line(&example.to_line())
    }

    /// Adds an example by its [line](Example::to_line).
    ///
    /// # Examples
    ///
    /// ```
    /// use dataset::{Example, Spool};
    ///
    /// let example: Example = serde_json::from_str(r#"{"messages": [{"role": "user", "content": "Why?"}]}"#)?;
    /// // The line can be made on another thread than the one that owns the spool.
    /// let line = example.to_line();
    /// let mut spool = Spool::new_in(&std::env::temp_dir())?;
    /// spool.push_line(&line)?;
    /// assert_eq!(spool.example(0)?, example);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An I/O error, such as a full disk.
    pub fn push_line(&mut self, line: &[u8]) -> std::io::Result<()> {
        let length = u32::try_from(line.len()).map_err(std::io::Error::other)?;
        self.file.write_all(line)?;
        self.places.push(length);
        Ok(())
    }

    /// Writes the examples of `split` to `train` and `valid`; both files appear, or neither.
    ///
    /// Without validation examples a file at `valid` is removed, so that no earlier run's file is taken for this one's.
    ///
    /// # Errors
    ///
    /// [`FileError`] when a file cannot be written or put in place; both paths are then as they were before.
    pub fn write(mut self, split: &Split, train: &Path, valid: &Path) -> Result<Files, FileError> {
        let both = [(&split.train[..], train), (&split.valid[..], valid)];
        let parts = if split.valid.is_empty() { &both[..1] } else { &both };
        let files = self.copies(parts)?;
        let removals: &[&Path] = if split.valid.is_empty() { &[valid] } else { &[] };
        let removed_valid = split.valid.is_empty() && valid.exists();
        let mut written = commit(files, removals)?;
        let second = written.split_off(1).pop();
        Ok(Files { train: written.remove(0), valid: second, removed_valid })
    }

    /// Writes the examples of each part to a file that is meant for its path, not yet in place; all parts side by side.
    ///
    /// # Examples
    ///
    /// ```
    /// use dataset::{Spool, commit};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("sample.jsonl");
    /// let mut spool = Spool::new_in(folder.path())?;
    /// for question in ["Scurvy?", "Rickets?", "Pellagra?"] {
    ///     spool.push_line(format!("{question}\n").as_bytes())?;
    /// }
    /// let sample = spool.copies(&[(&[2, 0], &path)])?;
    /// commit(sample, &[])?;
    /// assert_eq!(std::fs::read_to_string(&path)?, "Pellagra?\nScurvy?\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`FileError`] of the first part whose file cannot be written.
    pub fn copies(&mut self, parts: &[(&[u32], &Path)]) -> Result<Vec<Finished>, FileError> {
        let flushed = self.file.flush();
        if let (Err(error), Some((_, path))) = (flushed, parts.first()) {
            return Err(FileError::new(path, error));
        }
        let lines = Lines { file: self.file.get_ref(), places: &self.places };
        scope(|scope| {
            let copy = |&(indices, path)| scope.spawn(move || lines.copy(indices, path));
            let threads: Vec<_> = parts.iter().map(copy).collect();
            let ended = |thread: ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            threads.into_iter().map(ended).collect()
        })
    }

    /// The example at `index` again.
    ///
    /// # Errors
    ///
    /// An I/O error of the temporary file.
    pub fn example(&mut self, index: usize) -> std::io::Result<Example> {
        self.file.flush()?;
        let (start, length) = self.places.of(index);
        let mut line = vec![0; length as usize];
        read_at(self.file.get_ref(), &mut line, start)?;
        Ok(serde_json::from_slice(&line)?)
    }
}

/// Bytes that are read, in room that is used again without being cleared.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    filled: usize,
}

impl Block {
    fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Room for `length` bytes more, which count as filled.
    fn extend(&mut self, length: usize) -> &mut [u8] {
        let start = self.filled;
        self.filled += length;
        if self.bytes.len() < self.filled {
            self.bytes.resize(self.filled.max(BLOCK), 0);
        }
        &mut self.bytes[start..self.filled]
    }
}

impl Lines<'_> {
    /// Writes the lines at `indices` to a file that is meant for `path`.
    fn copy(self, indices: &[u32], path: &Path) -> Result<Finished, FileError> {
        let mut output = Output::create(path)?;
        // One thread reads ahead while this one hashes and writes, and takes back the blocks that are written.
        let (sender, blocks) = sync_channel::<std::io::Result<Block>>(2);
        let (giver, spares) = sync_channel(4);
        scope(|scope| {
            scope.spawn(move || self.send(indices, &sender, &spares));
            // Consumed, so that the reader is not waited for when a block cannot be written.
            blocks.into_iter().try_for_each(|block| {
                let block = block?;
                output.write_all(block.filled())?;
                // Where nobody takes it, there is enough of them.
                let _ = giver.try_send(block);
                Ok(())
            })
        })
        .map_err(|error| FileError::new(path, error))?;
        output.finish()
    }

    /// Sends the lines at `indices` in blocks until the last one, an error, or until nobody listens.
    fn send(
        self,
        indices: &[u32],
        blocks: &SyncSender<std::io::Result<Block>>,
        spares: &Receiver<Block>,
    ) {
        let mut block = Block::default();
        for &index in indices {
            if let Err(error) = self.push(index as usize, &mut block) {
                let _ = blocks.send(Err(error));
                return;
            }
            if block.filled >= BLOCK {
                let mut next = spares.try_recv().unwrap_or_default();
                next.filled = 0;
                if blocks.send(Ok(std::mem::replace(&mut block, next))).is_err() {
                    return;
                }
            }
        }
        let _ = blocks.send(Ok(block));
    }

    /// Appends the line at `index` to `block`.
    fn push(self, index: usize, block: &mut Block) -> std::io::Result<()> {
        let (start, length) = self.places.of(index);
        read_at(self.file, block.extend(length as usize), start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message, Role};

    fn spool(folder: &Path, count: usize) -> Spool {
        let mut spool = Spool::new_in(folder).unwrap();
        for index in 0..count {
            let message = Message { role: Role::User, content: format!("1{}", "0".repeat(index)) };
            spool.push(&Example { messages: vec![message] }).unwrap();
        }
        spool
    }

    /// Every file of the folder with its content.
    fn listing(folder: &Path) -> String {
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let show = |path: std::path::PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "(folder)\n".to_owned());
            format!("{name}: {text}")
        };
        files.into_iter().map(show).collect()
    }

    #[test]
    fn every_line_is_found_again() {
        let mut places = Places::default();
        let lengths = (0..1000_u32).map(|number| number * number % 777);
        let mut start = 0;
        let expected: Vec<(u64, u32)> = lengths
            .map(|length| {
                places.push(length);
                start += u64::from(length);
                (start - u64::from(length), length)
            })
            .collect();
        assert!((0..1000).map(|index| places.of(index)).eq(expected));
    }

    #[test]
    fn both_files_hold_their_lines_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let [train, valid] = ["t.jsonl", "v.jsonl"].map(|name| folder.path().join(name));
        std::fs::write(&train, "old").unwrap();
        let split = Split { train: vec![2, 0], valid: vec![1] };
        let files = spool(folder.path(), 3).write(&split, &train, &valid).unwrap();
        insta::assert_snapshot!(listing(folder.path()), @r#"
        t.jsonl: {"messages":[{"role":"user","content":"100"}]}
        {"messages":[{"role":"user","content":"1"}]}
        v.jsonl: {"messages":[{"role":"user","content":"10"}]}
        "#);
        assert_eq!(
            (files.train.lines, files.train.bytes),
            (2, std::fs::metadata(&train).unwrap().len())
        );
        assert_eq!(
            files.valid.unwrap().sha256,
            "95cd06422955e4c9f992d50e4599851ef0c54aaacece18db492607845467d0bd"
        );
    }

    #[test]
    fn without_validation_examples_an_earlier_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        let [train, valid] = ["t.jsonl", "v.jsonl"].map(|name| folder.path().join(name));
        std::fs::write(&valid, "old").unwrap();
        let split = Split { train: vec![0], valid: vec![] };
        let files = spool(folder.path(), 1).write(&split, &train, &valid).unwrap();
        assert!(files.removed_valid && files.valid.is_none());
        assert!(listing(folder.path()).starts_with("t.jsonl: {"));
        assert!(!valid.exists());
    }

    #[test]
    fn a_failure_leaves_both_paths_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let [train, valid] = ["t.jsonl", "v.jsonl"].map(|name| folder.path().join(name));
        std::fs::write(&train, "old\n").unwrap();
        std::fs::create_dir(&valid).unwrap();
        let before = listing(folder.path());
        let both = Split { train: vec![0], valid: vec![1] };
        let error = spool(folder.path(), 2).write(&both, &train, &valid).unwrap_err();
        assert!(error.path == valid && before == listing(folder.path()), "{error:?}");
        // Here the training file is in place already when the removal fails.
        let one = Split { train: vec![0], valid: vec![] };
        let error = spool(folder.path(), 2).write(&one, &train, &valid).unwrap_err();
        assert!(error.path == valid && before == listing(folder.path()), "{error:?}");
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no");
        assert_eq!(Spool::new_in(&missing).unwrap_err().path, missing);
        let split = Split { train: vec![0], valid: vec![] };
        let train = missing.join("t.jsonl");
        assert_eq!(
            spool(folder.path(), 1).write(&split, &train, &missing).unwrap_err().path,
            train
        );
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_a_running_ones_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let train = folder.path().join("t.jsonl");
        let running = Output::create(&train).unwrap();
        std::fs::write(folder.path().join(".t.jsonl.abc123.tmp"), "half").unwrap();
        std::fs::write(folder.path().join(".t.jsonl.mine.tmp"), "another's").unwrap();
        let split = Split { train: vec![0], valid: vec![] };
        spool(folder.path(), 1).write(&split, &train, &folder.path().join("v.jsonl")).unwrap();
        let names = listing(folder.path());
        assert!(!names.contains("half") && names.contains("another's"), "{names}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "{names}");
        commit(vec![running.finish().unwrap()], &[]).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_a_device_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [train, link] = ["t.jsonl", "link.jsonl"].map(|name| folder.path().join(name));
        std::fs::write(&train, "old").unwrap();
        std::os::unix::fs::symlink(&train, &link).unwrap();
        let split = Split { train: vec![0], valid: vec![] };
        spool(folder.path(), 1).write(&split, &link, &folder.path().join("v.jsonl")).unwrap();
        assert!(link.is_symlink() && std::fs::read_to_string(&train).unwrap().starts_with('{'));
        let null = Path::new("/dev/null");
        assert!(Output::create(null).is_err());
    }
}
