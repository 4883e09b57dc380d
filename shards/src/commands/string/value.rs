//! A string's bytes, whatever its encoding: inline, integer or object.

use crate::error::{CommandError, STRING_TOO_LONG, WRONG_TYPE};
use crate::keyspace::table::Value;
use crate::reply::Reply;
use crate::stdx::number::{decimal_len, fill_i64};
use crate::types::Object;

/// Room for the text of an integer.
pub(crate) type Digits = [u8; 20];

/// The bytes of a string; an integer is spelt into `digits`.
#[inline]
pub(crate) fn text<'a>(value: Value<'a, Object>, digits: &'a mut Digits) -> Result<&'a [u8], CommandError> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        Value::Int(n) => {
            let start = fill_i64(digits, n);
            Ok(&digits[start..])
        }
        Value::Object(Object::String(bytes)) => Ok(bytes),
        #[allow(unreachable_patterns)]
        Value::Object(_) => Err(WRONG_TYPE),
    }
}

/// The length of a string in bytes.
#[inline]
pub(crate) fn text_len(value: &Value<'_, Object>) -> Result<usize, CommandError> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.len()),
        Value::Int(n) => Ok(decimal_len(n.unsigned_abs()) + usize::from(*n < 0)),
        Value::Object(Object::String(bytes)) => Ok(bytes.len()),
        #[allow(unreachable_patterns)]
        Value::Object(_) => Err(WRONG_TYPE),
    }
}

/// Answers with a string, or null where there is none.
#[inline]
pub(crate) fn reply_text(reply: &mut Reply<'_>, value: Option<Value<'_, Object>>) -> Result<(), CommandError> {
    match value {
        None => reply.null(),
        Some(Value::Bytes(bytes)) => reply.bulk(bytes),
        Some(Value::Int(n)) => reply.bulk_int(n),
        Some(Value::Object(Object::String(bytes))) => reply.bulk(bytes),
        #[allow(unreachable_patterns)]
        Some(Value::Object(_)) => return Err(WRONG_TYPE),
    }
    Ok(())
}

/// `a + b` bytes, unless a string may not be that long.
#[inline]
pub(crate) fn checked_len(a: usize, b: usize, max: usize) -> Result<usize, CommandError> {
    a.checked_add(b).filter(|total| *total <= max).ok_or(STRING_TOO_LONG)
}

/// Makes room for `len` bytes in all: twice what is needed, as a string that grew will grow again, but never more than
/// 1 MiB ahead (Valkey's SDS_MAX_PREALLOC), so that a large string is not doubled.
pub(crate) fn reserve(bytes: &mut Vec<u8>, len: usize) {
    const AHEAD_BYTES_MAX: usize = 1 << 20;
    if len > bytes.capacity() {
        bytes.reserve_exact(len + len.min(AHEAD_BYTES_MAX) - bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_integer_is_that_of_its_text() {
        for n in [0, 1, -1, 9, 10, -10, 12345, i64::MAX, i64::MIN] {
            let mut digits = Digits::default();
            let spelt = text(Value::Int(n), &mut digits).unwrap();
            assert_eq!(spelt, n.to_string().as_bytes());
            assert_eq!(text_len(&Value::Int(n)).unwrap(), spelt.len());
        }
    }

    #[test]
    fn lengths_do_not_overflow() {
        assert_eq!(checked_len(3, 4, 7).unwrap(), 7);
        assert!(checked_len(3, 5, 7).is_err());
        assert!(checked_len(usize::MAX, 1, usize::MAX).is_err());
    }
}
