//! The ends of ranges as arguments spell them: `5`, `(5`, `-inf` for scores, `[a`, `(a`, `-`, `+` for members.

use crate::error::CommandError;
use crate::types::zset::{LexBound, ScoreBound};

const NOT_SCORES: CommandError = CommandError::Static("ERR min or max is not a float");
const NOT_MEMBERS: CommandError = CommandError::Static("ERR min or max not valid string range item");

/// A range of scores.
pub(super) fn scores(min: &[u8], max: &[u8]) -> Result<(ScoreBound, ScoreBound), CommandError> {
    Ok((score(min)?, score(max)?))
}

/// One end. More is allowed than for the score of an element: nothing at all is 0, and what a double cannot hold is
/// infinite or 0.
fn score(text: &[u8]) -> Result<ScoreBound, CommandError> {
    let (exclusive, text) = match text {
        [b'(', rest @ ..] => (true, rest),
        text => (false, text),
    };
    if text.is_empty() {
        return Ok(ScoreBound { score: 0.0, exclusive });
    }
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    let score = parsed.filter(|score| !score.is_nan()).ok_or(NOT_SCORES)?;
    Ok(ScoreBound { score, exclusive })
}

/// A range of members.
pub(super) fn members<'a>(min: &'a [u8], max: &'a [u8]) -> Result<(LexBound<'a>, LexBound<'a>), CommandError> {
    Ok((member(min)?, member(max)?))
}

/// One end. `+` and `-` stand alone, or before a NUL, where Valkey stops reading.
fn member(text: &[u8]) -> Result<LexBound<'_>, CommandError> {
    match text {
        [b'-'] | [b'-', 0, ..] => Ok(LexBound::Lowest),
        [b'+'] | [b'+', 0, ..] => Ok(LexBound::Highest),
        [b'[', rest @ ..] => Ok(LexBound::Including(rest)),
        [b'(', rest @ ..] => Ok(LexBound::Excluding(rest)),
        _ => Err(NOT_MEMBERS),
    }
}

/// The ranks from `start` to `stop`, both counted from the end if negative, of a set of `len` elements.
pub(super) fn ranks(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let len = len as i64;
    let from_end = |n: i64| if n < 0 { n.saturating_add(len) } else { n };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_at_the_ends_of_ranges_are_read_leniently() {
        let read = |text: &str| score(text.as_bytes()).ok().map(|b| (b.score, b.exclusive));
        assert_eq!(read(""), Some((0.0, false)));
        assert_eq!(read("("), Some((0.0, true)));
        assert_eq!(read("(1e400"), Some((f64::INFINITY, true)));
        assert_eq!(read("-Infinity"), Some((f64::NEG_INFINITY, false)));
        for text in ["nan", "(nan", " 1", "1 ", "0x10", "1e", "((1", "[1"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn ranks_at_the_edges_of_numbers_are_cut() {
        assert_eq!(ranks(0, -1, 3), 0..3);
        assert_eq!(ranks(-2, i64::MAX, 3), 1..3);
        assert_eq!(ranks(i64::MIN, i64::MIN, 3), 0..0);
        assert_eq!(ranks(3, 5, 3), 0..0);
        assert_eq!(ranks(2, 1, 3), 0..0);
        assert_eq!(ranks(0, -1, 0), 0..0);
    }
}
