//! Numbers in directives: plain, octal, memory sizes and percentages.
//!
//! Everything is computed in i128, so that neither -1 nor 2^64-1 needs a case of its own; the row's bounds bring the
//! result back into the field's type. Where a size times its unit passes 2^64, Valkey wraps around without a word; we
//! call it no memory value.

use super::values::{Reason, Rule, Unit};

const KB: u64 = 1024;
const MB: u64 = 1024 * KB;
const GB: u64 = 1024 * MB;

/// Reads a number and holds it against the row's bounds.
pub fn parse(word: &[u8], rule: &Rule, unsigned: bool) -> Result<i128, Reason> {
    let number = parse_unit(word, rule.unit)?;
    check_bounds(number, rule, unsigned)?;
    assert!(number >= rule.low && number <= rule.high);
    Ok(number)
}

fn parse_unit(word: &[u8], unit: Unit) -> Result<i128, Reason> {
    let found = match unit {
        Unit::Plain => integer(word),
        Unit::Octal => octal(word),
        Unit::Memory => memory(word).map(i128::from),
        Unit::SignedMemory => memory(word).map(i128::from).or_else(|| integer(word)),
        Unit::MemoryOrPercent => memory(word).map(i128::from).or_else(|| percent(word)),
    };
    found.ok_or_else(|| {
        match unit {
            Unit::Plain => "argument couldn't be parsed into an integer",
            Unit::Octal => "argument couldn't be parsed as an octal number",
            Unit::Memory | Unit::SignedMemory => "argument must be a memory value",
            Unit::MemoryOrPercent => "argument must be a memory or percent value",
        }
        .into()
    })
}

fn check_bounds(number: i128, rule: &Rule, unsigned: bool) -> Result<(), Reason> {
    if number >= rule.low && number <= rule.high {
        return Ok(());
    }
    Err(match rule.unit {
        Unit::MemoryOrPercent if number < 0 => {
            format!("percentage argument must be less or equal to {}", -rule.low)
        }
        Unit::Octal if unsigned => {
            format!("argument must be between {:o} and {:o} inclusive", rule.low, rule.high)
        }
        _ => format!("argument must be between {} and {} inclusive", rule.low, rule.high),
    }
    .into())
}

/// A decimal number in its one canonical form: no plus, no leading zero, no space.
pub fn integer(word: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(word).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    text.parse::<i64>().ok().map(i128::from)
}

/// A size: digits and a unit, both of which may be missing.
pub fn memory(word: &[u8]) -> Option<u64> {
    let split = word.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(word.len());
    let (digits, unit) = word.split_at(split);
    let factor = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => KB,
        b"m" => 1000 * 1000,
        b"mb" => MB,
        b"g" => 1000 * 1000 * 1000,
        b"gb" => GB,
        _ => return None,
    };
    if digits.is_empty() {
        return Some(0);
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    number.checked_mul(factor)
}

fn percent(word: &[u8]) -> Option<i128> {
    let number = integer(word.strip_suffix(b"%")?)?;
    (number >= 0).then_some(-number)
}

fn octal(word: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(word).ok()?.trim_start();
    if text.is_empty() {
        return Some(0);
    }
    i64::from_str_radix(text, 8).ok().map(i128::from)
}

/// A number as CONFIG GET shows it.
pub fn show(number: i128, rule: &Rule) -> Vec<u8> {
    match rule.unit {
        Unit::Octal => format!("{number:o}"),
        Unit::MemoryOrPercent if number < 0 => format!("{}%", -number),
        _ => number.to_string(),
    }
    .into_bytes()
}

/// A number as CONFIG REWRITE writes it: sizes in the largest unit that divides them.
pub fn write(number: i128, rule: &Rule) -> Vec<u8> {
    let memory = matches!(rule.unit, Unit::Memory | Unit::SignedMemory | Unit::MemoryOrPercent);
    match u64::try_from(number) {
        Ok(bytes) if memory => memory_text(bytes).into_bytes(),
        _ => show(number, rule),
    }
}

/// A size in the largest unit that divides it.
pub fn memory_text(bytes: u64) -> String {
    for (factor, unit) in [(GB, "gb"), (MB, "mb"), (KB, "kb")] {
        if bytes != 0 && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}

/// What C's strtoll takes: spaces and a sign first, then digits to the end.
pub fn lenient(word: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(word).ok()?.trim_start();
    if text.is_empty() {
        return Some(0);
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(unit: Unit, low: i128, high: i128) -> Rule {
        Rule { low, high, unit, empty_is_unset: false, binary: false, check: None }
    }

    #[test]
    fn sizes_take_every_unit_in_any_case() {
        for (text, bytes) in [
            ("1", 1),
            ("1b", 1),
            ("1k", 1000),
            ("1Kb", 1024),
            ("3m", 3_000_000),
            ("3MB", 3 * MB),
            ("2g", 2_000_000_000),
            ("2gB", 2 * GB),
            ("", 0),
            ("mb", 0),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(memory(text.as_bytes()), Some(bytes), "{text}");
        }
        for text in ["-1", "1tb", "1 mb", "mb1", "18446744073709551616", "18446744073709551615gb", "1.5gb"] {
            assert_eq!(memory(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn plain_numbers_are_canonical() {
        assert_eq!(integer(b"-12"), Some(-12));
        assert_eq!(integer(b"0"), Some(0));
        assert_eq!(integer(b"9223372036854775807"), Some(i128::from(i64::MAX)));
        for text in ["", "-", "+1", "01", "-0", " 1", "1 ", "1x", "9223372036854775808", "\u{fc}"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn bounds_are_told_in_the_base_of_the_directive() {
        let plain = parse(b"65536", &rule(Unit::Plain, 0, 65535), false);
        assert_eq!(plain.unwrap_err(), "argument must be between 0 and 65535 inclusive");
        let octal = parse(b"1000", &rule(Unit::Octal, 0, 0o777), true);
        assert_eq!(octal.unwrap_err(), "argument must be between 0 and 777 inclusive");
        let percent = parse(b"101%", &rule(Unit::MemoryOrPercent, -100, i128::from(i64::MAX)), false);
        assert_eq!(percent.unwrap_err(), "percentage argument must be less or equal to 100");
    }

    #[test]
    fn each_unit_has_its_refusal() {
        for (unit, text) in [
            (Unit::Plain, "argument couldn't be parsed into an integer"),
            (Unit::Octal, "argument couldn't be parsed as an octal number"),
            (Unit::Memory, "argument must be a memory value"),
            (Unit::SignedMemory, "argument must be a memory value"),
            (Unit::MemoryOrPercent, "argument must be a memory or percent value"),
        ] {
            assert_eq!(parse(b"9z", &rule(unit, 0, 100), false).unwrap_err(), text);
        }
    }

    #[test]
    fn percentages_are_kept_negative_and_shown_with_a_sign() {
        let rule = rule(Unit::MemoryOrPercent, -100, i128::from(i64::MAX));
        assert_eq!(parse(b"12%", &rule, false), Ok(-12));
        assert_eq!(show(-12, &rule), b"12%");
        assert_eq!(parse(b"12mb", &rule, false), Ok(i128::from(12 * MB)));
        assert_eq!(write(i128::from(12 * MB), &rule), b"12mb");
    }

    #[test]
    fn sizes_are_written_in_the_largest_unit_that_divides_them() {
        assert_eq!(memory_text(0), "0");
        assert_eq!(memory_text(1500), "1500");
        assert_eq!(memory_text(64 * KB), "64kb");
        assert_eq!(memory_text(100 * MB), "100mb");
        assert_eq!(memory_text(GB), "1gb");
    }
}
