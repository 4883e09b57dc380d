//! HyperLogLogs: PFADD, PFCOUNT, PFMERGE and their tests.
//!
//! A HyperLogLog is a string in the format of [`crate::types::hll`]. A dense one behind a pointer is changed in place; a
//! sparse one is worked on as a copy, so that a corrupt one that shows only half-way leaves nothing behind.

mod count;
mod debug;
mod merge;

use crate::command::ShardRun;
use crate::commands::string::value::{Digits, text};
use crate::effects::{Event, EventClass};
use crate::error::{CommandError, WRONG_TYPE};
use crate::exec::Exec;
use crate::keyspace::table::Value;
use crate::keyspace::{EntryMut, Ttl};
use crate::types::{Object, hll, tag};

crate::rows! {
    /// The family's rows.
    pub ROWS: ShardRun = [
        count::PFADD,
        count::PFCOUNT,
        debug::PFDEBUG,
        merge::PFMERGE,
        debug::PFSELFTEST,
    ]
}

const ADDED: Event = Event::new(EventClass::String, "pfadd");
const CORRUPT: CommandError = CommandError::Static("INVALIDOBJ Corrupted HLL object detected");
const NOT_ONE: CommandError = CommandError::Static("WRONGTYPE Key is not a valid HyperLogLog string value.");

/// The bytes of a HyperLogLog.
fn as_hll<'a>(value: Value<'a, Object>, digits: &'a mut Digits) -> Result<&'a [u8], CommandError> {
    let bytes = text(value, digits).map_err(|_| WRONG_TYPE)?;
    if hll::is_hll(bytes) { Ok(bytes) } else { Err(NOT_ONE) }
}

/// A copy of the HyperLogLog at a key that exists.
fn copied(entry: &EntryMut<'_>) -> Result<Option<Vec<u8>>, CommandError> {
    let mut digits = Digits::default();
    entry.value().map(|value| as_hll(value, &mut digits).map(<[u8]>::to_vec)).transpose()
}

/// Stores what became of the copy: `changes` of them, at least one.
fn store(entry: &mut EntryMut<'_>, bytes: Vec<u8>, event: Event, changes: usize) {
    let in_place = matches!(entry.value(), Some(Value::Object(_)));
    if in_place {
        entry.edit_counted(event, |object| {
            let Object::String(string) = object else { unreachable!("its type was checked") };
            *string = bytes;
            changes
        });
    } else if entry.tag() == Some(tag::STRING_RAW) && fits(entry, &bytes) {
        entry.edit_bytes(event).expect("it is inline").copy_from_slice(&bytes);
        entry.count_more(changes - 1);
    } else {
        entry.set_raw(bytes, Ttl::Keep, event);
        entry.count_more(changes - 1);
    }
}

fn fits(entry: &EntryMut<'_>, bytes: &[u8]) -> bool {
    matches!(entry.value(), Some(Value::Bytes(old)) if old.len() == bytes.len())
}

/// Reads a key's HyperLogLog, if the key exists.
fn read<T>(x: &mut Exec<'_>, i: usize, with: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, CommandError> {
    let mut digits = Digits::default();
    let found = x.ks.read(x.db, x.argv.get(i));
    found.map(|found| as_hll(found.value(), &mut digits).map(with)).transpose()
}
