//! Finding the stream behind a key.

use crate::error::{CommandError, WRONG_TYPE, shown};
use crate::keyspace::table::Value;
use crate::keyspace::EntryMut;
use crate::types::Object;
use crate::types::stream::{Group, Stream};

/// The stream a key holds, if it holds anything.
pub(super) fn stream<'k>(value: Option<Value<'k, Object>>) -> Result<Option<&'k Stream>, CommandError> {
    match value {
        None => Ok(None),
        Some(Value::Object(Object::Stream(stream))) => Ok(Some(stream)),
        Some(_) => Err(WRONG_TYPE),
    }
}

/// The stream behind an entry that was seen to hold one, to be changed.
pub(super) fn stream_mut<'e>(entry: &'e mut EntryMut<'_>) -> &'e mut Stream {
    match entry.object_mut() {
        Some(Object::Stream(stream)) => stream,
        _ => unreachable!("its type was checked"),
    }
}

/// The group of a stream behind an entry that was seen to have both, to be changed.
pub(super) fn group_mut<'e>(entry: &'e mut EntryMut<'_>, name: &[u8]) -> &'e mut Group {
    stream_mut(entry).groups.get_mut(name).expect("the group was looked up before")
}

/// "No such key 'k' or consumer group 'g'".
pub(super) fn no_key_or_group(key: &[u8], group: &[u8]) -> CommandError {
    let (key, group) = (shown(key, usize::MAX), shown(group, usize::MAX));
    CommandError::owned(format!("NOGROUP No such key '{key}' or consumer group '{group}'"))
}

/// "No such consumer group 'g' for key name 'k'".
pub(super) fn no_group(key: &[u8], group: &[u8]) -> CommandError {
    let (key, group) = (shown(key, usize::MAX), shown(group, usize::MAX));
    CommandError::owned(format!("NOGROUP No such consumer group '{group}' for key name '{key}'"))
}
