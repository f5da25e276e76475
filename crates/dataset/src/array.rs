//! The elements of one JSON array, as bytes.

use std::io::Read;

use crate::extent::Extent;
use crate::frame::Frame;
use crate::window::Window;
use crate::{Error, Limits, Place, Reason};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    AfterElement,
    Ended,
}

/// A scan over a JSON array's elements that holds one element at a time.
#[derive(Debug)]
pub(crate) struct ArrayScanner<R> {
    window: Window<R>,
    limits: Limits,
    state: State,
    index: u64,
    held: usize,
}

impl<R: Read> ArrayScanner<R> {
    pub(crate) fn new(window: Window<R>, limits: Limits) -> Self {
        Self { window, limits, state: State::Start, index: 0, held: 0 }
    }

    /// The next element, or `None` after the last one and nothing behind the array.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, Error> {
        // The last element's bytes were lent out until now.
        self.window.consume(std::mem::take(&mut self.held));
        if !self.find_element()? {
            self.state = State::Ended;
            return Ok(None);
        }
        let place =
            Place { index: self.index, line: self.window.line(), offset: self.window.offset() };
        self.index += 1;
        self.state = State::AfterElement;
        match self.element(place)? {
            Ok(length) => {
                self.held = length;
                Ok(Some(Frame::Json(place, &self.window.bytes()[..length])))
            }
            Err(reason) => Ok(Some(Frame::Refused(place, reason))),
        }
    }

    /// Stands before the next element, or says that there is none.
    fn find_element(&mut self) -> Result<bool, Error> {
        let first = match self.state {
            State::Ended => return Ok(false),
            State::Start => true,
            State::AfterElement => false,
        };
        if first {
            self.open()?;
        }
        match self.window.skip_white_space()? {
            Some(b']') => return self.close(),
            Some(b',') if !first => self.window.consume(1),
            Some(_) if first => return Ok(true),
            Some(_) => return Err(self.unexpected("`,` or `]`")),
            None => return Err(self.cut_short()),
        }
        match self.window.skip_white_space()? {
            Some(b',' | b']' | b'}') => Err(self.unexpected("a record")),
            Some(_) => Ok(true),
            None => Err(self.cut_short()),
        }
    }

    fn open(&mut self) -> Result<(), Error> {
        match self.window.skip_white_space()? {
            Some(b'[') => {
                self.window.consume(1);
                Ok(())
            }
            Some(_) => Err(self.unexpected("`[`")),
            None => Err(Error::Empty),
        }
    }

    fn close(&mut self) -> Result<bool, Error> {
        self.window.consume(1);
        match self.window.skip_white_space()? {
            Some(_) => Err(self.unexpected("nothing after the array")),
            None => Ok(false),
        }
    }

    /// The length of the element that the window starts with, or why it was passed over.
    fn element(&mut self, place: Place) -> Result<Result<usize, Reason>, Error> {
        let mut extent = Extent::new();
        let (mut seen, mut refused) = (0, None);
        loop {
            let found = extent.advance(&self.window.bytes()[seen..]);
            let length = found.map_or(self.window.bytes().len(), |length| seen + length);
            if refused.is_none() && length > self.limits.record_bytes {
                refused = Some(Reason::TooLarge);
            }
            if refused.is_none() && extent.deepest() > self.limits.depth {
                refused = Some(Reason::TooDeep);
            }
            seen = length;
            if let Some(reason) = refused {
                self.window.consume(std::mem::take(&mut seen));
                if found.is_some() {
                    return Ok(Err(reason));
                }
            } else if found.is_some() {
                return Ok(Ok(length));
            }
            if !self.window.more()? {
                return Err(Error::CutShort { place });
            }
        }
    }

    fn unexpected(&self, expected: &'static str) -> Error {
        Error::Syntax {
            line: self.window.line(),
            offset: self.window.offset(),
            expected,
            records: self.index,
        }
    }

    fn cut_short(&self) -> Error {
        let place =
            Place { index: self.index, line: self.window.line(), offset: self.window.offset() };
        Error::CutShort { place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives a few bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn scan(bytes: &[u8], step: usize) -> String {
        let limits = Limits { record_bytes: 40, depth: 3 };
        let mut scanner = ArrayScanner::new(Window::new(Drip(bytes, step)), limits);
        let mut lines = String::new();
        loop {
            let line = match scanner.next() {
                Ok(Some(Frame::Json(place, bytes))) => {
                    format!("{place}, byte {}: {}\n", place.offset, String::from_utf8_lossy(bytes))
                }
                Ok(Some(Frame::Refused(place, reason))) => format!("{place}: {}\n", reason.code()),
                Ok(Some(other)) => format!("{other:?}\n"),
                Ok(None) => return lines + "end",
                Err(error) => return format!("{lines}{error}"),
            };
            lines += &line;
        }
    }

    fn check(text: &str) -> String {
        let whole = scan(text.as_bytes(), usize::MAX);
        for step in 1..5 {
            assert_eq!(scan(text.as_bytes(), step), whole, "in steps of {step}");
        }
        whole
    }

    #[test]
    fn elements_come_with_their_places() {
        insta::assert_snapshot!(check("\u{feff} [\n{\"a\": \"]\"},\r\n  7 , \"x\",[\n\n[]], null]\n"), @"line 1, byte 0: expected `[` (0 read before)");
        insta::assert_snapshot!(check("[]"), @"end");
    }

    #[test]
    fn an_element_beyond_the_limits_is_passed_over() {
        let large = format!(r#"[{{"a": "{}"}}, [[[[1]]]], 2]"#, "x".repeat(40));
        insta::assert_snapshot!(check(&large), @r"
        index 0, line 1: too_large
        index 1, line 1: too_deep
        index 2, line 1, byte 63: 2
        end
        ");
    }

    #[test]
    fn a_broken_array_ends_the_scan_with_its_place() {
        insta::assert_snapshot!(check(""), @"holds no data");
        insta::assert_snapshot!(check("{}"), @"line 1, byte 0: expected `[` (0 read before)");
        insta::assert_snapshot!(check("[1\n2]"), @r#"
        index 0, line 1, byte 1: 1
        line 2, byte 3: expected `,` or `]` (1 read before)
        "#);
        insta::assert_snapshot!(check("[1,]"), @r#"
        index 0, line 1, byte 1: 1
        line 1, byte 3: expected a record (1 read before)
        "#);
        insta::assert_snapshot!(check("[1]\n[2]"), @r#"
        index 0, line 1, byte 1: 1
        line 2, byte 4: expected nothing after the array (1 read before)
        "#);
        insta::assert_snapshot!(check("[1,\n{\"a\": 2"), @r"
        index 0, line 1, byte 1: 1
        index 1, line 2: the input ends before the record does, so the file is cut short or a quote is missing
        ");
        insta::assert_snapshot!(check("[1,"), @r"
        index 0, line 1, byte 1: 1
        index 1, line 1: the input ends before the record does, so the file is cut short or a quote is missing
        ");
        insta::assert_snapshot!(scan(b"\xff\xfe[\0]\0", 2), @"line 1, byte 0: expected `[` (0 read before)");
    }

    #[test]
    fn an_element_without_end_takes_no_memory() {
        let endless = std::io::repeat(b'x').take(50 << 20);
        let limits = Limits { record_bytes: 1 << 20, depth: 3 };
        let mut scanner = ArrayScanner::new(Window::new((&b"[\""[..]).chain(endless)), limits);
        assert!(matches!(scanner.next(), Err(Error::CutShort { .. })));
        assert!(scanner.window.bytes().len() < 2 << 20);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text in "\\[[{}\\[\\]\",:\\\\u0a ]*", step in 1usize..9) {
            scan(&bytes, step);
            scan(text.as_bytes(), step);
        }
    }
}
