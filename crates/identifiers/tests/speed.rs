//! Time is linear whatever the text, and plain clinical text passes quickly.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use identifiers::{redact, scan};

fn least_time(text: &str) -> Duration {
    let time = || {
        let start = Instant::now();
        std::hint::black_box(scan(std::hint::black_box(text)));
        start.elapsed()
    };
    scan("warm 617-555-0143 on 12 May 1960, 4 Elm Street");
    (0..5).map(|_| time()).min().expect("five runs")
}

const VIGNETTE: &str = "A 47-year-old man presents with edema, ascites and hepatosplenomegaly. His blood pressure is 128/84 \
    mmHg, his pulse 92/min, and his temperature 37.2 degrees. Okay, let's think about this: elevated venous pressure with a \
    deep y descent screams constriction to me. The usual suspects are tuberculosis, lupus, earlier heart surgery and \
    radiation therapy; sometimes it just happens without a known cause. Sodium is 132 mmol/L, creatinine 1.4 mg/dL. ";

#[test]
#[expect(clippy::print_stdout, reason = "the figure is what this test is for")]
fn text_without_a_finding_passes_quickly() {
    let text = VIGNETTE.repeat(10_000);
    assert!(scan(&text).is_empty());
    let rate = text.len() as f64 / 1e6 / least_time(&text).as_secs_f64();
    println!("no finding: {rate:.0} MB/s over {} MB", text.len() / 1_000_000);
    // A tenth of what is measured, so that a busy machine does not fail it.
    assert!(rate > 10.0, "{rate:.0} MB/s");
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what this test is for")]
fn hostile_text_takes_linear_time() {
    let pieces = [
        "1",
        "1a",
        ":",
        "1:",
        "a@",
        "@a.",
        "1.",
        "1 ",
        "(1",
        "+1",
        "1-",
        "MRN 1",
        "www.",
        "1 A ",
        "May 1 ",
        "é1",
        "http://",
        "555-555-",
        "born 1/1/",
        "a1b2:",
    ];
    for piece in pieces {
        let text = piece.repeat(240_000 / piece.len());
        let (short, long) = (least_time(&piece.repeat(30_000 / piece.len())), least_time(&text));
        println!("{piece:10} {} bytes in {long:?}, an eighth in {short:?}", text.len());
        // Linear is 8 times, quadratic 64; the margin is for a busy machine.
        assert!(long < short * 32 + Duration::from_millis(50), "{piece:?}: {short:?} and {long:?}");
    }
}

#[test]
fn redaction_of_many_identifiers_ends() {
    let mut text = String::new();
    for number in 0..5_000 {
        write!(text, "617-555-{number:04}-").expect("a string takes all");
    }
    assert!(scan(&redact(&text)).is_empty());
}
