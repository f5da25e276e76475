//! How far a JSON value reaches, found without parsing it.

/// What stands at the end of what was seen of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Structure,
    Text,
    Escape,
}

/// The progress of a scan for the end of one JSON value.
///
/// It finds the end of every valid value. Of an invalid one it finds some end or none, and the parser will refuse what
/// it finds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    inside: Inside,
    depth: usize,
    deepest: usize,
}

impl Extent {
    pub(crate) fn new() -> Self {
        Self { inside: Inside::Structure, depth: 0, deepest: 0 }
    }

    /// The greatest number of objects and arrays around a byte seen so far.
    pub(crate) fn deepest(&self) -> usize {
        self.deepest
    }

    /// Goes on over `bytes`: the number of them that belong to the value if it ends here, else `None`.
    ///
    /// A value that is no object, array or string ends before the byte that ends it, so that `Some(0)` is possible.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.inside {
                Inside::Escape => self.inside = Inside::Text,
                Inside::Text => {
                    at += memchr::memchr2(b'"', b'\\', &bytes[at..])?;
                    if bytes[at] == b'\\' {
                        self.inside = Inside::Escape;
                    } else {
                        self.inside = Inside::Structure;
                        if self.depth == 0 {
                            return Some(at + 1);
                        }
                    }
                }
                Inside::Structure => {
                    if let Some(length) = self.structure(byte, at) {
                        return Some(length);
                    }
                }
            }
            at += 1;
        }
        None
    }

    fn structure(&mut self, byte: u8, at: usize) -> Option<usize> {
        match byte {
            b'"' => self.inside = Inside::Text,
            b'{' | b'[' => {
                self.depth += 1;
                self.deepest = self.deepest.max(self.depth);
            }
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 {
                    return Some(at + 1);
                }
            }
            b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' if self.depth == 0 => {
                return Some(at);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value at the start of `text`, found in pieces of `size` bytes.
    fn check(text: &str, size: usize) -> Option<&str> {
        let mut extent = Extent::new();
        let mut done = 0;
        for piece in text.as_bytes().chunks(size) {
            if let Some(length) = extent.advance(piece) {
                return Some(&text[..done + length]);
            }
            done += piece.len();
        }
        None
    }

    #[test]
    fn the_end_of_a_value_is_found_in_pieces_of_any_size() {
        for size in 1..9 {
            assert_eq!(
                check(r#"{"a": "}\"]", "b": [1, {}]}, 2"#, size),
                Some(r#"{"a": "}\"]", "b": [1, {}]}"#)
            );
            assert_eq!(check(r#""a\\", 1"#, size), Some(r#""a\\""#));
            assert_eq!(check("12.5e3]", size), Some("12.5e3"));
            assert_eq!(check("null ,", size), Some("null"));
            assert_eq!(check(r#"{"a": "b"#, size), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_value_that_serde_json_wrote_ends_where_it_was_written(text in ".*", depth in 0usize..9, size in 1usize..40) {
            let value = (0..depth).fold(serde_json::json!(text), |inner, _| serde_json::json!([{ "k\"": inner }, 1]));
            let json = value.to_string();
            let followed = format!("{json},");
            proptest::prop_assert_eq!(check(&followed, size), Some(json.as_str()));
        }
    }
}
