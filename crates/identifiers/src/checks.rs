//! Check digits and ranges, over digits given as values 0 to 9.

/// The values of the ASCII digits in `text`; all else is left out.
pub(crate) fn digits(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect()
}

/// The Luhn sum (ISO/IEC 7812-1), which a valid number makes divisible by ten.
fn luhn_sum(digits: &[u8]) -> u32 {
    let weigh = |(place, &digit): (usize, &u8)| {
        let doubled = u32::from(digit) * if place % 2 == 1 { 2 } else { 1 };
        if doubled > 9 { doubled - 9 } else { doubled }
    };
    digits.iter().rev().enumerate().map(weigh).sum()
}

/// Whether a card number has a network's prefix and length and its check digit.
///
/// Prefixes: Visa, Mastercard (51-55, 2221-2720), American Express, Discover, Diners Club, JCB, `UnionPay`, Maestro's
/// most usual ones.
pub(crate) fn is_card(digits: &[u8]) -> bool {
    if !(13..=19).contains(&digits.len()) {
        return false;
    }
    let prefix = digits[..4].iter().fold(0_u32, |number, &digit| number * 10 + u32::from(digit));
    let network = match digits.len() {
        13 => matches!(prefix, 4000..=4999),
        14 => matches!(prefix, 3000..=3059 | 3600..=3699 | 3800..=3999),
        15 => matches!(prefix, 3400..=3499 | 3700..=3799),
        16 => matches!(
            prefix,
            4000..=4999 | 5100..=5599 | 2221..=2720 | 3528..=3589 | 6011 | 6200..=6299 | 6440..=6599 | 5018 | 5020 | 5038
                | 6304 | 6759 | 6761..=6763
        ),
        19 => matches!(prefix, 4000..=4999 | 6200..=6299),
        _ => matches!(prefix, 6200..=6299),
    };
    network && luhn_sum(digits).is_multiple_of(10)
}

/// Whether an NPI's check digit is right: Luhn with the prefix 80840 (45 CFR 162.406), which adds 24.
pub(crate) fn is_npi(digits: &[u8]) -> bool {
    digits.len() == 10 && matches!(digits[0], 1 | 2) && (luhn_sum(digits) + 24).is_multiple_of(10)
}

/// Whether an NHS number's check digit is right (NHS Data Dictionary: modulus 11, weights 10 down to 2).
pub(crate) fn is_nhs(digits: &[u8]) -> bool {
    if digits.len() != 10 || digits.iter().all(|digit| *digit == digits[0]) {
        return false;
    }
    let sum: u32 = digits[..9]
        .iter()
        .zip((2..=10).rev())
        .map(|(&digit, weight)| u32::from(digit) * weight)
        .sum();
    (11 - sum % 11) % 11 == u32::from(digits[9])
}

/// Whether a social security number lies in the ranges that are given out (no area 000, 666 or 9xx, no zero group).
pub(crate) fn is_ssn(digits: &[u8]) -> bool {
    digits.len() == 9
        && digits[0] != 9
        && digits[..3] != [0, 0, 0]
        && digits[..3] != [6, 6, 6]
        && digits[3..5] != [0, 0]
        && digits[5..] != [0, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_pass_and_their_neighbours_fail() {
        // The example of the CMS check-digit document, and the NHS Data Dictionary's.
        assert!(is_npi(&digits("1234567893")) && !is_npi(&digits("1234567894")));
        assert!(is_nhs(&digits("943 476 5919")) && !is_nhs(&digits("943 476 5918")));
        // The test numbers that card networks publish.
        for card in [
            "4111111111111111",
            "378282246310005",
            "5555555555554444",
            "6011111111111117",
            "30569309025904",
        ] {
            assert!(is_card(&digits(card)), "{card}");
            let mut wrong = digits(card);
            wrong[7] = (wrong[7] + 1) % 10;
            assert!(!is_card(&wrong), "{card}");
        }
    }

    #[test]
    fn social_security_numbers_keep_to_their_areas() {
        assert!(is_ssn(&digits("219-09-4321")));
        for wrong in [
            "000-12-3456",
            "666-12-3456",
            "912-12-3456",
            "219-00-4321",
            "219-09-0000",
            "21-09-4321",
        ] {
            assert!(!is_ssn(&digits(wrong)), "{wrong}");
        }
    }
}
