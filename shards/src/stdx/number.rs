//! Numbers and their text, exactly as clients of Valkey know them.
//!
//! Integers are strict: no plus sign, no blanks, no leading zero, no `-0`. Whatever parses as an integer prints back as
//! the same bytes, which is what allows a value to be kept as an integer in place of its text.
//!
//! Doubles are lenient on the way in (sign, point, exponent, `inf` and `infinity` in any case) but a number that does not
//! fit (overflow, or underflow to zero) and `nan` are refused. On the way out they get the fewest digits that read back
//! as the same double: integers up to 2^62 as integers, the rest laid out as [`write_f64`] says.

use super::grisu;

const DIGIT_PAIRS: [[u8; 2]; 100] = digit_pairs();

/// Beyond this magnitude a whole double is written with an exponent, like any other double.
const WHOLE_MAX: f64 = (1u64 << 62) as f64;

const fn digit_pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[b'0'; 2]; 100];
    let mut value = 0;
    while value < 100 {
        pairs[value] = [b'0' + value as u8 / 10, b'0' + value as u8 % 10];
        value += 1;
    }
    pairs
}

/// The integer that `text` spells, if it is spelt the only way that printing would.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    match digits {
        [b'0'] => return if negative { None } else { Some(0) },
        [] | [b'0', ..] => return None,
        _ if digits.len() > 19 => return None,
        _ => {}
    }
    // Nineteen digits stay below 10^19, which fits u64: no overflow to check on the way.
    let mut value = 0u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// The double that `text` spells, unless it is not a number or out of a double's range.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    if value.is_nan() {
        return None;
    }
    let mantissa = text.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
    let names_infinity = text.iter().any(|byte| matches!(byte, b'i' | b'I'));
    let overflows = value.is_infinite() && !names_infinity;
    let underflows = value == 0.0 && mantissa.clone().any(|byte| matches!(byte, b'1'..=b'9'));
    if overflows || underflows { None } else { Some(value) }
}

/// Reads `0x1F`, `-0x.8`, `0x1p-3`: C's strtold takes them, so Valkey does where it reads long doubles.
pub fn parse_hex_f64(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.strip_prefix("0x").or(unsigned.strip_prefix("0X"))?;
    let (mantissa, power) = match digits.find(['p', 'P']) {
        Some(at) => (&digits[..at], digits[at + 1..].parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let power = power.saturating_sub(i32::try_from(4 * fraction.len()).ok()?);
    let value = value * 2f64.powi(power);
    value.is_finite().then_some(if text.starts_with('-') { -value } else { value })
}

/// Appends the decimal text of `value`.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    let mut text = [0u8; 20];
    let start = fill_u64(&mut text, value);
    out.extend_from_slice(&text[start..]);
}

/// Appends the decimal text of `value`.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    let mut text = [0u8; 21];
    let mut start = 1 + fill_u64((&mut text[1..]).try_into().expect("twenty bytes"), value.unsigned_abs());
    if value < 0 {
        start -= 1;
        text[start] = b'-';
    }
    out.extend_from_slice(&text[start..]);
}

/// Writes the text of `value` at the end of `text` and says where it starts.
#[inline]
pub fn fill_i64(text: &mut [u8; 20], value: i64) -> usize {
    let start = fill_u64(text, value.unsigned_abs());
    if value >= 0 {
        return start;
    }
    text[start - 1] = b'-'; // at most nineteen digits, so there is room
    start - 1
}

/// Writes the digits of `value` at the end of `text`, two at a time, and says where they start.
#[inline]
pub fn fill_u64(text: &mut [u8; 20], mut value: u64) -> usize {
    let mut at = text.len();
    while value >= 100 {
        at -= 2;
        text[at..at + 2].copy_from_slice(&DIGIT_PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    if value >= 10 {
        at -= 2;
        text[at..at + 2].copy_from_slice(&DIGIT_PAIRS[value as usize]);
    } else {
        at -= 1;
        text[at] = b'0' + value as u8;
    }
    at
}

/// How many digits `value` has in decimal.
#[inline]
pub fn decimal_len(value: u64) -> usize {
    value.checked_ilog10().unwrap_or(0) as usize + 1
}

/// Appends the text of `value`: `inf`, `-inf`, `nan`, `0`, `-0`, whole numbers up to 2^62 in full, and otherwise the
/// fewest digits that read back as the same double, with an exponent when that many zeros would have to be added:
///
/// | digits and exponent | text |
/// |---|---|
/// | 31415, -4 | `3.1415` |
/// | 5, -6 | `0.000005` |
/// | 5, -7 | `5e-7` |
/// | 5, 21 | `5e+21` |
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        out.extend_from_slice(b"inf");
    } else if magnitude <= WHOLE_MAX && magnitude.trunc() == magnitude {
        write_u64(out, magnitude as u64);
    } else {
        let digits = grisu::digits(magnitude);
        lay_out(out, digits.text(), digits.exponent);
    }
}

