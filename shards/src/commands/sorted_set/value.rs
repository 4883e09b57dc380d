//! A sorted set as a value of the keyspace, and how its elements are told to a client.

use crate::effects::{Event, EventClass};
use crate::error::{CommandError, WRONG_TYPE};
use crate::exec::{Env, Exec};
use crate::keyspace::space::Found;
use crate::keyspace::table::Value;
use crate::keyspace::{EntryMut, Ttl};
use crate::reply::{Reply, Resp};
use crate::types::zset::{Caps, ZSet};
use crate::types::{Object, tag};

/// An event of the class of sorted sets.
pub(crate) const fn event(name: &'static str) -> Event {
    Event::new(EventClass::SortedSet, name)
}

/// The sorted set that was found, if anything was.
#[inline]
pub(crate) fn sorted_set(found: Option<Found<'_>>) -> Result<Option<&ZSet>, CommandError> {
    match found.map(|found| found.value()) {
        None => Ok(None),
        Some(Value::Object(Object::ZSet(set))) => Ok(Some(set)),
        Some(_) => Err(WRONG_TYPE),
    }
}

/// The sorted set at the key that is the first argument.
#[inline]
pub(super) fn at_key<'x>(x: &'x mut Exec<'_>) -> Result<Option<&'x ZSet>, CommandError> {
    sorted_set(x.ks.read(x.db, x.argv.get(1)))
}

/// The sorted set of an entry, to be changed; `None` if the key does not exist.
pub(super) fn to_change<'e>(entry: &'e mut EntryMut<'_>) -> Result<Option<&'e mut ZSet>, CommandError> {
    match entry.tag() {
        None => Ok(None),
        Some(tag::ZSET) => match entry.object_mut() {
            Some(Object::ZSet(set)) => Ok(Some(set)),
            _ => unreachable!("the tag says what the object is"),
        },
        Some(_) => Err(WRONG_TYPE),
    }
}

/// The thresholds of the configuration, with a fresh seed.
pub(crate) fn caps(env: &mut Env) -> Caps {
    Caps { entries_max: env.limits.zset_entries_max, value_max: env.limits.zset_value_max, seed: env.rng.next_u64() }
}

/// Puts a set at `key` in place of whatever is there, or removes the key if the set is empty; answers its size.
pub(crate) fn store(x: &mut Exec<'_>, key: &[u8], set: ZSet, event: Event) {
    x.reply.count(set.len());
    let mut entry = x.ks.entry_mut(x.db, key);
    if set.is_empty() {
        entry.remove(Event::DEL);
    } else {
        entry.set_object(Box::new(Object::ZSet(set)), tag::ZSET, Ttl::Clear, event);
    }
}

/// Begins a list of `count` elements: with scores it is flat in RESP2 and pairs in RESP3.
#[inline]
pub(super) fn begin(reply: &mut Reply<'_>, count: usize, with_scores: bool) {
    let flat = with_scores && reply.resp() == Resp::V2;
    reply.array(if flat { count * 2 } else { count });
}

/// One element of such a list.
#[inline]
pub(super) fn element(reply: &mut Reply<'_>, member: &[u8], score: f64, with_scores: bool) {
    if !with_scores {
        return reply.bulk(member);
    }
    if reply.resp() == Resp::V3 {
        reply.array(2);
    }
    reply.bulk(member);
    reply.double(score);
}
