//! The lines of a JSONL file, as bytes.

use std::io::Read;

use crate::extent::Extent;
use crate::frame::Frame;
use crate::window::Window;
use crate::{Error, Limits, Place, Reason};

/// A scan over lines that holds one line at a time; blank lines are passed over.
#[derive(Debug)]
pub(crate) struct LineScanner<R> {
    window: Window<R>,
    limits: Limits,
    index: u64,
    held: usize,
}

impl<R: Read> LineScanner<R> {
    pub(crate) fn new(window: Window<R>, limits: Limits) -> Self {
        Self { window, limits, index: 0, held: 0 }
    }

    /// The next line that is not blank, without its line end.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, Error> {
        // The last line's bytes were lent out until now.
        self.window.consume(std::mem::take(&mut self.held));
        if self.window.skip_white_space()?.is_none() {
            return Ok(None);
        }
        let place =
            Place { index: self.index, line: self.window.line(), offset: self.window.offset() };
        self.index += 1;
        match self.line()? {
            Err(reason) => Ok(Some(Frame::Refused(place, reason))),
            Ok(length) => {
                self.held = length;
                let line = self.window.bytes()[..length].trim_ascii_end();
                let mut extent = Extent::new();
                extent.advance(line);
                Ok(Some(if extent.deepest() > self.limits.depth {
                    Frame::Refused(place, Reason::TooDeep)
                } else {
                    Frame::Json(place, line)
                }))
            }
        }
    }

    /// The length of the line that the window starts with, or why it was passed over.
    fn line(&mut self) -> Result<Result<usize, Reason>, Error> {
        let (mut seen, mut refused) = (0, false);
        loop {
            let found = memchr::memchr(b'\n', &self.window.bytes()[seen..]);
            let length = found.map_or(self.window.bytes().len(), |at| seen + at + 1);
            refused |= length > self.limits.record_bytes;
            seen = length;
            if refused {
                self.window.consume(std::mem::take(&mut seen));
            }
            if found.is_some() || !self.window.more()? {
                return Ok(if refused { Err(Reason::TooLarge) } else { Ok(length) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let limits = Limits { record_bytes: 20, depth: 2 };
        let mut scanner = LineScanner::new(Window::new(text.as_bytes()), limits);
        let mut lines = String::new();
        while let Some(frame) = scanner.next().unwrap() {
            let line = match frame {
                Frame::Json(place, bytes) => {
                    let text = String::from_utf8_lossy(bytes);
                    format!("{place}, byte {}: {text:?}\n", place.offset)
                }
                other => format!("{other:?}\n"),
            };
            lines += &line;
        }
        lines
    }

    #[test]
    fn lines_end_in_any_way_and_blank_ones_do_not_count() {
        insta::assert_snapshot!(check("{}\n\r\n  {\"a\": 1}\r\n\n\n[2]"), @r#"
        index 0, line 1, byte 0: "{}"
        index 1, line 3, byte 7: "{\"a\": 1}"
        index 2, line 6, byte 19: "[2]"
        "#);
    }

    #[test]
    fn a_line_beyond_the_limits_is_passed_over() {
        insta::assert_snapshot!(check(&format!("1\n\"{}\"\n[[[]]]\n2\n{}", "x".repeat(40), "y".repeat(21))), @r#"
        index 0, line 1, byte 0: "1"
        Refused(Place { index: 1, line: 2, offset: 2 }, TooLarge)
        Refused(Place { index: 2, line: 3, offset: 45 }, TooDeep)
        index 3, line 4, byte 52: "2"
        Refused(Place { index: 4, line: 5, offset: 54 }, TooLarge)
        "#);
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let endless = std::io::repeat(b'x').take(50 << 20);
        let limits = Limits { record_bytes: 1 << 20, depth: 3 };
        let mut scanner = LineScanner::new(Window::new(endless), limits);
        assert!(matches!(scanner.next(), Ok(Some(Frame::Refused(_, Reason::TooLarge)))));
        assert!(scanner.window.capacity() < 3 << 20);
    }
}