/// As [`write_f64`], but whole numbers get no more digits than they need and an exponent like all others: how digests
/// spell scores.
pub fn write_f64_shortest(out: &mut Vec<u8>, value: f64) {
    if value.is_infinite() || value.is_nan() || value == 0.0 {
        return write_f64(out, value);
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let digits = grisu::digits(value.abs());
    lay_out(out, digits.text(), digits.exponent);
}

/// Appends `value` with exactly `places` digits behind the point, as distances are shown. For values whose digits up to
/// there fit 63 bits.
pub fn write_f64_fixed(out: &mut Vec<u8>, value: f64, places: u32) {
    assert!((1..=17).contains(&places), "a fixed point has one to seventeen places");
    let unit = 10u64.pow(places);
    let scaled = (value * unit as f64).round_ties_even() as i64;
    if scaled < 0 {
        out.push(b'-');
    }
    write_u64(out, scaled.unsigned_abs() / unit);
    out.push(b'.');
    let mut text = [0u8; 20];
    // A one in front keeps the zeros behind the point.
    let start = fill_u64(&mut text, unit + scaled.unsigned_abs() % unit);
    out.extend_from_slice(&text[start + 1..]);
}

/// Appends `digits` times ten to the `exponent`.
fn lay_out(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    let count = digits.len() as i32;
    let scientific = exponent + count - 1;
    if exponent >= 0 && scientific.abs() < count + 7 {
        out.extend_from_slice(digits);
        out.resize(out.len() + exponent as usize, b'0');
    } else if exponent < 0 && (exponent > -7 || scientific.abs() < 4) {
        let whole = count + exponent;
        if whole <= 0 {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + whole.unsigned_abs() as usize, b'0');
            out.extend_from_slice(digits);
        } else {
            let (whole, fraction) = digits.split_at(whole as usize);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    } else {
        out.push(digits[0]);
        if count > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if scientific < 0 { b"e-" } else { b"e+" });
        write_u64(out, u64::from(scientific.unsigned_abs()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f64_text(value: f64) -> String {
        let mut out = Vec::new();
        write_f64(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    fn i64_text(value: i64) -> String {
        let mut out = Vec::new();
        write_i64(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_print_and_read_back() {
        for value in [0, 1, -1, 9, 10, 99, 100, 101, 12345, -98765, i64::MAX, i64::MIN, i64::MIN + 1] {
            assert_eq!(i64_text(value), value.to_string());
            assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
            assert_eq!(decimal_len(value.unsigned_abs()), value.unsigned_abs().to_string().len());
        }
    }

    #[test]
    fn hexadecimal_fractions_are_read_as_c_reads_them() {
        for (text, value) in [("0x10", 16.0), ("0x1p-1", 0.5), ("-0x.8", -0.5), ("+0XAp1", 20.0), ("0x7FFFFFFFFFFFFF", 36028797018963967.0)] {
            assert_eq!(parse_hex_f64(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["", "10", "0x", "0x.", "0xg", "0x1p", "0x1p99999"] {
            assert_eq!(parse_hex_f64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn integers_have_one_spelling() {
        for text in ["", "-", "+1", " 1", "1 ", "01", "-0", "00", "1a", "9223372036854775808", "-9223372036854775809", "99999999999999999999"] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn doubles_out_of_range_are_refused() {
        for text in ["", " 1", "1 ", "nan", "-nan", "1e400", "-1e400", "1e-400", "1e", ".", "0x10", "1_0", "infi"] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
        }
        for (text, value) in [("+1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1E3", 1000.0), ("0e-999", 0.0), ("-inf", f64::NEG_INFINITY), ("+INFINITY", f64::INFINITY)] {
            assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text:?}");
        }
    }

    #[test]
    fn a_fixed_point_keeps_its_zeros() {
        for (value, text) in [(0.0, "0.0000"), (166274.15156960033, "166274.1516"), (-0.05, "-0.0500"), (0.00005, "0.0000"), (2.0, "2.0000")] {
            let mut out = Vec::new();
            write_f64_fixed(&mut out, value, 4);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn whole_doubles_may_be_spelt_with_an_exponent() {
        for (value, text) in [(3.0, "3"), (-120.0, "-120"), (1e7, "10000000"), (1e8, "1e+8"), (4611686018427387904.0, "4611686018427388000"), (0.5, "0.5"), (0.0, "0"), (f64::NEG_INFINITY, "-inf")] {
            let mut out = Vec::new();
            write_f64_shortest(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn doubles_print_as_valkey_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-17.5, "-17.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e17, "100000000000000000"),
            (4.611686018427388e18, "4611686018427387904"),
            (1e19, "1e+19"),
            (1e100, "1e+100"),
            (1.5e-7, "1.5e-7"),
            (5e-6, "0.000005"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(f64_text(value), text);
        }
    }
}
