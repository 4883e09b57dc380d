//! Cursors and options of SCAN and its relatives (HSCAN, SSCAN, ZSCAN).

use crate::error::{self, CommandError, shown};
use crate::exec::Exec;
use crate::stdx::{glob, number};
use crate::types::tag;

/// Elements a call looks at if COUNT does not say.
const COUNT_DEFAULT: u64 = 10;

/// What is scanned; some options belong to one kind only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Scanned {
    Keys,
    Hash,
    Set,
    SortedSet,
}

/// The options of a call.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions<'a> {
    /// About how many elements to look at, at least 1.
    pub count: u64,
    /// The pattern, unless all match.
    pub pattern: Option<&'a [u8]>,
    /// TYPE: the tag values must have (`tag::STRING` stands for both string tags).
    pub type_tag: Option<u8>,
    /// NOVALUES or NOSCORES.
    pub names_only: bool,
}

impl<'a> ScanOptions<'a> {
    /// Reads the options from argument `first` on.
    pub fn parse(x: &Exec<'a>, first: usize, scanned: Scanned) -> Result<ScanOptions<'a>, CommandError> {
        let mut options = ScanOptions { count: COUNT_DEFAULT, pattern: None, type_tag: None, names_only: false };
        let mut i = first;
        while i < x.argc() {
            let valued = i + 1 < x.argc();
            if valued && x.arg_is(i, "count") {
                options.count = u64::try_from(x.int(i + 1)?).ok().filter(|n| *n > 0).ok_or(error::SYNTAX)?;
                i += 1;
            } else if valued && x.arg_is(i, "match") {
                options.pattern = Some(x.arg(i + 1)).filter(|p| *p != b"*");
                i += 1;
            } else if valued && x.arg_is(i, "type") && scanned == Scanned::Keys {
                options.type_tag = Some(type_named(x.arg(i + 1))?);
                i += 1;
            } else if x.arg_is(i, "novalues") {
                options.names_only = scanned == Scanned::Hash;
                if !options.names_only {
                    return Err(CommandError::Static("ERR NOVALUES option can only be used in HSCAN"));
                }
            } else if x.arg_is(i, "noscores") {
                options.names_only = scanned == Scanned::SortedSet;
                if !options.names_only {
                    return Err(CommandError::Static("ERR NOSCORES option can only be used in ZSCAN"));
                }
            } else {
                return Err(error::SYNTAX);
            }
            i += 1;
        }
        Ok(options)
    }

    /// True if an element of this name is wanted.
    pub fn wants(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name, false))
    }

    /// Steps of the table a call may take however few elements they give.
    pub fn steps_max(&self) -> u64 {
        self.count.saturating_mul(10)
    }
}

fn type_named(name: &[u8]) -> Result<u8, CommandError> {
    let tags = [tag::STRING, tag::LIST, tag::SET, tag::ZSET, tag::HASH, tag::STREAM];
    let found = tags.into_iter().find(|t| name.eq_ignore_ascii_case(tag::type_name(*t).as_bytes()));
    found.ok_or_else(|| CommandError::owned(format!("ERR unknown type name '{}'", shown(name, usize::MAX))))
}

/// The cursor that `text` spells: any unsigned 64-bit number, spelt as loosely as C's `strtoull` allows (blanks and a
/// sign before it, zeros, anything after a NUL), because Valkey reads it so.
pub fn parse_cursor(text: &[u8]) -> Result<u64, CommandError> {
    let bad = CommandError::Static("ERR invalid cursor");
    if let Some(n) = number::parse_i64(text) {
        return u64::try_from(n).map_err(|_| bad);
    }
    let text = &text[text.iter().take_while(|b| matches!(b, b' ' | 9..=13)).count()..];
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let len = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if len == 0 || text.get(len).is_some_and(|b| *b != 0) {
        return Err(bad);
    }
    let mut digits = text[..len].iter();
    let value = digits.try_fold(0u64, |n, b| n.checked_mul(10)?.checked_add(u64::from(b - b'0')));
    value.map(|n| if negative { n.wrapping_neg() } else { n }).ok_or(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_c_reads_them() {
        let read = |s: &str| parse_cursor(s.as_bytes()).ok();
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("18446744073709551615"), Some(u64::MAX));
        assert_eq!(read("18446744073709551616"), None);
        assert_eq!(read("-1"), None);
        assert_eq!(read(" -1"), Some(u64::MAX));
        assert_eq!(read(" +007"), Some(7));
        assert_eq!(read("5\0x"), Some(5));
        assert_eq!(read("5x"), None);
        assert_eq!(read(""), None);
        assert_eq!(read(" "), None);
        assert_eq!(read("-"), None);
    }
}
