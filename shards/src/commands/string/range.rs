//! APPEND, SETRANGE, GETRANGE and SUBSTR: parts of a string.
//!
//! A string behind a pointer is changed where it is; a short one lives in its leaf and is written anew, unless SETRANGE
//! overwrites bytes of one that was edited before. Nothing is allocated before the resulting length was checked.

use super::value::{Digits, checked_len, reserve, text, text_len};
use crate::command::{Arg, ArgKind, Command, Group, KeySpec, category, flag, key};
use crate::effects::{Event, EventClass};
use crate::error::CommandError;
use crate::exec::Exec;
use crate::keyspace::table::Value;
use crate::keyspace::{EntryMut, Ttl};
use crate::types::{Object, tag};

const APPENDED: Event = Event::new(EventClass::String, "append");
const RANGE_SET: Event = Event::new(EventClass::String, "setrange");
const OFFSET_OUT_OF_RANGE: CommandError = CommandError::Static("ERR offset is out of range");

/// APPEND key value
pub const APPEND: Command = Command {
    arity: 3,
    group: Group::String,
    since: "2.0.0",
    summary: "Adds bytes at the end of the string at a key, creating it if it is missing.",
    complexity: "O(N) where N is the number of bytes added: a string keeps room to grow, so it is rarely moved.",
    flags: flag::WRITE | flag::DENYOOM | flag::FAST,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::RW | key::INSERT)],
    args: &[Arg::key("key"), Arg::new("value", ArgKind::String)],
    ..Command::new("append", append)
};

fn append(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let more = x.arg(2);
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let len = match entry.value() {
        None => {
            entry.set(more, Ttl::Clear, APPENDED);
            more.len()
        }
        Some(value) => {
            let old = text_len(&value)?;
            let len = checked_len(old, more.len(), x.env.limits.string_bytes_max)?;
            overwrite(&mut entry, old, more, APPENDED);
            len
        }
    };
    x.reply.count(len);
    Ok(())
}

/// SETRANGE key offset value
pub const SETRANGE: Command = Command {
    arity: 4,
    group: Group::String,
    since: "2.2.0",
    summary: "Overwrites part of the string at a key, filling a gap before it with zero bytes.",
    complexity: "O(M) where M is the number of bytes written, a gap that has to be filled included.",
    flags: flag::WRITE | flag::DENYOOM,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::RW | key::UPDATE)],
    args: &[Arg::key("key"), Arg::new("offset", ArgKind::Integer), Arg::new("value", ArgKind::String)],
    ..Command::new("setrange", setrange)
};

fn setrange(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let offset = usize::try_from(x.int(2)?).map_err(|_| OFFSET_OUT_OF_RANGE)?;
    let bytes = x.arg(3);
    let mut entry = x.ks.entry_mut(x.db, x.argv.get(1));
    let old = entry.value().map_or(Ok(0), |value| text_len(&value))?;
    let len = if bytes.is_empty() {
        old
    } else {
        let end = checked_len(offset, bytes.len(), x.env.limits.string_bytes_max)?;
        overwrite(&mut entry, offset, bytes, RANGE_SET);
        old.max(end)
    };
    x.reply.count(len);
    Ok(())
}

/// Puts `bytes` at `offset` of a string (a missing one is empty), zeros before it where it was shorter.
fn overwrite(entry: &mut EntryMut<'_>, offset: usize, bytes: &[u8], event: Event) {
    let end = offset + bytes.len();
    let edited = entry.tag() == Some(tag::STRING_RAW);
    match entry.value() {
        Some(Value::Object(_)) => {
            let Some(Object::String(string)) = entry.edit_object(event) else { unreachable!("its type was checked") };
            splice(string, offset, bytes);
        }
        Some(Value::Bytes(old)) if edited && end <= old.len() => {
            let string = entry.edit_bytes(event).expect("it was inline a moment ago");
            string[offset..end].copy_from_slice(bytes);
        }
        other => {
            let mut digits = Digits::default();
            let old = other.map_or(Ok(&b""[..]), |value| text(value, &mut digits)).expect("its type was checked");
            let mut string = Vec::with_capacity(end.max(old.len()));
            string.extend_from_slice(old);
            splice(&mut string, offset, bytes);
            entry.set_raw(string, Ttl::Keep, event);
        }
    }
}

fn splice(string: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    reserve(string, end);
    if offset >= string.len() {
        string.resize(offset, 0);
        string.extend_from_slice(bytes);
        return;
    }
    if end > string.len() {
        string.resize(end, 0);
    }
    string[offset..end].copy_from_slice(bytes);
}

/// GETRANGE key start end
pub const GETRANGE: Command = Command {
    name: "getrange",
    since: "2.4.0",
    summary: "Returns part of the string at a key, both ends included; negative positions count from its end.",
    ..SUBSTR
};

/// SUBSTR key start end
pub const SUBSTR: Command = Command {
    arity: 4,
    group: Group::String,
    since: "1.0.0",
    summary: "Returns part of the string at a key: the older name of GETRANGE.",
    complexity: "O(N) where N is the number of bytes returned.",
    flags: flag::READONLY,
    acl: category::STRING,
    keys: &[KeySpec::one(1, key::RO | key::ACCESS)],
    args: &[Arg::key("key"), Arg::new("start", ArgKind::Integer), Arg::new("end", ArgKind::Integer)],
    ..Command::new("substr", getrange)
};

fn getrange(x: &mut Exec<'_>) -> Result<(), CommandError> {
    let (start, end) = (x.int(2)?, x.int(3)?);
    let mut digits = Digits::default();
    let found = x.ks.read(x.db, x.argv.get(1));
    let string = found.map_or(Ok(&b""[..]), |found| text(found.value(), &mut digits))?;
    x.reply.bulk(slice(string, start, end));
    Ok(())
}

/// The bytes from `start` to `end`, both included, negative ones counted from the end of the string.
fn slice(string: &[u8], start: i64, end: i64) -> &[u8] {
    // A string is far shorter than i64::MAX bytes, so nothing overflows: only negative numbers are added to.
    let len = string.len() as i64;
    let place = |at: i64| if at < 0 { (len + at).max(0) } else { at };
    if len == 0 || (start < 0 && end < 0 && start > end) {
        return b"";
    }
    let (start, end) = (place(start), place(end).min(len - 1));
    if start > end { b"" } else { &string[start as usize..=end as usize] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_string() {
        for (start, end, part) in [
            (0, -1, "abcde"),
            (1, 2, "bc"),
            (-2, -1, "de"),
            (3, 1, ""),
            (-1, -2, ""),
            (5, 9, ""),
            (0, 99, "abcde"),
            (-99, 1, "ab"),
            (-99, -98, "a"),
            (i64::MIN, i64::MAX, "abcde"),
            (i64::MIN, i64::MIN, "a"),
            (i64::MAX, i64::MIN, ""),
        ] {
            assert_eq!(slice(b"abcde", start, end), part.as_bytes(), "{start} {end}");
        }
        assert_eq!(slice(b"", 0, -1), b"");
    }
}
