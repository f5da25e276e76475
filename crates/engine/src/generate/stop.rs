//! Text up to a stop text that may come in pieces.

/// Passes text on as soon as it cannot be the beginning of a stop text.
#[derive(Debug)]
pub(super) struct StopFilter {
    stops: Vec<String>,
    held: String,
    stopped: bool,
}

impl StopFilter {
    /// A filter for these texts; empty ones stop nothing.
    pub(super) fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { stops, held: String::new(), stopped: false }
    }

    /// What is certain now that `piece` came, and whether a stop text came with it.
    pub(super) fn push(&mut self, piece: &str) -> (String, bool) {
        if self.stopped {
            return (String::new(), true);
        }
        self.held.push_str(piece);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(&stop[..])).min() {
            self.stopped = true;
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let rest = self.held.split_off(self.held.len() - self.beginning());
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back, where no more text comes.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// The length of the longest end of the held text that is the beginning of a stop text.
    fn beginning(&self) -> usize {
        let lengths = self.stops.iter().map(|stop| {
            let ends = stop.char_indices().map(|(at, _)| at).rev();
            let mut ends = ends.filter(|at| self.held.ends_with(&stop[..*at]));
            ends.next().unwrap_or(0)
        });
        lengths.max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(stops: &[&str], pieces: &[&str]) -> Vec<String> {
        let stops: Vec<String> = stops.iter().map(ToString::to_string).collect();
        let mut filter = StopFilter::new(&stops);
        let mut out: Vec<String> = pieces.iter().map(|piece| filter.push(piece).0).collect();
        out.push(filter.finish());
        out
    }

    #[test]
    fn a_stop_text_in_pieces_is_never_shown() {
        assert_eq!(pieces(&["END"], &["a E", "N", "D b"]), ["a ", "", "", ""]);
        assert_eq!(pieces(&["END"], &["a E", "Nx", " b"]), ["a ", "ENx", " b", ""]);
        assert_eq!(pieces(&["END"], &["a EN"]), ["a ", "EN"]);
        assert_eq!(pieces(&["ééx"], &["é", "é", "é", "x"]), ["", "", "é", "", ""]);
    }

    #[test]
    fn the_first_of_several_stop_texts_counts() {
        assert_eq!(pieces(&["b", "ab"], &["xab"]), ["x", ""]);
        assert_eq!(pieces(&["", "\n\n"], &["x\n", "\ny"]), ["x", "", ""]);
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_text_gives(
            text in proptest::collection::vec("[ab]{0,3}", 0..8),
            stops in proptest::collection::vec("[ab]{1,4}", 0..3),
        ) {
            let whole = text.concat();
            let end = stops.iter().filter_map(|stop| whole.find(stop.as_str())).min();
            let mut filter = StopFilter::new(&stops);
            let mut found = String::new();
            for piece in &text {
                let (more, stopped) = filter.push(piece);
                found.push_str(&more);
                if stopped {
                    break;
                }
            }
            found.push_str(&filter.finish());
            // A stop text that ends earlier wins over one that begins earlier, because text is final once it is out.
            match end {
                None => prop_assert_eq!(found, whole),
                Some(at) => {
                    prop_assert!(whole.starts_with(&found));
                    prop_assert!(found.len() >= at);
                    prop_assert!(stops.iter().all(|stop| !found.contains(stop.as_str())));
                }
            }
        }
    }
}
