//! The words of the records, so that a service's own words can be shown without what it repeats of them.

/// So many words in a row are taken for a record's; fewer are everybody's.
const RUN: usize = 4;
/// Bits of the filter for a byte of text, between its least and its greatest size.
const BITS_A_BYTE: u64 = 8;
const LEAST_BITS: u64 = 1 << 16;
/// 16 MB, however large the files are.
const MOST_BITS: u64 = 1 << 27;
/// Bits set for each run of words.
const MARKS: u64 = 3;

/// A filter that knows every run of four words of the records, and takes about one strange run in a hundred for known.
pub(crate) struct Words {
    bits: Vec<u64>,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Words(..)")
    }
}

impl Words {
    /// A filter for about `bytes` of text.
    pub(crate) fn for_bytes(bytes: u64) -> Self {
        let bits = (bytes.saturating_mul(BITS_A_BYTE)).clamp(LEAST_BITS, MOST_BITS);
        let length = bits.next_power_of_two() / 64;
        Self { bits: vec![0; usize::try_from(length).unwrap_or(usize::MAX)] }
    }

    /// Adds a record's text.
    pub(crate) fn add(&mut self, text: &str) {
        let hashes: Vec<u64> = spans(text).map(|span| hash(&text[span])).collect();
        for run in hashes.windows(RUN) {
            for place in self.places(run) {
                self.bits[place / 64] |= 1 << (place % 64);
            }
        }
    }

    /// `text` with `[...]` in the place of whatever runs of words stand in the records as well.
    pub(crate) fn cleaned(&self, text: &str) -> String {
        let spans: Vec<_> = spans(text).collect();
        let hashes: Vec<u64> = spans.iter().map(|span| hash(&text[span.clone()])).collect();
        let mut known = vec![false; spans.len()];
        for (start, run) in hashes.windows(RUN).enumerate() {
            if self.places(run).all(|place| self.bits[place / 64] & 1 << (place % 64) != 0) {
                known[start..start + RUN].fill(true);
            }
        }
        let (mut clean, mut from, mut at) = (String::new(), 0, 0);
        while at < spans.len() {
            if !known[at] {
                at += 1;
                continue;
            }
            clean.push_str(&text[from..spans[at].start]);
            clean.push_str("[...]");
            while at < spans.len() && known[at] {
                from = spans[at].end;
                at += 1;
            }
        }
        clean.push_str(&text[from..]);
        clean
    }

    fn places(&self, run: &[u64]) -> impl Iterator<Item = usize> + use<> {
        let size = self.bits.len() as u64 * 64;
        let whole = run.iter().fold(0_u64, |whole, hash| mixed(whole.rotate_left(23) ^ hash));
        (1..=MARKS).map(move |mark| {
            usize::try_from(
                mixed(whole.wrapping_add(mark.wrapping_mul(0x9E37_79B9_7F4A_7C15))) % size,
            )
            .unwrap_or_default()
        })
    }
}

/// The places of the words of `text`: runs of letters and digits, of whatever script.
fn spans(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        while rest.next_if(|(_, c)| !c.is_alphanumeric()).is_some() {}
        let (start, first) = rest.next()?;
        let mut end = start + first.len_utf8();
        while let Some((at, c)) = rest.next_if(|(_, c)| c.is_alphanumeric()) {
            end = at + c.len_utf8();
        }
        Some(start..end)
    })
}

fn hash(word: &str) -> u64 {
    let letters = word.chars().flat_map(char::to_lowercase);
    letters.fold(0xCBF2_9CE4_8422_2325, |hash, letter| {
        (hash ^ u64::from(u32::from(letter))).wrapping_mul(0x0100_0000_01B3)
    })
}

/// The finaliser of splitmix64.
fn mixed(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, told: &str) -> String {
        let mut words = Words::for_bytes(record.len() as u64);
        words.add(record);
        words.cleaned(told)
    }

    #[test]
    fn what_a_service_repeats_of_a_record_is_left_out() {
        let record = "Mrs Planted, 61, coughs\nsince her dog died. Which test is next?";
        assert_eq!(
            check(record, r#"line 3: "mrs planted 61 coughs since her dog" is no example"#),
            r#"line 3: "[...]" is no example"#
        );
        assert_eq!(check(record, "Mrs Planted coughs"), "Mrs Planted coughs");
        assert_eq!(
            check(record, "too few examples: 4 given, 10 wanted"),
            "too few examples: 4 given, 10 wanted"
        );
        assert_eq!(check("患 者 咳 嗽 三 天", "行 1: 患 者 咳 嗽 三 天!"), "行 1: [...]!");
        assert_eq!(check("", ""), "");
    }

    #[test]
    fn few_strange_runs_are_taken_for_known() {
        let record: Vec<String> = (0..20_000).map(|n| format!("w{}", n * 7 % 6007)).collect();
        let record = record.join(" ");
        let mut words = Words::for_bytes(record.len() as u64);
        words.add(&record);
        let strange = (0..2000).filter(|n| {
            let told = format!("x{n} y{n} z{n} q{n}");
            words.cleaned(&told) != told
        });
        let count = strange.count();
        assert!(count < 60, "{count}");
    }
}
