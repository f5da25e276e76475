//! Text in SVG: escaped, and numbers as people read them.

/// `text` as content of an element or of an attribute in double quotes.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML has no way to write these.
            '\u{FFFE}' | '\u{FFFF}' => safe.push('\u{FFFD}'),
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => safe.push('\u{FFFD}'),
            c => safe.push(c),
        }
    }
    safe
}

/// `value` with `decimals` decimals and commas between thousands.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && digit.is_ascii_digit() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    // A zero that was rounded to has no sign.
    let zero = !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    format!("{}{grouped}{rest}", if zero { "" } else { sign })
}

/// `value` with as many decimals as tell it apart, four significant digits at most.
pub(crate) fn short(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = match magnitude {
        _ if value.fract() == 0.0 && magnitude < 1e15 => 0,
        m if m >= 1000.0 => 0,
        m if m >= 100.0 => 1,
        m if m >= 10.0 => 2,
        m if m >= 0.01 => 3,
        _ => return format!("{value:.2e}"),
    };
    number(value, decimals)
}

/// `text`, cut to at most `characters` with an ellipsis.
pub(crate) fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(characters.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_is_text() {
        assert_eq!(
            escaped("<b a='1'>\"x\" & y\u{0}\u{1b}\n</b>"),
            "&lt;b a=&#39;1&#39;&gt;&quot;x&quot; &amp; y\u{FFFD}\u{FFFD}\n&lt;/b&gt;"
        );
    }

    #[test]
    fn numbers_read_well() {
        let texts = [0.0, 7.0, 1234.0, -1_234_567.0, 0.5, 1.2345, 12.345, 123.45, 0.001_234];
        assert_eq!(
            texts.map(short).join(" "),
            "0 7 1,234 -1,234,567 0.500 1.234 12.35 123.5 1.23e-3"
        );
        assert_eq!(number(-0.001, 2), "0.00");
        assert_eq!(number(f64::NAN, 1), "NaN");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!([cut("short", 5), cut("a longer text", 6)], ["short", "a lon…"]);
    }
}
