//! JSON values out of a byte stream.

use std::io::Read;

use crate::format::{JsonEntry, Scanner};
use crate::{Error, FieldNames, Limits};

/// An iterator over the values of JSON lines or of a JSON array, each with its place.
///
/// It holds one of them at a time. A value that cannot be read is an item that says why; an [`Error`] ends the
/// iterator.
///
/// # Examples
///
/// ```
/// use dataset::{JsonReader, Limits};
///
/// let problems = r#"{"question": "Which vitamin prevents scurvy?", "answer": "C"}
/// {"question": "Which vitamin prevents rickets?", "answer": "D"}"#;
/// let mut answers = String::new();
/// for entry in JsonReader::new(problems.as_bytes(), Limits::default()) {
///     let (place, value) = entry?;
///     answers += &format!("{}:{} ", place.line, value.expect("it is JSON")["answer"]);
/// }
/// assert_eq!(answers, r#"1:"C" 2:"D" "#);
/// # Ok::<(), dataset::Error>(())
/// ```
#[derive(Debug)]
pub struct JsonReader<R> {
    state: Option<State<R>>,
    limits: Limits,
}

#[derive(Debug)]
enum State<R> {
    Unread(R),
    Reading(Box<Scanner<R>>),
}

impl<R: Read> JsonReader<R> {
    /// A reader of `input`, compressed or not.
    pub fn new(input: R, limits: Limits) -> Self {
        Self { state: Some(State::Unread(input)), limits }
    }

    fn read(&mut self) -> Result<Option<JsonEntry>, Error> {
        let mut scanner = match self.state.take() {
            None => return Ok(None),
            Some(State::Reading(scanner)) => scanner,
            Some(State::Unread(input)) => {
                Box::new(Scanner::open(input, self.limits, &FieldNames::default())?.0)
            }
        };
        let entry = scanner.next_json()?;
        self.state = entry.is_some().then_some(State::Reading(scanner));
        Ok(entry)
    }
}

impl<R: Read> Iterator for JsonReader<R> {
    type Item = Result<JsonEntry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
