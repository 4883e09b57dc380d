//! Ids as clients spell them.
//!
//! An id is `ms-seq` or `ms` alone, whose missing number depends on where it stands. Each part is read as loosely as C's
//! `strtoull` allows, because Valkey reads it so. `-` and `+` are the smallest and the largest id where a range is meant,
//! and a range's end may be left out of it with `(`.

use crate::commands::scanning::parse_cursor;
use crate::error::CommandError;
use crate::types::stream::StreamId;

/// The longest text that is looked at.
const TEXT_MAX: usize = 127;

const INVALID: CommandError = CommandError::Static("ERR Invalid stream ID specified as stream command argument");
const NO_START: CommandError = CommandError::Static("ERR invalid start ID for the interval");
const NO_END: CommandError = CommandError::Static("ERR invalid end ID for the interval");

/// An id for XADD.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// This one.
    Id(StreamId),
    /// The next of this millisecond (`ms-*`).
    InMs(u64),
}

/// The id that `text` spells, `missing` its number if it has none. Not `-` and `+`.
pub(super) fn strict(text: &[u8], missing: u64) -> Result<StreamId, CommandError> {
    match parts(text)? {
        (ms, None) => Ok(StreamId::new(number(ms)?, missing)),
        (ms, Some(seq)) => Ok(StreamId::new(number(ms)?, number(seq)?)),
    }
}

/// As `strict`, or `-` or `+`.
pub(super) fn loose(text: &[u8], missing: u64) -> Result<StreamId, CommandError> {
    match c_text(text) {
        b"-" if text.len() <= TEXT_MAX => Ok(StreamId::MIN),
        b"+" if text.len() <= TEXT_MAX => Ok(StreamId::MAX),
        _ => strict(text, missing),
    }
}

/// The id of a new entry.
pub(super) fn wanted(text: &[u8]) -> Result<Wanted, CommandError> {
    match parts(text)? {
        (ms, Some(b"*")) => Ok(Wanted::InMs(number(ms)?)),
        _ => strict(text, 0).map(Wanted::Id),
    }
}

/// Where a range begins.
pub(super) fn range_start(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => strict(rest, 0)?.next().ok_or(NO_START),
        _ => loose(text, 0),
    }
}

/// Where a range ends.
pub(super) fn range_end(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => strict(rest, u64::MAX)?.prev().ok_or(NO_END),
        _ => loose(text, u64::MAX),
    }
}

/// What C sees of a text: the part before a NUL.
fn c_text(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn parts(text: &[u8]) -> Result<(&[u8], Option<&[u8]>), CommandError> {
    if text.len() > TEXT_MAX {
        return Err(INVALID);
    }
    let text = c_text(text);
    match text.iter().position(|byte| *byte == b'-') {
        Some(dash) => Ok((&text[..dash], Some(&text[dash + 1..]))),
        None => Ok((text, None)),
    }
}

fn number(text: &[u8]) -> Result<u64, CommandError> {
    parse_cursor(text).map_err(|_| INVALID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_valkey_reads_them() {
        let read = |text: &str| strict(text.as_bytes(), 7).ok();
        let id = |ms, seq| Some(StreamId::new(ms, seq));
        assert_eq!(read("5"), id(5, 7));
        assert_eq!(read("5-6"), id(5, 6));
        assert_eq!(read("18446744073709551615-18446744073709551615"), Some(StreamId::MAX));
        assert_eq!(read("05- +6"), id(5, 6));
        assert_eq!(read("5-6\0x"), id(5, 6));
        for text in ["", "-", "+", "-5", "5-", "5-6-7", "a", "5-*", "*", "18446744073709551616", "(5", "5--1"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&format!("{}1", "0".repeat(126))), id(1, 7));
        assert_eq!(read(&format!("{}1", "0".repeat(127))), None);
    }

    #[test]
    fn a_bracket_leaves_the_end_of_a_range_out() {
        assert_eq!(range_start(b"(5").ok(), Some(StreamId::new(5, 1)));
        assert_eq!(range_end(b"(5-0").ok(), Some(StreamId::new(4, u64::MAX)));
        assert_eq!(range_end(b"5").ok(), Some(StreamId::new(5, u64::MAX)));
        assert!(range_end(b"(0-0").is_err() && range_start(b"(18446744073709551615-18446744073709551615").is_err());
        assert!(range_start(b"(").is_err() && range_start(b"(-").is_err() && range_end(b"(+").is_err());
    }
}
