//! The hash at a key: finding it, changing it, answering with what is in it.

use crate::effects::{Event, EventClass};
use crate::error::{CommandError, WRONG_TYPE};
use crate::exec::Env;
use crate::keyspace::space::Found;
use crate::keyspace::table::Value;
use crate::keyspace::{EntryMut, Ttl};
use crate::reply::Reply;
use crate::types::hash::{Bounds, Field, Hash, Text};
use crate::types::{Object, tag};

/// A field was set.
pub const HSET: Event = Event::new(EventClass::Hash, "hset");
/// Fields were removed.
pub const HDEL: Event = Event::new(EventClass::Hash, "hdel");
/// Fields were given an expiry.
pub const HEXPIRE: Event = Event::new(EventClass::Hash, "hexpire");
/// Fields went because their time is over.
pub const HEXPIRED: Event = Event::new(EventClass::Hash, "hexpired");
/// Fields lost their expiry.
pub const HPERSIST: Event = Event::new(EventClass::Hash, "hpersist");

/// The hash that was found.
#[inline]
pub fn hash_in(found: Option<Found<'_>>) -> Result<Option<&Hash>, CommandError> {
    match found.map(|found| found.value()) {
        None => Ok(None),
        Some(Value::Object(Object::Hash(hash))) => Ok(Some(hash)),
        Some(_) => Err(WRONG_TYPE),
    }
}

/// The hash at an entry.
#[inline]
pub fn hash_at<'e>(entry: &'e EntryMut<'_>) -> Result<Option<&'e Hash>, CommandError> {
    match entry.value() {
        None => Ok(None),
        Some(Value::Object(Object::Hash(hash))) => Ok(Some(hash)),
        Some(_) => Err(WRONG_TYPE),
    }
}

/// The hash at an entry, to be changed; the caller tells what he did (`EntryMut::touched`).
#[inline]
pub fn hash_mut<'e>(entry: &'e mut EntryMut<'_>) -> Option<&'e mut Hash> {
    match entry.object_mut() {
        Some(Object::Hash(hash)) => Some(hash),
        _ => None,
    }
}

/// What `Hash` wants to know before it grows.
#[inline]
pub fn bounds(env: &mut Env) -> Bounds {
    Bounds {
        entries_max: env.limits.hash_entries_max,
        value_max: env.limits.hash_value_max,
        seed: env.rng.next_u64(),
    }
}

/// Sets fields of the hash at an entry, whose type was looked at before; a new hash if there is none. `set` says how
/// many fields it found over their time. Counts as so many changes.
pub fn store<R>(entry: &mut EntryMut<'_>, changes: usize, set: impl FnOnce(&mut Hash) -> (usize, R)) -> R {
    if let Some(hash) = hash_mut(entry) {
        let (over, result) = set(hash);
        entry.fields_over(over, HEXPIRED);
        entry.touched(HSET, changes);
        entry.track_fields();
        return result;
    }
    let mut hash = Hash::default();
    let (_, result) = set(&mut hash);
    entry.set_object(Box::new(Object::Hash(hash)), tag::HASH, Ttl::Clear, HSET);
    entry.count_more(changes - 1);
    result
}

/// After fields were removed: removes the key if none is left.
pub fn tidy(entry: &mut EntryMut<'_>) {
    if hash_mut(entry).is_some_and(|hash| hash.is_empty()) {
        entry.remove_emptied();
    }
}

/// Answers with a name or a value.
#[inline]
pub fn reply_text(reply: &mut Reply<'_>, text: Text<'_>) {
    match text {
        Text::Bytes(bytes) => reply.bulk(bytes),
        Text::Int(n) => reply.bulk_int(n),
    }
}

/// Answers with a field's value, null if there is none.
#[inline]
pub fn reply_value(reply: &mut Reply<'_>, field: Option<Field<'_>>) {
    match field {
        Some(field) => reply_text(reply, field.value),
        None => reply.null(),
    }
}
