//! A sliding window over a byte stream, which knows its offset and line.

use std::io::Read;

use crate::Error;

/// How many bytes one read asks for.
const BLOCK: usize = 256 << 10;

/// The bytes of a stream that were read and not yet consumed.
#[derive(Debug)]
pub(crate) struct Window<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
    line: u64,
    ended: bool,
}

impl<R: Read> Window<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, end: 0, offset: 0, line: 1, ended: false }
    }

    /// What was read and not yet consumed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The offset of the first of [`bytes`](Self::bytes).
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The line of the first of [`bytes`](Self::bytes).
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Reads more behind [`bytes`](Self::bytes), which keep their content; `false` when the stream has ended.
    pub(crate) fn more(&mut self) -> Result<bool, Error> {
        if self.ended {
            return Ok(false);
        }
        self.make_room();
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    self.ended = count == 0;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let unread = (self.end - self.start) as u64;
                    return Err(Error::Read { offset: self.offset + unread, source });
                }
            }
        }
    }

    /// Takes the first `count` of [`bytes`](Self::bytes) away.
    pub(crate) fn consume(&mut self, count: usize) {
        let taken = &self.buffer[self.start..self.start + count];
        self.line += memchr::memchr_iter(b'\n', taken).count() as u64;
        self.offset += count as u64;
        self.start += count;
    }

    /// The first byte that is not white space, which stays unconsumed; `None` at the end.
    pub(crate) fn skip_white_space(&mut self) -> Result<Option<u8>, Error> {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
    }

    /// The first byte that ends no line, which stays unconsumed; `None` at the end.
    pub(crate) fn skip_line_ends(&mut self) -> Result<Option<u8>, Error> {
        self.skip_while(|byte| matches!(byte, b'\n' | b'\r'))
    }

    /// Reads until the first line, its end included, is in [`bytes`](Self::bytes), or `limit` bytes are.
    pub(crate) fn fill_line(&mut self, limit: usize) -> Result<(), Error> {
        let mut seen = 0;
        while memchr::memchr(b'\n', &self.bytes()[seen..]).is_none() {
            seen = self.bytes().len();
            if seen >= limit || !self.more()? {
                break;
            }
        }
        Ok(())
    }

    /// What the window can hold at present.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// The stream behind the window.
    pub(crate) fn reader(&self) -> &R {
        &self.reader
    }

    fn skip_while(&mut self, skipped: impl Fn(u8) -> bool) -> Result<Option<u8>, Error> {
        loop {
            let count = self.bytes().iter().take_while(|&&byte| skipped(byte)).count();
            self.consume(count);
            if let Some(&byte) = self.bytes().first() {
                return Ok(Some(byte));
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// Consumes a UTF-8 byte order mark at the start of the stream; other encodings' marks are an error.
    pub(crate) fn skip_mark(&mut self) -> Result<(), Error> {
        while self.bytes().len() < 3 && self.more()? {}
        match self.bytes() {
            [0xEF, 0xBB, 0xBF, ..] => self.consume(3),
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
                return Err(Error::Encoding { encoding: "UTF-16" });
            }
            _ => {}
        }
        Ok(())
    }

    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < BLOCK / 2 {
            self.buffer.resize(self.end + BLOCK, 0);
        }
    }
}
