//! What holds for any text.

use identifiers::{Kind, redact, scan};
use proptest::prelude::*;

/// Pieces that identifiers are made of, so that random texts come near to them.
fn near_identifiers() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "MRN ",
        "DOB ",
        "NHS ",
        "NPI ",
        "SSN ",
        "call ",
        "born on ",
        "admitted on ",
        "@",
        ":",
        "://",
        "http",
        "www.",
        "a.example.org",
        "555-0143",
        "617-",
        "(617) ",
        "+44 ",
        "020 7946 0958",
        "12/03/1961",
        "March 3",
        ", 1952",
        "943 476 5919",
        "219-09-4321",
        "4111 1111 1111 1111",
        "1EG4-TE5-MK73",
        "192.168.100.50",
        "2001:db8::1",
        "48 Elm Street",
        "LS2 9JT",
        "P.O. Box 7",
        " ",
        "-",
        ".",
        ",",
        "/",
        "(",
        ")",
        "é",
        "µ",
        "[",
        "]",
        "1",
        "0",
        "7",
        "to ",
        "x12",
        "\n",
        "–",
        "St ",
        "IL 62704",
        "Springfield, ",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

fn holds(text: &str) -> Result<(), TestCaseError> {
    let findings = scan(text);
    let mut end = 0;
    for finding in &findings {
        prop_assert!(finding.range.start >= end && finding.range.start < finding.range.end);
        prop_assert!(
            text.is_char_boundary(finding.range.start) && text.is_char_boundary(finding.range.end)
        );
        end = finding.range.end;
    }
    prop_assert!(end <= text.len());
    let once = redact(text);
    prop_assert!(scan(&once).is_empty(), "left in {once:?}");
    prop_assert_eq!(redact(&once), once.as_ref());
    prop_assert!(!findings.is_empty() || once == text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ranges_are_sound_and_redaction_is_final_on_any_text(text in any::<String>()) {
        holds(&text)?;
    }

    #[test]
    fn ranges_are_sound_and_redaction_is_final_near_identifiers(text in near_identifiers()) {
        holds(&text)?;
    }

    #[test]
    fn any_bytes_read_as_text_are_scanned(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        holds(&String::from_utf8_lossy(&bytes))?;
    }
}

#[test]
fn a_finding_never_shows_the_text() {
    let findings = scan("born on 12/03/1961, call 617-555-0143");
    assert_eq!(
        findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(),
        [Kind::Date, Kind::Phone]
    );
    for finding in findings {
        let shown = format!("{finding} {finding:?}");
        assert!(!shown.contains("1961") && !shown.contains("0143"), "{shown}");
    }
}

#[test]
fn text_without_a_finding_is_not_copied() {
    assert!(matches!(redact("BP 130/85"), std::borrow::Cow::Borrowed(_)));
}
